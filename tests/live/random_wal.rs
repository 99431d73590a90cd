//! WAL damaged at random: what the report says of the next start, and of what it loses, against what the server does.
//!
//! Every transaction of the load adds one row to `ledger`, so the rows that are missing after a start are the commits that
//! were lost. The records of the undamaged WAL tell which of them a damage destroys, and which it leaves behind it: where
//! none is left behind it, the WAL looks as if writing had ended there, and nobody can tell that it did not.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::crash::NO_CHECKPOINTS;
use crate::differential::{Row, conclude, observe, predicted};
use crate::log::microseconds;
use crate::oracle::last_completed_transaction;
use crate::server::{Cluster, PATIENCE, Server, output, write_file};
use crate::tool::{Report, check, pgautopsy};
use crate::workload::Random;

const DAMAGES: usize = 200;

/// `--wal-segsize` of the cluster.
const SEGMENT: u64 = 1 << 20;

const PAGE: u64 = 8192;

/// What is done to the WAL at a place in it.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// Bits of one byte are flipped.
    Flip { at: u64, mask: u8 },
    /// The segment ends here.
    Cut { at: u64 },
    /// The segment is missing.
    Remove { at: u64 },
}

impl Damage {
    fn random(random: &mut Random, redo: u64, end: u64) -> Damage {
        let at = random.within(redo..end);
        match random.within(0..20) {
            0..14 => Damage::Flip {
                at,
                mask: random.within(1..256) as u8,
            },
            14..18 => Damage::Cut { at },
            _ => Damage::Remove { at },
        }
    }

    fn at(self) -> u64 {
        match self {
            Damage::Flip { at, .. } | Damage::Cut { at } | Damage::Remove { at } => at,
        }
    }

    /// The bytes of WAL that cannot be read any more.
    fn destroys(self) -> std::ops::Range<u64> {
        let segment = self.at() / SEGMENT * SEGMENT;
        match self {
            // Behind a page header that is wrong nothing of the page is found.
            Damage::Flip { at, .. } if at % PAGE < 24 || at % SEGMENT < 40 => {
                at / PAGE * PAGE..(at / PAGE + 1) * PAGE
            }
            Damage::Flip { at, .. } => at..at + 1,
            // The server reads pages whole.
            Damage::Cut { at } => at / PAGE * PAGE..segment + SEGMENT,
            Damage::Remove { .. } => segment..segment + SEGMENT,
        }
    }

    fn apply(self, data: &Path) {
        let (at, number) = (self.at(), self.at() / SEGMENT);
        let per_log = (1 << 32) / SEGMENT;
        let name = format!("00000001{:08X}{:08X}", number / per_log, number % per_log);
        let path = data.join("pg_wal").join(name);
        let offset = (at % SEGMENT) as usize;
        let mut bytes = fs::read(&path).unwrap();
        match self {
            Damage::Flip { mask, .. } => bytes[offset] ^= mask,
            Damage::Cut { .. } => bytes.truncate(offset),
            Damage::Remove { .. } => return fs::remove_file(&path).unwrap(),
        }
        write_file(&path, bytes);
    }
}

/// A record of the undamaged WAL.
struct Record {
    lsn: u64,
    end: u64,
    commit: bool,
}

/// `16/B374D848`
fn lsn(value: &Value) -> u64 {
    let (high, low) = value.as_str().unwrap().split_once('/').unwrap();
    u64::from_str_radix(high, 16).unwrap() << 32 | u64::from_str_radix(low, 16).unwrap()
}

/// The records that `pgautopsy wal dump` lists, up to the end of WAL.
fn dump(data: &Path, redo: &Value) -> Vec<Value> {
    let start = redo.as_str().unwrap();
    let output = pgautopsy(
        &["wal", "dump", "--format", "json", "--start", start],
        &data.join("pg_wal"),
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .take_while(|record| record.get("stop").is_none())
        .collect()
}

fn records(data: &Path, redo: &Value) -> Vec<Record> {
    dump(data, redo)
        .iter()
        .map(|record| Record {
            lsn: lsn(&record["lsn"]),
            end: lsn(&record["end_lsn"]),
            commit: record["rmgr"] == "Transaction"
                && record["desc"].as_str().unwrap().starts_with("COMMIT"),
        })
        .collect()
}

/// Transactions of all sizes, each with its row in `ledger`, and some that are rolled back.
fn session(random: &mut Random) -> String {
    let mut sql = String::new();
    for _ in 0..30_000 {
        let id = random.within(1..501);
        let work = match random.within(0..5) {
            0 => format!("UPDATE account SET balance = balance + 1 WHERE id = {id};"),
            1 => format!(
                "INSERT INTO event SELECT i, md5(i::text) FROM generate_series(1, {}) i;",
                id % 40
            ),
            2 => format!(
                "INSERT INTO event VALUES ({id}, repeat('long', {}));",
                id * 20
            ),
            3 => format!("DELETE FROM event WHERE id = {};", id % 40),
            _ => format!("SAVEPOINT s; INSERT INTO event VALUES ({id}, 'x'); ROLLBACK TO s;"),
        };
        let end = random.one_of(&["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]);
        writeln!(
            sql,
            "BEGIN; {work} INSERT INTO ledger DEFAULT VALUES; {end};"
        )
        .unwrap();
    }
    sql
}

/// As little as can be copied and started: one database, no more WAL than the test needs.
fn small_cluster(server: Server) -> Cluster {
    let mut settings = vec![
        "autovacuum = off",
        "fsync = off",
        "max_connections = 10",
        // No page reaches the disk ahead of its WAL.
        "shared_buffers = 32MB",
        "bgwriter_lru_maxpages = 0",
        "min_wal_size = 2MB",
        // The last commit can be asked for.
        "track_commit_timestamp = on",
    ];
    settings.extend(NO_CHECKPOINTS);
    let mut cluster = Cluster::init(server, &settings);
    cluster.start();
    cluster.sql(
        "CREATE TABLE ledger (id bigserial PRIMARY KEY);\
         CREATE TABLE account (id int PRIMARY KEY, balance int) WITH (fillfactor = 50);\
         CREATE TABLE event (id int, pad text); CREATE INDEX ON event (id);\
         INSERT INTO account SELECT i, 0 FROM generate_series(1, 500) i;",
    );
    for database in ["template0", "template1"] {
        cluster.sql(&format!("ALTER DATABASE {database} IS_TEMPLATE false"));
        cluster.sql(&format!("DROP DATABASE {database}"));
    }
    cluster.sql("CHECKPOINT");
    cluster
}

/// Kills the cluster with some segments of WAL behind its checkpoint.
fn crash(cluster: &mut Cluster, random: &mut Random) {
    let sessions: Vec<_> = (0..4)
        .map(|n| {
            let path = cluster.home().join(format!("session{n}.sql"));
            fs::write(&path, session(random)).unwrap();
            let mut psql = cluster.psql();
            psql.stdin(File::open(&path).unwrap())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            psql.spawn().unwrap()
        })
        .collect();
    let since = Instant::now();
    let written =
        || cluster.sql("SELECT pg_current_wal_lsn() - redo_lsn FROM pg_control_checkpoint()");
    while written().parse::<u64>().unwrap() < 6 * SEGMENT {
        assert!(
            since.elapsed() < PATIENCE,
            "only {} bytes of WAL",
            written()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster.kill();
    for mut session in sessions {
        let _ = session.kill();
        let _ = session.wait();
    }
}

const COUNT: &str = "SELECT (SELECT count(*) FROM ledger) || ' ' || \
                     coalesce((SELECT to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') \
                               FROM pg_last_committed_xact()), '-')";

/// Rows of `ledger`, and the time of the last commit.
fn counted(rows: &str) -> (u64, Option<i64>) {
    let (rows, time) = rows.split_once(' ').unwrap_or_else(|| panic!("{rows}"));
    let time = (time != "-").then(|| microseconds(&format!("{time}Z")));
    (rows.parse().unwrap(), time)
}

struct Trial<'a> {
    cluster: &'a Cluster,
    records: &'a [Record],
    whole: u64,
}

/// How a damage came out.
struct Result {
    kind: &'static str,
    row: Row,
}

impl Trial<'_> {
    fn run(&self, damage: Damage) -> Result {
        let copy = self.cluster.stand_in();
        damage.apply(&copy.data());
        let report = check(&copy);
        let prediction = predicted(&report, &copy.data());
        let dumped = (prediction == "starts" && copy.server.has("pg_waldump"))
            .then(|| report.at("verdict.startup.redo_start").as_str())
            .flatten()
            .map(|redo| last_completed_transaction(&copy, redo));
        let real = observe(copy, Some(COUNT));
        let mut differences = String::new();
        let mut kind = "fails";
        if prediction != real.outcome {
            writeln!(differences, "outcome").unwrap();
        } else if let Some(rows) = &real.rows {
            differences += &report.differences(&real.startup);
            let (rows, last_commit) = counted(rows);
            kind = self.judge(damage, &report, self.whole - rows, &mut differences);
            let predicted = |path: &str| report.at(path).as_str().map(microseconds);
            let same = last_commit == predicted("wal.last_commit") || report.reads_ahead();
            if !same && rows > 0 && last_commit.is_some() {
                writeln!(differences, "last commit {last_commit:?}").unwrap();
            }
            // pg_waldump does not know which timelines there are, and reads on where the server stops.
            let dumped = dumped.filter(|_| !report.reads_ahead());
            if dumped
                .is_some_and(|time| time != predicted("verdict.startup.last_completed_transaction"))
            {
                writeln!(differences, "last completed transaction {dumped:?}").unwrap();
            }
        }
        let line = format!("{damage:x?} | {kind} | {prediction} | {}", real.outcome);
        Result {
            kind,
            row: Row { line, differences },
        }
    }

    /// The server started and `lost` rows are missing.
    fn judge(
        &self,
        damage: Damage,
        report: &Report,
        lost: u64,
        differences: &mut String,
    ) -> &'static str {
        let silent = report.at("verdict.startup.silent_loss") == true;
        let dead = damage.destroys();
        let count = |which: &dyn Fn(&Record) -> bool| {
            self.records.iter().filter(|r| r.commit && which(r)).count() as u64
        };
        let behind = |record: &Record| record.lsn >= dead.end;
        let destroyed = |record: &Record| record.lsn < dead.end && record.end > dead.start;
        let traceable = self.records.iter().any(behind);
        let told = count(&behind) + count(&destroyed);
        if lost > 0 && lost != told && !(report.reads_ahead() && lost > told) {
            writeln!(
                differences,
                "{lost} rows lost, not {} + {}",
                count(&behind),
                count(&destroyed)
            )
            .unwrap();
        }
        let expected = lost > 0 && traceable;
        if silent != expected {
            writeln!(differences, "silent_loss is {silent}, {lost} rows lost").unwrap();
        }
        let loss = report.at("verdict.loss").as_array().unwrap();
        let commits: u64 = loss
            .iter()
            .map(|row| row["commits"].as_u64().unwrap())
            .sum();
        if expected && commits != count(&behind) {
            writeln!(
                differences,
                "{commits} commits behind the break, not {}",
                count(&behind)
            )
            .unwrap();
        }
        match (lost > 0, traceable) {
            (true, true) => "lost",
            (true, false) => "lost without a trace",
            (false, _) => "nothing lost",
        }
    }
}

/// One crashed cluster, and as many copies of it as there are damages.
pub fn random_wal_damage(server: Server) {
    let random = &mut Random::new();
    let mut cluster = small_cluster(server);
    crash(&mut cluster, random);
    cluster.forget_postmaster();
    let report = check(&cluster);
    let redo = report.at("verdict.startup.redo_start");
    let records = records(&cluster.data(), redo);
    let end = lsn(report.at("verdict.startup.end_of_wal"));
    assert_eq!(records.last().map(|record| record.end), Some(end));
    let damages: Vec<Damage> = (0..DAMAGES)
        .map(|_| Damage::random(random, lsn(redo), end))
        .collect();
    let (whole, _) = counted(&observe(cluster.stand_in(), Some(COUNT)).rows.unwrap());
    let trial = Trial {
        cluster: &cluster,
        records: &records,
        whole,
    };

    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(damage) = damages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = trial.run(*damage);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap();

    let mut summary = String::new();
    for kind in ["nothing lost", "lost", "lost without a trace", "fails"] {
        let of_kind = results.iter().filter(|result| result.kind == kind);
        writeln!(summary, "{}: {kind}", of_kind.count()).unwrap();
    }
    let rows: Vec<Row> = results.into_iter().map(|result| result.row).collect();
    conclude("random-wal-damage", server, &rows, &summary);
}

/// The WAL that the report says pg_resetwal would throw away, against what it does: every lost commit is a missing row, and
/// the records are those of the WAL's own listing.
pub fn pg_resetwal_loss(server: Server) {
    let random = &mut Random::new();
    let mut cluster = small_cluster(server);
    let ledger = cluster.sql("SELECT pg_relation_filenode('ledger')");
    let ledger: u64 = ledger.parse().unwrap();
    crash(&mut cluster, random);
    cluster.forget_postmaster();
    let report = check(&cluster);
    let loss = report.at("verdict.pg_resetwal");
    let redo = report.at("verdict.startup.redo_start");
    assert_eq!(&loss["from_lsn"], redo);
    assert_eq!(&loss["to_lsn"], report.at("verdict.startup.end_of_wal"));

    let listed = dump(&cluster.data(), redo)
        .iter()
        .filter(|record| {
            let blocks = record["blocks"].as_array().unwrap();
            blocks.iter().any(|block| block["rel"] == ledger)
        })
        .count();
    let relations = loss["relations"].as_array().unwrap();
    let told = relations
        .iter()
        .find(|relation| relation["name"] == "public.ledger")
        .unwrap();
    assert_eq!(told["records"], listed);

    let (whole, _) = counted(&observe(cluster.stand_in(), Some(COUNT)).rows.unwrap());
    let copy = cluster.stand_in();
    reset_wal(&copy);
    let (left, _) = counted(&observe(copy, Some(COUNT)).rows.unwrap());
    assert!(whole > 0);
    assert_eq!(
        loss["commits"],
        whole - left,
        "{left} of {whole} rows are left"
    );

    // The last pages reached the disk, pg_control did not, and the WAL was lost.
    let mut copy = cluster.stand_in();
    copy.start();
    copy.stop();
    let control = "global/pg_control";
    let before = fs::read(cluster.data().join(control)).unwrap();
    write_file(&copy.data().join(control), before);
    for entry in fs::read_dir(copy.data().join("pg_wal")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    reset_wal(&copy);
    let report = check(&copy);
    let patterns = report.at("verdict.patterns").as_array().unwrap();
    let told = patterns.iter().any(|pattern| {
        let summary = pattern["summary"].as_str().unwrap();
        pattern["kind"] == "wal_lost" && summary.contains("pg_resetwal was run")
    });
    assert!(told, "{patterns:?}");
}

fn reset_wal(cluster: &Cluster) {
    let mut tool = cluster.server.tool("pg_resetwal");
    output(tool.arg("-f").arg("-D").arg(cluster.data()));
}
