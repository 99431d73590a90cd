//! Damage of which the server says nothing: it starts, gives wrong rows, and the report alone tells.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::parity::{BLCKSZ, HEAP_XMIN_COMMITTED, HEAP_XMIN_INVALID, Page, T_INFOMASK, T_XMIN};
use crate::server::{Cluster, Server, write_file};
use crate::tool::check;

const TABLES: [&str; 4] = ["lost", "cut", "moved", "zeroed"];

/// A lost write, a file cut at the border of a block, a page in the place of another, and a page of zeroes.
pub fn no_message_tells(server: Server) {
    // With checksums the server refuses a page in the place of another.
    let keep = if server.major >= 13 {
        "wal_keep_size = 64MB"
    } else {
        "wal_keep_segments = 64"
    };
    let mut cluster = Cluster::init_without_checksums(server, &["autovacuum = off", keep]);
    cluster.start();
    for table in TABLES {
        cluster.sql(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, pad text);
             INSERT INTO {table} SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i"
        ));
    }
    let file = |table: &str| -> PathBuf {
        cluster
            .data()
            .join(cluster.sql(&format!("SELECT pg_relation_filepath('{table}')")))
    };
    let [lost, cut, moved, zeroed] = TABLES.map(file);
    cluster.stop();
    let before = fs::read(&lost).unwrap();
    cluster.start();
    cluster.sql("DELETE FROM lost WHERE id <= 10");
    cluster.stop();
    check(&cluster).expect_healthy();

    let mut bytes = fs::read(&lost).unwrap();
    bytes[..BLCKSZ].copy_from_slice(&before[..BLCKSZ]);
    write_file(&lost, bytes);
    let mut bytes = fs::read(&cut).unwrap();
    let half = bytes.len() / BLCKSZ / 2;
    bytes.truncate(half * BLCKSZ);
    write_file(&cut, bytes);
    let mut bytes = fs::read(&moved).unwrap();
    bytes.copy_within(BLCKSZ..2 * BLCKSZ, 0);
    write_file(&moved, bytes);
    let mut bytes = fs::read(&zeroed).unwrap();
    bytes[BLCKSZ..2 * BLCKSZ].fill(0);
    write_file(&zeroed, bytes);

    let report = check(&cluster);
    let found: BTreeSet<(String, String, u64)> = report
        .findings()
        .iter()
        .filter(|finding| finding["severity"] == "damage" && finding["recovery"] == "persists")
        .map(|finding| {
            assert!(finding["server_error"].is_null(), "{finding}");
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let table = text(&finding["relation"]["name"]);
            (
                table,
                text(&finding["code"]),
                finding["block"].as_u64().unwrap(),
            )
        })
        // Block 1, where it lies now, is older than what WAL wrote to block 0.
        .filter(|(table, code, _)| (table.as_str(), code.as_str()) != ("moved", "lost-write"))
        .collect();
    let expected = [
        ("lost", "lost-write", 0),
        ("cut", "relation-cut-off", half as u64),
        ("moved", "page-misplaced", 0),
        ("zeroed", "zero-page", 1),
    ]
    .map(|(table, code, block)| (table.to_owned(), code.to_owned(), block));
    assert_eq!(found, BTreeSet::from(expected));
    let headline = report.at("verdict.headline").as_str().unwrap();
    assert!(
        headline.contains("4\u{a0}relations lack rows or changes of rows. The server starts"),
        "{headline}"
    );
    let patterns: BTreeSet<&str> = report
        .at("verdict.patterns")
        .as_array()
        .unwrap()
        .iter()
        .map(|pattern| pattern["kind"].as_str().unwrap())
        .collect();
    for kind in ["lost_write", "misdirected_write", "zeroed_range"] {
        assert!(patterns.contains(kind), "no {kind}: {patterns:?}");
    }

    // What the server makes of it: wrong rows, and no word.
    cluster.start();
    let rows = |query: &str| -> u64 {
        let scan = "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off";
        cluster.sql(&format!("{scan}; {query}")).parse().unwrap()
    };
    assert_eq!(rows("SELECT count(*) FROM lost WHERE id <= 10"), 10);
    assert!(rows("SELECT count(*) FROM cut") < 1000);
    assert!(rows("SELECT count(*) - count(DISTINCT id) FROM moved") > 0);
    assert!(rows("SELECT count(*) FROM zeroed") < 1000);
    // Only who is led there by the index hears of it.
    let said = cluster.try_sql("SET enable_seqscan = off; SELECT pad FROM cut WHERE id = 1000");
    assert!(said.contains("could not read block"), "{said}");
    cluster.stop();
}

/// A row that was damaged before the last checkpoint, and with it in the image of its page in the
/// WAL; one that was damaged by the crash alone; and the rows of an unlogged table.
pub fn images_bring_damage_back(server: Server) {
    let settings = ["autovacuum = off", "full_page_writes = on"];
    let mut cluster = Cluster::init_without_checksums(server, &settings);
    cluster.start();
    for (kind, table) in [("", "before"), ("", "since"), ("UNLOGGED", "unlogged")] {
        cluster.sql(&format!(
            "CREATE {kind} TABLE {table} (id int, pad text);
             INSERT INTO {table} SELECT i, 'x' FROM generate_series(1, 100) i"
        ));
    }
    let file = |table: &str| -> PathBuf {
        cluster
            .data()
            .join(cluster.sql(&format!("SELECT pg_relation_filepath('{table}')")))
    };
    let [before, since] = ["before", "since"].map(file);
    cluster.stop();
    // Inserted by a transaction that never was.
    let damage = |path: &Path| {
        let mut page = Page::read(path, 0);
        page.set_xid(3, T_XMIN, 1_000_000);
        page.bits(3, T_INFOMASK, HEAP_XMIN_COMMITTED | HEAP_XMIN_INVALID, 0);
        page.write(path, 0);
    };
    damage(&before);
    cluster.start();
    for table in ["before", "since"] {
        // Only the one row is looked at.
        cluster.sql(&format!(
            "UPDATE {table} SET pad = 'y' WHERE ctid = '(0,10)'"
        ));
    }
    cluster.sql("INSERT INTO unlogged VALUES (101, 'y'); CHECKPOINT");
    for table in ["before", "since"] {
        cluster.sql(&format!(
            "UPDATE {table} SET pad = 'y' WHERE ctid = '(0,11)'"
        ));
    }
    cluster.kill();
    damage(&since);

    let report = check(&cluster);
    let found: BTreeSet<(&str, &str, &str, Option<u64>)> = report
        .findings()
        .iter()
        .filter(|finding| finding["relation"].is_object())
        .map(|finding| {
            let text = |value: &'static str| finding[value].as_str().unwrap();
            let table = finding["relation"]["name"].as_str().unwrap();
            (
                table,
                text("code"),
                text("recovery"),
                finding["offset_number"].as_u64(),
            )
        })
        .collect();
    let expected = [
        ("before", "xmin-out-of-range", "persists", Some(3)),
        ("since", "xmin-out-of-range", "heals", Some(3)),
        ("unlogged", "unlogged-relation-emptied", "persists", None),
    ];
    assert_eq!(found, BTreeSet::from(expected));

    cluster.start();
    let rows = |table: &str| cluster.sql(&format!("SELECT count(*) FROM {table}"));
    assert_eq!(
        ["before", "since", "unlogged"].map(rows),
        ["99", "100", "0"]
    );
    cluster.stop();
}

/// Chunks lost from pages of a TOAST table that recovery changes elsewhere, and from one that it makes anew.
pub fn chunks_lost_in_a_crash(server: Server) {
    let settings = ["autovacuum = off", "full_page_writes = on"];
    let mut cluster = Cluster::init_without_checksums(server, &settings);
    cluster.start();
    cluster.sql(
        "CREATE TABLE doc (id int, body text, pad text);
         ALTER TABLE doc ALTER body SET STORAGE EXTERNAL, ALTER pad SET STORAGE PLAIN;
         INSERT INTO doc SELECT i, repeat(md5(i::text), 640), repeat('x', 1000)
         FROM generate_series(1, 40) i",
    );
    let toast = cluster.sql("SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'doc'");
    let file = cluster
        .data()
        .join(cluster.sql(&format!("SELECT pg_relation_filepath('{toast}')")));
    // Values have their numbers in the order of the rows. Rows lie seven to a page.
    let chunk = |id: u32, seq: &str| {
        let place = cluster.sql(&format!(
            "SELECT ctid FROM {toast}
             WHERE chunk_id = (SELECT DISTINCT chunk_id FROM {toast} ORDER BY 1 OFFSET {id} - 1 LIMIT 1)
             ORDER BY chunk_seq {seq} LIMIT 1"
        ));
        let numbers: Vec<u32> = place
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        let [blkno, offnum] = numbers[..] else {
            panic!("{place}")
        };
        (blkno, offnum as usize)
    };
    let lost = chunk(2, "");
    let healed = chunk(28, "DESC");
    let shared = chunk(29, "");
    assert_eq!(
        healed.0, shared.0,
        "the values of rows 28 and 29 share a page"
    );
    cluster.sql("CHECKPOINT");
    // Its old row is on another page than row 28.
    cluster.sql("UPDATE doc SET body = 'short' WHERE id = 29");
    cluster.sql(
        "INSERT INTO doc SELECT i, repeat(md5(i::text), 640), repeat('x', 1000)
         FROM generate_series(41, 45) i",
    );
    cluster.kill();
    for (blkno, offnum) in [lost, healed] {
        let mut page = Page::read(&file, blkno as usize);
        let at = 24 + 4 * (offnum - 1);
        page.0[at..at + 4].fill(0);
        page.write(&file, blkno);
    }

    let report = check(&cluster);
    let found: Vec<(&str, u64, &str, &str)> = report
        .findings()
        .iter()
        .filter(|finding| finding["severity"] != "note")
        .map(|finding| {
            let text = |value: &'static str| finding[value].as_str().unwrap();
            let row = finding["offset_number"].as_u64().unwrap();
            (text("code"), row, text("recovery"), text("server_error"))
        })
        .collect();
    let [("toast-value-incomplete", 2, "persists", error)] = found[..] else {
        panic!("{found:?}")
    };

    cluster.start();
    let said = cluster.try_sql("SELECT md5(body) FROM doc WHERE id = 2");
    assert!(said.contains(error), "{said} is not {error}");
    let whole = "SELECT count(md5(body)) FROM doc WHERE id <> 2";
    assert_eq!(cluster.sql(whole), "44");
    cluster.stop();
}

/// A commit log without a commit, and with two rollbacks as commits: of a transaction, and of
/// a subtransaction alone.
pub fn no_message_tells_of_the_commit_log(server: Server) {
    let mut cluster = Cluster::init(server, &["autovacuum = off"]);
    cluster.start();
    for table in ["kept", "gone", "part"] {
        cluster.sql(&format!("CREATE TABLE {table} (id int)"));
    }
    let insert =
        |table: &str| format!("INSERT INTO {table} SELECT i FROM generate_series(1, 100) i");
    let [kept, gone, part] = ["kept", "gone", "part"].map(insert);
    let xid = |statements: &str| -> usize {
        let shown = cluster.sql(&format!("BEGIN; {statements}"));
        shown.parse().unwrap()
    };
    let committed = xid(&format!("{kept}; SELECT txid_current(); COMMIT"));
    let aborted = xid(&format!("{gone}; SELECT txid_current(); ROLLBACK"));
    let parent = xid(&format!(
        "{kept}; SAVEPOINT s; {part}; ROLLBACK TO s; SELECT txid_current(); COMMIT"
    ));
    cluster.stop();
    check(&cluster).expect_healthy();

    let path = cluster.data().join("pg_xact/0000");
    let mut log = fs::read(&path).unwrap();
    for (xid, status) in [(committed, 0), (aborted, 1), (parent + 1, 1)] {
        let (byte, shift) = (xid / 4, xid % 4 * 2);
        log[byte] = log[byte] & !(3 << shift) | status << shift;
    }
    write_file(&path, log);

    let report = check(&cluster);
    let damage = || {
        let all = report.findings().iter();
        all.filter(|finding| finding["severity"] == "damage")
    };
    let messages: BTreeSet<&str> = damage()
        .map(|finding| {
            assert_eq!(finding["code"], "clog-contradicts-wal");
            assert_eq!(finding["path"], "pg_xact/0000");
            assert_eq!(finding["recovery"], "persists");
            assert!(finding["server_error"].is_null(), "{finding}");
            finding["message"].as_str().unwrap()
        })
        .collect();
    let one = format!("page 0 has transaction {committed} as in progress; by the WAL record at ");
    let two = format!("page 0 denies that 2 transactions were rolled back: {aborted} is committed");
    for start in [&one, &two] {
        assert!(
            messages.iter().any(|message| message.starts_with(start)),
            "{messages:?}"
        );
    }
    assert_eq!(messages.len(), 2, "{messages:?}");
    let headline = report.at("verdict.headline").as_str().unwrap();
    assert!(
        headline.contains("starts and does not say so"),
        "{headline}"
    );

    // What the server makes of it: wrong rows, and no word.
    cluster.start();
    let rows = |table: &str| cluster.sql(&format!("SELECT count(*) FROM {table}"));
    assert_eq!(["kept", "gone", "part"].map(rows), ["100", "100", "100"]);
    for word in ["WARNING", "ERROR", "FATAL", "PANIC"] {
        assert!(!cluster.log().contains(word), "{}", cluster.log());
    }
    cluster.stop();
}
