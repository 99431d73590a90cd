//! pgautopsy as its user runs it, and what its report is held against.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::log::{Startup, microseconds};
use crate::server::Cluster;

/// Runs the program under test.
pub fn pgautopsy(arguments: &[&str], evidence: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgautopsy"))
        .args(arguments)
        .arg(evidence)
        .output()
        .unwrap()
}

/// The standard output of a subcommand that must succeed.
pub fn lines(subcommand: &str, evidence: &Path) -> String {
    let output = pgautopsy(&[subcommand], evidence);
    assert!(
        output.status.success(),
        "pgautopsy {subcommand}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What `pgautopsy check DIR --format json` said.
pub struct Report {
    pub status: i32,
    json: Value,
}

/// Checks the data directory of a cluster.
pub fn check(cluster: &Cluster) -> Report {
    cluster.keep_on_failure();
    check_path(&cluster.data())
}

/// Checks a data directory, or a folder of tar files.
pub fn check_path(evidence: &Path) -> Report {
    check_with(&[], evidence)
}

/// The same with more options.
pub fn check_with(options: &[&str], evidence: &Path) -> Report {
    let mut arguments = vec!["check", "--format", "json", "--no-progress"];
    arguments.extend(options);
    let output = pgautopsy(&arguments, evidence);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!(
            "pgautopsy check: {}, and no JSON ({e}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    });
    Report {
        status: output.status.code().expect("an exit status, not a signal"),
        json,
    }
}

impl Report {
    /// A value by its path (`verdict.startup.outcome`). One that is not there is a breach of the schema.
    pub fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.json, |value, key| {
            value
                .get(key)
                .unwrap_or_else(|| panic!("no {path} in the report"))
        })
    }

    fn text(&self, path: &str) -> Option<&str> {
        let value = self.at(path);
        assert!(value.is_string() || value.is_null(), "{path} is {value}");
        value.as_str()
    }

    pub fn findings(&self) -> &[Value] {
        self.at("findings").as_array().expect("findings is a list")
    }

    /// Findings that say something is wrong and stays wrong.
    fn complaints(&self) -> Vec<&Value> {
        self.findings()
            .iter()
            .filter(|finding| finding["severity"] != "note" && finding["recovery"] != "heals")
            .collect()
    }

    /// The same, a line each.
    pub fn complaints_text(&self) -> String {
        list(&self.complaints())
    }

    /// Nothing is damaged, everything was examined, and nothing is lost.
    pub fn expect_healthy(&self) {
        let complaints = self.complaints();
        assert!(
            complaints.is_empty() && self.status == 0,
            "exit status {}, though nothing is wrong:\n{}not examined: {}",
            self.status,
            list(&complaints),
            self.at("evidence.not_examined")
        );
        let loss = self.at("verdict.loss");
        assert_eq!(
            loss.as_array().map(Vec::len),
            Some(0),
            "nothing is lost, but: {loss:#}"
        );
        assert_eq!(self.at("verdict.startup.silent_loss"), false);
    }

    /// The start that was predicted is the one the server made.
    pub fn expect_startup(&self, real: &Startup) {
        let differences = self.differences(real);
        assert!(differences.is_empty(), "{differences}");
        // From 12 on the server says this after archive recovery only; the report may still know it.
        if let Some(time) = real.last_completed_transaction {
            self.expect_last_completed_transaction(Some(time));
        }
    }

    /// Where the start that was predicted differs from the one the server made, a line each.
    pub fn differences(&self, real: &Startup) -> String {
        let mut differences = String::new();
        let mut compare = |what: &str, predicted: Option<&str>, real: Option<&str>| {
            if predicted != real {
                differences +=
                    &format!("{what}: predicted {predicted:?}, but the server says {real:?}\n");
            }
        };
        compare(
            "outcome",
            self.text("verdict.startup.outcome"),
            Some(real.outcome),
        );
        compare("message", self.text("verdict.startup.message"), None);
        compare(
            "redo_start",
            self.text("verdict.startup.redo_start"),
            real.redo_start.as_deref(),
        );
        let done = (
            self.text("verdict.startup.redo_done"),
            real.redo_done.as_deref(),
        );
        // How far it has read ahead nobody can tell.
        let before =
            matches!(done, (Some(predicted), Some(real)) if position(real) <= position(predicted));
        if !(self.reads_ahead() && before) {
            compare("redo_done", done.0, done.1);
        }
        // A server that finds no next segment stops without a word, and one that does not read WAL has nothing to say.
        if real.stop_reason.is_some() {
            compare(
                "stop_reason",
                self.text("wal.stop_reason"),
                real.stop_reason.as_deref(),
            );
        }
        if let Some(end) = real.end_of_wal() {
            for path in ["verdict.startup.end_of_wal", "wal.end_lsn"] {
                let predicted = self.text(path).map(|lsn| self.place_of_record(lsn));
                compare(path, predicted.as_deref(), Some(end));
            }
        }
        differences
    }

    /// Whether records before the end of WAL may be refused with it.
    pub fn reads_ahead(&self) -> bool {
        let conditions = self.at("verdict.startup.conditions").as_array();
        conditions.is_some_and(|conditions| {
            conditions
                .iter()
                .any(|condition| condition.as_str().unwrap().starts_with("recovery_prefetch"))
        })
    }

    /// Where a record that begins at a position really does: the server names a place behind the header of a page.
    fn place_of_record(&self, lsn: &str) -> String {
        let (high, low) = lsn.split_once('/').unwrap();
        let low = u64::from_str_radix(low, 16).unwrap();
        let segment = self.at("cluster.wal_segment_size").as_u64().unwrap();
        let header = match low {
            _ if low % segment == 0 => 40,
            _ if low % 8192 == 0 => 24,
            _ => 0,
        };
        format!("{high}/{:X}", low + header)
    }

    /// In microseconds since 1970.
    pub fn expect_last_completed_transaction(&self, real: Option<i64>) {
        let predicted = self.text("verdict.startup.last_completed_transaction");
        assert_eq!(
            predicted.map(microseconds),
            real,
            "last_completed_transaction {predicted:?}"
        );
    }
}

/// `16/B374D848`
fn position(lsn: &str) -> u64 {
    let (high, low) = lsn.split_once('/').unwrap();
    u64::from_str_radix(high, 16).unwrap() << 32 | u64::from_str_radix(low, 16).unwrap()
}

fn list(findings: &[&Value]) -> String {
    findings
        .iter()
        .map(|finding| {
            format!(
                "{} ({}, {}) {} block {}: {}\n",
                finding["code"],
                finding["severity"],
                finding["recovery"],
                finding["path"],
                finding["block"],
                finding["message"]
            )
        })
        .collect()
}
