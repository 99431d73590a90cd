//! Standbys, stopped, killed and promoted.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::backup::{primary, take};
use crate::crash::expect_healthy;
use crate::log::Startup;
use crate::server::{Cluster, PATIENCE, Server, write_file};
use crate::tool::check;
use crate::workload::{Checkpoints, Load, Random};

/// Makes a restored backup a standby, of that primary or of none.
pub fn follow(standby: &Cluster, primary: Option<&Cluster>) {
    let mut settings = vec!["recovery_target_timeline = 'latest'".to_owned()];
    if let Some(primary) = primary {
        settings.push(format!(
            "primary_conninfo = 'host={} user=postgres'",
            primary.home().display()
        ));
    }
    if standby.server.major >= 12 {
        write_file(&standby.data().join("standby.signal"), "");
        if primary.is_none() {
            settings.push("primary_conninfo = ''".to_owned());
        }
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        standby.configure(&settings);
    } else {
        settings.push("standby_mode = on\n".to_owned());
        write_file(&standby.data().join("recovery.conf"), settings.join("\n"));
    }
}

/// A primary and its standby, which has begun to stream.
fn pair(server: Server) -> (Cluster, Cluster) {
    let primary = primary(server);
    let standby = start_standby(&primary);
    (primary, standby)
}

/// A standby of a running cluster, which has begun to stream.
pub fn start_standby(primary: &Cluster) -> Cluster {
    let mut standby = take(primary);
    follow(&standby, Some(primary));
    standby.launch(&[]);
    wait_until_streaming(primary);
    standby
}

fn wait_until_streaming(primary: &Cluster) {
    let since = Instant::now();
    while primary.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") != "1" {
        assert!(since.elapsed() < PATIENCE, "no standby streams");
        sleep(Duration::from_millis(10));
    }
}

/// The report on a standby's files predicts how far its own WAL takes it. The copy has no primary to stream from; it
/// is promoted when it has replayed what it has, because only then does it say where redo ended.
fn expect_healthy_standby(evidence: &Cluster) {
    let report = check(evidence);
    let mut copy = evidence.stand_in();
    follow(&copy, None);
    copy.launch(&[]);
    copy.wait_for_log("consistent recovery state reached");
    copy.promote();
    report.expect_startup(&Startup::read(&copy.log()));
    report.expect_healthy();
}

/// Stopped as it should be, and killed.
pub fn standby(server: Server) {
    let random = &mut Random::new();
    let (primary, mut standby) = pair(server);
    let load = Load::start(&primary, random, Checkpoints::Any);
    sleep(Duration::from_millis(random.within(300..700)));
    standby.stop();
    expect_healthy_standby(&standby);

    standby.forget_postmaster();
    standby.launch(&[]);
    wait_until_streaming(&primary);
    sleep(Duration::from_millis(random.within(300..700)));
    standby.kill();
    drop(load);
    expect_healthy_standby(&standby);
}

/// Promoted under load and killed: at once, and after work on the new timeline.
pub fn promoted(server: Server) {
    let random = &mut Random::new();
    let (mut primary, mut standby) = pair(server);
    let load = Load::start(&primary, random, Checkpoints::None);
    sleep(Duration::from_millis(random.within(300..700)));
    primary.kill();
    drop(load);
    standby.promote();
    standby.kill();
    standby = expect_healthy(&standby);

    let load = Load::start(&standby, random, Checkpoints::Any);
    sleep(Duration::from_millis(random.within(300..700)));
    standby.kill();
    drop(load);
    expect_healthy(&standby);
}
