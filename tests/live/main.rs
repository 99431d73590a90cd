//! What the report says, held against real servers: each test makes a cluster, has pgautopsy look at its files, starts
//! the server on a copy and compares.
//!
//! `README.md` beside this file says how to run them.

mod backup;
mod crash;
mod differential;
mod features;
mod log;
mod map_ahead;
mod oracle;
mod parity;
mod pitr;
mod random_wal;
mod replication;
mod server;
mod server_error;
mod silent;
mod tool;
mod workload;

use server::{MAJORS, Server};

/// Whether PGAUTOPSY_MAJORS (`15,18`), a developer's shortcut, leaves this major in.
fn wanted(major: u32) -> bool {
    assert!(MAJORS.contains(&major));
    std::env::var("PGAUTOPSY_MAJORS").map_or(true, |majors| {
        majors
            .split(',')
            .any(|wanted| wanted.trim() == major.to_string())
    })
}

fn run(major: u32, scenario: impl Fn(Server)) {
    if wanted(major) {
        scenario(Server::of(major));
    } else {
        eprintln!("PGAUTOPSY_MAJORS leaves out {major}");
    }
}

/// One test per scenario and major, named `scenario::v15`.
macro_rules! scenarios {
    (@test $scenario:path, $test:ident, $major:literal) => {
        #[test]
        #[ignore = "starts real servers"]
        fn $test() {
            crate::run($major, $scenario);
        }
    };
    ($($name:ident: $scenario:path;)*) => {$(
        mod $name {
            scenarios!(@test $scenario, v10, 10);
            scenarios!(@test $scenario, v11, 11);
            scenarios!(@test $scenario, v12, 12);
            scenarios!(@test $scenario, v13, 13);
            scenarios!(@test $scenario, v14, 14);
            scenarios!(@test $scenario, v15, 15);
            scenarios!(@test $scenario, v16, 16);
            scenarios!(@test $scenario, v17, 17);
            scenarios!(@test $scenario, v18, 18);
        }
    )*};
}

scenarios! {
    killed_under_write_load_is_healthy: crate::crash::killed_under_write_load;
    killed_in_recovery_is_healthy: crate::crash::killed_in_recovery;
    clean_directory: crate::crash::clean_directory;
    running_copy: crate::crash::running_copy;
    standby: crate::replication::standby;
    promoted: crate::replication::promoted;
    base_backup: crate::backup::base_backup;
    tar_backup: crate::backup::tar_backup;
    point_in_time: crate::pitr::point_in_time;
    control_equals_sql: crate::oracle::control_equals_sql;
    damaged_start: crate::differential::damaged_start;
    map_ahead_of_wal: crate::map_ahead::map_ahead_of_wal;
    damaged_tuples: crate::parity::damaged_tuples;
    damaged_line_pointers: crate::parity::damaged_line_pointers;
    damaged_relations: crate::parity::damaged_relations;
    stale_visibility_map: crate::parity::stale_visibility_map;
    damaged_files: crate::parity::damaged_files;
    copy_of_every_table: crate::server_error::copy_of_every_table;
    no_message_tells: crate::silent::no_message_tells;
    no_message_tells_of_the_commit_log: crate::silent::no_message_tells_of_the_commit_log;
    images_bring_damage_back: crate::silent::images_bring_damage_back;
    chunks_lost_in_a_crash: crate::silent::chunks_lost_in_a_crash;
    features_are_healthy: crate::features::features_are_healthy;
}

/// One major for each format of WAL records and their messages.
mod random_wal_damage {
    scenarios!(@test crate::random_wal::random_wal_damage, v12, 12);
    scenarios!(@test crate::random_wal::random_wal_damage, v15, 15);
    scenarios!(@test crate::random_wal::random_wal_damage, v18, 18);
}

/// Older ones make a checkpoint.
mod killed_after_create_database {
    scenarios!(@test crate::crash::killed_after_create_database, v15, 15);
    scenarios!(@test crate::crash::killed_after_create_database, v16, 16);
    scenarios!(@test crate::crash::killed_after_create_database, v17, 17);
    scenarios!(@test crate::crash::killed_after_create_database, v18, 18);
}

#[test]
#[ignore = "starts real servers"]
fn control_equals_pg_controldata() {
    for major in oracle::CONTROL_1300 {
        run(major, oracle::control_equals_pg_controldata);
    }
}

#[test]
#[ignore = "starts real servers"]
fn waldump_equals_record_by_record() {
    run(15, oracle::waldump_equals_record_by_record);
}

#[test]
#[ignore = "starts real servers"]
fn pg_resetwal_loss() {
    run(15, random_wal::pg_resetwal_loss);
}

#[test]
#[ignore = "starts real servers"]
fn page_checksums_equal_pg_checksums() {
    run(15, oracle::page_checksums_equal_pg_checksums);
}
