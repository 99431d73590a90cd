//! Base backups: as pg_basebackup takes them, and through the functions it is built on where none of a matching
//! version is at hand (it refuses servers newer than itself).

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::crash::{NO_CHECKPOINTS, busy_settings, expect_healthy};
use crate::log::Startup;
use crate::server::{Cluster, Server, command, copy_tree, make_dir, output, write_file};
use crate::tool::check_path;
use crate::workload::{Checkpoints, Load, Random, create_tables};

/// A running cluster that backups and standbys can be made from, with the tables of the load.
pub fn primary(server: Server) -> Cluster {
    let mut settings = busy_settings(server);
    settings.extend(NO_CHECKPOINTS);
    // WAL that a standby or a backup has not had yet must not be recycled meanwhile.
    settings.push(if server.major >= 13 {
        "wal_keep_size = 4GB"
    } else {
        "wal_keep_segments = 4000"
    });
    let mut cluster = Cluster::init(server, &settings);
    cluster.start();
    create_tables(&cluster);
    cluster
}

/// Whether the pg_basebackup at hand talks to this major.
fn has_pg_basebackup(server: Server) -> bool {
    server.major <= Server::complete().major
}

fn pg_basebackup(cluster: &Cluster, to: &Path) -> Command {
    let mut pg_basebackup = Server::complete().tool("pg_basebackup");
    pg_basebackup
        .args([
            "-U",
            "postgres",
            "-c",
            "fast",
            "-X",
            "stream",
            "--no-sync",
            "-h",
        ])
        .arg(cluster.home())
        .arg("-D")
        .arg(to);
    pg_basebackup
}

/// A backup of a running cluster, with `backup_label` and the WAL it needs in place, as a new cluster.
pub fn take(cluster: &Cluster) -> Cluster {
    let backup = Cluster::empty(cluster.server);
    if has_pg_basebackup(cluster.server) {
        let mut mapping = cluster.tablespace().into_os_string();
        mapping.push("=");
        mapping.push(backup.tablespace());
        output(
            pg_basebackup(cluster, &backup.data())
                .arg("-T")
                .arg(mapping),
        );
    } else {
        low_level(cluster, &backup);
    }
    backup
}

/// `pg_backup_start`, a copy of the files, `pg_backup_stop`, and the WAL written so far.
fn low_level(cluster: &Cluster, backup: &Cluster) {
    // Both functions must be called by one session.
    let mut psql = cluster
        .psql()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ask = psql.stdin.take().unwrap();
    let mut answers = BufReader::new(psql.stdout.take().unwrap()).lines();
    let mut query = |sql: &str| {
        writeln!(ask, "{sql};").unwrap();
        answers.next().expect("psql answers").unwrap()
    };
    query("SELECT pg_backup_start('live', true)");
    copy_tree(&cluster.data(), &backup.data(), &|path| {
        ["postmaster.pid", "postmaster.opts", "pg_wal", "pg_dynshmem"]
            .iter()
            .any(|left_out| path == Path::new(left_out))
    });
    backup.adopt_tablespace(&cluster.tablespace());
    for empty in ["pg_wal", "pg_wal/archive_status", "pg_dynshmem"] {
        make_dir(&backup.data().join(empty));
    }
    let label =
        query("SELECT encode(convert_to(labelfile, 'UTF8'), 'hex') FROM pg_backup_stop(false)");
    write_file(
        &backup.data().join("backup_label"),
        hex::decode(label).unwrap(),
    );
    cluster.frozen(|| {
        copy_tree(
            &cluster.data().join("pg_wal"),
            &backup.data().join("pg_wal"),
            &|_| false,
        );
    });
    drop(ask);
    psql.wait().unwrap();
}

/// A plain backup taken under load.
pub fn base_backup(server: Server) {
    let random = &mut Random::new();
    let cluster = primary(server);
    let load = Load::start(&cluster, random, Checkpoints::None);
    sleep(Duration::from_millis(300));
    let backup = take(&cluster);
    drop(load);
    assert!(backup.data().join("backup_label").exists());
    expect_healthy(&backup);
}

/// A backup in compressed tar files, taken under load.
pub fn tar_backup(server: Server) {
    let random = &mut Random::new();
    let cluster = primary(server);
    let load = Load::start(&cluster, random, Checkpoints::None);
    sleep(Duration::from_millis(300));
    let tar = Cluster::empty(server);
    let files = tar.home().join("backup");
    if has_pg_basebackup(server) {
        output(pg_basebackup(&cluster, &files).args(["-Ft", "-z"]));
    } else {
        pack(&take(&cluster), &files);
    }
    drop(load);

    tar.keep_on_failure();
    let report = check_path(&files);
    let mut restored = unpack(server, &files);
    restored.start();
    report.expect_startup(&Startup::read(&restored.log()));
    report.expect_healthy();
}

/// Packs a backup as `pg_basebackup -Ft -z -X stream` does.
fn pack(backup: &Cluster, to: &Path) {
    make_dir(to);
    let tar = |name: &str| {
        let mut tar = command("tar");
        tar.args(["-c", "-z", "-f"]).arg(to.join(name));
        tar
    };
    let mut map = String::new();
    for link in fs::read_dir(backup.data().join("pg_tblspc")).unwrap() {
        let oid = link.unwrap().file_name().into_string().unwrap();
        map += &format!("{oid} {}\n", backup.tablespace().display());
        output(
            tar(&format!("{oid}.tar.gz"))
                .arg("-C")
                .arg(backup.tablespace())
                .arg("."),
        );
    }
    write_file(&backup.data().join("tablespace_map"), map);
    output(
        tar("pg_wal.tar.gz")
            .arg("-C")
            .arg(backup.data().join("pg_wal"))
            .arg("."),
    );
    output(
        tar("base.tar.gz")
            .args(["--exclude=./pg_wal/*", "--exclude=./pg_tblspc/*", "-C"])
            .arg(backup.data())
            .arg("."),
    );
}

/// Restores such a backup by hand.
fn unpack(server: Server, files: &Path) -> Cluster {
    let restored = Cluster::empty(server);
    for entry in fs::read_dir(files).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        let to = match name {
            "base.tar.gz" => restored.data(),
            "pg_wal.tar.gz" => restored.data().join("pg_wal"),
            "backup_manifest" => continue,
            _ => restored.tablespace(),
        };
        make_dir(&restored.data());
        make_dir(&to);
        let mut tar = command("tar");
        // pg_wal.tar.gz may come first and base.tar.gz holds an empty pg_wal: neither may undo the other.
        output(
            tar.args(["-x", "-z", "-C"])
                .arg(&to)
                .stdin(File::open(&file).unwrap()),
        );
    }
    // The server makes the link from this file.
    let map = restored.data().join("tablespace_map");
    let text = fs::read_to_string(&map).unwrap();
    let lines = text.lines().map(|line| {
        let (oid, _) = line.split_once(' ').unwrap();
        format!("{oid} {}\n", restored.tablespace().display())
    });
    write_file(&map, lines.collect::<String>());
    restored
}
