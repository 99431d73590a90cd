//! The command itself: what goes where, and the exit status.

mod support;

use pgautopsy::checks::CHECKS;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn pgautopsy(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgautopsy"));
    command.args(arguments).env_remove("PGAUTOPSY_LOG");
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = pgautopsy(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn what_cannot_run_says_so_on_stderr_and_exits_with_2() {
    for arguments in [
        &[][..],
        &["check"],
        &["check", "--format", "xml", "."],
        &["check", "/nonexistent"],
        &["control", "/nonexistent"],
        &["page", "/nonexistent", "--block", "0"],
        &["slru", "/nonexistent"],
        &["ls"],
        &["ls", "/nonexistent"],
        &["ls", "testdata/incident-2012.tar.zst", "no such database"],
        &["explain", "no-such-code-at-all"],
        &["explain", "no message of any server"],
        &["explain", "--log", "/nonexistent"],
        &["explain", "--log", "Cargo.toml", "/nonexistent"],
    ] {
        let (status, stdout, stderr) = run(arguments);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn explain_tells_suggests_and_lists() {
    let code = CHECKS[0].code;
    let (status, stdout, stderr) = run(&["explain", code]);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with(code) && stdout.contains("\nWhat to do\n"));

    let (status, _, stderr) = run(&["explain", &code.replace('-', "_")]);
    assert_eq!(status, Some(2));
    assert!(
        stderr.contains("did you mean") && stderr.contains(code),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1);

    let (status, stdout, _) = run(&["explain"]);
    assert_eq!(status, Some(0));
    assert!(CHECKS.iter().all(|check| stdout.contains(check.code)));
}

#[test]
fn explain_knows_messages_and_suggests_them() {
    let message = "2012-05-01 10:00:00 UTC [123] ERROR:  could not access status of transaction 7";
    let (status, stdout, stderr) = run(&["explain", message]);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("transaction-status-unreadable   could not access"));
    assert!(stdout.contains("\n  transaction   7\n") && stdout.contains("\n  xmin-out-of-range "));
    let (status, stdout, _) = run(&["explain", "transaction-status-unreadable"]);
    assert_eq!(status, Some(0));
    assert!(!stdout.contains("In this message"));

    let (status, stdout, stderr) = run(&["explain", "can not access status of transaction 7"]);
    assert_eq!((status, stdout.as_str()), (Some(2), ""));
    assert!(
        stderr.contains("\n  could not access status of transaction %u\n"),
        "{stderr}"
    );
}

#[test]
fn the_status_of_explaining_a_log_tells_what_it_found() {
    let incident = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/incident-2012.tar.zst");
    let incident = incident.to_str().unwrap();
    let bad = "ERROR:  invalid page header in block 30526 of relation base/16397/1046635\n";
    let other = "ERROR:  invalid page header in block 1 of relation base/16397/1046635\n";
    for (log, pgdata, wanted) in [
        ("LOG:  redo starts at 0/3000020\n", None, 0),
        ("", Some(incident), 0),
        (bad, None, 3),
        (other, Some(incident), 3),
        (bad, Some(incident), 1),
    ] {
        let mut child = pgautopsy(&["explain", "--log", "-"])
            .args(pgdata)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(log.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(wanted), "{log}{stdout}");
        assert_eq!(
            stdout.contains("answered: "),
            pgdata.is_some() && !log.is_empty(),
            "{stdout}"
        );
        assert!(stdout.contains(" read, "), "{stdout}");
    }
}

#[test]
fn help_has_examples_and_the_exit_status() {
    for arguments in [
        &["--help"][..],
        &["check", "--help"],
        &["check", "-h"],
        &["explain", "--help"],
        &["ls", "--help"],
        &["slru", "--help"],
        &["wal", "dump", "--help"],
        &["wal", "verify", "--help"],
    ] {
        let (status, stdout, _) = run(arguments);
        assert_eq!(status, Some(0));
        assert!(stdout.contains("Examples:") && stdout.contains("Exit status:"));
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut command = pgautopsy(&["completions", "zsh"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn control_and_page_describe_zeroed_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("16384");
    std::fs::write(&file, [0; 8192]).unwrap();
    let file = file.to_str().unwrap();

    let (status, stdout, _) = run(&["control", file]);
    assert_eq!(status, Some(1));
    assert!(!stdout.is_empty());

    let (status, stdout, stderr) = run(&["page", file, "--block", "0"]);
    assert_eq!(status, Some(0));
    assert!(
        stdout.starts_with("block 0 of 1, fork main: 8192 bytes"),
        "{stdout}"
    );
    assert!(
        stderr.contains("no data directory around"),
        "the version is an assumption"
    );

    let (status, stdout, stderr) = run(&["page", file, "--block", "1"]);
    assert_eq!((status, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("it has 1, counted from 0"), "{stderr}");
}

/// What is whole is told from one pass over the files.
#[test]
fn healthy_tables_are_read_once() {
    let reads_again = |pgdata: &Path| {
        let output = pgautopsy(&["check", pgdata.to_str().unwrap()])
            .env("PGAUTOPSY_LOG", "debug")
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        stderr.contains("are read again")
    };
    for name in ["9.1-clean", "9.4-crash", "15-clean", "19-crash"] {
        let folder = support::unpack(name);
        assert!(!reads_again(&folder.path().join("pgdata")), "{name}");
    }
    let name = "13-clean";
    let folder = support::unpack(name);
    let pgdata = folder.path().join("pgdata");
    assert!(!reads_again(&pgdata));
    let relations = support::csv(name, "relations.csv");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let toast = relations
        .iter()
        .filter(|row| row["relname"].starts_with("pg_toast_") && row["database"] == "app")
        .filter(|row| !row["relname"].ends_with("_index"))
        .map(|row| pgdata.join(&row["path"]))
        .max_by_key(|path| size(path))
        .unwrap();
    let file = std::fs::File::options().write(true).open(toast).unwrap();
    file.set_len(8192).unwrap();
    assert!(reads_again(&pgdata));
}
