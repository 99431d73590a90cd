//! Recovery to a point in time: what `wal events` suggests, given to a real server word for word, brings back what was
//! lost; and `wal window` tells how far the server gets.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::backup;
use crate::log::{Startup, microseconds};
use crate::server::{Cluster, PATIENCE, Server, make_dir, output, write_file};

/// What a wal command says of a backup and the archive, as JSON.
fn ask(command: &str, backup: &Path, archive: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_pgautopsy"))
        .args(["wal", command, "--format", "json", "--wal-archive"])
        .arg(archive)
        .arg(backup)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "pgautopsy wal {command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The rows of a table, and their sum.
fn rows(cluster: &Cluster, database: &str, table: &str) -> String {
    let query =
        format!("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM {table} t");
    let mut psql = cluster.psql();
    psql.args(["-d", database, "-v", "ON_ERROR_STOP=1", "-c", &query]);
    output(&mut psql).trim_end().to_owned()
}

/// The last mark: one commit before each loss, one behind it.
fn last_mark(cluster: &Cluster) -> String {
    cluster.sql("SELECT max(id) FROM marks")
}

/// Something that was lost: how the event is called, the table, its database, its rows before, the mark before it.
struct Loss {
    kind: &'static str,
    table: &'static str,
    database: &'static str,
    rows: String,
    mark: String,
}

/// A copy of the backup that recovers with these settings when it is started.
fn restored(backup: &Cluster, settings: &[String]) -> Cluster {
    let restored = backup.stand_in();
    restored.configure(&["archive_mode = off"]);
    let mut lines: String = settings.iter().map(|line| format!("{line}\n")).collect();
    if restored.server.major >= 12 {
        let lines: Vec<&str> = lines.lines().collect();
        restored.configure(&lines);
        write_file(&restored.data().join("recovery.signal"), "");
    } else {
        // An empty file of this name is enough for archive recovery there, too.
        lines.push('\n');
        write_file(&restored.data().join("recovery.conf"), lines);
    }
    restored
}

fn expect_back(backup: &Cluster, events: &Value, loss: &Loss) {
    let of_it = |event: &&Value| {
        let name = match loss.kind {
            "drop_database" => event["text"] == format!("DROP DATABASE {}", loss.database),
            _ => event["relations"][0]["name"] == loss.table,
        };
        event["kind"] == loss.kind && name
    };
    let found: Vec<&Value> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of_it)
        .collect();
    let [event] = found[..] else {
        panic!(
            "{} events {} of {}: {events:#}",
            found.len(),
            loss.kind,
            loss.table
        );
    };
    let settings: Vec<String> = event["recovery"]["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap().to_owned())
        .collect();
    // The one line that is to be filled in names the archive already.
    let mut settings: Vec<String> = settings
        .iter()
        .map(|line| match line.strip_prefix("# restore_command") {
            Some(rest) => format!("restore_command{rest}"),
            None => line.clone(),
        })
        .collect();
    settings.push("recovery_target_action = 'promote'".to_owned());
    let mut server = restored(backup, &settings);
    server.start();
    let context = format!(
        "{} {}: {settings:#?}\n{}",
        loss.kind,
        loss.table,
        server.log()
    );
    assert_eq!(
        rows(&server, loss.database, loss.table),
        loss.rows,
        "{context}"
    );
    assert_eq!(last_mark(&server), loss.mark, "{context}");
}

/// A base backup, and behind it a `TRUNCATE`, a `DROP TABLE`, a mass `DELETE` and a `DROP DATABASE`, with work between.
pub fn point_in_time(server: Server) {
    let archive = Cluster::empty(server);
    let folder = archive.home().join("archive");
    make_dir(&folder);
    let archive_command = format!("archive_command = 'cp \"%p\" \"{}/%f\"'", folder.display());
    let mut cluster = Cluster::init(
        server,
        &[
            "wal_level = replica",
            "archive_mode = on",
            &archive_command,
            "max_wal_senders = 4",
            "autovacuum = off",
        ],
    );
    cluster.start();
    cluster.create_tablespace();
    cluster.sql(
        "CREATE TABLE marks (id serial PRIMARY KEY);
         CREATE TABLE orders (id serial PRIMARY KEY, note text);
         CREATE TABLE customers (id serial PRIMARY KEY, note text);
         CREATE TABLE visits (id serial PRIMARY KEY, note text);
         CREATE TABLE rewritten (id serial PRIMARY KEY, note text);
         INSERT INTO rewritten (note) SELECT repeat('r', 50) FROM generate_series(1, 500);",
    );
    cluster.sql("CREATE DATABASE shop");
    let mut psql = cluster.psql();
    output(psql.args([
        "-d",
        "shop",
        "-c",
        "CREATE TABLE goods (id serial PRIMARY KEY, note text)",
    ]));
    let work = |cluster: &Cluster| {
        for table in ["orders", "customers", "visits"] {
            let n = "SELECT md5(i::text) FROM generate_series(1, 1500) i";
            cluster.try_sql(&format!("INSERT INTO {table} (note) {n}"));
        }
        let mut psql = cluster.psql();
        let goods = "INSERT INTO goods (note) SELECT md5(i::text) FROM generate_series(1, 300) i";
        let _ = psql.args(["-d", "shop", "-c", goods]).output();
        cluster.sql("INSERT INTO marks DEFAULT VALUES");
    };
    work(&cluster);
    cluster.sql("CHECKPOINT");
    let backup = backup::take(&cluster);

    let mut losses = Vec::new();
    let mut lose = |kind, table, database, statement: &str| {
        work(&cluster);
        cluster.sql("VACUUM FULL rewritten");
        cluster.sql("INSERT INTO marks DEFAULT VALUES");
        losses.push(Loss {
            kind,
            table,
            database,
            rows: rows(&cluster, database, table),
            mark: last_mark(&cluster),
        });
        // Rolled back, it is no event.
        if kind != "drop_database" {
            cluster.sql(&format!("BEGIN; {statement}; ROLLBACK"));
        }
        cluster.sql(statement);
        cluster.sql("INSERT INTO marks DEFAULT VALUES");
        cluster.sql("SELECT pg_switch_wal()");
    };
    lose("truncate", "orders", "postgres", "TRUNCATE orders");
    lose("drop", "visits", "postgres", "DROP TABLE visits");
    lose(
        "delete",
        "customers",
        "postgres",
        "DELETE FROM customers WHERE id > 100",
    );
    lose("drop_database", "goods", "shop", "DROP DATABASE shop");
    lose(
        "update",
        "customers",
        "postgres",
        "UPDATE customers SET note = 'gone'",
    );
    cluster.sql("CHECKPOINT");
    cluster.sql("INSERT INTO marks DEFAULT VALUES");
    cluster.sql("SELECT pg_switch_wal()");
    let last = last_mark(&cluster);
    cluster.stop();

    backup.keep_on_failure();
    let events = ask("events", &backup.data(), &folder);
    let kinds = |kind: &str| {
        let events = events["events"].as_array().unwrap();
        events.iter().filter(|event| event["kind"] == kind).count()
    };
    assert_eq!(kinds("rewrite"), 5, "{events:#}");
    assert_eq!(
        kinds("truncate_or_rewrite") + kinds("drop_or_truncate_or_rewrite"),
        0,
        "{events:#}"
    );
    assert_eq!(kinds("backup_end"), 1, "{events:#}");
    for loss in &losses {
        expect_back(&backup, &events, loss);
    }

    let window = ask("window", &backup.data(), &folder);
    let reach = &window["timelines"][0];
    let restore = format!("restore_command = 'cp \"{}/%f\" \"%p\"'", folder.display());
    let mut to_the_end = restored(&backup, std::slice::from_ref(&restore));
    to_the_end.start();
    let real = Startup::read(&to_the_end.log());
    assert_eq!(last_mark(&to_the_end), last);
    assert_eq!(reach["last_record_lsn"].as_str(), real.redo_done.as_deref());
    if let Some(time) = real.last_completed_transaction {
        let foreseen = microseconds(reach["last_completed"].as_str().unwrap());
        assert_eq!(foreseen, time, "{reach:#}");
    }

    let beyond = "recovery_target_time = '2100-01-01 00:00:00+00'".to_owned();
    let mut beyond = restored(&backup, &[restore.clone(), beyond]);
    beyond.launch(&[]);
    let came_up = beyond.comes_up(PATIENCE);
    match window["target_beyond"].as_str() {
        Some(message) => {
            let message = message.replace("FATAL: ", "FATAL:  ");
            assert!(
                !came_up && beyond.log().contains(&message),
                "{}",
                beyond.log()
            );
        }
        None => assert!(came_up, "{}", beyond.log()),
    }

    let before = format!(
        "recovery_target_lsn = '{}'",
        reach["commit_before"]["lsn"].as_str().unwrap_or("0/1")
    );
    let mut before = restored(&backup, &[restore, before]);
    before.launch(&[]);
    let came_up = before.comes_up(Duration::from_secs(60));
    let message = window["target_before"].as_str().unwrap();
    let message = message.replace("FATAL: ", "FATAL:  ");
    assert!(
        !came_up && before.log().contains(&message),
        "{}",
        before.log()
    );
}
