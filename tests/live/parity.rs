//! The damage that PostgreSQL's own tests of amcheck, pg_amcheck, pg_visibility and pg_checksums do, done here to the same
//! kinds of objects: each must be found at the relation, block and offset where those tools find it.
//!
//! Their sources: `src/bin/pg_amcheck/t/003_check.pl` and `004_verify_heapam.pl`, `contrib/amcheck/t/001_verify_heapam.pl`,
//! `contrib/pg_visibility/t/002_corrupt_vm.pl`, `src/bin/pg_checksums/t/002_actions.pl`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pgautopsy::format::checksum::page_checksum;

use crate::server::{Cluster, Server, make_dir, write_file};
use crate::tool::{Report, check};

pub const BLCKSZ: usize = 8192;

pub const HEAP_HASNULL: u16 = 0x0001;
pub const HEAP_XMIN_COMMITTED: u16 = 0x0100;
pub const HEAP_XMIN_INVALID: u16 = 0x0200;
pub const HEAP_XMAX_COMMITTED: u16 = 0x0400;
pub const HEAP_XMAX_INVALID: u16 = 0x0800;
pub const HEAP_XMAX_IS_MULTI: u16 = 0x1000;
pub const HEAP_NATTS_MASK: u16 = 0x07FF;
pub const HEAP_HOT_UPDATED: u16 = 0x4000;
pub const HEAP_ONLY_TUPLE: u16 = 0x8000;

/// Where a tuple's fields begin.
pub const T_XMIN: usize = 0;
pub const T_XMAX: usize = 4;
pub const T_CTID_POSID: usize = 16;
pub const T_INFOMASK2: usize = 18;
pub const T_INFOMASK: usize = 20;
pub const T_HOFF: usize = 22;
pub const T_BITS: usize = 23;

/// A heap page to be damaged, by line pointer.
pub struct Page(pub Vec<u8>);

impl Page {
    pub fn read(path: &Path, block: usize) -> Page {
        Page(fs::read(path).unwrap()[block * BLCKSZ..][..BLCKSZ].to_vec())
    }

    /// Puts it back, with a checksum that fits: it is not the checksum that is to tell.
    pub fn write(mut self, path: &Path, block: u32) {
        let sum = page_checksum(&self.0, block);
        self.0[8..10].copy_from_slice(&sum.to_le_bytes());
        let mut bytes = fs::read(path).unwrap();
        bytes[block as usize * BLCKSZ..][..BLCKSZ].copy_from_slice(&self.0);
        write_file(path, bytes);
    }

    pub fn line_pointer(&self, offnum: usize) -> u32 {
        let at = 24 + 4 * (offnum - 1);
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    /// Makes a line pointer a redirect.
    pub fn redirect(&mut self, offnum: usize, to: usize) {
        let at = 24 + 4 * (offnum - 1);
        let lp = to as u32 | 2 << 15;
        self.0[at..at + 4].copy_from_slice(&lp.to_le_bytes());
    }

    /// Where a redirect leads.
    pub fn target(&self, offnum: usize) -> usize {
        let lp = self.line_pointer(offnum);
        assert_eq!(lp >> 15 & 3, 2, "{offnum} is no redirect");
        (lp & 0x7FFF) as usize
    }

    pub fn at(&self, offnum: usize, field: usize) -> usize {
        let lp = self.line_pointer(offnum);
        assert_eq!(lp >> 15 & 3, 1, "{offnum} is no tuple");
        (lp & 0x7FFF) as usize + field
    }

    pub fn u16(&self, offnum: usize, field: usize) -> u16 {
        let at = self.at(offnum, field);
        u16::from_le_bytes(self.0[at..at + 2].try_into().unwrap())
    }

    pub fn u32(&self, offnum: usize, field: usize) -> u32 {
        let at = self.at(offnum, field);
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    pub fn set<const N: usize>(&mut self, offnum: usize, field: usize, value: [u8; N]) {
        let at = self.at(offnum, field);
        self.0[at..at + N].copy_from_slice(&value);
    }

    pub fn set_xid(&mut self, offnum: usize, field: usize, xid: u32) {
        self.set(offnum, field, xid.to_le_bytes());
    }

    /// Clears and sets bits of a field of 16.
    pub fn bits(&mut self, offnum: usize, field: usize, clear: u16, set: u16) {
        let bits = self.u16(offnum, field) & !clear | set;
        self.set(offnum, field, bits.to_le_bytes());
    }

    pub fn add_to_hoff(&mut self, offnum: usize, by: i8) {
        let at = self.at(offnum, T_HOFF);
        self.0[at] = self.0[at].wrapping_add_signed(by);
    }
}

/// The file of a relation.
fn file(cluster: &Cluster, relation: &str) -> PathBuf {
    let path = cluster.sql(&format!("SELECT pg_relation_filepath('{relation}')"));
    cluster.data().join(path)
}

/// The tuples of a relation's first block that something is said of, above a note.
fn offsets_found(report: &Report, relation: &str) -> BTreeSet<usize> {
    report
        .findings()
        .iter()
        .filter(|finding| finding["relation"]["name"] == relation && finding["severity"] != "note")
        .filter(|finding| finding["block"] == 0)
        .filter_map(|finding| finding["offset_number"].as_u64())
        .map(|offnum| offnum as usize)
        .collect()
}

/// What verify_heapam says of a table, by offset of block 0.
fn verify_heapam(cluster: &Cluster, table: &str) -> BTreeMap<usize, Vec<String>> {
    let mut said: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let lines = cluster.sql(&format!(
        "SELECT blkno || ' ' || offnum || ' ' || msg FROM verify_heapam('{table}')"
    ));
    for line in lines.lines() {
        let mut words = line.splitn(3, ' ');
        assert_eq!(words.next(), Some("0"), "{line}");
        let offnum = words.next().unwrap().parse().unwrap();
        let message = words.next().unwrap().to_owned();
        said.entry(offnum).or_default().push(message);
    }
    said
}

fn plain_cluster(server: Server) -> Cluster {
    let mut cluster = Cluster::init(
        server,
        &["autovacuum = off", "max_prepared_transactions = 10"],
    );
    cluster.start();
    cluster.sql("VACUUM FREEZE");
    cluster
}

/// Each statement in a transaction of its own.
fn run(cluster: &Cluster, statements: &[&str]) {
    for statement in statements {
        cluster.sql(statement);
    }
}

/// Every damage to a tuple of `004_verify_heapam.pl`, one a tuple.
pub fn damaged_tuples(server: Server) {
    let mut cluster = plain_cluster(server);
    let oracle = server.major >= 14;
    if oracle {
        cluster.sql("CREATE EXTENSION amcheck");
    }
    run(
        &cluster,
        &[
            "CREATE TABLE test (a bigint, b text, c text) WITH (autovacuum_enabled = false)",
            "ALTER TABLE test ALTER c SET STORAGE EXTERNAL",
            "CREATE INDEX ON test (a, b)",
            "CREATE TABLE junk AS SELECT 'junk'::text AS word",
            "VACUUM FREEZE junk",
            "INSERT INTO test SELECT i, 'abcdefg', repeat('w', 10000) FROM generate_series(1, 16) i",
            "VACUUM FREEZE test",
            // Redirects: 17 to 19, 18 to 20; then 21 to 25, 22 to 26.
            "INSERT INTO test SELECT i, 'abcdefg', 'r' FROM generate_series(17, 18) i",
            "UPDATE test SET c = 'a' WHERE a = 17",
            "UPDATE test SET c = 'a' WHERE a = 18",
            "VACUUM FREEZE test",
            "INSERT INTO test SELECT i, 'abcdefg', 'r' FROM generate_series(21, 24) i",
            "UPDATE test SET c = 'a' WHERE a = 21",
            "UPDATE test SET c = 'a' WHERE a = 22",
            "VACUUM FREEZE test",
            // Chains that are not pruned.
            "INSERT INTO test SELECT i, 'abcdefg', 'chain' FROM generate_series(101, 109) i",
        ],
    );
    let chains: Vec<usize> = cluster
        .sql("SELECT (ctid::text::point)[1] FROM test WHERE c = 'chain' ORDER BY a")
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    let old = |n: usize| chains[n - 1];
    for n in [1, 4, 5, 6, 7, 8, 9] {
        cluster.sql(&format!("UPDATE test SET c = 'new' WHERE a = {}", 100 + n));
    }
    cluster.sql("BEGIN; UPDATE test SET c = 'new' WHERE a = 103; ROLLBACK");
    cluster.sql("BEGIN; SELECT txid_current(); PREPARE TRANSACTION 'open'");
    let open: u32 = cluster
        .sql("SELECT transaction FROM pg_prepared_xacts")
        .parse()
        .unwrap();
    let frozen: u32 = cluster
        .sql("SELECT relfrozenxid FROM pg_class WHERE relname = 'test'")
        .parse()
        .unwrap();
    let path = file(&cluster, "test");
    cluster.stop();
    assert_eq!(offsets_found(&check(&cluster), "test"), BTreeSet::new());

    let page = &mut Page::read(&path, 0);
    let mut expected = BTreeSet::new();
    // The line pointers of the first two are those of the basic rows: 1 to 16.
    let unhinted = HEAP_XMIN_COMMITTED | HEAP_XMIN_INVALID;
    for (offnum, xmin) in [(1, frozen - 1), (2, 3), (3, 4_026_531_839), (16, 123_456)] {
        page.set_xid(offnum, T_XMIN, xmin);
        page.bits(offnum, T_INFOMASK, unhinted, 0);
    }
    page.set_xid(4, T_XMAX, 4_026_531_839);
    page.bits(4, T_INFOMASK, HEAP_XMAX_INVALID, 0);
    page.add_to_hoff(5, 127);
    page.add_to_hoff(5, 1);
    page.add_to_hoff(6, 3);
    page.add_to_hoff(7, -8);
    page.add_to_hoff(8, -3);
    page.bits(9, T_INFOMASK2, 0, HEAP_NATTS_MASK);
    page.bits(10, T_INFOMASK, 0, HEAP_HASNULL);
    page.bits(10, T_INFOMASK2, 0, HEAP_NATTS_MASK);
    page.set(10, T_BITS, [0xAA]);
    page.bits(11, T_INFOMASK, 0, HEAP_HASNULL);
    page.bits(11, T_INFOMASK2, 0, 0x40);
    page.set(11, T_BITS, [0xAA]);
    page.set(11, T_HOFF, [32]);
    // Column b, of one byte's header, now says it is a gigabyte long; the TOAST pointer of c leads to no value.
    page.set(12, 32, [0xFC, 0xFF, 0xFF, 0xFF]);
    page.set(13, 50, [0xFF; 4]);
    for (offnum, multi) in [(14, 4), (15, 4_000_000_000)] {
        page.bits(
            offnum,
            T_INFOMASK,
            0,
            HEAP_XMAX_COMMITTED | HEAP_XMAX_IS_MULTI,
        );
        page.set_xid(offnum, T_XMAX, multi);
    }
    expected.extend(1..=16);

    // Up to here a tuple at fault alone; from here on tuples that contradict each other.
    let target = page.target(17);
    page.bits(target, T_INFOMASK2, HEAP_ONLY_TUPLE, 0);
    page.redirect(18, 17);
    let target = page.target(21);
    page.redirect(22, target);
    expected.extend([17, 18, 22]);

    let (xmax, posid) = (page.u32(old(1), T_XMAX), page.u16(old(1), T_CTID_POSID));
    page.bits(old(1), T_INFOMASK2, HEAP_HOT_UPDATED, 0);
    page.set_xid(old(2), T_XMAX, xmax);
    page.set(old(2), T_CTID_POSID, posid.to_le_bytes());
    let aborted = page.u32(old(3), T_XMAX);
    page.set_xid(old(4), T_XMIN, aborted);
    page.bits(old(4), T_INFOMASK, HEAP_XMIN_COMMITTED, 0);
    page.bits(old(5), T_INFOMASK2, 0, HEAP_ONLY_TUPLE);
    let successor = page.u16(old(6), T_CTID_POSID).into();
    page.bits(successor, T_INFOMASK2, HEAP_ONLY_TUPLE, 0);
    page.set_xid(old(7), T_XMAX, 0);
    page.set_xid(old(8), T_XMIN, open);
    page.bits(old(8), T_INFOMASK, HEAP_XMIN_COMMITTED, 0);
    page.set_xid(old(9), T_XMIN, aborted);
    page.set_xid(old(9), T_XMAX, open);
    page.bits(old(9), T_INFOMASK, HEAP_XMIN_COMMITTED, 0);
    let successor = page.u16(old(9), T_CTID_POSID).into();
    page.set_xid(successor, T_XMIN, open);
    page.bits(successor, T_INFOMASK, HEAP_XMIN_COMMITTED, 0);
    expected.extend([1, 2, 4, 5, 6, 7, 8, 9].map(old));
    Page(page.0.clone()).write(&path, 0);

    let report = check(&cluster);
    let found = offsets_found(&report, "test");
    let missed: Vec<_> = expected.difference(&found).collect();
    assert!(
        missed.is_empty(),
        "nothing is said of {missed:?}: {:#?}",
        report.findings()
    );
    let touched = |offnum: &usize| {
        let successors = [6, 7, 9].map(|n| usize::from(page.u16(old(n), T_CTID_POSID)));
        expected.contains(offnum)
            || successors.contains(offnum)
            || [19, 20, 25, 26].contains(offnum)
    };
    let invented: Vec<_> = found.iter().filter(|offnum| !touched(offnum)).collect();
    assert!(
        invented.is_empty(),
        "nothing was done to {invented:?}: {:#?}",
        report.findings()
    );

    if oracle {
        cluster.start();
        let said = verify_heapam(&cluster, "test");
        assert!(said.len() >= 15, "{said:#?}");
        for (offnum, messages) in said {
            assert!(found.contains(&offnum), "{offnum}: {messages:?}");
        }
    }
}

/// Line pointers that each breaks another rule (`001_verify_heapam.pl`).
const LINE_POINTERS: [u32; 6] = [
    0xAAA1_5550,
    0xAAA0_D550,
    0x0001_0000,
    0x0000_8000,
    0x0000_800F,
    0x001E_8000,
];

fn overwrite_line_pointers(path: &Path, fit_checksum: bool) {
    let mut bytes = fs::read(path).unwrap();
    let words = LINE_POINTERS.map(u32::to_le_bytes).concat();
    bytes.resize(bytes.len().max(32 + words.len()), 0);
    bytes[32..32 + words.len()].copy_from_slice(&words);
    write_file(path, &bytes);
    if fit_checksum {
        Page::read(path, 0).write(path, 0);
    }
}

/// The line pointers of `001_verify_heapam.pl`, in a page with and without frozen tuples.
pub fn damaged_line_pointers(server: Server) {
    let mut cluster = plain_cluster(server);
    let oracle = server.major >= 14;
    if oracle {
        cluster.sql("CREATE EXTENSION amcheck");
    }
    let tables = ["plain", "frozen"];
    for table in tables {
        run(
            &cluster,
            &[
                &format!("CREATE TABLE {table} (a int, b text) WITH (autovacuum_enabled = false)"),
                &format!("ALTER TABLE {table} ALTER b SET STORAGE EXTERNAL"),
                &format!(
                    "INSERT INTO {table} SELECT i, repeat('b', i * 10) FROM generate_series(1, 1000) i"
                ),
                &format!(
                    "BEGIN; SAVEPOINT s; SELECT 1 FROM {table} WHERE a = 42 FOR UPDATE; \
                     UPDATE {table} SET b = b WHERE a = 42; RELEASE s; SAVEPOINT s; \
                     SELECT 1 FROM {table} WHERE a = 42 FOR UPDATE; \
                     UPDATE {table} SET b = b WHERE a = 42; COMMIT"
                ),
            ],
        );
    }
    cluster.sql("VACUUM (FREEZE) frozen");
    // Sequences are heap pages, too, with rules of their own; these are whole.
    run(
        &cluster,
        &[
            "CREATE SEQUENCE counter INCREMENT BY 13 MINVALUE 17 START WITH 23",
            "SELECT nextval('counter')",
            "SELECT setval('counter', currval('counter') + nextval('counter'))",
            "SELECT setval('counter', 102)",
            "ALTER SEQUENCE counter RESTART WITH 51",
        ]
        .map(|statement| match statement {
            // These need the session's own value.
            "SELECT setval('counter', currval('counter') + nextval('counter'))" => {
                "SELECT setval('counter', nextval('counter') + nextval('counter'))"
            }
            other => other,
        }),
    );
    let paths = tables.map(|table| file(&cluster, table));
    cluster.stop();
    check(&cluster).expect_healthy();
    for path in &paths {
        overwrite_line_pointers(path, true);
    }
    let report = check(&cluster);
    let found = tables.map(|table| offsets_found(&report, table));
    if oracle {
        cluster.start();
    }
    for (table, found) in tables.into_iter().zip(found) {
        assert!(
            (3..=8).all(|offnum| found.contains(&offnum)),
            "{table}: {found:?}"
        );
        if oracle {
            for (offnum, messages) in verify_heapam(&cluster, table) {
                assert!(found.contains(&offnum), "{table} {offnum}: {messages:?}");
            }
        }
    }
}

/// The relations that something is said of, above a note.
fn relations_found(report: &Report) -> BTreeSet<String> {
    report
        .findings()
        .iter()
        .filter(|finding| finding["severity"] != "note")
        .filter_map(|finding| {
            let (schema, name) = (&finding["relation"]["schema"], &finding["relation"]["name"]);
            Some(format!("{}.{}", schema.as_str()?, name.as_str()?))
        })
        .collect()
}

/// Files removed and first pages overwritten, of every kind of relation (`003_check.pl`).
pub fn damaged_relations(server: Server) {
    let mut cluster = plain_cluster(server);
    let mut statements = vec!["CREATE SCHEMA s1".to_owned()];
    for n in [1, 2] {
        statements.push(format!("CREATE SEQUENCE s1.seq{n}"));
        statements.push(format!(
            "CREATE TABLE s1.t{n} (i int, b box, ia int4[], ir int4range, t text)"
        ));
        statements.push(format!("ALTER TABLE s1.t{n} ALTER t SET STORAGE EXTERNAL"));
        statements.push(format!(
            "INSERT INTO s1.t{n} SELECT i, box(point(i, i + 5), point(i * 2, i * 3)), ARRAY[i, i + 1], \
             int4range(i, i + 100), repeat('foo', i) FROM generate_series(1, 10000, 3000) i"
        ));
        statements.push(format!(
            "CREATE MATERIALIZED VIEW s1.t{n}_mv AS SELECT * FROM s1.t{n}"
        ));
        statements.push(format!(
            "CREATE TABLE s1.p{n} (a int, b int) PARTITION BY LIST (a)"
        ));
        statements.push(format!(
            "CREATE TABLE s1.p{n}_1 PARTITION OF s1.p{n} FOR VALUES IN (1, 2, 3)"
        ));
        statements.push(format!(
            "INSERT INTO s1.p{n} SELECT 1, i FROM generate_series(1, 100) i"
        ));
        for (method, column) in [
            ("btree", "i"),
            ("hash", "i"),
            ("brin", "i"),
            ("gist", "b"),
            ("gin", "ia"),
            ("spgist", "ir"),
        ] {
            statements.push(format!(
                "CREATE INDEX t{n}_{method} ON s1.t{n} USING {method} ({column})"
            ));
        }
    }
    statements.push("CREATE TABLE s1.toasted AS SELECT repeat('x', 1000000) AS t".to_owned());
    for statement in &statements {
        cluster.sql(statement);
    }
    let toast = cluster
        .sql("SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 's1.toasted'::regclass");
    let kinds = [
        "t", "t_mv", "t_btree", "t_hash", "t_brin", "t_gist", "t_gin", "t_spgist", "seq", "p_1",
    ];
    let name = |kind: &str, n: u32| match kind.split_once('_') {
        Some((table, rest)) => format!("s1.{table}{n}_{rest}"),
        None => format!("s1.{kind}{n}"),
    };
    let mut removed: Vec<String> = kinds.iter().map(|kind| name(kind, 1)).collect();
    removed.push(toast);
    let overwritten: Vec<String> = kinds.iter().map(|kind| name(kind, 2)).collect();
    let removed_files: Vec<_> = removed.iter().map(|name| file(&cluster, name)).collect();
    let overwritten_files: Vec<_> = overwritten
        .iter()
        .map(|name| file(&cluster, name))
        .collect();
    cluster.stop();
    assert_eq!(relations_found(&check(&cluster)), BTreeSet::new());

    for path in removed_files {
        fs::remove_file(path).unwrap();
    }
    for (name, path) in overwritten.iter().zip(overwritten_files) {
        // What an index or a sequence keeps there is not looked at yet: their checksums tell.
        let heap = ["s1.t2", "s1.t2_mv", "s1.p2_1"].contains(&name.as_str());
        overwrite_line_pointers(&path, heap);
    }
    let found = relations_found(&check(&cluster));
    let expected: BTreeSet<String> = removed.into_iter().chain(overwritten).collect();
    assert_eq!(found, expected);
}

/// A visibility map older than its table (`002_corrupt_vm.pl`).
pub fn stale_visibility_map(server: Server) {
    let mut cluster = plain_cluster(server);
    run(
        &cluster,
        &[
            "CREATE TABLE marked WITH (autovacuum_enabled = false) AS \
             SELECT i, repeat('a', 10) AS data FROM generate_series(1, 8192) i",
            "VACUUM (FREEZE) marked",
            "DELETE FROM marked WHERE (ctid::text::point)[0] = 0",
        ],
    );
    let map = PathBuf::from(format!("{}_vm", file(&cluster, "marked").display()));
    cluster.stop();
    let kept = fs::read(&map).unwrap();
    cluster.start();
    let blocks: BTreeSet<u64> = cluster
        .sql(
            "WITH few AS (SELECT ctid FROM marked ORDER BY random() LIMIT 5) \
             DELETE FROM marked WHERE ctid = ANY (ARRAY(SELECT ctid FROM few)) \
             RETURNING (ctid::text::point)[0]",
        )
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    cluster.stop();
    check(&cluster).expect_healthy();
    write_file(&map, kept);
    let report = check(&cluster);
    let found: BTreeSet<u64> = report
        .findings()
        .iter()
        .filter(|finding| finding["code"] == "visibility-map-disagrees-with-heap")
        .filter(|finding| finding["relation"]["name"] == "marked")
        .filter_map(|finding| finding["block"].as_u64())
        .collect();
    assert_eq!(found, blocks, "{:#?}", report.findings());
}

/// A checksum overwritten in each tablespace, files that are none of the server's, and files of its own with a few bytes
/// in them (`002_actions.pl`).
pub fn damaged_files(server: Server) {
    let mut cluster = plain_cluster(server);
    cluster.create_tablespace();
    let tables = ["here", "there"];
    for table in tables {
        run(
            &cluster,
            &[
                &format!("CREATE TABLE {table} AS SELECT a FROM generate_series(1, 10000) AS a"),
                &format!("ALTER TABLE {table} SET (autovacuum_enabled = false)"),
            ],
        );
    }
    cluster.sql("ALTER TABLE there SET TABLESPACE ts1");
    let paths = tables.map(|table| file(&cluster, table));
    cluster.stop();
    let global = cluster.data().join("global");
    for name in [
        "99999",
        "99999.123",
        "99999_fsm",
        "99999_init",
        "99999_vm",
        "99999_init.123",
    ] {
        write_file(&global.join(name), "");
    }
    make_dir(&global.join("pgsql_tmp"));
    for name in [
        "pgsql_tmp_123",
        "pgsql_tmp/1.1",
        "pg_internal.init",
        "pg_internal.init.123",
    ] {
        write_file(&global.join(name), "foo");
    }
    let foreign = cluster.tablespace().join("PG_99_999999991");
    make_dir(&foreign);
    write_file(&foreign.join("foo"), "123");
    check(&cluster).expect_healthy();

    let kept = paths.each_ref().map(|path| fs::read(path).unwrap());
    for (table, path) in tables.iter().zip(&paths) {
        let mut bytes = fs::read(path).unwrap();
        bytes[8..12].fill(0);
        write_file(path, bytes);
        let report = check(&cluster);
        let found = report
            .findings()
            .iter()
            .find(|finding| finding["code"] == "page-checksum-mismatch");
        let found = found.unwrap_or_else(|| panic!("{table}"));
        assert_eq!(
            (&found["relation"]["name"], &found["block"]),
            (&(*table).into(), &0.into())
        );
        write_file(path, &kept[usize::from(*table == "there")]);
    }

    for name in [
        "99990",
        "99990.123",
        "99990_fsm",
        "99990_init",
        "99990_vm",
        "99990_init.123",
        "99990_fsm.123",
        "99990_vm.123",
    ] {
        let path = global.join(name);
        write_file(&path, "foo");
        let report = check(&cluster);
        let of_file = |finding: &&serde_json::Value| finding["path"] == format!("global/{name}");
        let found: Vec<_> = report.findings().iter().filter(of_file).collect();
        assert!(!found.is_empty(), "nothing is said of {name}");
        fs::remove_file(path).unwrap();
    }
}
