//! Servers that were killed, stopped, or copied while they ran.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::log::Startup;
use crate::oracle::last_completed_transaction;
use crate::server::{Cluster, Server, copy_tree, output, write_file};
use crate::tool::check;
use crate::workload::{Checkpoints, Load, Random, create_tables};

/// Small enough that pages are evicted, checkpoints come and WAL segments are recycled within a second of load.
pub fn busy_settings(server: Server) -> Vec<&'static str> {
    let mut settings = vec![
        "shared_buffers = 1MB",
        "max_connections = 20",
        "max_prepared_transactions = 8",
        "max_wal_senders = 4",
        "wal_level = replica",
        "autovacuum_naptime = 1s",
        "bgwriter_delay = 10ms",
        "checkpoint_timeout = 30s",
        "checkpoint_completion_target = 0.5",
    ];
    settings.extend(if server.small_segments() {
        ["max_wal_size = 6MB", "min_wal_size = 2MB"]
    } else {
        ["max_wal_size = 64MB", "min_wal_size = 32MB"]
    });
    if server.major.is_multiple_of(2) {
        settings.extend(["wal_compression = on", "track_commit_timestamp = on"]);
    }
    settings
}

/// No checkpoint comes by itself.
pub const NO_CHECKPOINTS: [&str; 2] = ["checkpoint_timeout = 1h", "max_wal_size = 8GB"];

/// A running cluster with the tables of the load.
fn busy_cluster(server: Server) -> Cluster {
    let mut cluster = Cluster::init(server, &busy_settings(server));
    cluster.start();
    create_tables(&cluster);
    cluster
}

/// The server started on a copy: what it said, and the copy with the server still running.
pub fn real_start(evidence: &Cluster) -> (Startup, Cluster) {
    let mut copy = evidence.stand_in();
    copy.start();
    (Startup::read(&copy.log()), copy)
}

/// The report on a directory that is well says so and predicts the start; gives the recovered, running copy.
pub fn expect_healthy(evidence: &Cluster) -> Cluster {
    let report = check(evidence);
    let (real, copy) = real_start(evidence);
    report.expect_startup(&real);
    // The server does not say after a crash; its records do, where there is a pg_waldump to print them.
    if let Some(redo) = &real.redo_start
        && evidence.server.has("pg_waldump")
        && real.outcome == "crash_recovery"
    {
        report.expect_last_completed_transaction(last_completed_transaction(evidence, redo));
    }
    report.expect_healthy();
    copy
}

/// Ten instants, chosen at random.
pub fn killed_under_write_load(server: Server) {
    let random = &mut Random::new();
    let mut cluster = busy_cluster(server);
    for round in 0..10 {
        let millis = random.within(200..900);
        eprintln!("round {round}: killed after {millis} ms");
        let load = Load::start(&cluster, random, Checkpoints::Any);
        sleep(Duration::from_millis(millis));
        cluster.kill();
        drop(load);
        cluster = expect_healthy(&cluster);
    }
}

/// Killed under load, and again at some instant of the recovery that followed.
pub fn killed_in_recovery(server: Server) {
    let random = &mut Random::new();
    let mut cluster = busy_cluster(server);
    cluster.sql("CHECKPOINT");
    let load = Load::start(&cluster, random, Checkpoints::None);
    sleep(Duration::from_millis(800));
    cluster.kill();
    drop(load);
    for millis in [20, 80, random.within(1..200)] {
        eprintln!("killed after {millis} ms of recovery");
        let mut recovering = cluster.stand_in();
        recovering.launch(&[]);
        sleep(Duration::from_millis(millis));
        recovering.kill();
        // Killed before it wrote its lock file, it leaves an empty one, and the next start refuses: damaged_start has it.
        recovering.forget_postmaster();
        expect_healthy(&recovering);
    }
}

/// Killed after a CREATE DATABASE whose small files never reached the disk: replay makes them again, from 15 on. An
/// older server makes a checkpoint at its end, and has nothing to replay.
pub fn killed_after_create_database(server: Server) {
    let mut cluster = Cluster::init(server, &NO_CHECKPOINTS);
    cluster.start();
    let others = database_folders(&cluster);
    cluster.sql("CREATE DATABASE fresh");
    cluster.kill();
    let made = database_folders(&cluster);
    let folder = made.difference(&others).next().expect("its folder");
    for file in ["PG_VERSION", "pg_filenode.map"] {
        write_file(&folder.join(file), "");
    }
    let recovered = expect_healthy(&cluster);
    let tables = "SELECT count(*) > 0 FROM pg_class";
    let answer = output(recovered.psql().args(["-d", "fresh", "-c", tables]));
    assert_eq!(answer.trim_end(), "t");
}

fn database_folders(cluster: &Cluster) -> BTreeSet<PathBuf> {
    let folders = fs::read_dir(cluster.data().join("base")).unwrap();
    folders.map(|folder| folder.unwrap().path()).collect()
}

/// Stopped as it should be, after work.
pub fn clean_directory(server: Server) {
    let mut cluster = busy_cluster(server);
    let load = Load::start(&cluster, &mut Random::new(), Checkpoints::Any);
    sleep(Duration::from_millis(500));
    load.stop(&cluster);
    cluster.stop();
    expect_healthy(&cluster);
}

/// Files copied one by one while the server writes, as `cp -a` would: data first, then pg_control, then WAL. No
/// checkpoint comes meanwhile, or no recovery could mend such a copy.
pub fn running_copy(server: Server) {
    let random = &mut Random::new();
    let mut cluster = busy_cluster(server);
    cluster.stop();
    cluster.configure(&NO_CHECKPOINTS);
    cluster.start();
    // Files come and go while they are copied; the second copy takes WAL while it is being written, too.
    for moving in [false, true] {
        cluster.sql("CHECKPOINT");
        let load = Load::start(&cluster, random, Checkpoints::None);
        sleep(Duration::from_millis(random.within(50..400)));
        let copy = Cluster::empty(server);
        copy_tree(&cluster.data(), &copy.data(), &|path| {
            path == Path::new("pg_wal") || path == Path::new("global/pg_control")
        });
        copy.adopt_tablespace(&cluster.tablespace());
        sleep(Duration::from_millis(random.within(10..200)));
        let copy_rest = || {
            for last in ["global/pg_control", "pg_wal"] {
                copy_tree(&cluster.data().join(last), &copy.data().join(last), &|_| {
                    false
                });
            }
        };
        if moving {
            copy_rest();
        } else {
            cluster.frozen(copy_rest);
        }
        load.stop(&cluster);

        let report = check(&copy);
        let (real, _recovered) = real_start(&copy);
        report.expect_startup(&real);
        // WAL that was being written may have reached the copy with a hole in it, and then the report says so.
        if !moving {
            report.expect_healthy();
        }
    }
}
