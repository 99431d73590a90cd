//! A page of the visibility map reached the disk before WAL that is then lost. Redo clears bits in it without looking at
//! its LSN, so the checkpoint at the end of recovery has to write it, and cannot.

use crate::crash::NO_CHECKPOINTS;
use crate::differential::{observe, predicted, segment_of};
use crate::server::{Cluster, Server, write_file};
use crate::tool::check;

pub fn map_ahead_of_wal(server: Server) {
    // A pool so small that every page is soon written to make room.
    let mut settings = vec![
        "shared_buffers = 128kB",
        "autovacuum = off",
        "bgwriter_lru_maxpages = 0",
    ];
    settings.extend(NO_CHECKPOINTS);
    let mut cluster = Cluster::init(server, &settings);
    cluster.start();
    cluster.sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n");
    cluster.sql("CREATE TABLE other AS SELECT g AS n, repeat('x', 500) AS t FROM generate_series(1, 3000) g");
    cluster.sql("CREATE INDEX ON other (n)");
    cluster.sql("VACUUM kept");
    cluster.sql("VACUUM other");
    cluster.sql("CHECKPOINT");
    cluster.sql("DELETE FROM kept WHERE n = 1");
    let lost = cluster.sql("SELECT pg_current_wal_insert_lsn()");
    // The bit that the deletion cleared is set again, by WAL that will be lost.
    cluster.sql("VACUUM kept");
    for _ in 0..3 {
        cluster.sql("SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT sum(length(t)) FROM other WHERE n > 0");
    }
    cluster.kill();
    cluster.forget_postmaster();
    // From here on nothing is written before its time.
    cluster.configure(&["shared_buffers = 64MB"]);

    let whole = observe(cluster.stand_in(), Some("SELECT count(*) FROM kept"));
    assert_eq!(
        (whole.outcome.as_str(), whole.rows.as_deref()),
        ("starts", Some("999"))
    );

    let copy = cluster.stand_in();
    let data = copy.data();
    let segment = data.join("pg_wal").join(segment_of(&lost, &check(&copy)));
    let mut bytes = std::fs::read(&segment).unwrap();
    let at =
        u64::from_str_radix(lost.split_once('/').unwrap().1, 16).unwrap() as usize % bytes.len();
    bytes[at..at + 24].fill(0xAA);
    write_file(&segment, bytes);
    let report = check(&copy);
    let prediction = predicted(&report, &data);
    let real = observe(copy, None);
    assert_eq!(prediction, real.outcome);
    assert!(
        prediction.contains("checkpoint request failed")
            || prediction.contains("xlog flush request"),
        "{prediction}"
    );
}
