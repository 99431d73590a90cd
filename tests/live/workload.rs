//! A mixed load: several sessions that write in all the ways that leave different traces in files and WAL.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::{Child, Stdio};

use crate::server::{Cluster, PATIENCE};

/// xorshift64*: the runs need variety and a seed that can be given again, nothing more.
pub struct Random(u64);

impl Random {
    /// Seeded from PGAUTOPSY_SEED or the clock; the seed is printed, and shown when the test fails.
    pub fn new() -> Random {
        let seed = match std::env::var("PGAUTOPSY_SEED") {
            Ok(seed) => seed.parse().expect("PGAUTOPSY_SEED is a number"),
            Err(_) => std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
        };
        eprintln!("PGAUTOPSY_SEED={seed}");
        Random(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// A number in `range`.
    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.within(0..n) == 0
    }

    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.within(0..items.len() as u64) as usize]
    }
}

/// What the sessions write to.
const TABLES: &str = "
CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, branch int NOT NULL, note text) WITH (fillfactor = 70);
CREATE INDEX account_branch ON account (branch);
INSERT INTO account SELECT i, 0, i % 50, repeat('n', i % 40) FROM generate_series(1, 2000) i;
CREATE TABLE parent (id int PRIMARY KEY, n int NOT NULL);
INSERT INTO parent SELECT i, 0 FROM generate_series(1, 15) i;
CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent, note text);
CREATE TABLE document (id serial PRIMARY KEY, body text, blob text) TABLESPACE ts1;
ALTER TABLE document ALTER COLUMN blob SET STORAGE EXTERNAL;
CREATE TABLE event (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), kind int, tags int[],
                    place point, payload jsonb);
CREATE INDEX event_at ON event USING brin (at) WITH (pages_per_range = 4);
CREATE INDEX event_kind ON event USING hash (kind);
CREATE INDEX event_tags ON event USING gin (tags);
CREATE INDEX event_place ON event USING gist (place);
CREATE INDEX event_quad ON event USING spgist (place);
CREATE TABLE prepared (id text);
CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY, pad text);
CREATE SEQUENCE counter;
";

/// Makes the tables that the load needs, and the tablespace `ts1`.
pub fn create_tables(cluster: &Cluster) {
    cluster.create_tablespace();
    cluster.sql(TABLES);
    // Redo of the tablespace's creation would turn the link of every copy back to where it was made.
    cluster.sql("CHECKPOINT");
}

/// What a load must leave out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// Checkpoints as they come, and statements that make one.
    Any,
    /// None, so that a copy of the files taken meanwhile is one that recovery can mend.
    None,
}

/// Sessions at work. Dropping it ends them.
pub struct Load {
    sessions: Vec<Child>,
}

impl Load {
    /// Starts five sessions, none of which comes to its end before the test has seen enough.
    pub fn start(cluster: &Cluster, random: &mut Random, checkpoints: Checkpoints) -> Load {
        let scripts = [
            accounts(random),
            accounts(random),
            locks(random),
            locks(random),
            documents(random),
            definitions(random, checkpoints),
        ];
        let sessions = scripts
            .iter()
            .enumerate()
            .map(|(i, script)| {
                let path = cluster.home().join(format!("session{i}.sql"));
                fs::write(&path, script).unwrap();
                // A server that was killed is what ends these; their errors (deadlocks, among others) are part of the load.
                cluster
                    .psql()
                    .stdin(File::open(&path).unwrap())
                    .stdout(Stdio::null())
                    .stderr(File::create(path.with_extension("err")).unwrap())
                    .spawn()
                    .unwrap()
            })
            .collect();
        Load { sessions }
    }

    /// Ends every session and waits until the server has noticed.
    pub fn stop(mut self, cluster: &Cluster) {
        self.end();
        let since = std::time::Instant::now();
        while cluster
            .sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
            != "1"
        {
            assert!(since.elapsed() < PATIENCE, "sessions go on");
            cluster.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            );
        }
    }

    fn end(&mut self) {
        for mut session in self.sessions.drain(..) {
            let _ = session.kill();
            let _ = session.wait();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

const LENGTH: usize = 30_000;

/// Updates, HOT and not, deletes, inserts, subtransactions, commits and rollbacks.
fn accounts(random: &mut Random) -> String {
    let mut sql = String::new();
    if random.one_in(2) {
        sql += "SET synchronous_commit = off;\n";
    }
    for _ in 0..LENGTH {
        let id = random.within(1..2001);
        match random.within(0..20) {
            0..8 => writeln!(sql, "UPDATE account SET balance = balance + 1 WHERE id = {id};"),
            8..10 => writeln!(sql, "UPDATE account SET branch = {} WHERE id = {id};", id * 7 % 53),
            10 => writeln!(sql, "DELETE FROM account WHERE id BETWEEN {id} AND {};", id + 3),
            11..13 => writeln!(
                sql,
                "INSERT INTO account VALUES ({id}, 1, 1, md5('{id}')) ON CONFLICT (id) DO UPDATE SET balance = 0;"
            ),
            13 => writeln!(
                sql,
                "INSERT INTO account SELECT i, 2, i % 50, 'again' FROM generate_series({id}, {}) i ON CONFLICT DO NOTHING;",
                id + 100
            ),
            14..17 => {
                sql += "BEGIN;\n";
                // More than 64 subtransactions overflow the backend's cache of them.
                for level in 0..random.one_of(&[2, 3, 5, 70]) {
                    let id = random.within(1..2001);
                    let end = random.one_of(&["RELEASE", "RELEASE", "ROLLBACK TO"]);
                    writeln!(
                        sql,
                        "SAVEPOINT s{level}; UPDATE account SET balance = {level} WHERE id = {id}; {end} s{level};"
                    )
                    .unwrap();
                }
                writeln!(sql, "{};", random.one_of(&["COMMIT", "COMMIT", "ROLLBACK"]))
            }
            17 => writeln!(sql, "SELECT nextval('counter');"),
            18 => writeln!(
                sql,
                "BEGIN; INSERT INTO prepared VALUES ('p{id}'); SELECT nextval('counter');\nPREPARE TRANSACTION 'p{id}';\n{}",
                random.one_of(&["COMMIT PREPARED", "COMMIT PREPARED", "ROLLBACK PREPARED"]).to_owned() + &format!(" 'p{id}';")
            ),
            _ => writeln!(
                sql,
                "INSERT INTO scratch VALUES ({id}, md5('{id}')) ON CONFLICT (id) DO UPDATE SET pad = 'again';"
            ),
        }
        .unwrap();
    }
    sql
}

/// Row locks that several transactions hold at once: multixacts, with and without an updater among the members.
fn locks(random: &mut Random) -> String {
    let mut sql = String::from("SET deadlock_timeout = '20ms';\n");
    for _ in 0..LENGTH / 3 {
        let id = random.within(1..16);
        sql += "BEGIN;\n";
        match random.within(0..6) {
            0 | 1 => writeln!(
                sql,
                "INSERT INTO child (parent, note) VALUES ({id}, 'c'), ({}, 'd');",
                id % 15 + 1
            ),
            2 => writeln!(sql, "SELECT * FROM parent WHERE id = {id} FOR SHARE;"),
            3 => writeln!(
                sql,
                "SELECT * FROM parent WHERE id = {id} FOR KEY SHARE;\nUPDATE parent SET n = n + 1 WHERE id = {id};"
            ),
            4 => writeln!(
                sql,
                "SELECT * FROM parent WHERE id < {id} FOR KEY SHARE;\nSAVEPOINT s;\n\
                 SELECT * FROM parent WHERE id = {id} FOR NO KEY UPDATE;\nROLLBACK TO s;"
            ),
            _ => writeln!(sql, "DELETE FROM child WHERE id % 16 = {id};"),
        }
        .unwrap();
        if random.one_in(3) {
            sql += "SELECT pg_sleep(0.002);\n";
        }
        writeln!(sql, "{};", random.one_of(&["COMMIT", "COMMIT", "ROLLBACK"])).unwrap();
    }
    sql
}

/// TOAST, and every kind of index.
fn documents(random: &mut Random) -> String {
    let mut sql = String::new();
    for _ in 0..LENGTH / 3 {
        let n = random.within(1..1_000_000);
        match random.within(0..9) {
            0..3 => writeln!(
                sql,
                "INSERT INTO event (kind, tags, place, payload) SELECT {n} % 97 + i, ARRAY[i, {n} % 1000, {n} % 77], \
                 point({n} % 1013, i), jsonb_build_object('n', {n}, 'i', i) FROM generate_series(1, {}) i;",
                random.one_of(&[1, 1, 5, 60])
            ),
            3 => writeln!(sql, "DELETE FROM event WHERE kind = {};", n % 97),
            4 => writeln!(sql, "UPDATE event SET kind = kind + 1, place = place + point(1, 1) WHERE kind = {};", n % 97),
            5 | 6 => writeln!(
                sql,
                "INSERT INTO document (body, blob) SELECT string_agg(md5((i * {n})::text), ' '), \
                 string_agg(md5((i + {n})::text), '') FROM generate_series(1, {}) i;",
                random.one_of(&[10, 100, 300])
            ),
            7 => writeln!(sql, "UPDATE document SET body = body || 'x' WHERE id % 50 = {};", n % 50),
            _ => writeln!(sql, "DELETE FROM document WHERE id % 40 = {};", n % 40),
        }
        .unwrap();
    }
    sql
}

/// Tables that come and go, maintenance, and checkpoints.
fn definitions(random: &mut Random, checkpoints: Checkpoints) -> String {
    let mut sql = String::new();
    for _ in 0..LENGTH / 10 {
        let t = random.within(1..8);
        let rows = random.one_of(&[0, 10, 500, 3000]);
        match random.within(0..24) {
            0..4 => writeln!(
                sql,
                "CREATE TABLE IF NOT EXISTS t{t} (id int, pad text) {};\n\
                 INSERT INTO t{t} SELECT i, md5(i::text) FROM generate_series(1, {rows}) i;",
                random.one_of(&["", "TABLESPACE ts1"])
            ),
            4 => writeln!(sql, "CREATE INDEX ON t{t} (pad);"),
            5 => writeln!(
                sql,
                "CREATE INDEX ON t{t} USING {} (id);",
                random.one_of(&["btree", "hash", "brin"])
            ),
            6 => writeln!(sql, "TRUNCATE t{t};"),
            7 | 8 => writeln!(sql, "DROP TABLE IF EXISTS t{t};"),
            9 => writeln!(sql, "DELETE FROM t{t} WHERE id > 100;\nVACUUM t{t};"),
            10 => writeln!(
                sql,
                "VACUUM {};",
                random.one_of(&["account", "event", "document", "child", "parent"])
            ),
            11 => writeln!(
                sql,
                "VACUUM (FREEZE) {};",
                random.one_of(&["account", "parent", "child"])
            ),
            12 => writeln!(sql, "VACUUM FULL t{t};"),
            13 => writeln!(
                sql,
                "ALTER TABLE t{t} SET TABLESPACE {};",
                random.one_of(&["ts1", "pg_default"])
            ),
            14 => writeln!(
                sql,
                "BEGIN; CREATE TABLE u{t} AS SELECT * FROM account LIMIT {rows}; {};",
                random.one_of(&["COMMIT; DROP TABLE u1", "ROLLBACK", "ROLLBACK"])
            ),
            15 => writeln!(
                sql,
                "BEGIN; TRUNCATE t{t}; INSERT INTO t{t} VALUES (1, 'one'); ROLLBACK;"
            ),
            16 => writeln!(sql, "ALTER TABLE t{t} ADD COLUMN c{rows} int DEFAULT {t};"),
            17 => writeln!(sql, "DROP TABLE IF EXISTS u{t};\nANALYZE account;"),
            18 => writeln!(
                sql,
                "CREATE TEMP TABLE temp{t} AS SELECT * FROM account;\nDROP TABLE IF EXISTS temp{t};"
            ),
            19 => writeln!(sql, "REINDEX TABLE account;"),
            20 => writeln!(
                sql,
                "VACUUM FULL {};",
                random.one_of(&["pg_class", "pg_statistic", "pg_authid"])
            ),
            21 if random.one_in(4) => writeln!(sql, "SELECT pg_switch_wal();"),
            22 if checkpoints == Checkpoints::Any => writeln!(sql, "CHECKPOINT;"),
            // A database is a copy of 8 MB: rare, or nothing else would be done.
            23 if checkpoints == Checkpoints::Any && random.one_in(6) => {
                writeln!(
                    sql,
                    "CREATE DATABASE d{t};\nDROP DATABASE IF EXISTS d{};",
                    random.within(1..8)
                )
            }
            _ => writeln!(sql, "INSERT INTO t{t} (id) SELECT generate_series(1, 50);"),
        }
        .unwrap();
    }
    sql
}
