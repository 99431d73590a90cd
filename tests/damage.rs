//! One deliberate edit of a real data directory for each case, and exactly what must be found.
//!
//! Every check has a hit, an edit that must give its code at that place and nothing else above
//! `note`, and a near miss, the closest legal or healed state, that must not give it. Each
//! runs on a 9.1, a 9.4, a 15 and a 19 directory: the WAL of three eras, CRCs of two, with
//! page checksums and without. Where a check does not apply to an era, its row says why.
//!
//! The layouts that the edits rely on (little-endian; byte offsets):
//!
//! ```text
//! page header     0 pd_lsn high, 4 pd_lsn low, 8 pd_checksum (9.3+), 10 pd_flags, 12 pd_lower,
//!                 14 pd_upper, 16 pd_special, 18 pd_pagesize_version, 20 pd_prune_xid
//! line pointers   24 + 4 * (offnum - 1): 15 bits lp_off, 2 lp_flags, 15 lp_len
//! tuple header    0 t_xmin, 4 t_xmax, 8 t_cid, 12 t_ctid, 18 t_infomask2, 20 t_infomask, 22 t_hoff
//! btree special   0 prev, 4 next, 8 level, 12 btpo_flags, 14 btpo_cycleid
//!
//!                        9.1   9.4   15    19
//! pg_control             0 system identifier, 8 control version, 12 catalog version, 16 state
//!   checkPointCopy       48    48    40    40
//! CheckPoint             0 redo, 8 ThisTimeLineID
//!   PrevTimeLineID       -     12    12    12
//!   nextXid              16    24    24    32
//!   nextOid              20    28    32    40
//! WAL page header        0 magic, 2 info, 4 tli, 8 pageaddr (up to 9.2: high, low)
//!   xlp_rem_len          -     16    16    16
//!   xlp_sysid            16    24    24    24
//! WAL record header      32    32    24    24    bytes
//!   xl_tot_len           16    0     0     0
//!   xl_prev              4     16    8     8
//!   xl_info, xl_rmid     24    12    16    16
//!   xl_crc               0     24    20    20
//!   payload              32    32    26    26    of a checkpoint
//! ```
#![allow(missing_docs)]

mod support;

use pgautopsy::check::{IoMode, Options, check};
use pgautopsy::checks::{CHECKS, by_code};
use pgautopsy::cluster::catalog::{Catalog, CatalogRelation, Committed};
use pgautopsy::finding::{Finding, Recovery, Severity};
use pgautopsy::format::catalog::{
    IndexKeys, PgAttrdef, PgAttribute, PgClass, PgDatabase, PgIndex, PgInherits, PgLargeobject,
    PgNamed, PgRewrite, PgSequence, PgType, parse_oid,
};
use pgautopsy::format::checksum::page_checksum;
use pgautopsy::format::control::ControlFile;
use pgautopsy::format::crc::Crc;
use pgautopsy::format::heap::{HeapTupleHeader, HeapTuples};
use pgautopsy::format::names::{WalSegmentName, relation_path};
use pgautopsy::format::slru::Slru;
use pgautopsy::format::toast::{ToastValue, max_chunk_size};
use pgautopsy::format::tuple::{Stored, ToastPointer, TupleDesc, VARLENA_SIZE_LIMIT, Value};
use pgautopsy::format::types::{ForkNumber, TimeLineID, TransactionId, XLogRecPtr, XLogSegNo};
use pgautopsy::format::version::{Layout, Major, Version};
use pgautopsy::format::wal::effects::{Effect, effects};
use pgautopsy::format::wal::record::{RecordHeader, crc_of};
use pgautopsy::format::wal::{Record, WalGeometry};
use pgautopsy::pgdata::Evidence;
use pgautopsy::recovery::dump::{Met, dump};
use pgautopsy::recovery::reader::WalContext;
use pgautopsy::recovery::source::EvidenceWal;
use pgautopsy::recovery::timeline::Timelines;
use pgautopsy::report::Report;
use pgautopsy::scan::large_objects::bit_of;
use pgautopsy::verdict::Outcome;
use pgautopsy::verdict::patterns::PatternKind;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::{fixture_file, link_tree, truth, unpack};

/// The eras, each with a clean and a crashed directory of the same workload.
const ERAS: [Major; 4] = [Major::V9_1, Major::V9_4, Major::V15, Major::V19];
/// OID of the database that the edits are made in.
const APP: &str = "16386";
const BLCKSZ: usize = 8192;
/// `RELSEG_SIZE` in blocks.
const RELSEG_SIZE: u32 = 131_072;

// pd_* within a page.
const PD_LSN: usize = 0;
const PD_CHECKSUM: usize = 8;
const PD_LOWER: usize = 12;
const PD_UPPER: usize = 14;
const PD_SPECIAL: usize = 16;
const PD_PAGESIZE_VERSION: usize = 18;
// t_* within a tuple.
const T_XMIN: usize = 0;
const T_XMAX: usize = 4;
const T_CID: usize = 8;
const T_CTID: usize = 12;
const T_INFOMASK2: usize = 18;
const T_INFOMASK: usize = 20;
const T_HOFF: usize = 22;
// t_infomask.
const HASEXTERNAL: u16 = 0x0004;
const XMAX_KEYSHR_LOCK: u16 = 0x0010;
const XMAX_EXCL_LOCK: u16 = 0x0040;
const XMAX_LOCK_ONLY: u16 = 0x0080;
const XMIN_COMMITTED: u16 = 0x0100;
const XMIN_INVALID: u16 = 0x0200;
const XMIN_FROZEN: u16 = 0x0300;
const XMAX_COMMITTED: u16 = 0x0400;
const XMAX_INVALID: u16 = 0x0800;
const XMAX_IS_MULTI: u16 = 0x1000;
const UPDATED: u16 = 0x2000;
const MOVED_OFF: u16 = 0x4000;
const MOVED_IN: u16 = 0x8000;
const MOVED: u16 = MOVED_OFF | MOVED_IN;
const HOT_UPDATED: u16 = 0x4000;
const HEAP_ONLY: u16 = 0x8000;
const XMAX_BITS: u16 = XMAX_KEYSHR_LOCK
    | XMAX_EXCL_LOCK
    | XMAX_LOCK_ONLY
    | XMAX_COMMITTED
    | XMAX_INVALID
    | XMAX_IS_MULTI;

// ---------------------------------------------------------------------------------------------
// The table

/// What a row shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shows {
    Hit,
    NearMiss,
}

/// One case.
struct Row {
    code: &'static str,
    shows: Shows,
    what: &'static str,
    fixture: &'static str,
    since: Major,
    until: Major,
    /// The probable cause that must be told, and part of what is said of it.
    told: Option<(PatternKind, &'static str)>,
    /// One that must not be.
    not_told: Option<PatternKind>,
    /// Makes the edit, and returns what must be found.
    edit: fn(&mut Dir<'_>) -> Vec<Found>,
}

const fn row(
    shows: Shows,
    code: &'static str,
    what: &'static str,
    edit: fn(&mut Dir<'_>) -> Vec<Found>,
) -> Row {
    Row {
        code,
        shows,
        what,
        fixture: "clean",
        since: Major::V9_0,
        until: Major::V19,
        told: None,
        not_told: None,
        edit,
    }
}

const fn hit(code: &'static str, what: &'static str, edit: fn(&mut Dir<'_>) -> Vec<Found>) -> Row {
    row(Shows::Hit, code, what, edit)
}

const fn near_miss(
    code: &'static str,
    what: &'static str,
    edit: fn(&mut Dir<'_>) -> Vec<Found>,
) -> Row {
    row(Shows::NearMiss, code, what, edit)
}

impl Row {
    /// On the directory of a crashed server.
    const fn crash(mut self) -> Self {
        self.fixture = "crash";
        self
    }

    const fn since(mut self, major: Major) -> Self {
        self.since = major;
        self
    }

    const fn until(mut self, major: Major) -> Self {
        self.until = major;
        self
    }

    const fn told(mut self, kind: PatternKind, text: &'static str) -> Self {
        self.told = Some((kind, text));
        self
    }

    const fn not_told(mut self, kind: PatternKind) -> Self {
        self.not_told = Some(kind);
        self
    }

    fn applies_to(&self, era: Major) -> bool {
        self.since <= era && era <= self.until
    }
}

static CONTROL: &[Row] = &[
    hit(
        "control-file-malformed",
        "pg_control cut to 100 bytes",
        |d| {
            d.resize("global/pg_control", 100);
            vec![d.file("control-file-malformed", "global/pg_control")]
        },
    ),
    hit("control-file-malformed", "pg_control all zero", |d| {
        d.edit("global/pg_control", |b| b.fill(0));
        vec![d.file("control-file-malformed", "global/pg_control")]
    }),
    hit(
        "control-file-malformed",
        "pg_control of the other byte order",
        |d| {
            d.edit("global/pg_control", |b| {
                b[..8].reverse();
                b[8..12].reverse();
                b[12..16].reverse();
            });
            vec![d.file("control-file-malformed", "global/pg_control")]
        },
    ),
    near_miss(
        "control-file-malformed",
        "pg_control cut behind its last field",
        |d| {
            d.resize("global/pg_control", 512);
            vec![]
        },
    ),
    hit(
        "control-file-crc-mismatch",
        "one bit of nextOid flipped",
        |d| {
            let at = d.control_copy_at() + d.next_oid_at();
            d.edit("global/pg_control", |b| b[at] ^= 1);
            let at = d.base.version.control_crc_at as u64;
            vec![
                d.file("control-file-crc-mismatch", "global/pg_control")
                    .byte(at),
            ]
        },
    ),
    near_miss(
        "control-file-crc-mismatch",
        "one bit behind the CRC flipped",
        |d| {
            let at = d.base.version.control_crc_at + 8;
            d.edit("global/pg_control", |b| b[at] ^= 1);
            vec![]
        },
    ),
    hit(
        "control-file-impossible-value",
        "control version of no release",
        |d| {
            d.control(|b| set_u32(b, 8, 12_345));
            vec![d.file("control-file-impossible-value", "global/pg_control")]
        },
    ),
    hit("control-file-impossible-value", "state 7", |d| {
        d.control(|b| set_u32(b, 16, 7));
        vec![d.file("control-file-impossible-value", "global/pg_control")]
    }),
    hit(
        "control-file-impossible-value",
        "float format of another machine",
        |d| {
            d.control(|b| {
                let own = 1_234_567_f64.to_le_bytes();
                let at = b.windows(8).position(|w| w == own).unwrap();
                b[at..at + 8].reverse();
            });
            vec![d.file("control-file-impossible-value", "global/pg_control")]
        },
    ),
    near_miss(
        "control-file-impossible-value",
        "state 6, in production",
        |d| {
            d.control(|b| set_u32(b, 16, 6));
            d.outcome = Some(Outcome::CrashRecovery);
            vec![]
        },
    ),
    hit(
        "control-file-wrong-version",
        "pg_control of another major",
        |d| {
            let other = if d.is(Major::V9_4) {
                "9.1-clean"
            } else {
                "9.4-clean"
            };
            d.write(
                "global/pg_control",
                &fixture_file(other, "pgdata/global/pg_control"),
            );
            vec![d.file("control-file-wrong-version", "global/pg_control")]
        },
    ),
    near_miss(
        "control-file-wrong-version",
        "catalog version of a pre-release",
        |d| {
            d.control(|b| set_u32(b, 12, get_u32(b, 12) + 1));
            let strange = d.file("control-file-impossible-value", "global/pg_control");
            d.allowed.push(strange.severity(Severity::Note).code);
            vec![]
        },
    ),
    hit(
        "control-file-disagrees-with-wal",
        "nextOid of the copy changed",
        |d| {
            let at = d.control_copy_at() + d.next_oid_at();
            d.control(|b| set_u32(b, at, get_u32(b, at) + 8192));
            vec![d.file("control-file-disagrees-with-wal", "global/pg_control")]
        },
    ),
    near_miss(
        "control-file-disagrees-with-wal",
        "nextXid of the copy ahead",
        |d| {
            let at = d.control_copy_at() + d.next_xid_at();
            d.control(|b| set_u32(b, at, get_u32(b, at) + 5));
            vec![]
        },
    ),
    hit("version-file-invalid", "PG_VERSION of no release", |d| {
        d.write("PG_VERSION", b"8.5\n");
        vec![d.file("version-file-invalid", "PG_VERSION")]
    }),
    hit("version-file-invalid", "PG_VERSION overwritten", |d| {
        d.write("PG_VERSION", b"\x7fELF");
        vec![d.file("version-file-invalid", "PG_VERSION")]
    }),
    hit(
        "version-file-invalid",
        "PG_VERSION of a database of another major",
        |d| {
            d.write("base/16386/PG_VERSION", b"9.6\n");
            let found = d.file("version-file-invalid", "base/16386/PG_VERSION");
            vec![found.severity(Severity::Damage)]
        },
    ),
    near_miss(
        "version-file-invalid",
        "PG_VERSION without its newline",
        |d| {
            d.edit("PG_VERSION", |b| b.truncate(b.len() - 1));
            d.edit("base/16386/PG_VERSION", |b| b.truncate(b.len() - 1));
            vec![]
        },
    ),
];

static FILES: &[Row] = &[
    hit(
        "required-file-missing",
        "global/pg_filenode.map removed",
        |d| {
            d.remove("global/pg_filenode.map");
            vec![d.file("required-file-missing", "global/pg_filenode.map")]
        },
    ),
    hit("required-file-missing", "PG_VERSION removed", |d| {
        d.remove("PG_VERSION");
        vec![d.file("required-file-missing", "PG_VERSION")]
    }),
    hit("required-file-missing", "pg_control removed", |d| {
        d.remove("global/pg_control");
        d.outcome = Some(Outcome::Fails);
        vec![d.file("required-file-missing", "global/pg_control")]
    }),
    hit(
        "required-file-missing",
        "PG_VERSION of a database removed",
        |d| {
            d.remove("base/16386/PG_VERSION");
            d.server_error = Some("\"base/16386\" is not a valid data directory");
            let found = d.file("required-file-missing", "base/16386/PG_VERSION");
            vec![found.severity(Severity::Damage)]
        },
    ),
    hit(
        "required-file-missing",
        "relation map of a database removed",
        |d| {
            d.remove("base/16386/pg_filenode.map");
            d.server_error = Some("\"base/16386/pg_filenode.map\": No such file or directory");
            let found = d.file("required-file-missing", "base/16386/pg_filenode.map");
            vec![found.severity(Severity::Damage)]
        },
    ),
    hit(
        "required-file-missing",
        "folder of a database removed",
        |d| {
            fs::remove_dir_all(d.path("base/16386")).unwrap();
            d.server_error = Some("database \"app\" does not exist");
            let found = d.file("required-file-missing", "base/16386");
            vec![found.severity(Severity::Damage)]
        },
    ),
    near_miss(
        "required-file-missing",
        "folder of no database without its files",
        |d| {
            fs::create_dir_all(d.path("base/99999")).unwrap();
            d.write("base/99999/2619", &[]);
            vec![]
        },
    ),
    hit("required-file-missing", "pg_subtrans removed", |d| {
        fs::remove_dir_all(d.path("pg_subtrans")).unwrap();
        // After a clean shutdown the server starts without it.
        let found = d.file("required-file-missing", "pg_subtrans");
        vec![found.severity(Severity::Damage)]
    }),
    hit("required-file-missing", "pg_twophase removed", |d| {
        fs::remove_dir_all(d.path("pg_twophase")).unwrap();
        d.outcome = Some(Outcome::Fails);
        vec![d.file("required-file-missing", "pg_twophase")]
    }),
    near_miss(
        "required-file-missing",
        "what the server makes anew removed",
        |d| {
            fs::remove_dir_all(d.path("pg_stat_tmp")).unwrap();
            fs::remove_dir_all(d.path("pg_subtrans")).unwrap();
            fs::create_dir(d.path("pg_subtrans")).unwrap();
            vec![]
        },
    ),
    hit(
        "backup-label-invalid",
        "backup_label with carriage returns",
        |d| {
            d.write("backup_label", d.label().replace('\n', "\r\n").as_bytes());
            vec![d.file("backup-label-invalid", "backup_label")]
        },
    ),
    hit(
        "backup-label-invalid",
        "backup_label cut off in its second line",
        |d| {
            let label = d.label();
            d.write(
                "backup_label",
                &label.as_bytes()[..label.find("CHECKPOINT").unwrap() + 15],
            );
            vec![d.file("backup-label-invalid", "backup_label")]
        },
    ),
    // START TIMELINE is looked at from 11 on.
    hit(
        "backup-label-invalid",
        "backup_label of two minds about the timeline",
        |d| {
            d.write(
                "backup_label",
                format!("{}START TIMELINE: 7\n", d.label()).as_bytes(),
            );
            d.outcome = Some(Outcome::Fails);
            vec![d.file("backup-label-invalid", "backup_label")]
        },
    )
    .since(Major::V11),
    near_miss(
        "backup-label-invalid",
        "backup_label of this checkpoint",
        |d| {
            d.write("backup_label", d.label().as_bytes());
            // xlog.c up to 9.2 sets InArchiveRecovery for recovery.conf alone.
            if d.is_since(Major::V9_3) {
                d.outcome = Some(Outcome::ArchiveRecovery);
            }
            vec![]
        },
    ),
    hit(
        "tablespace-map-invalid",
        "tablespace_map without its last line end",
        |d| {
            d.write("backup_label", d.label().as_bytes());
            d.write("tablespace_map", b"16400 /nowhere");
            d.outcome = Some(Outcome::Fails);
            vec![d.file("tablespace-map-invalid", "tablespace_map")]
        },
    )
    .since(Major::V9_5),
    near_miss(
        "tablespace-map-invalid",
        "such a tablespace_map without a backup_label",
        |d| {
            d.write("tablespace_map", b"16400 /nowhere");
            vec![]
        },
    ),
    hit("lock-file-empty", "postmaster.pid empty", |d| {
        d.write("postmaster.pid", b"");
        d.outcome = Some(Outcome::Fails);
        vec![d.file("lock-file-empty", "postmaster.pid")]
    }),
    near_miss("lock-file-empty", "postmaster.pid of a dead server", |d| {
        d.write("postmaster.pid", b"4194303\n");
        vec![]
    }),
    // Slots came with 9.4, origins with 9.5.
    hit(
        "replication-slot-invalid",
        "folder of a slot without its state",
        |d| {
            fs::create_dir(d.path("pg_replslot/lost")).unwrap();
            // Up to 9.6 the server's words are not known.
            if d.is_since(Major::V10) {
                d.outcome = Some(Outcome::Fails);
            }
            vec![d.file("replication-slot-invalid", "pg_replslot/lost/state")]
        },
    )
    .since(Major::V9_4),
    near_miss(
        "replication-slot-invalid",
        "folder of a slot that was being made",
        |d| {
            fs::create_dir(d.path("pg_replslot/lost.tmp")).unwrap();
            vec![]
        },
    )
    .since(Major::V9_4),
    hit("replication-origin-invalid", "origins of text", |d| {
        let path = "pg_logical/replorigin_checkpoint";
        d.write(path, b"text that is none");
        d.outcome = Some(Outcome::Fails);
        vec![d.file("replication-origin-invalid", path)]
    })
    .since(Major::V9_5),
    near_miss("replication-origin-invalid", "no origins", |d| {
        d.remove_if_there("pg_logical/replorigin_checkpoint");
        vec![]
    }),
    hit(
        "two-phase-file-invalid",
        "state of a running transaction of text",
        |d| {
            let xid = d.next_xid() + 1;
            d.set_next_xid(xid + 4);
            let path = d.two_phase(xid);
            d.write(&path, &[b'x'; 200]);
            let found = d.file("two-phase-file-invalid", &path);
            // Up to 11 the server removes it with a warning.
            if d.is_since(Major::V12) {
                d.outcome = Some(Outcome::Fails);
                return vec![found];
            }
            d.silent_loss = true;
            vec![found.severity(Severity::Damage)]
        },
    ),
    near_miss(
        "two-phase-file-invalid",
        "state of a transaction to come of text",
        |d| {
            d.write(&d.two_phase(d.next_xid()), &[b'x'; 200]);
            vec![]
        },
    ),
    hit(
        "catalog-unreadable",
        "first page of pg_namespace overwritten",
        |d| {
            d.page("pg_namespace", 0, |p| set_u16(p, PD_SPECIAL, 0xFFF8));
            vec![
                d.file("catalog-unreadable", &d.relation("pg_namespace")),
                d.page_found("page-header-invalid", "pg_namespace", 0),
            ]
        },
    ),
    near_miss(
        "catalog-unreadable",
        "first page of a catalog that is not read overwritten",
        |d| {
            d.page("pg_operator", 0, |p| set_u16(p, PD_SPECIAL, 0xFFF8));
            vec![d.page_found("page-header-invalid", "pg_operator", 0)]
        },
    ),
    hit(
        "relation-map-invalid",
        "one bit of the database's map flipped",
        |d| {
            d.edit("base/16386/pg_filenode.map", |b| b[12] ^= 1);
            let found = d.file("relation-map-invalid", "base/16386/pg_filenode.map");
            vec![found.severity(Severity::Damage)]
        },
    ),
    hit(
        "relation-map-invalid",
        "magic number of the shared map overwritten",
        |d| {
            d.edit("global/pg_filenode.map", |b| b[..4].fill(b'x'));
            vec![d.file("relation-map-invalid", "global/pg_filenode.map")]
        },
    ),
    near_miss(
        "relation-map-invalid",
        "folder that CREATE DATABASE never finished",
        |d| {
            fs::create_dir(d.path("base/99999")).unwrap();
            d.write("base/99999/pg_filenode.map", b"");
            d.write("base/99999/PG_VERSION", b"");
            let note = d.file("relation-map-invalid", "base/99999/pg_filenode.map");
            d.allowed.push(note.code);
            vec![]
        },
    ),
    near_miss("relation-map-invalid", "bytes behind the map", |d| {
        d.edit("base/16386/pg_filenode.map", |b| b.extend([0xFF; 8]));
        d.edit("global/pg_filenode.map", |b| b.extend([0xFF; 8]));
        vec![]
    }),
    hit(
        "tablespace-link-dangling",
        "link of the tablespace to nowhere",
        |d| {
            d.remove("pg_tblspc/16385");
            symlink("../../gone", d.path("pg_tblspc/16385")).unwrap();
            vec![d.file("tablespace-link-dangling", "pg_tblspc/16385")]
        },
    ),
    near_miss(
        "tablespace-link-dangling",
        "link to an empty directory",
        |d| {
            fs::create_dir(d.path("../empty")).unwrap();
            symlink("../../empty", d.path("pg_tblspc/99999")).unwrap();
            vec![]
        },
    ),
    hit("relation-file-missing", "file of a table removed", |d| {
        let path = d.relation("docs");
        d.remove(&path);
        vec![d.file("relation-file-missing", &path)]
    }),
    hit(
        "relation-file-missing",
        "file of an unlogged table, not crashed",
        |d| {
            let path = d.relation("unl");
            d.remove(&path);
            vec![d.file("relation-file-missing", &path)]
        },
    )
    .since(Major::V9_1),
    near_miss(
        "relation-file-missing",
        "file of an unlogged table, crashed",
        |d| {
            let path = d.relation("unl");
            d.remove(&path);
            vec![]
        },
    )
    .crash()
    .since(Major::V9_1),
    hit("unlogged-relation-emptied", "rows at a crash", |d| {
        d.anywhere("unlogged-relation-emptied");
        d.message = Some("will be gone: the table is unlogged");
        vec![]
    })
    .crash()
    .since(Major::V9_1),
    near_miss("unlogged-relation-emptied", "rows, not crashed", |_| vec![]).since(Major::V9_1),
    near_miss(
        "relation-file-missing",
        "part of a database that was never made",
        |d| {
            let class = d.relation("pg_class");
            let (folder, file) = class.rsplit_once('/').unwrap();
            fs::create_dir(d.path("base/99999")).unwrap();
            for name in ["PG_VERSION", "pg_filenode.map", file] {
                let bytes = d.read(&format!("{folder}/{name}"));
                d.write(&format!("base/99999/{name}"), &bytes);
            }
            vec![]
        },
    ),
    near_miss("relation-file-missing", "maps alone removed", |d| {
        for fork in ["fsm", "vm"] {
            d.remove_if_there(&format!("{}_{fork}", d.relation("docs")));
        }
        vec![]
    }),
    hit(
        "relation-file-missing",
        "files of three tables removed",
        |d| {
            let paths = ["docs", "ziplog", "geo"].map(|table| d.relation(table));
            paths.iter().for_each(|path| d.remove(path));
            let missing = |path: &String| d.file("relation-file-missing", path);
            paths.iter().map(missing).collect()
        },
    )
    .told(
        PatternKind::FilesGone,
        "3\u{a0}relations of 1\u{a0}database have no file (app.public.docs, ",
    ),
    hit(
        "relation-file-missing",
        "files of two tables removed",
        |d| {
            let paths = ["docs", "ziplog"].map(|table| d.relation(table));
            paths.iter().for_each(|path| d.remove(path));
            let missing = |path: &String| d.file("relation-file-missing", path);
            paths.iter().map(missing).collect()
        },
    )
    .not_told(PatternKind::FilesGone),
    hit("orphaned-relation-file", "a table's file copied", |d| {
        d.write("base/16386/99999", &d.read(&d.relation("docs")));
        d.message = Some("of 1\u{a0}relation that pg_class does not have: 99999 (heap, ");
        vec![d.file("orphaned-relation-file", "base/16386")]
    }),
    near_miss("orphaned-relation-file", "a temporary table's file", |d| {
        d.write("base/16386/t3_99999", &d.read(&d.relation("docs")));
        vec![]
    })
    .since(Major::V9_1),
    hit("orphaned-relation-file", "of an unknown database", |d| {
        fs::create_dir(d.path("base/99999")).unwrap();
        d.write("base/99999/99999", &d.read(&d.relation("docs")));
        d.every_database = true;
        d.message = Some("of a database that pg_database does not have");
        vec![d.file("orphaned-relation-file", "base/99999")]
    }),
    near_miss(
        "orphaned-relation-file",
        "of a database not asked for",
        |d| {
            fs::create_dir(d.path("base/99999")).unwrap();
            d.write("base/99999/99999", &d.read(&d.relation("docs")));
            vec![]
        },
    ),
    hit("temporary-file-left", "a temporary table's file", |d| {
        d.write("base/16386/t3_99999", &[0; BLCKSZ]);
        vec![d.file("temporary-file-left", "base/16386/t3_99999")]
    })
    .since(Major::V9_1),
    hit("temporary-file-left", "a sort's file, crashed", |d| {
        fs::create_dir_all(d.path("base/pgsql_tmp")).unwrap();
        d.write("base/pgsql_tmp/pgsql_tmp4711.0", b"sorted");
        vec![d.file("temporary-file-left", "base/pgsql_tmp/pgsql_tmp4711.0")]
    })
    .crash(),
    near_miss("temporary-file-left", "such a name elsewhere", |d| {
        d.write("base/16386/t_99999", &[0; BLCKSZ]);
        d.write("pgsql_tmp4711.0", b"sorted");
        vec![]
    }),
    hit("unknown-file", "an editor's backup beside a table", |d| {
        d.write("base/16386/16384~", b"text");
        vec![d.file("unknown-file", "base/16386")]
    }),
    hit("unknown-file", "a core dump", |d| {
        d.write("core.4711", b"\x7fELF");
        vec![d.file("unknown-file", ".")]
    }),
    near_miss("unknown-file", "a key, a log, a cache being written", |d| {
        d.write("server.key", b"----");
        d.write("postgresql.conf.bak", b"port = 1\n");
        fs::create_dir_all(d.path("pg_log")).unwrap();
        d.write("pg_log/today", b"LOG:  x\n");
        d.write("base/16386/pg_internal.init.4711", &[0; 100]);
        vec![]
    }),
    hit("data-directory-permissions", "open to all", |d| {
        fs::set_permissions(d.path(""), fs::Permissions::from_mode(0o777)).unwrap();
        d.anywhere("data-directory-permissions");
        vec![]
    }),
    // Of a test that root runs nothing else can be said: its directories are root's.
    near_miss("data-directory-permissions", "open to the owner", |d| {
        fs::set_permissions(d.path(""), fs::Permissions::from_mode(0o700)).unwrap();
        vec![]
    }),
    hit("file-access-denied", "a table that is read-only", |d| {
        let path = d.relation("accounts");
        d.permit(&path, 0o400);
        d.server_error = Some("\": Permission denied");
        vec![d.file("file-access-denied", &path)]
    }),
    hit(
        "file-access-denied",
        "a folder in which nothing can be made",
        |d| {
            let path = d.relation("accounts");
            let folder = path.rsplit_once('/').unwrap().0;
            d.permit_folder(folder, 0o500);
            vec![d.file("file-access-denied", folder)]
        },
    ),
    hit(
        "file-access-denied",
        "a control file that is read-only",
        |d| {
            d.permit("global/pg_control", 0o400);
            d.outcome = Some(Outcome::Fails);
            let found = d.file("file-access-denied", "global/pg_control");
            vec![found.severity(Severity::Fatal)]
        },
    ),
    near_miss(
        "file-access-denied",
        "configuration that is read-only, a key that is closed",
        |d| {
            for (path, mode) in [("pg_hba.conf", 0o400), ("server.key", 0o000)] {
                d.write(path, b"----");
                d.permit(path, mode);
            }
            d.permit("PG_VERSION", 0o400);
            vec![]
        },
    ),
    near_miss(
        "file-access-denied",
        "a copy that is read-only as a whole",
        |d| {
            d.permit(&d.relation("accounts"), 0o400);
            d.permit_folder("", 0o500);
            d.allowed.push("data-directory-permissions");
            vec![]
        },
    ),
    hit(
        "relation-segment-missing",
        "first segment gone, second there",
        |d| {
            let path = d.relation("ziplog");
            let mut bytes = d.read(&path);
            for (blkno, page) in (RELSEG_SIZE..).zip(bytes.chunks_exact_mut(BLCKSZ)) {
                d.fix_checksum(page, blkno);
            }
            d.remove(&path);
            d.write(&format!("{path}.1"), &bytes);
            d.server_error = Some("\": No such file or directory");
            d.allowed.push("page-misplaced");
            vec![d.file("relation-segment-missing", &path)]
        },
    ),
    hit(
        "relation-segment-missing",
        "third segment there, second gone",
        |d| {
            let path = d.relation("ziplog");
            let mut page = d.read(&path)[..BLCKSZ].to_vec();
            d.fix_checksum(&mut page, 2 * RELSEG_SIZE);
            d.write(&format!("{path}.2"), &page);
            // A scan ends where the first segment does.
            d.server_error = Some("");
            let size = d.size(&path);
            d.allowed.push("page-misplaced");
            vec![
                d.file("relation-segment-missing", &format!("{path}.1")),
                d.file("relation-segment-short", &path).byte(size),
            ]
        },
    ),
    near_miss(
        "relation-segment-missing",
        "third segment empty, second gone",
        |d| {
            // mdtruncate leaves empty segments behind; md.c: _mdnblocks does not look beyond.
            d.write(&format!("{}.2", d.relation("ziplog")), b"");
            vec![]
        },
    ),
    hit(
        "relation-segment-short",
        "second segment behind a short one",
        |d| {
            let path = d.relation("ziplog");
            let mut page = d.read(&path)[..BLCKSZ].to_vec();
            d.fix_checksum(&mut page, RELSEG_SIZE);
            d.write(&format!("{path}.1"), &page);
            let size = d.size(&path);
            d.allowed.push("page-misplaced");
            vec![d.file("relation-segment-short", &path).byte(size)]
        },
    ),
    near_miss("relation-segment-short", "second segment empty", |d| {
        d.write(&format!("{}.1", d.relation("ziplog")), b"");
        vec![]
    }),
    hit("relation-segment-too-big", "a block more than 1 GB", |d| {
        let full = u64::from(RELSEG_SIZE) * 8192;
        let path = d.relation("ziplog");
        d.stretch(&path, full + 8192);
        d.allowed.push("zero-page");
        vec![d.file("relation-segment-too-big", &path).byte(full)]
    }),
    near_miss(
        "relation-segment-too-big",
        "some bytes more than 1 GB",
        |d| {
            d.stretch(&d.relation("ziplog"), u64::from(RELSEG_SIZE) * 8192 + 8191);
            d.allowed.extend(["zero-page", "last-block-short"]);
            vec![]
        },
    ),
    hit("last-block-short", "100 bytes cut off", |d| {
        let path = d.relation("ziplog");
        let size = d.size(&path);
        d.resize(&path, size - 100);
        let last = u32::try_from(size / 8192 - 1).unwrap();
        vec![d.page_found("last-block-short", "ziplog", last)]
    }),
    hit(
        "last-block-short",
        "100 bytes cut off a block that replay makes anew",
        |d| {
            let path = d.relation("marker");
            d.resize(&path, 8092);
            vec![d.page_found("last-block-short", "marker", 0).heals()]
        },
    )
    .crash(),
    near_miss("last-block-short", "a whole block cut off", |d| {
        let path = d.relation("ziplog");
        d.resize(&path, d.size(&path) - 8192);
        d.allowed.push("relation-cut-off");
        vec![]
    }),
];

static PAGES: &[Row] = &[
    hit(
        "zero-page",
        "block that WAL before the redo point filled",
        |d| {
            d.zero_page("accounts", 3);
            vec![
                d.page_found("zero-page", "accounts", 3)
                    .severity(Severity::Damage),
            ]
        },
    ),
    hit("zero-page", "block that the visibility map marks", |d| {
        d.zero_page("frozen_t", 1);
        vec![
            d.page_found("zero-page", "frozen_t", 1)
                .severity(Severity::Damage),
        ]
    }),
    hit(
        "zero-page",
        "block between others that no WAL and no map tells of",
        |d| {
            let last = d.blocks("accounts_pkey") - 1;
            let path = d.relation("accounts_pkey");
            d.edit(&path, |b| {
                let page = b[last as usize * BLCKSZ..].to_vec();
                b.extend([0; BLCKSZ]);
                b.extend(page);
            });
            d.page("accounts_pkey", last + 2, |_| ());
            vec![d.page_found("zero-page", "accounts_pkey", last + 1)]
        },
    ),
    hit(
        "zero-page",
        "last block, which the visibility map marks",
        |d| {
            d.resize(&d.relation("frozen_t"), 10 * BLCKSZ as u64);
            d.zero_page("frozen_t", 9);
            d.allowed.push("relation-cut-off");
            vec![
                d.page_found("zero-page", "frozen_t", 9)
                    .severity(Severity::Damage),
            ]
        },
    ),
    near_miss(
        "zero-page",
        "last block, as after a crash while extending",
        |d| {
            let size = d.size(&d.relation("ziplog"));
            d.resize(&d.relation("ziplog"), size + BLCKSZ as u64);
            vec![]
        },
    ),
    hit("page-header-invalid", "pd_lower beyond pd_upper", |d| {
        d.page("ziplog", 7, |p| {
            set_u16(p, PD_LOWER, get_u16(p, PD_UPPER) + 4)
        });
        vec![d.page_found("page-header-invalid", "ziplog", 7)]
    }),
    hit("page-header-invalid", "pd_flags with an unknown bit", |d| {
        d.page("accounts_pkey", 1, |p| set_u16(p, 10, 0x0008));
        vec![d.page_found("page-header-invalid", "accounts_pkey", 1)]
    }),
    hit(
        "page-header-invalid",
        "page overwritten with kernel messages",
        |d| {
            d.page("ziplog", 7, |p| {
                let text = b"Jan 12 03:14:07 db1 kernel: ata1.00: exception Emask 0x0\n";
                p.iter_mut()
                    .zip(text.iter().cycle())
                    .for_each(|(b, t)| *b = *t);
            });
            d.message = Some("overwritten with text");
            vec![d.page_found("page-header-invalid", "ziplog", 7)]
        },
    )
    .told(
        PatternKind::ForeignData,
        "block\u{a0}7 of app.public.ziplog",
    ),
    hit("page-header-invalid", "page that replay makes anew", |d| {
        d.page("marker", 0, |p| set_u16(p, PD_SPECIAL, 0xFFF8));
        vec![d.page_found("page-header-invalid", "marker", 0).heals()]
    })
    .crash(),
    hit(
        "page-header-invalid",
        "page of a crashed server that replay does not touch",
        |d| {
            d.page("docs", 0, |p| set_u16(p, PD_SPECIAL, 0xFFF8));
            vec![d.page_found("page-header-invalid", "docs", 0)]
        },
    )
    .crash(),
    // PageHeaderIsValid looks at the layout version up to 9.2.
    hit("page-header-invalid", "page layout version 5", |d| {
        d.page("ziplog", 7, |p| set_u16(p, PD_PAGESIZE_VERSION, 0x2005));
        vec![d.page_found("page-header-invalid", "ziplog", 7)]
    })
    .until(Major::V9_2),
    near_miss(
        "page-header-invalid",
        "page layout version 5, which is only strange",
        |d| {
            d.page("ziplog", 7, |p| set_u16(p, PD_PAGESIZE_VERSION, 0x2005));
            vec![d.page_found("page-header-irregular", "ziplog", 7)]
        },
    )
    .since(Major::V9_3),
    hit("page-header-invalid", "one bit of pd_special wrong", |d| {
        d.page("ziplog", 7, |p| p[PD_SPECIAL + 1] ^= 0x40);
        vec![d.page_found("page-header-invalid", "ziplog", 7)]
    })
    .told(PatternKind::FlippedBit, "bit 6 of byte 17 of block 7"),
    hit(
        "page-header-invalid",
        "zeroes from within one page into another",
        |d| {
            let zeroed = d.relation("ziplog");
            d.edit(&zeroed, |b| {
                b[3 * BLCKSZ + 4096..5 * BLCKSZ + 1024].fill(0);
                d.fix_checksum(&mut b[3 * BLCKSZ..4 * BLCKSZ], 3);
            });
            d.allowed.extend([
                "tuple-header-invalid",
                "line-pointer-invalid",
                "tuple-data-invalid",
            ]);
            d.allowed
                .extend(["xmin-out-of-range", "zero-page", "update-chain-invalid"]);
            d.allowed.push("page-checksum-mismatch");
            vec![d.page_found("page-header-invalid", "ziplog", 5)]
        },
    )
    .told(
        PatternKind::ZeroedRange,
        "of zeroes, 13\u{a0}kB in 1\u{a0}file",
    ),
    hit(
        "page-header-invalid",
        "page overwritten with the beginning of an archive",
        |d| {
            d.page("ziplog", 7, |p| {
                let mut x = 1_u32;
                for byte in p.iter_mut() {
                    x = x.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                    *byte = (x >> 23) as u8;
                }
                p[..4].copy_from_slice(b"\x1F\x8B\x08\0");
                set_u16(p, PD_UPPER, 9000);
            });
            vec![d.page_found("page-header-invalid", "ziplog", 7)]
        },
    )
    .told(PatternKind::ForeignData, "gzip"),
    hit("lost-write", "page as it was before WAL changed it", |d| {
        d.page("accounts", 3, |p| set_lsn(p, XLogRecPtr(8)));
        vec![d.page_found("lost-write", "accounts", 3)]
    })
    .told(PatternKind::LostWrite, "1\u{a0}page of 1\u{a0}relation"),
    hit("lost-write", "first pages of many relations", |d| {
        d.age_first_pages();
        vec![]
    })
    .until(Major::V10)
    .told(PatternKind::MixedTimes, "so the files are of several times"),
    // With segments of 1 MB little WAL is left from before the redo point.
    hit("lost-write", "first pages that WAL tells of", |d| {
        d.age_first_pages();
        vec![]
    })
    .since(Major::V11)
    .told(PatternKind::LostWrite, "storage confirmed writes")
    .not_told(PatternKind::MixedTimes),
    near_miss(
        "lost-write",
        "page newer than the last record before the redo point",
        |d| {
            let end = d.base.end;
            d.page("accounts", 3, |p| set_lsn(p, end));
            vec![]
        },
    ),
    hit(
        "free-space-map-wrong",
        "root that is not the greatest",
        |d| {
            d.map_page("ziplog", 2, |p| p[28] ^= 0x55);
            vec![d.fsm_found("ziplog", 2)]
        },
    ),
    hit(
        "free-space-map-wrong",
        "room behind the end of the table",
        |d| {
            let beyond = d.blocks("ziplog") as usize + 5;
            d.map_page("ziplog", 2, |p| raise(p, beyond));
            vec![d.fsm_found("ziplog", 2)]
        },
    ),
    near_miss(
        "free-space-map-wrong",
        "room in the last block of the table",
        |d| {
            let last = d.blocks("ziplog") as usize - 1;
            d.map_page("ziplog", 2, |p| raise(p, last));
            vec![]
        },
    ),
    hit(
        "relation-cut-off",
        "table cut to half, which its index tells of",
        |d| {
            let half = d.blocks("accounts") / 2;
            d.resize(&d.relation("accounts"), u64::from(half) * BLCKSZ as u64);
            d.message = Some("of index accounts");
            vec![d.page_found("relation-cut-off", "accounts", half)]
        },
    ),
    hit(
        "relation-cut-off",
        "table without its last block, which WAL wrote",
        |d| {
            let last = d.blocks("ziplog") - 1;
            d.resize(&d.relation("ziplog"), u64::from(last) * BLCKSZ as u64);
            vec![d.page_found("relation-cut-off", "ziplog", last)]
        },
    ),
    // Neither index nor map nor WAL tells of it.
    hit(
        "relation-cut-off",
        "index with fewer blocks than VACUUM counted",
        |d| {
            let index = "pg_description_o_c_o_index";
            let last = d.blocks(index) - 1;
            d.resize(&d.relation(index), u64::from(last) * BLCKSZ as u64);
            d.message = Some("VACUUM or ANALYZE once counted");
            vec![
                d.page_found("relation-cut-off", index, last)
                    .severity(Severity::Note),
            ]
        },
    )
    // In the older fixtures WAL tells of it.
    .since(Major::V15),
    near_miss("relation-cut-off", "table with one block more", |d| {
        let size = d.size(&d.relation("accounts"));
        d.resize(&d.relation("accounts"), size + BLCKSZ as u64);
        vec![]
    }),
    near_miss("lost-write", "unlogged relation", |d| {
        d.page("unl", 0, |p| set_lsn(p, XLogRecPtr(8)));
        vec![]
    }),
    // With checksums the page does not fit its checksum either.
    hit("page-misplaced", "block 1 written over block 0", |d| {
        let other = d.read(&d.relation("accounts"))[BLCKSZ..2 * BLCKSZ].to_vec();
        d.page("accounts", 0, |p| {
            p.copy_from_slice(&other);
            unfrozen(p);
        });
        d.allowed.extend([
            "visibility-map-disagrees-with-heap",
            "lost-write",
            "hint-bit-contradicts-clog",
            "update-chain-invalid",
        ]);
        vec![d.page_found("page-misplaced", "accounts", 0)]
    })
    .told(PatternKind::MisdirectedWrite, "holds block 1")
    .not_told(PatternKind::LostWrite),
    near_miss(
        "page-misplaced",
        "rows of an update that was rolled back",
        |d| {
            let last = d.next_xid() - 1;
            d.page("accounts", 0, |p| {
                unfrozen(p);
                for offnum in 1..=(get_u16(p, PD_LOWER) - 24) / 4 {
                    let item = get_u32(p, item_at(offnum));
                    if item >> 15 & 3 == 1 {
                        let at = (item & 0x7FFF) as usize;
                        let others = get_u16(p, at + T_INFOMASK) & !XMAX_BITS;
                        set_u16(p, at + T_INFOMASK, others | XMAX_INVALID);
                        set_u32(p, at + T_XMAX, last);
                        set_u16(p, at + T_CTID + 2, 1);
                    }
                }
            });
            d.allowed.extend([
                "visibility-map-disagrees-with-heap",
                "hint-bit-contradicts-clog",
            ]);
            vec![]
        },
    ),
    near_miss(
        "page-header-invalid",
        "full page: pd_lower meets pd_upper",
        |d| {
            d.page("ziplog", 7, |p| set_u16(p, PD_LOWER, get_u16(p, PD_UPPER)));
            vec![]
        },
    ),
    hit(
        "page-header-irregular",
        "pd_lower in the middle of a line pointer",
        |d| {
            d.page("ziplog", 7, |p| {
                set_u16(p, PD_LOWER, get_u16(p, PD_LOWER) + 2)
            });
            vec![d.page_found("page-header-irregular", "ziplog", 7)]
        },
    ),
    near_miss(
        "page-header-irregular",
        "pd_lower one unused line pointer further",
        |d| {
            d.page("ziplog", 7, |p| {
                set_u16(p, PD_LOWER, get_u16(p, PD_LOWER) + 4)
            });
            vec![]
        },
    ),
    // Pages have checksums from 9.3 on.
    hit(
        "page-checksum-mismatch",
        "one bit of a tuple flipped",
        |d| {
            d.raw_page("ziplog", 7, |p| p[8000] ^= 0x10);
            d.message = Some("bit");
            vec![d.page_found("page-checksum-mismatch", "ziplog", 7)]
        },
    )
    .since(Major::V9_3)
    .not_told(PatternKind::ForeignData),
    hit(
        "page-checksum-mismatch",
        "block 8 written over block 7",
        |d| {
            let other = d.read(&d.relation("ziplog"))[8 * BLCKSZ..9 * BLCKSZ].to_vec();
            d.raw_page("ziplog", 7, |p| p.copy_from_slice(&other));
            d.message = Some("block 8");
            vec![d.page_found("page-checksum-mismatch", "ziplog", 7)]
        },
    )
    .since(Major::V9_3)
    .told(PatternKind::MisdirectedWrite, "ziplog holds block 8"),
    hit(
        "page-checksum-mismatch",
        "rows of which the line pointers are not there yet",
        |d| {
            let last = d.tear("ziplog");
            d.message = Some("torn between bytes 512 and ");
            vec![d.page_found("page-checksum-mismatch", "ziplog", last)]
        },
    )
    .since(Major::V9_3)
    .told(
        PatternKind::TornPage,
        "block\u{a0}59 of app.public.ziplog was written in part, and no full-page image",
    ),
    hit(
        "page-checksum-mismatch",
        "the same, where the WAL that might mend it cannot be read",
        |d| {
            d.tear("ziplog");
            d.break_record(d.base.control.check_point);
            d.outcome = Some(Outcome::Fails);
            d.allowed.push("checkpoint-record-unreadable");
            d.anywhere("page-checksum-mismatch");
            vec![]
        },
    )
    // Up to 10 the server goes back to the checkpoint before.
    .since(Major::V11)
    .told(
        PatternKind::TornPage,
        "replay mends that, but the WAL for it",
    ),
    // VACUUM leaves it there; this one has another page's checksum for another cause.
    hit(
        "page-checksum-mismatch",
        "a deleted row without a line pointer",
        |d| {
            let last = d.blocks("ziplog") - 1;
            d.raw_page("ziplog", last, |page| {
                let old = without_last_rows(page, 1);
                let upper = usize::from(get_u16(page, PD_UPPER));
                set_u32(&mut page[upper..], T_XMAX, 900);
                page[..upper].copy_from_slice(&old[..upper]);
                d.fix_checksum(page, last);
                page[8000] ^= 0x10;
            });
            vec![d.page_found("page-checksum-mismatch", "ziplog", last)]
        },
    )
    .since(Major::V9_3)
    .not_told(PatternKind::TornPage),
    hit(
        "page-checksum-mismatch",
        "every page of the database",
        |d| {
            d.every_page(|page| set_u16(page, PD_CHECKSUM, 0));
            d.anywhere("page-checksum-mismatch");
            vec![]
        },
    )
    .since(Major::V9_3)
    .told(PatternKind::OtherCluster, "pages fail their checksum"),
    hit("page-checksum-mismatch", "every page of two tables", |d| {
        for table in ["accounts", "ziplog"] {
            for blkno in 0..d.blocks(table) {
                d.raw_page(table, blkno, |page| set_u16(page, PD_CHECKSUM, 0));
            }
        }
        d.anywhere("page-checksum-mismatch");
        vec![]
    })
    .since(Major::V9_3)
    .not_told(PatternKind::OtherCluster),
    hit(
        "page-checksum-mismatch",
        "page that replay makes anew",
        |d| {
            d.raw_page("marker", 0, |p| p[8100] ^= 0x10);
            vec![d.page_found("page-checksum-mismatch", "marker", 0).heals()]
        },
    )
    .since(Major::V9_3)
    .crash(),
    near_miss("page-checksum-mismatch", "all-zero page", |d| {
        d.zero_page("ziplog", d.blocks("ziplog") - 1);
        d.allowed.push("zero-page");
        vec![]
    })
    .since(Major::V9_3),
    near_miss(
        "page-checksum-mismatch",
        "hint bit set, and the checksum with it",
        |d| {
            d.page("ziplog", 7, |p| set_u16(p, PD_LSN + 4, 0));
            vec![]
        },
    )
    .since(Major::V9_3),
    hit(
        "page-lsn-beyond-wal",
        "page LSN 8 bytes beyond the end of WAL",
        |d| {
            let end = d.base.end;
            d.page("ziplog", 7, |p| set_lsn(p, XLogRecPtr(end.0 + 8)));
            vec![d.page_found("page-lsn-beyond-wal", "ziplog", 7)]
        },
    )
    .not_told(PatternKind::WalLost),
    hit(
        "page-lsn-beyond-wal",
        "beyond the end of WAL of a crashed server",
        |d| {
            let end = d.base.end;
            d.page("docs", 0, |p| set_lsn(p, XLogRecPtr(end.0 + 8)));
            vec![d.page_found("page-lsn-beyond-wal", "docs", 0)]
        },
    )
    .crash(),
    hit("page-lsn-beyond-wal", "pages of two tables", |d| {
        d.pages_beyond(d.base.end)
    })
    .told(
        PatternKind::WalLost,
        "(app.public.docs, app.public.frozen_t) are newer than the end of WAL: the newest WAL",
    ),
    hit(
        "page-lsn-beyond-wal",
        "pages of two tables, and a base backup that ended behind the end of WAL",
        |d| {
            d.backup_history(XLogRecPtr(d.base.end.0 + 8));
            d.pages_beyond(d.base.end)
        },
    )
    .told(PatternKind::WalLost, ".backup"),
    hit(
        "page-lsn-beyond-wal",
        "pages of two tables, and a base backup that ended before",
        |d| {
            d.backup_history(d.base.end);
            d.pages_beyond(d.base.end)
        },
    )
    .told(PatternKind::WalLost, "WAL: the newest WAL"),
    hit(
        "page-lsn-beyond-wal",
        "pages of two tables, and WAL as pg_resetwal leaves it",
        |d| {
            let end = d.reset_wal();
            d.pages_beyond(end)
        },
    )
    .told(PatternKind::WalLost, "was run, and threw the WAL away"),
    hit(
        "page-lsn-beyond-wal",
        "pages of two tables, and a break in the WAL before",
        |d| {
            d.break_record(d.record_before_end(3));
            d.silent_loss = true;
            d.allowed.push("wal-record-damaged");
            // Pages of a file that no catalog row names may lie there, too.
            d.anywhere("page-lsn-beyond-wal");
            d.pages_beyond(XLogRecPtr(d.base.end.0 - 8));
            vec![]
        },
    )
    .crash()
    .told(PatternKind::WalLost, "lies behind a break"),
    near_miss(
        "page-lsn-beyond-wal",
        "page LSN exactly the end of WAL",
        |d| {
            let end = d.base.end;
            d.page("ziplog", 7, |p| set_lsn(p, end));
            vec![]
        },
    ),
    hit(
        "page-lsn-beyond-wal",
        "spare page of a hash index, written before its WAL",
        |d| {
            let (end, spare) = (d.base.end, d.blocks("hashy_code"));
            let path = d.relation("hashy_code");
            d.resize(&path, u64::from(spare + 1) * BLCKSZ as u64);
            d.page("hashy_code", spare, |p| {
                set_lsn(p, XLogRecPtr(end.0 + 8));
                set_u16(p, PD_LOWER, 24);
                set_u16(p, PD_UPPER, 8176);
                set_u16(p, PD_SPECIAL, 8176);
                set_u16(p, PD_PAGESIZE_VERSION, 0x2004);
                p[8176..8188].fill(0xFF);
                set_u16(p, 8190, 0xFF80);
            });
            let note = d.page_found("page-lsn-beyond-wal", "hashy_code", spare);
            vec![note.severity(Severity::Note)]
        },
    )
    .since(Major::V10),
    near_miss(
        "page-lsn-beyond-wal",
        "invented LSN of an unlogged relation",
        |d| {
            let end = d.base.end;
            d.page("unl", 0, |p| set_lsn(p, XLogRecPtr(end.0 + 8)));
            vec![]
        },
    ),
    hit("page-special-invalid", "special space of 24 bytes", |d| {
        d.page("accounts_pkey", 0, |p| {
            set_u16(p, PD_UPPER, 8168);
            set_u16(p, PD_SPECIAL, 8168);
        });
        vec![d.page_found("page-special-invalid", "accounts_pkey", 0)]
    }),
    hit(
        "page-special-invalid",
        "btree page with a flag of no version",
        |d| {
            d.page("accounts_pkey", 1, |p| {
                set_u16(p, 8188, get_u16(p, 8188) | 0x0800)
            });
            vec![d.page_found("page-special-invalid", "accounts_pkey", 1)]
        },
    ),
    hit(
        "page-special-invalid",
        "magic number of the meta page",
        |d| {
            d.page("accounts_pkey", 0, |p| set_u32(p, 24, 0));
            vec![d.page_found("page-special-invalid", "accounts_pkey", 0)]
        },
    ),
    hit("page-of-another-kind", "index page in a table", |d| {
        let other = d.read(&d.relation("accounts_pkey"))[BLCKSZ..2 * BLCKSZ].to_vec();
        d.page("accounts", 0, |p| p.copy_from_slice(&other));
        d.allowed
            .extend(["lost-write", "visibility-map-disagrees-with-heap"]);
        vec![d.page_found("page-of-another-kind", "accounts", 0)]
    })
    .told(PatternKind::MisdirectedWrite, "holds a btree page"),
    hit("page-of-another-kind", "page of a table in an index", |d| {
        let other = d.read(&d.relation("accounts"))[..BLCKSZ].to_vec();
        d.page("accounts_pkey", 1, |p| p.copy_from_slice(&other));
        d.server_error = Some("contains corrupted page at block 1");
        d.allowed.push("lost-write");
        vec![d.page_found("page-of-another-kind", "accounts_pkey", 1)]
    }),
    near_miss("page-of-another-kind", "empty page of a B-tree", |d| {
        d.page("accounts_pkey", 1, |p| {
            p[BLCKSZ - 16..].fill(0);
            set_u16(p, PD_LOWER, 24);
            set_u16(p, PD_UPPER, 8176);
        });
        vec![]
    }),
    near_miss("page-special-invalid", "btree page with garbage", |d| {
        // BTP_HAS_GARBAGE
        d.page("accounts_pkey", 1, |p| {
            set_u16(p, 8188, get_u16(p, 8188) | 0x0040)
        });
        vec![]
    }),
];

static TUPLES: &[Row] = &[
    hit("tuple-header-invalid", "rows that are not there yet", |d| {
        let last = d.blocks("ziplog") - 1;
        let mut lost = 0..0;
        d.page("ziplog", last, |page| {
            let old = without_last_rows(page, 20);
            page[2048..].copy_from_slice(&old[2048..]);
            let rows = (get_u16(page, PD_LOWER) - 24) / 4;
            lost = rows - 19..rows + 1;
        });
        lost.map(|n| d.tuple_found("tuple-header-invalid", "ziplog", last, n))
            .collect()
    })
    .told(PatternKind::TornPage, "block\u{a0}59 of app.public.ziplog"),
    hit("tuple-header-invalid", "older rows that are zero", |d| {
        let last = d.blocks("ziplog") - 1;
        for n in 5..8 {
            d.tuple("ziplog", last, n, |t| t.fill(0));
        }
        (5..8)
            .map(|n| d.tuple_found("tuple-header-invalid", "ziplog", last, n))
            .collect()
    })
    .not_told(PatternKind::TornPage),
    hit("line-pointer-invalid", "tuple ends behind the page", |d| {
        d.line_pointer("ziplog", 7, 1, |(off, flags, len)| (off, flags, len + 8));
        vec![d.item_found("line-pointer-invalid", "ziplog", 7, 1)]
    }),
    hit("line-pointer-invalid", "redirect to item 0", |d| {
        d.line_pointer("ziplog", 7, 3, |_| (0, 2, 0));
        vec![d.item_found("line-pointer-invalid", "ziplog", 7, 3)]
    }),
    hit("line-pointer-invalid", "redirect to an unused item", |d| {
        d.line_pointer("ziplog", 7, 3, |_| (4, 2, 0));
        d.line_pointer("ziplog", 7, 4, |_| (0, 0, 0));
        vec![d.item_found("line-pointer-invalid", "ziplog", 7, 3)]
    }),
    hit("line-pointer-invalid", "redirect to a dead item", |d| {
        d.line_pointer("ziplog", 7, 3, |_| (4, 2, 0));
        d.line_pointer("ziplog", 7, 4, |_| (0, 3, 0));
        vec![d.item_found("line-pointer-invalid", "ziplog", 7, 3)]
    }),
    hit("line-pointer-invalid", "two items for one tuple", |d| {
        let other = d.item("ziplog", 7, 2);
        d.line_pointer("ziplog", 7, 3, |_| other);
        vec![d.item_found("line-pointer-invalid", "ziplog", 7, 3)]
    }),
    hit("line-pointer-invalid", "tuple off by four bytes", |d| {
        d.line_pointer("ziplog", 7, 90, |(_, flags, len)| (436, flags, len.min(24)));
        // What stands there instead of a tuple header cannot be foretold.
        d.allowed.extend([
            "tuple-header-invalid",
            "xmin-out-of-range",
            "xmax-out-of-range",
        ]);
        d.allowed.push("multixact-out-of-range");
        vec![d.item_found("line-pointer-invalid", "ziplog", 7, 90)]
    }),
    near_miss("line-pointer-invalid", "dead and redirected items", |d| {
        d.line_pointer("ziplog", 7, 3, |_| (0, 3, 0));
        d.line_pointer("ziplog", 7, 4, |_| (5, 2, 0));
        d.heap_only("ziplog", 7, 5);
        d.line_pointer("ziplog", 7, 6, |_| (0, 0, 0));
        vec![]
    }),
    hit("tuple-header-invalid", "t_hoff 8 too high", |d| {
        d.tuple("ziplog", 7, 5, |t| t[T_HOFF] += 8);
        vec![d.tuple_found("tuple-header-invalid", "ziplog", 7, 5)]
    }),
    hit("tuple-header-invalid", "1601 attributes", |d| {
        let offnum = d.tuple_without_nulls("ziplog", 7);
        d.tuple("ziplog", 7, offnum, |t| set_u16(t, T_INFOMASK2, 1601));
        vec![d.tuple_found("tuple-header-invalid", "ziplog", 7, offnum)]
    }),
    hit("tuple-header-invalid", "moved off and moved in", |d| {
        d.tuple("ziplog", 7, 5, |t| {
            set_u16(t, T_INFOMASK, get_u16(t, T_INFOMASK) | MOVED)
        });
        vec![d.tuple_found("tuple-header-invalid", "ziplog", 7, 5)]
    }),
    hit(
        "tuple-header-invalid",
        "heap-only tuple that no update made",
        |d| {
            d.tuple("ziplog", 7, 5, |t| {
                set_u16(t, T_INFOMASK2, get_u16(t, T_INFOMASK2) | 0x8000)
            });
            vec![d.tuple_found("tuple-header-invalid", "ziplog", 7, 5)]
        },
    ),
    hit("update-chain-invalid", "redirect to a plain tuple", |d| {
        d.line_pointer("ziplog", 7, 4, |_| (5, 2, 0));
        vec![d.item_found("update-chain-invalid", "ziplog", 7, 4)]
    }),
    hit("update-chain-invalid", "two redirects to one tuple", |d| {
        d.line_pointer("ziplog", 7, 3, |_| (5, 2, 0));
        d.line_pointer("ziplog", 7, 4, |_| (5, 2, 0));
        d.heap_only("ziplog", 7, 5);
        vec![d.item_found("update-chain-invalid", "ziplog", 7, 4)]
    }),
    hit("update-chain-invalid", "heap-only tuple by itself", |d| {
        d.heap_only("ziplog", 7, 5);
        vec![d.item_found("update-chain-invalid", "ziplog", 7, 5)]
    }),
    hit(
        "update-chain-invalid",
        "heap-only tuple of a plain update",
        |d| {
            d.heap_only("ziplog", 7, 6);
            d.updated("ziplog", 7, 5, 6);
            vec![d.item_found("update-chain-invalid", "ziplog", 7, 5)]
        },
    ),
    hit("update-chain-invalid", "HOT update to a plain tuple", |d| {
        d.updated("ziplog", 7, 5, 6);
        d.tuple("ziplog", 7, 5, |t| set(t, T_INFOMASK2, HOT_UPDATED));
        vec![d.item_found("update-chain-invalid", "ziplog", 7, 5)]
    }),
    hit(
        "update-chain-invalid",
        "update of what was never committed",
        |d| {
            d.updated("ziplog", 7, 5, 6);
            d.tuple("ziplog", 7, 5, |t| {
                let others = get_u16(t, T_INFOMASK) & !XMIN_FROZEN;
                set_u16(t, T_INFOMASK, others | XMIN_INVALID);
            });
            vec![d.item_found("update-chain-invalid", "ziplog", 7, 5)]
        },
    ),
    near_miss("update-chain-invalid", "HOT chain behind a redirect", |d| {
        d.line_pointer("ziplog", 7, 4, |_| (5, 2, 0));
        d.heap_only("ziplog", 7, 5);
        d.heap_only("ziplog", 7, 6);
        d.updated("ziplog", 7, 5, 6);
        d.tuple("ziplog", 7, 5, |t| set(t, T_INFOMASK2, HOT_UPDATED));
        vec![]
    }),
    hit(
        "update-chain-invalid",
        "HOT update to what is not there",
        |d| {
            let xid = d.ended(1);
            d.line_pointer("ziplog", 7, 6, |_| (0, 0, 0));
            d.hot_updated_by("ziplog", 7, 5, xid, 6);
            d.message = Some("where there is no tuple of this page");
            vec![d.item_found("update-chain-invalid", "ziplog", 7, 5)]
        },
    ),
    hit("update-chain-invalid", "HOT update to another page", |d| {
        let xid = d.ended(1);
        d.hot_updated_by("ziplog", 7, 5, xid, 6);
        d.tuple("ziplog", 7, 5, |t| set_u16(t, T_CTID + 2, 8));
        vec![d.item_found("update-chain-invalid", "ziplog", 7, 5)]
    }),
    near_miss(
        "update-chain-invalid",
        "HOT update to what is not there, rolled back",
        |d| {
            let xid = d.ended(2);
            d.line_pointer("ziplog", 7, 6, |_| (0, 0, 0));
            d.hot_updated_by("ziplog", 7, 5, xid, 6);
            vec![]
        },
    ),
    // Pruning came by the newer version first.
    near_miss(
        "update-chain-invalid",
        "HOT update to an item before, which is free",
        |d| {
            let xid = d.ended(1);
            d.line_pointer("ziplog", 7, 4, |_| (0, 0, 0));
            d.hot_updated_by("ziplog", 7, 5, xid, 4);
            vec![]
        },
    )
    .until(Major::V16),
    hit(
        "update-chain-invalid",
        "HOT update to an item before, where chains are pruned first",
        |d| {
            let xid = d.ended(1);
            d.line_pointer("ziplog", 7, 4, |_| (0, 0, 0));
            d.hot_updated_by("ziplog", 7, 5, xid, 4);
            vec![d.item_found("update-chain-invalid", "ziplog", 7, 5)]
        },
    )
    .since(Major::V17),
    near_miss(
        "update-chain-invalid",
        "plain update to what is not there any more",
        |d| {
            let xid = d.ended(1);
            d.line_pointer("ziplog", 7, 6, |_| (0, 0, 0));
            d.tuple("ziplog", 7, 5, |t| {
                deleted_by(t, xid, 0);
                set_u16(t, T_CTID + 4, 6);
            });
            vec![]
        },
    ),
    near_miss(
        "update-chain-invalid",
        "link to what another one inserted",
        |d| {
            d.updated("ziplog", 7, 5, 6);
            d.tuple("ziplog", 7, 5, |t| {
                set_u32(t, T_XMAX, 0);
                set(t, T_INFOMASK2, HOT_UPDATED);
            });
            vec![]
        },
    ),
    hit(
        "visibility-map-disagrees-with-heap",
        "page without the flag",
        |d| {
            d.call_all_visible("frozen_t", 2);
            vec![d.page_found("visibility-map-disagrees-with-heap", "frozen_t", 2)]
        },
    )
    .since(Major::V9_2),
    hit(
        "visibility-map-disagrees-with-heap",
        "deleted row on an all-visible page",
        |d| {
            let last = d.next_xid() - 1;
            d.tuple("frozen_t", 1, 3, |t| deleted_by(t, last, XMAX_COMMITTED));
            vec![d.page_found("visibility-map-disagrees-with-heap", "frozen_t", 1)]
        },
    )
    .since(Major::V9_2),
    hit(
        "visibility-map-disagrees-with-heap",
        "dead item on an all-visible page",
        |d| {
            d.line_pointer("frozen_t", 1, 3, |_| (0, 3, 0));
            vec![d.page_found("visibility-map-disagrees-with-heap", "frozen_t", 1)]
        },
    )
    .since(Major::V9_2),
    hit(
        "visibility-map-disagrees-with-heap",
        "row to be frozen on an all-frozen page",
        |d| {
            let last = d.next_xid() - 1;
            d.tuple("frozen_t", 1, 3, |t| inserted_by(t, last, XMIN_COMMITTED));
            vec![d.page_found("visibility-map-disagrees-with-heap", "frozen_t", 1)]
        },
    )
    .since(Major::V9_6),
    near_miss(
        "visibility-map-disagrees-with-heap",
        "deletion of an all-visible row that aborted",
        |d| {
            let xid = d.aborted();
            d.tuple("docs", 1, 3, |t| deleted_by(t, xid, XMAX_INVALID));
            vec![]
        },
    ),
    near_miss(
        "visibility-map-disagrees-with-heap",
        "deleted row on a page that is not all-visible",
        |d| {
            let last = d.next_xid() - 1;
            d.tuple("frozen_t", 2, 3, |t| deleted_by(t, last, XMAX_COMMITTED));
            vec![]
        },
    ),
    // Both bits mean frozen from 9.4 on.
    hit("tuple-header-invalid", "xmin committed and invalid", |d| {
        d.tuple("ziplog", 7, 5, |t| {
            set_u16(t, T_INFOMASK, get_u16(t, T_INFOMASK) | XMIN_FROZEN)
        });
        vec![d.tuple_found("tuple-header-invalid", "ziplog", 7, 5)]
    })
    .until(Major::V9_3),
    near_miss("tuple-header-invalid", "xmin frozen", |d| {
        d.tuple("ziplog", 7, 5, |t| {
            set_u16(t, T_INFOMASK, get_u16(t, T_INFOMASK) | XMIN_FROZEN)
        });
        vec![]
    })
    .since(Major::V9_4),
    hit(
        "tuple-header-invalid",
        "one attribute more than the table has",
        |d| {
            let offnum = d.tuple_without_nulls("ziplog", 7);
            let natts = d.base.ziplog.relnatts + 1;
            d.tuple("ziplog", 7, offnum, |t| {
                set_u16(t, T_INFOMASK2, natts);
                set(t, T_INFOMASK, XMIN_COMMITTED);
            });
            vec![d.tuple_found("tuple-header-invalid", "ziplog", 7, offnum)]
        },
    ),
    // Who never committed may have added columns.
    near_miss("tuple-header-invalid", "1600 attributes, aborted", |d| {
        let offnum = d.tuple_without_nulls("ziplog", 7);
        let xid = d.aborted();
        d.tuple("ziplog", 7, offnum, |t| {
            inserted_by(t, xid, XMIN_INVALID);
            set_u16(t, T_INFOMASK2, 1600);
        });
        vec![]
    }),
    hit("tuple-data-invalid", "a text of 1000 bytes", |d| {
        d.tuple("ziplog", 7, 5, |t| set_first_value(t, 1000 << 2));
        d.message = Some("column 1 (zipcd): attribute with length -1 ends at offset 1024");
        vec![d.tuple_found("tuple-data-invalid", "ziplog", 7, 5)]
    }),
    hit(
        "tuple-data-invalid",
        "a text shorter than its header",
        |d| {
            d.tuple("ziplog", 7, 5, |t| set_first_value(t, 3 << 2));
            // The server copies -1 bytes of it, and crashes.
            d.server_error = Some("");
            vec![d.tuple_found("tuple-data-invalid", "ziplog", 7, 5)]
        },
    ),
    hit("tuple-data-invalid", "a text of no bytes", |d| {
        d.tuple("ziplog", 7, 5, |t| set_first_value(t, 0));
        d.server_error = Some("invalid memory alloc request size 18446744073709551613");
        vec![d.tuple_found("tuple-data-invalid", "ziplog", 7, 5)]
    })
    .until(Major::V18),
    hit(
        "tuple-data-invalid",
        "a text that is for memory only",
        |d| {
            d.tuple("ziplog", 7, 5, |t| set_first_value(t, 0x0201));
            d.message = Some("toasted attribute has unexpected TOAST tag 2");
            vec![d.tuple_found("tuple-data-invalid", "ziplog", 7, 5)]
        },
    ),
    hit("tuple-data-invalid", "one attribute of five", |d| {
        let offnum = d.tuple_without_nulls("ziplog", 7);
        d.tuple("ziplog", 7, offnum, |t| set_u16(t, T_INFOMASK2, 1));
        let found = d.tuple_found("tuple-data-invalid", "ziplog", 7, offnum);
        vec![found.severity(Severity::Abnormal)]
    }),
    hit("tuple-data-invalid", "a pointer without its flag", |d| {
        let (offnum, _) = d.stored(|s| matches!(s, Stored::External(_)));
        d.tuple("toasty", 0, offnum, |t| {
            set_u16(t, T_INFOMASK, get_u16(t, T_INFOMASK) & !HASEXTERNAL)
        });
        d.message = Some("is external but tuple header flag HEAP_HASEXTERNAL not set");
        vec![d.tuple_found("tuple-data-invalid", "toasty", 0, offnum)]
    }),
    hit("tuple-data-invalid", "a pointer to a gigabyte", |d| {
        let (offnum, at) = d.stored(|s| matches!(s, Stored::External(_)));
        d.allowed.push("compressed-data-invalid");
        d.tuple("toasty", 0, offnum, |t| set_u32(t, at + 2, 1 << 30));
        d.message = Some("rawsize 1073741824 exceeds limit 1073741823");
        vec![d.tuple_found("tuple-data-invalid", "toasty", 0, offnum)]
    }),
    hit("tuple-data-invalid", "a pointer to no TOAST table", |d| {
        let (offnum, at) = d.stored(|s| matches!(s, Stored::External(_)));
        d.tuple("toasty", 0, offnum, |t| set_u32(t, at + 14, 4_000_000));
        d.message = Some("is in toast relation 4000000, expected ");
        vec![d.tuple_found("tuple-data-invalid", "toasty", 0, offnum)]
    }),
    hit("tuple-data-invalid", "a pointer to another table", |d| {
        let (offnum, at) = d.stored(|s| matches!(s, Stored::External(_)));
        d.tuple("toasty", 0, offnum, |t| set_u32(t, at + 14, 1255));
        d.message = Some("is in toast relation 1255, expected ");
        d.server_error = Some("");
        vec![d.tuple_found("tuple-data-invalid", "toasty", 0, offnum)]
    }),
    near_miss(
        "tuple-data-invalid",
        "a pointer to all but a gigabyte",
        |d| {
            let (offnum, at) = d.stored(|s| {
            matches!(s, Stored::External(p) if p.va_extinfo.method(&Layout::usual(Version::of(Major::V19).unwrap())) == 0)
        });
            d.allowed.push("compressed-data-invalid");
            d.tuple("toasty", 0, offnum, |t| set_u32(t, at + 2, (1 << 30) - 1));
            vec![]
        },
    ),
    // Who never committed may have had other columns.
    near_miss("tuple-data-invalid", "a text of 1000 bytes, aborted", |d| {
        let xid = d.aborted();
        d.tuple("ziplog", 7, 5, |t| {
            inserted_by(t, xid, XMIN_INVALID);
            set_first_value(t, 1000 << 2);
        });
        vec![]
    }),
    // As CLUSTER and VACUUM FULL left them up to 9.0.
    near_miss("tuple-data-invalid", "a length rounded up", |d| {
        let len = |d: &Dir<'_>, offnum| d.item("ziplog", 7, offnum).2;
        let odd = (1..).find(|offnum| len(d, *offnum) % 8 != 0).unwrap();
        d.line_pointer("ziplog", 7, odd, |(off, flags, len)| {
            (off, flags, len.next_multiple_of(8))
        });
        vec![]
    }),
    hit(
        "compressed-data-invalid",
        "a reference to before the start",
        |d| {
            let (offnum, at) = d.stored(is_pglz);
            d.tuple("toasty", 0, offnum, |t| {
                t[at + 8] |= 1;
                t[at + 9] = 0x10;
            });
            d.message = Some("pglz stream at byte ");
            vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
        },
    ),
    hit(
        "compressed-data-invalid",
        "a raw size of one byte more",
        |d| {
            let (offnum, at) = d.stored(is_pglz);
            d.tuple("toasty", 0, offnum, |t| {
                set_u32(t, at + 4, get_u32(t, at + 4) + 1)
            });
            vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
        },
    ),
    hit(
        "compressed-data-invalid",
        "a method that there is not",
        |d| {
            let (offnum, at) = d.stored(is_pglz);
            d.tuple("toasty", 0, offnum, |t| t[at + 7] |= 0x80);
            d.message = Some("compression method 2 is none");
            vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
        },
    )
    .since(Major::V14),
    hit("compressed-data-invalid", "a raw size of a gigabyte", |d| {
        let (offnum, at) = d.stored(is_pglz);
        d.tuple("toasty", 0, offnum, |t| set_u32(t, at + 4, 0x3FFF_FFFE));
        d.server_error = Some("invalid memory alloc request size 1073741826");
        vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
    }),
    near_miss("compressed-data-invalid", "another first byte", |d| {
        let (offnum, at) = d.stored(is_pglz);
        d.tuple("toasty", 0, offnum, |t| {
            assert_eq!(t[at + 8] & 1, 0, "a literal");
            t[at + 9] ^= 1;
        });
        vec![]
    }),
    hit(
        "compressed-data-invalid",
        "a reference to before the start, in a chunk",
        |d| {
            let (offnum, _, value) = d.external(is_pglz_pointer);
            let (block, chunk) = d.chunk(value.value, 0);
            d.tuple(&d.toast(), block, chunk, |t| {
                let at = chunk_stream(t);
                t[at] |= 1;
                t[at + 1] = 0x10;
            });
            d.message = Some(": pglz stream at byte ");
            d.server_error = Some("compressed ");
            vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
        },
    ),
    hit(
        "compressed-data-invalid",
        "a raw size of one byte more, in a chunk",
        |d| {
            let (offnum, _, value) = d.external(is_pglz_pointer);
            let (block, chunk) = d.chunk(value.value, 0);
            d.tuple(&d.toast(), block, chunk, |t| {
                let at = chunk_stream(t) - 4;
                set_u32(t, at, get_u32(t, at) + 1);
            });
            d.message = Some("inflates to less than it should");
            d.server_error = Some("compressed ");
            vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
        },
    ),
    hit(
        "compressed-data-invalid",
        "a method that there is not, in a chunk",
        |d| {
            let (offnum, _, value) = d.external(is_pglz_pointer);
            let (block, chunk) = d.chunk(value.value, 0);
            d.tuple(&d.toast(), block, chunk, |t| {
                let at = chunk_stream(t) - 1;
                t[at] |= 0x80;
            });
            d.server_error = Some("invalid compression method id 2");
            vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
        },
    )
    .since(Major::V14),
    hit(
        "compressed-data-invalid",
        "a pointer that calls plain bytes compressed",
        |d| {
            let (offnum, at, _) = d.external(|pointer, layout| !pointer.is_compressed(layout));
            d.tuple("toasty", 0, offnum, |t| {
                set_u32(t, at + 2, get_u32(t, at + 2) + 1)
            });
            d.server_error = Some(" ");
            vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
        },
    ),
    hit(
        "compressed-data-invalid",
        "a pointer to one byte more than there is",
        |d| {
            let (offnum, at, _) = d.external(is_pglz_pointer);
            d.tuple("toasty", 0, offnum, |t| {
                set_u32(t, at + 2, get_u32(t, at + 2) + 1)
            });
            d.message = Some("its pointer tells a size of ");
            vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
        },
    ),
    hit(
        "compressed-data-invalid",
        "a pointer with another method",
        |d| {
            let (offnum, at, _) = d.external(is_pglz_pointer);
            d.tuple("toasty", 0, offnum, |t| t[at + 9] |= 0x40);
            d.message = Some("its pointer tells compression method 1, its data 0");
            vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
        },
    )
    .since(Major::V14),
    hit("compressed-data-invalid", "a chunk of lz4", |d| {
        let (offnum, _, value) = d.external(|pointer, layout| {
            pointer.is_compressed(layout) && pointer.va_extinfo.method(layout) == 1
        });
        let (block, chunk) = d.chunk(value.value, 0);
        // More literals than there is room for.
        d.tuple(&d.toast(), block, chunk, |t| {
            let at = chunk_stream(t);
            t[at..at + 40].fill(0xFF);
        });
        d.server_error = Some("compressed lz4 data is corrupt");
        vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
    })
    .since(Major::V15)
    .until(Major::V15),
    hit("compressed-data-invalid", "the second chunk", |d| {
        let (offnum, _, value) = d.external(|pointer, layout| {
            is_pglz_pointer(pointer, layout) && pointer.extsize(layout) > max_chunk_size(layout)
        });
        let (block, chunk) = d.chunk(value.value, 1);
        d.tuple(&d.toast(), block, chunk, |t| t[100..140].fill(0));
        d.server_error = Some("compressed ");
        vec![d.tuple_found("compressed-data-invalid", "toasty", 0, offnum)]
    }),
    near_miss(
        "compressed-data-invalid",
        "another first byte, in a chunk",
        |d| {
            let (_, _, value) = d.external(is_pglz_pointer);
            let (block, chunk) = d.chunk(value.value, 0);
            d.tuple(&d.toast(), block, chunk, |t| {
                let at = chunk_stream(t);
                assert_eq!(t[at] & 1, 0, "a literal");
                t[at + 1] ^= 1;
            });
            vec![]
        },
    ),
    near_miss(
        "compressed-data-invalid",
        "a reference to before the start, in a chunk of no row",
        |d| {
            let (offnum, _, value) = d.external(is_pglz_pointer);
            let (block, chunk) = d.chunk(value.value, 0);
            d.tuple(&d.toast(), block, chunk, |t| {
                let at = chunk_stream(t);
                t[at] |= 1;
                t[at + 1] = 0x10;
            });
            let last = d.next_xid() - 1;
            d.allowed.push("hint-bit-contradicts-clog");
            d.tuple("toasty", 0, offnum, |t| inserted_by(t, last, XMIN_INVALID));
            vec![]
        },
    ),
    near_miss(
        "compressed-data-invalid",
        "a reference to before the start, in a TOAST table that replay changes",
        |d| {
            let toast = d.toast();
            d.tuple(&toast, 0, 1, |t| t[40..44].fill(0xFF));
            vec![]
        },
    )
    .crash(),
    hit(
        "tuple-data-invalid",
        "zeros on a page that replay does not touch",
        |d| {
            d.tuple("docs", 0, 1, |t| t[24..].fill(0));
            vec![d.tuple_found("tuple-data-invalid", "docs", 0, 1)]
        },
    )
    .crash(),
    near_miss(
        "tuple-data-invalid",
        "zeros on a page that replay makes anew",
        |d| {
            d.tuple("marker", 0, 1, |t| t[24..].fill(0));
            vec![]
        },
    )
    .crash(),
    hit("value-invalid", "a text that is no UTF-8", |d| {
        d.tuple("ziplog", 7, 5, |t| {
            let at = usize::from(t[T_HOFF]);
            t[at + 2] = 0xFF;
        });
        d.message = Some(
            "column 1 (zipcd): invalid byte sequence for encoding \"UTF8\": 0xff at byte 1 of ",
        );
        d.server_error = Some("");
        vec![d.tuple_found("value-invalid", "ziplog", 7, 5)]
    }),
    hit("value-invalid", "a text with a zero byte", |d| {
        d.tuple("ziplog", 7, 5, |t| {
            let at = usize::from(t[T_HOFF]);
            t[at + 2] = 0;
        });
        d.message = Some("column 1 (zipcd): text has a zero byte at byte 1 of ");
        vec![d.tuple_found("value-invalid", "ziplog", 7, 5)]
    }),
    hit(
        "value-invalid",
        "a zero byte in a text of a system catalog",
        |d| {
            let (block, offnum, at) = d.value("pg_proc", "prosrc", 4);
            d.tuple("pg_proc", block, offnum, |t| t[at + 2] = 0);
            vec![d.tuple_found("value-invalid", "pg_proc", block, offnum)]
        },
    ),
    hit("value-invalid", "a name without an end", |d| {
        let edit = |value: &mut [u8]| value[..64].fill(b'x');
        let found = d.edit_value("c_name", 63, edit);
        d.message = Some("(c_name): name of 64 bytes without an end");
        found
    }),
    hit("value-invalid", "a numeric with a digit of 65535", |d| {
        let edit = |value: &mut [u8]| value[2..6].fill(0xFF);
        let found = d.edit_value("c_numeric", 6, edit);
        d.message = Some("(c_numeric): numeric has digit 65535, expected less than 10000");
        d.server_error = Some("");
        found
    }),
    hit("value-invalid", "a boolean of 2", |d| {
        d.message = Some("(c_bool): boolean is 2");
        d.edit_value("c_bool", 1, |value| value[0] = 2)
    }),
    hit("value-invalid", "a timestamp before all others", |d| {
        d.server_error = Some("timestamp out of range");
        d.edit_value("c_tstz", 8, |value| {
            value[..8].copy_from_slice(&(i64::MIN + 1).to_le_bytes())
        })
    }),
    hit("value-invalid", "an address of no family", |d| {
        d.server_error =
            Some("could not format inet value: Address family not supported by protocol");
        d.edit_value("c_inet", 6, |value| value[0] ^= 0x40)
    }),
    hit("value-invalid", "an array of a billion elements", |d| {
        d.server_error = Some("array size exceeds the maximum allowed (134217727)");
        d.edit_value("c_intarr", 20, |value| value[15] |= 0x40)
    }),
    hit("value-invalid", "an array of another type", |d| {
        d.message = Some("(c_textarr): array is of type 1700, expected 25");
        d.server_error = Some("");
        d.edit_value("c_textarr", 20, |value| set_u32(value, 8, 1700))
    }),
    hit("value-invalid", "bits that are not there", |d| {
        d.edit_value("c_varbit", 5, |value| value[1] |= 0x10)
    }),
    hit("value-invalid", "a polygon of more points", |d| {
        d.edit_value("c_polygon", 40, |value| value[0] += 1)
    }),
    hit(
        "value-invalid",
        "a lexeme behind its text search vector",
        |d| d.edit_value("c_tsv", 8, |value| value[7] = 0x70),
    ),
    hit("value-invalid", "a range without its upper bound", |d| {
        d.edit_value("c_i4range", 13, |value| value[12] |= 0x10)
    })
    .since(Major::V9_2),
    hit("value-invalid", "a jsonb of no kind", |d| {
        d.server_error = Some("unknown type of jsonb container");
        d.edit_value("c_jsonb", 8, |value| value[3] &= 0x0F)
    })
    .since(Major::V9_4),
    hit("value-invalid", "a jsonb of a million entries", |d| {
        d.server_error = Some("");
        d.edit_value("c_jsonb", 8, |value| value[2] |= 0x10)
    })
    .since(Major::V9_4),
    hit("value-invalid", "a compressed text that is no UTF-8", |d| {
        let (offnum, at) = d.stored(is_pglz);
        d.tuple("toasty", 0, offnum, |t| {
            assert_eq!(t[at + 8] & 1, 0, "a literal");
            t[at + 9] = 0xFF;
        });
        d.message = Some("invalid byte sequence for encoding \"UTF8\": 0xff at byte 0 of ");
        d.server_error = Some("");
        vec![d.tuple_found("value-invalid", "toasty", 0, offnum)]
    }),
    hit("value-invalid", "a label that there is not", |d| {
        d.message = Some("(c_mood): enum value 99 is no label of its type");
        d.server_error = Some("invalid internal value for enum: 99");
        d.edit_value("c_mood", 4, |value| set_u32(value, 0, 99))
    }),
    hit(
        "value-invalid",
        "a label that there is not in an array",
        |d| {
            d.server_error = Some("invalid internal value for enum: 99");
            // One dimension, its length and lower bound; the first element.
            d.edit_value("c_moodarr", 24, |value| set_u32(value, 20, 99))
        },
    ),
    hit("value-invalid", "a composite of another type", |d| {
        d.message = Some("(c_pair): composite value is of type 23, expected ");
        d.server_error = Some("");
        d.edit_value("c_pair", 24, |value| set_u32(value, 4, 23))
    }),
    // An integer, then a text with a header of one byte.
    hit(
        "value-invalid",
        "a composite with a text that is no UTF-8",
        |d| {
            d.message = Some(": invalid byte sequence for encoding \"UTF8\": 0xff at byte 0 of ");
            d.edit_value("c_pair", 26, |value| value[25] = 0xFF)
        },
    ),
    hit(
        "value-invalid",
        "a composite whose text ends behind it",
        |d| d.edit_value("c_pair", 26, |value| value[24] = 0xFF),
    ),
    near_miss("value-invalid", "a composite with another text", |d| {
        d.edit_value("c_pair", 26, |value| value[25] ^= 1);
        vec![]
    }),
    hit("value-invalid", "a multirange of another type", |d| {
        d.message = Some("(c_mrange): multirange is of type 23, expected 4451");
        d.server_error = Some("");
        d.edit_value("c_mrange", 16, |value| set_u32(value, 0, 23))
    })
    .since(Major::V14),
    hit("value-invalid", "a multirange of a million ranges", |d| {
        d.server_error = Some("");
        d.edit_value("c_mrange", 16, |value| value[6] |= 0x10)
    })
    .since(Major::V14),
    near_miss("value-invalid", "a multirange with another bound", |d| {
        d.edit_value("c_mrange", 16, |value| *value.last_mut().unwrap() ^= 0x40);
        vec![]
    })
    .since(Major::V14),
    hit("value-invalid", "a jsonpath of an unknown type", |d| {
        d.message = Some("(c_jsonpath): jsonpath has an item of unknown type 99");
        d.server_error = Some("unrecognized jsonpath item type: 99");
        d.edit_value("c_jsonpath", 12, |value| value[4] = 99)
    })
    .since(Major::V12),
    hit("value-invalid", "a jsonpath of another version", |d| {
        d.server_error = Some("");
        d.edit_value("c_jsonpath", 12, |value| value[0] = 2)
    })
    .since(Major::V12),
    // From lax to strict.
    near_miss("value-invalid", "another jsonpath", |d| {
        d.edit_value("c_jsonpath", 12, |value| value[3] ^= 0x80);
        vec![]
    })
    .since(Major::V12),
    near_miss("value-invalid", "another label", |d| {
        let mut label = [0; 4];
        d.value_of("alltypes", "c_mood", |value| {
            label.copy_from_slice(value);
            true
        });
        let is_other = |value: &[u8]| value != label;
        d.edit_value_of("c_mood", is_other, |value| value.copy_from_slice(&label));
        vec![]
    }),
    // No label of it can be told then.
    near_miss(
        "value-invalid",
        "a label that there is not, without pg_enum",
        |d| {
            d.edit_value("c_mood", 4, |value| set_u32(value, 0, 99));
            d.allowed.push("page-header-invalid");
            d.page("pg_enum", 0, |page| set_u16(page, PD_LOWER, 0xFFFF));
            vec![]
        },
    ),
    near_miss("value-invalid", "another compressed text", |d| {
        let (offnum, at) = d.stored(is_pglz);
        d.tuple("toasty", 0, offnum, |t| t[at + 9] ^= 1);
        vec![]
    }),
    near_miss("value-invalid", "another text", |d| {
        d.tuple("ziplog", 7, 5, |t| {
            let at = usize::from(t[T_HOFF]);
            t[at + 1..at + 4].copy_from_slice("東".as_bytes());
        });
        vec![]
    }),
    // Who never committed may have had other columns.
    near_miss("value-invalid", "a text that is no UTF-8, aborted", |d| {
        let xid = d.aborted();
        d.tuple("ziplog", 7, 5, |t| {
            inserted_by(t, xid, XMIN_INVALID);
            let at = usize::from(t[T_HOFF]);
            t[at + 2] = 0xFF;
        });
        vec![]
    }),
    // A template's texts may be in another encoding.
    near_miss("value-invalid", "no UTF-8 in a system catalog", |d| {
        let (block, offnum, at) = d.value("pg_proc", "prosrc", 4);
        d.tuple("pg_proc", block, offnum, |t| t[at + 2] = 0xFF);
        vec![]
    }),
    near_miss("value-invalid", "a numeric that is none", |d| {
        let edit = |value: &mut [u8]| value.copy_from_slice(&[0x00, 0xC0, 0x00, 0x00]);
        d.edit_value_of("c_numeric", |value| value.len() == 4, edit);
        vec![]
    }),
    near_miss("value-invalid", "a numeric with needless zeros", |d| {
        d.edit_value("c_numeric", 6, |value| value[4..].fill(0));
        vec![]
    }),
    near_miss("value-invalid", "the last timestamp of all", |d| {
        d.edit_value("c_tstz", 8, |value| {
            value[..8].copy_from_slice(&(i64::MAX - 1).to_le_bytes());
        });
        vec![]
    }),
    near_miss("value-invalid", "an array with other elements", |d| {
        d.edit_value("c_intarr", 24, |value| *value.last_mut().unwrap() ^= 0x55);
        vec![]
    }),
    hit(
        "value-invalid",
        "no UTF-8 on a page that replay does not touch",
        |d| {
            let (block, offnum, at) = d.value("docs", "body", 1);
            d.tuple("docs", block, offnum, |t| t[at] = 0xFF);
            vec![d.tuple_found("value-invalid", "docs", block, offnum)]
        },
    )
    .crash(),
    hit("toast-chunk-invalid", "a chunk of no value", |d| {
        let toast = d.toast();
        d.allowed.push("toast-value-incomplete");
        d.tuple(&toast, 0, 1, |t| set_u32(t, 24, 0));
        d.message = Some("toast chunk belongs to no value");
        vec![d.tuple_found("toast-chunk-invalid", &toast, 0, 1)]
    }),
    hit("toast-chunk-invalid", "a number below 0", |d| {
        let toast = d.toast();
        d.allowed.push("toast-value-incomplete");
        d.tuple(&toast, 0, 1, |t| set_u32(t, 28, 1 << 31));
        vec![d.tuple_found("toast-chunk-invalid", &toast, 0, 1)]
    }),
    hit("toast-chunk-invalid", "a chunk that is compressed", |d| {
        let toast = d.toast();
        d.allowed.push("toast-value-incomplete");
        d.tuple(&toast, 0, 1, |t| t[32] |= 2);
        d.message = Some("has invalid varlena header ");
        vec![d.tuple_found("toast-chunk-invalid", &toast, 0, 1)]
    }),
    near_miss("toast-chunk-invalid", "other data", |d| {
        let toast = d.toast();
        d.allowed.push("compressed-data-invalid");
        d.tuple(&toast, 0, 1, |t| t[40] ^= 1);
        vec![]
    }),
    near_miss("toast-chunk-invalid", "the highest number", |d| {
        let toast = d.toast();
        d.allowed.push("toast-value-incomplete");
        d.tuple(&toast, 0, 1, |t| set_u32(t, 28, 537_946));
        vec![]
    }),
    hit("toast-value-incomplete", "the last chunk gone", |d| {
        let (offnum, _, value) = d.toast_value();
        let (block, chunk) = d.chunk(value.value, value.count() - 1);
        d.line_pointer(&d.toast(), block, chunk, |_| (0, 0, 0));
        vec![d.tuple_found("toast-value-incomplete", "toasty", 0, offnum)]
    }),
    hit("toast-value-incomplete", "the first chunk deleted", |d| {
        let (offnum, _, value) = d.toast_value();
        let (block, chunk) = d.chunk(value.value, 0);
        let last = d.next_xid() - 1;
        d.tuple(&d.toast(), block, chunk, |t| {
            deleted_by(t, last, XMAX_COMMITTED)
        });
        d.message = Some("the server still reads deleted chunks");
        vec![d.tuple_found("toast-value-incomplete", "toasty", 0, offnum)]
    }),
    hit(
        "toast-value-incomplete",
        "a chunk with another number",
        |d| {
            let (offnum, _, value) = d.toast_value();
            let (block, chunk) = d.chunk(value.value, 0);
            d.tuple(&d.toast(), block, chunk, |t| set_u32(t, 28, 77));
            vec![d.tuple_found("toast-value-incomplete", "toasty", 0, offnum)]
        },
    ),
    hit("toast-value-incomplete", "a chunk one byte shorter", |d| {
        let (offnum, _, value) = d.toast_value();
        let (block, chunk) = d.chunk(value.value, 0);
        d.tuple(&d.toast(), block, chunk, |t| {
            if t[32] & 1 == 1 {
                t[32] -= 2;
            } else {
                set_u32(t, 32, get_u32(t, 32) - 4);
            }
        });
        d.message = Some("chunk 0 has size ");
        vec![d.tuple_found("toast-value-incomplete", "toasty", 0, offnum)]
    }),
    hit("toast-value-incomplete", "a pointer to no value", |d| {
        let (offnum, at, _) = d.toast_value();
        d.tuple("toasty", 0, offnum, |t| set_u32(t, at + 10, 4_000_000_000));
        d.message = Some("toast value 4000000000 not found in toast table");
        vec![d.tuple_found("toast-value-incomplete", "toasty", 0, offnum)]
    }),
    // VACUUM FULL and CLUSTER leave such chunks.
    near_miss(
        "toast-value-incomplete",
        "chunks that no row asks for",
        |d| {
            let (offnum, _, _) = d.toast_value();
            let last = d.next_xid() - 1;
            d.allowed.push("hint-bit-contradicts-clog");
            d.tuple("toasty", 0, offnum, |t| inserted_by(t, last, XMIN_INVALID));
            vec![]
        },
    ),
    near_miss("toast-value-incomplete", "other data in a chunk", |d| {
        let (_, _, value) = d.toast_value();
        d.allowed.push("compressed-data-invalid");
        let (block, chunk) = d.chunk(value.value, 0);
        d.tuple(&d.toast(), block, chunk, |t| t[40] ^= 1);
        vec![]
    }),
    near_miss(
        "toast-value-incomplete",
        "no chunk, and a TOAST table that replay changes",
        |d| {
            let toast = d.toast();
            d.line_pointer(&toast, 0, 1, |_| (0, 0, 0));
            vec![]
        },
    )
    .crash(),
    // It takes one bit to make a valid number of this one, too.
    hit("xmin-out-of-range", "the next transaction", |d| {
        let next = d.next_xid();
        d.tuple("ziplog", 7, 5, |t| inserted_by(t, next, 0));
        // It counts as running.
        d.server_error = Some("");
        vec![d.tuple_found("xmin-out-of-range", "ziplog", 7, 5)]
    })
    .not_told(PatternKind::FlippedBit),
    hit("xmin-out-of-range", "one bit of xmin flipped", |d| {
        let flipped = (d.next_xid() - 1) ^ 1 << 28;
        d.tuple("ziplog", 7, 5, |t| inserted_by(t, flipped, 0));
        vec![d.tuple_found("xmin-out-of-range", "ziplog", 7, 5)]
    })
    .told(
        PatternKind::FlippedBit,
        "xmin of row (7,5) of app.public.ziplog",
    ),
    hit("xmin-out-of-range", "the same of three rows", |d| {
        let flipped = (d.next_xid() - 1) ^ 1 << 28;
        (5..8)
            .map(|n| {
                d.tuple("ziplog", 7, n, |t| inserted_by(t, flipped, 0));
                d.tuple_found("xmin-out-of-range", "ziplog", 7, n)
            })
            .collect()
    })
    .not_told(PatternKind::FlippedBit),
    hit("xmax-out-of-range", "one bit of xmax flipped", |d| {
        let flipped = (d.next_xid() - 1) ^ 1 << 28;
        d.tuple("ziplog", 7, 5, |t| deleted_by(t, flipped, 0));
        vec![d.tuple_found("xmax-out-of-range", "ziplog", 7, 5)]
    })
    .told(
        PatternKind::FlippedBit,
        "xmax of row (7,5) of app.public.ziplog",
    ),
    hit(
        "xmin-out-of-range",
        "a number of epoch 0 that looks old",
        |d| {
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, 4_294_692_688, 0));
            d.message = Some("never assigned");
            vec![d.tuple_found("xmin-out-of-range", "ziplog", 7, 5)]
        },
    )
    .not_told(PatternKind::FlippedBit),
    hit(
        "xmin-out-of-range",
        "before the oldest, and not frozen",
        |d| {
            let old = d.oldest_xid() - 1;
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, old, XMIN_COMMITTED));
            vec![d.tuple_found("xmin-out-of-range", "ziplog", 7, 5)]
        },
    ),
    hit(
        "xmin-out-of-range",
        "in the image that replay makes the page from, too",
        |d| {
            let future = d.next_xid() + 1_000_000;
            let (relation, blkno, offnum) = d.tuple_in_image(|t| inserted_by(t, future, 0));
            d.tuple(&relation, blkno, offnum, |t| inserted_by(t, future, 0));
            vec![d.tuple_found("xmin-out-of-range", &relation, blkno, offnum)]
        },
    )
    // Later fixtures have their images compressed; tests/live damages theirs.
    .crash()
    .until(Major::V9_4),
    hit(
        "xmin-out-of-range",
        "not in the image that replay makes the page from",
        |d| {
            let future = d.next_xid() + 1_000_000;
            let (relation, blkno, offnum) = d.tuple_in_image(|_| ());
            d.tuple(&relation, blkno, offnum, |t| inserted_by(t, future, 0));
            let found = d.tuple_found("xmin-out-of-range", &relation, blkno, offnum);
            vec![found.heals()]
        },
    )
    .crash()
    .until(Major::V9_4),
    hit(
        "xmin-out-of-range",
        "moved by a transaction of the future",
        |d| {
            let (next, last) = (d.next_xid(), d.next_xid() - 1);
            d.tuple("ziplog", 7, 5, |t| {
                inserted_by(t, last, MOVED_IN);
                set_u32(t, T_CID, next);
            });
            d.message = Some("xvac ");
            vec![d.tuple_found("xmin-out-of-range", "ziplog", 7, 5)]
        },
    ),
    hit("xmin-out-of-range", "moved by no transaction", |d| {
        let last = d.next_xid() - 1;
        d.tuple("ziplog", 7, 5, |t| {
            inserted_by(t, last, MOVED_OFF);
            set_u32(t, T_CID, 0);
        });
        vec![d.tuple_found("xmin-out-of-range", "ziplog", 7, 5)]
    }),
    near_miss("xmin-out-of-range", "moved by the last transaction", |d| {
        let last = d.next_xid() - 1;
        d.tuple("ziplog", 7, 5, |t| {
            inserted_by(t, last, MOVED_IN);
            set_u32(t, T_CID, last);
        });
        vec![]
    }),
    near_miss(
        "xmin-out-of-range",
        "moved long ago, and marked as committed",
        |d| {
            let xid = d.ended(1);
            d.tuple("ziplog", 7, 5, |t| {
                inserted_by(t, xid, MOVED_IN | XMIN_COMMITTED);
                set_u32(t, T_CID, 3_000_000_000);
            });
            vec![]
        },
    ),
    near_miss("xmin-out-of-range", "the last transaction", |d| {
        let last = d.next_xid() - 1;
        d.tuple("ziplog", 7, 5, |t| inserted_by(t, last, 0));
        vec![]
    }),
    near_miss("xmin-out-of-range", "the oldest transaction", |d| {
        let oldest = d.oldest_xid();
        d.tuple("ziplog", 7, 5, |t| inserted_by(t, oldest, 0));
        vec![d.tuple_found("tuple-not-frozen", "ziplog", 7, 5)]
    }),
    hit("tuple-not-frozen", "inserted before relfrozenxid", |d| {
        let old = d.base.ziplog.relfrozenxid.0 - 1;
        d.tuple("ziplog", 7, 5, |t| inserted_by(t, old, XMIN_COMMITTED));
        vec![d.tuple_found("tuple-not-frozen", "ziplog", 7, 5)]
    }),
    hit("tuple-not-frozen", "deleted before relfrozenxid", |d| {
        let old = d.base.ziplog.relfrozenxid.0 - 1;
        d.tuple("ziplog", 7, 5, |t| deleted_by(t, old, 0));
        vec![d.tuple_found("tuple-not-frozen", "ziplog", 7, 5)]
    }),
    near_miss("tuple-not-frozen", "inserted by relfrozenxid", |d| {
        let first = d.base.ziplog.relfrozenxid.0;
        d.tuple("ziplog", 7, 5, |t| inserted_by(t, first, 0));
        vec![]
    }),
    near_miss("tuple-not-frozen", "inserted before, and aborted", |d| {
        let old = d.base.ziplog.relfrozenxid.0 - 1;
        d.tuple("ziplog", 7, 5, |t| inserted_by(t, old, XMIN_INVALID));
        d.allowed.push("hint-bit-contradicts-clog");
        vec![]
    }),
    near_miss("tuple-not-frozen", "locked before relfrozenxid", |d| {
        let old = d.base.ziplog.relfrozenxid.0 - 1;
        d.tuple("ziplog", 7, 5, |t| {
            deleted_by(t, old, XMAX_EXCL_LOCK | XMAX_LOCK_ONLY)
        });
        vec![]
    }),
    near_miss("xmin-out-of-range", "before the oldest, and frozen", |d| {
        let old = d.oldest_xid() - 1;
        let by_bits = d.is_since(Major::V9_4);
        d.tuple("ziplog", 7, 5, |t| match by_bits {
            true => inserted_by(t, old, XMIN_FROZEN),
            false => inserted_by(t, 2, XMIN_COMMITTED),
        });
        vec![]
    }),
    hit("xmax-out-of-range", "the next transaction", |d| {
        let next = d.next_xid();
        d.tuple("ziplog", 7, 5, |t| deleted_by(t, next, 0));
        d.server_error = Some("");
        vec![d.tuple_found("xmax-out-of-range", "ziplog", 7, 5)]
    }),
    hit("xmax-out-of-range", "a locker before the oldest", |d| {
        let old = d.oldest_xid() - 1;
        d.tuple("ziplog", 7, 5, |t| {
            deleted_by(t, old, XMAX_EXCL_LOCK | XMAX_LOCK_ONLY)
        });
        vec![d.tuple_found("xmax-out-of-range", "ziplog", 7, 5)]
    }),
    near_miss("xmax-out-of-range", "the last transaction", |d| {
        let last = d.next_xid() - 1;
        d.tuple("ziplog", 7, 5, |t| deleted_by(t, last, 0));
        vec![]
    }),
    near_miss(
        "xmax-out-of-range",
        "the next transaction, marked invalid",
        |d| {
            let next = d.next_xid();
            d.tuple("ziplog", 7, 5, |t| deleted_by(t, next, XMAX_INVALID));
            vec![]
        },
    ),
    hit("multixact-out-of-range", "the next multixact", |d| {
        let next = d.base.control.check_point_copy.next_multi;
        let lockers = d.lockers();
        d.tuple("ziplog", 7, 5, |t| deleted_by(t, next, lockers));
        vec![d.tuple_found("multixact-out-of-range", "ziplog", 7, 5)]
    }),
    // Up to 9.2 a multixact has lockers alone.
    hit(
        "multixact-out-of-range",
        "the next multixact, with an updater",
        |d| {
            let next = d.base.control.check_point_copy.next_multi;
            d.tuple("ziplog", 7, 5, |t| deleted_by(t, next, XMAX_IS_MULTI));
            vec![d.tuple_found("multixact-out-of-range", "ziplog", 7, 5)]
        },
    )
    .since(Major::V9_3),
    // VACUUM looks at it, whatever the hint bit says.
    hit(
        "multixact-out-of-range",
        "the next multixact, marked as over",
        |d| {
            let next = d.base.control.check_point_copy.next_multi;
            let lockers = d.lockers();
            d.tuple("ziplog", 7, 5, |t| {
                deleted_by(t, next, lockers | XMAX_INVALID)
            });
            d.server_error = Some("");
            vec![d.tuple_found("multixact-out-of-range", "ziplog", 7, 5)]
        },
    )
    .since(Major::V9_3),
    near_miss(
        "multixact-out-of-range",
        "the next multixact, marked as over, which nobody looks at",
        |d| {
            let next = d.base.control.check_point_copy.next_multi;
            let lockers = d.lockers();
            d.tuple("ziplog", 7, 5, |t| {
                deleted_by(t, next, lockers | XMAX_INVALID)
            });
            vec![]
        },
    )
    .until(Major::V9_2),
    near_miss("multixact-out-of-range", "the last multixact", |d| {
        let last = d.base.control.check_point_copy.next_multi - 1;
        let lockers = d.lockers();
        d.tuple("ziplog", 7, 5, |t| deleted_by(t, last, lockers));
        vec![]
    }),
    near_miss(
        "multixact-out-of-range",
        "lockers that pg_upgrade brought from 9.2",
        |d| {
            d.tuple("ziplog", 7, 5, |t| {
                deleted_by(t, 70_000, XMAX_IS_MULTI | XMAX_LOCK_ONLY)
            });
            vec![]
        },
    )
    .since(Major::V9_3),
    hit(
        "hint-bit-contradicts-clog",
        "marked as committed, and aborted",
        |d| {
            let xid = d.ended(2);
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, xid, XMIN_COMMITTED));
            d.message = Some("is marked as committed, and the commit log has it as aborted");
            vec![d.tuple_found("hint-bit-contradicts-clog", "ziplog", 7, 5)]
        },
    ),
    hit(
        "hint-bit-contradicts-clog",
        "marked as committed, and never ended",
        |d| {
            let xid = d.ended(0);
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, xid, XMIN_COMMITTED));
            vec![d.tuple_found("hint-bit-contradicts-clog", "ziplog", 7, 5)]
        },
    ),
    hit(
        "hint-bit-contradicts-clog",
        "marked as aborted, and committed",
        |d| {
            let xid = d.ended(1);
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, xid, XMIN_INVALID));
            vec![d.tuple_found("hint-bit-contradicts-clog", "ziplog", 7, 5)]
        },
    ),
    hit(
        "hint-bit-contradicts-clog",
        "deletion marked as committed, and aborted",
        |d| {
            let xid = d.ended(2);
            d.tuple("ziplog", 7, 5, |t| deleted_by(t, xid, XMAX_COMMITTED));
            vec![d.tuple_found("hint-bit-contradicts-clog", "ziplog", 7, 5)]
        },
    ),
    hit(
        "hint-bit-contradicts-clog",
        "deletion marked as aborted, and committed",
        |d| {
            let xid = d.ended(1);
            d.tuple("ziplog", 7, 5, |t| deleted_by(t, xid, XMAX_INVALID));
            d.message = Some("xmax ");
            vec![d.tuple_found("hint-bit-contradicts-clog", "ziplog", 7, 5)]
        },
    ),
    hit(
        "hint-bit-contradicts-clog",
        "on a page that replay does not touch",
        |d| {
            let xid = d.aborted();
            d.tuple("docs", 0, 1, |t| inserted_by(t, xid, XMIN_COMMITTED));
            vec![d.tuple_found("hint-bit-contradicts-clog", "docs", 0, 1)]
        },
    )
    .crash(),
    near_miss(
        "hint-bit-contradicts-clog",
        "on a page that replay makes anew",
        |d| {
            let xid = d.aborted();
            d.tuple("marker", 0, 1, |t| inserted_by(t, xid, XMIN_COMMITTED));
            vec![]
        },
    )
    .crash(),
    near_miss("hint-bit-contradicts-clog", "as the commit log", |d| {
        let xid = d.ended(1);
        d.tuple("ziplog", 7, 5, |t| {
            inserted_by(t, xid, XMIN_COMMITTED);
            deleted_by(t, xid, XMAX_COMMITTED);
        });
        let xid = d.ended(2);
        d.tuple("ziplog", 7, 6, |t| inserted_by(t, xid, XMIN_INVALID));
        vec![]
    }),
    near_miss(
        "hint-bit-contradicts-clog",
        "a locker that committed, marked as over",
        |d| {
            let xid = d.ended(1);
            d.tuple("ziplog", 7, 5, |t| {
                deleted_by(t, xid, XMAX_EXCL_LOCK | XMAX_LOCK_ONLY | XMAX_INVALID)
            });
            vec![]
        },
    ),
    near_miss(
        "hint-bit-contradicts-clog",
        "moved off by a VACUUM FULL of 8.4",
        |d| {
            let xid = d.ended(1);
            d.tuple("ziplog", 7, 5, |t| {
                inserted_by(t, xid, XMIN_INVALID);
                set(t, T_INFOMASK, 0x4000);
            });
            vec![]
        },
    ),
    near_miss("hint-bit-contradicts-clog", "a subtransaction", |d| {
        let xid = d.ended(3);
        d.tuple("ziplog", 7, 5, |t| inserted_by(t, xid, XMIN_COMMITTED));
        vec![]
    }),
    hit("sequence-invalid", "another magic number", |d| {
        d.page("orders_id_seq", 0, |p| set_u32(p, BLCKSZ - 8, 0x1718));
        vec![d.page_found("sequence-invalid", "orders_id_seq", 0)]
    }),
    hit("sequence-invalid", "a special space as of a table", |d| {
        d.page("orders_id_seq", 0, |p| set_u16(p, PD_SPECIAL, 8192));
        vec![d.page_found("sequence-invalid", "orders_id_seq", 0)]
    }),
    hit("sequence-invalid", "no line pointer", |d| {
        d.page("orders_id_seq", 0, |p| set_u16(p, PD_LOWER, 24));
        d.message = Some("has 0 line pointers");
        vec![d.page_found("sequence-invalid", "orders_id_seq", 0)]
    }),
    hit("sequence-invalid", "a flag that is neither", |d| {
        let at = d.is_called_at();
        d.tuple("orders_id_seq", 0, 1, |t| t[at] = 7);
        d.message = Some("has 7 for is_called");
        vec![d.page_found("sequence-invalid", "orders_id_seq", 0)]
    }),
    hit("sequence-invalid", "past its limit", |d| {
        d.tuple("orders_id_seq", 0, 1, |t| {
            t[24 + 64..24 + 72].copy_from_slice(&0_i64.to_le_bytes());
        });
        vec![d.page_found("sequence-invalid", "orders_id_seq", 0)]
    })
    .until(Major::V9_6),
    near_miss("sequence-invalid", "another value", |d| {
        let (at, value) = (
            d.is_called_at(),
            if d.is_since(Major::V10) { 24 } else { 88 },
        );
        d.tuple("orders_id_seq", 0, 1, |t| {
            t[at] ^= 1;
            t[value + 1] ^= 1;
        });
        vec![]
    }),
    hit(
        "init-fork-disagrees-with-catalog",
        "an init fork beside a table that is not unlogged",
        |d| {
            let path = format!("{}_init", d.relation("ziplog"));
            d.write(&path, b"");
            vec![d.file("init-fork-disagrees-with-catalog", &path)]
        },
    ),
    hit(
        "init-fork-disagrees-with-catalog",
        "the init fork of an unlogged index removed",
        |d| {
            let path = format!("{}_init", d.relation("unl_pkey"));
            d.remove(&path);
            vec![
                d.file("init-fork-disagrees-with-catalog", &path)
                    .severity(Severity::Abnormal),
            ]
        },
    ),
    near_miss(
        "init-fork-disagrees-with-catalog",
        "the init fork of an unlogged table, which is empty",
        |d| {
            let path = format!("{}_init", d.relation("unl"));
            assert!(d.read(&path).is_empty());
            d.write(&path, b"");
            vec![]
        },
    ),
    hit(
        "tuple-data-invalid",
        "a large object with a value past its end",
        |d| {
            d.tuple("pg_largeobject", 0, 1, |t| set_u32(t, 24 + 8, 4000 << 2));
            d.message = Some("column 3 (data)");
            vec![d.tuple_found("tuple-data-invalid", "pg_largeobject", 0, 1)]
        },
    ),
];

static SLRUS: &[Row] = &[
    hit("clog-segment-missing", "the only segment removed", |d| {
        let path = d.clog(0);
        d.remove(&path);
        vec![d.file("clog-segment-missing", &path)]
    }),
    hit(
        "clog-segment-missing",
        "next XID in a segment that is not there",
        |d| {
            // The server opens the page of the next transaction when it starts.
            d.set_next_xid(1_048_577);
            d.resize(&d.clog(0), 262_144);
            let path = d.clog(1);
            vec![
                d.file("clog-segment-missing", &path)
                    .severity(Severity::Fatal),
            ]
        },
    ),
    hit(
        "clog-segment-missing",
        "a tuple needs the segment that is not there",
        |d| {
            d.set_next_xid(1_048_580);
            d.resize(&d.clog(0), 262_144);
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, 1_048_577, 0));
            let path = d.clog(1);
            vec![d.file("clog-segment-missing", &path)]
        },
    ),
    near_miss(
        "clog-segment-missing",
        "next XID the first of a segment not yet made",
        |d| {
            d.set_next_xid(1_048_576);
            d.resize(&d.clog(0), 262_144);
            vec![]
        },
    ),
    hit("clog-segment-short", "segment cut in its first page", |d| {
        let path = d.clog(0);
        d.resize(&path, 4096);
        vec![d.file("clog-segment-short", &path).byte(0)]
    }),
    hit(
        "clog-segment-short",
        "a tuple needs the page behind the end",
        |d| {
            d.set_next_xid(32_770);
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, 32_768, 0));
            let path = d.clog(0);
            vec![d.file("clog-segment-short", &path).byte(8192)]
        },
    ),
    hit(
        "clog-segment-short",
        "next XID on a page that is not there",
        |d| {
            d.set_next_xid(32_770);
            d.message = Some("the server does not start without it");
            let path = d.clog(0);
            let found = d.file("clog-segment-short", &path).byte(8192);
            vec![found.severity(Severity::Fatal)]
        },
    ),
    hit(
        "clog-segment-short",
        "a page that nobody needs, and the next is still to be made",
        |d| {
            d.set_next_xid(65_536);
            d.message = Some("no row that was looked at needs it");
            let path = d.clog(0);
            let found = d.file("clog-segment-short", &path).byte(8192);
            vec![found.severity(Severity::Abnormal)]
        },
    ),
    hit(
        "clog-segment-short",
        "the page that replay writes to",
        |d| {
            let path = d.clog(0);
            d.resize(&path, 0);
            vec![d.file("clog-segment-short", &path).byte(0)]
        },
    )
    .crash(),
    near_miss(
        "clog-segment-short",
        "a tuple needs the last entry of the last page",
        |d| {
            d.set_next_xid(32_768);
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, 32_767, 0));
            vec![]
        },
    ),
    hit(
        "clog-segment-zeroed",
        "page zeroed, tuples say committed",
        |d| {
            let path = d.clog(0);
            d.edit(&path, |b| b.fill(0));
            vec![d.file("clog-segment-zeroed", &path).byte(0)]
        },
    )
    .told(PatternKind::ClogMadeUp, "where rows say"),
    near_miss(
        "clog-segment-zeroed",
        "new page, no transaction of it ended",
        |d| {
            d.set_next_xid(32_770);
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, 32_768, 0));
            let path = d.clog(0);
            d.edit(&path, |b| b.resize(16_384, 0));
            vec![]
        },
    ),
    hit("clog-segment-foreign", "0FFF made with dd", |d| {
        let path = d.clog(0xFFF);
        d.write(&path, &[0; 262_144]);
        vec![d.file("clog-segment-foreign", &path)]
    }),
    hit(
        "clog-segment-foreign",
        "0FFF made with dd, for an overwritten xmin",
        |d| {
            let path = d.clog(0xFFF);
            d.write(&path, &[0; 262_144]);
            d.tuple("ziplog", 7, 5, |t| inserted_by(t, 4_294_692_688, 0));
            vec![
                d.file("clog-segment-foreign", &path)
                    .severity(Severity::Damage),
                d.tuple_found("xmin-out-of-range", "ziplog", 7, 5),
            ]
        },
    )
    .told(PatternKind::ClogMadeUp, "0FFF"),
    hit(
        "clog-segment-foreign",
        "the segment after the live range",
        |d| {
            let path = d.clog(1);
            d.write(&path, &[0; 8192]);
            vec![d.file("clog-segment-foreign", &path)]
        },
    ),
    near_miss(
        "clog-segment-foreign",
        "the segment of the next XID, still unused",
        |d| {
            d.set_next_xid(1_048_576);
            d.resize(&d.clog(0), 262_144);
            let path = d.clog(1);
            d.write(&path, &[0; 8192]);
            vec![]
        },
    ),
    hit(
        "clog-contradicts-wal",
        "committed before the redo point, and in progress",
        |d| {
            let xid = d.ended_before_redo(End::Committed);
            d.set_status(xid, 0);
            d.message = Some("as in progress; by the WAL record at");
            vec![d.clog_found(0)]
        },
    )
    .told(
        PatternKind::LostWrite,
        "the ends of 1\u{a0}transaction, which",
    ),
    hit(
        "clog-contradicts-wal",
        "committed before the redo point, and aborted",
        |d| {
            let xid = d.ended_before_redo(End::Committed);
            d.set_status(xid, 2);
            vec![d.clog_found(0)]
        },
    )
    .told(PatternKind::ClogMadeUp, "on the ends of 1\u{a0}transaction")
    .crash(),
    hit(
        "clog-contradicts-wal",
        "a subtransaction left behind as sub-committed",
        |d| {
            let xid = d.ended_before_redo(End::SubCommitted);
            d.set_status(xid, 3);
            d.message = Some("as sub-committed; by the WAL record at");
            vec![d.clog_found(0)]
        },
    ),
    hit(
        "clog-contradicts-wal",
        "rolled back before the redo point, and committed",
        |d| {
            let xid = d.ended_before_redo(End::Aborted);
            d.set_status(xid, 1);
            // In some of the fixtures it had made a table, whose file is gone.
            d.allowed.push("relation-file-missing");
            d.message = Some("as committed; by the WAL record at");
            vec![d.clog_found(0)]
        },
    )
    .told(PatternKind::ClogMadeUp, "on the ends of 1\u{a0}transaction"),
    near_miss(
        "clog-contradicts-wal",
        "rolled back before the redo point, and in progress",
        |d| {
            let xid = d.ended_before_redo(End::Aborted);
            d.set_status(xid, 0);
            vec![]
        },
    ),
    near_miss(
        "clog-contradicts-wal",
        "committed behind the redo point, and in progress",
        |d| {
            let redo = d.base.control.check_point_copy.redo;
            let ends = d.ends();
            let (_, xid, _) = ends
                .iter()
                .rfind(|(end, _, lsn)| *end == End::Committed && *lsn >= redo)
                .unwrap();
            d.set_status(*xid, 0);
            vec![]
        },
    )
    .crash(),
    near_miss(
        "clog-contradicts-wal",
        "committed before the oldest transaction that is asked about",
        |d| {
            let xid = d.ended_before_redo(End::Committed);
            d.set_status(xid, 0);
            d.set_oldest_xid(d.next_xid());
            d.allowed
                .extend(["tuple-not-frozen", "xmin-out-of-range", "xmax-out-of-range"]);
            d.allowed.push("multixact-member-invalid");
            vec![]
        },
    ),
    near_miss(
        "clog-contradicts-wal",
        "committed before WAL that breaks off before the redo point",
        |d| {
            let xid = d.ended_before_redo(End::Committed);
            d.set_status(xid, 0);
            d.break_record(d.last_record_before_redo());
            d.allowed.push("wal-record-damaged");
            vec![]
        },
    ),
    // Up to 9.2 nobody asks for the members of an old multixact: they are lockers alone.
    hit("multixact-segment-missing", "offsets removed", |d| {
        let path = d.slru(Slru::MultiXactOffset);
        d.remove(&path);
        vec![d.file("multixact-segment-missing", &path)]
    })
    .since(Major::V9_3),
    hit("multixact-segment-missing", "members removed", |d| {
        let path = d.slru(Slru::MultiXactMember);
        d.remove(&path);
        vec![d.file("multixact-segment-missing", &path)]
    })
    .since(Major::V9_3),
    hit(
        "multixact-segment-missing",
        "next multixact in a segment that is not there",
        |d| {
            let next = 32 * d.multis_per_page() + 1;
            d.set_next_multi(next);
            d.message = Some("the server does not start without it");
            let path = d.slru(Slru::MultiXactOffset).replace("0000", "0001");
            // Up to 9.2 no oldest one is known, nor that the first segment should be full.
            if d.is_since(Major::V9_3) {
                d.allowed.push("multixact-segment-short");
            }
            d.allowed.push("multixact-offset-invalid");
            d.allowed.push("multixact-member-invalid");
            let found = d.file("multixact-segment-missing", &path);
            vec![found.severity(Severity::Fatal)]
        },
    ),
    hit(
        "multixact-segment-missing",
        "a segment that nobody needs, and the next is still to be made",
        |d| {
            let next = 64 * d.multis_per_page();
            d.set_next_multi(next);
            let path = d.slru(Slru::MultiXactOffset).replace("0000", "0001");
            d.allowed.push("multixact-segment-short");
            d.allowed.push("multixact-offset-invalid");
            d.allowed.push("multixact-member-invalid");
            let found = d.file("multixact-segment-missing", &path);
            vec![found.severity(Severity::Abnormal)]
        },
    )
    .since(Major::V9_3),
    hit(
        "multixact-segment-missing",
        "an older segment, which nobody needs: a note",
        |d| {
            // As pg_upgrade to 9.3 left it, with the page of the next one alone.
            let next = 32 * d.multis_per_page() + 1;
            d.set_next_multi(next);
            d.set_oldest_multi(next - 2);
            let path = d.slru(Slru::MultiXactOffset).replace("0000", "0001");
            let first = d.slru(Slru::MultiXactOffset);
            d.write(&path, &[0; 8192]);
            d.remove(&first);
            d.allowed.push("multixact-out-of-range");
            let found = d.file("multixact-segment-missing", &first);
            vec![found.severity(Severity::Note)]
        },
    )
    .since(Major::V9_3),
    near_miss(
        "multixact-segment-missing",
        "long gone, of lockers brought from 9.2",
        |d| {
            d.tuple("ziplog", 7, 5, |t| {
                deleted_by(t, 70_000, XMAX_IS_MULTI | XMAX_LOCK_ONLY)
            });
            vec![]
        },
    )
    .since(Major::V9_3),
    hit(
        "multixact-segment-short",
        "offsets cut in their first page",
        |d| {
            let path = d.slru(Slru::MultiXactOffset);
            d.resize(&path, 4096);
            vec![d.file("multixact-segment-short", &path)]
        },
    )
    .since(Major::V9_3),
    hit("multixact-segment-short", "members empty", |d| {
        let path = d.slru(Slru::MultiXactMember);
        d.resize(&path, 0);
        vec![d.file("multixact-segment-short", &path)]
    })
    .since(Major::V9_3),
    hit(
        "multixact-segment-short",
        "next multixact on a page that is not there",
        |d| {
            d.set_next_multi(d.multis_per_page() + 1);
            d.message = Some("the server does not start without it");
            let path = d.slru(Slru::MultiXactOffset);
            d.allowed.push("multixact-offset-invalid");
            d.allowed.push("multixact-member-invalid");
            let found = d.file("multixact-segment-short", &path).byte(8192);
            vec![found.severity(Severity::Fatal)]
        },
    ),
    hit(
        "multixact-segment-short",
        "a page that nobody needs, and the next is still to be made",
        |d| {
            d.set_next_multi(2 * d.multis_per_page());
            d.message = Some("no row that was looked at needs it");
            let path = d.slru(Slru::MultiXactOffset);
            d.allowed.push("multixact-offset-invalid");
            d.allowed.push("multixact-member-invalid");
            let found = d.file("multixact-segment-short", &path).byte(8192);
            vec![found.severity(Severity::Abnormal)]
        },
    )
    .since(Major::V9_3),
    near_miss(
        "multixact-segment-short",
        "next multixact the first of a page not yet made",
        |d| {
            d.set_next_multi(d.multis_per_page());
            d.allowed.push("multixact-offset-invalid");
            d.allowed.push("multixact-member-invalid");
            vec![]
        },
    ),
    near_miss(
        "multixact-segment-short",
        "a page longer than needed",
        |d| {
            for slru in [Slru::MultiXactOffset, Slru::MultiXactMember] {
                let path = d.slru(slru);
                d.resize(&path, 16_384);
            }
            vec![]
        },
    )
    .since(Major::V9_3),
    // Up to 9.2 nobody reads lists from before the last start.
    hit("multixact-member-invalid", "a list without offset", |d| {
        d.offset(3, 0);
        d.message = Some("its offset is 0");
        d.listed(3)
    })
    .since(Major::V9_3),
    hit(
        "multixact-member-invalid",
        "a list that ends before it begins",
        |d| {
            d.offset(4, 2);
            d.message = Some("begins at offset");
            let mut found = d.listed(3);
            found.push(
                d.file("multixact-offset-invalid", &d.slru(Slru::MultiXactOffset))
                    .byte(d.offset_at(4)),
            );
            found
        },
    )
    .since(Major::V9_3),
    hit("multixact-member-invalid", "a member of zeroes", |d| {
        d.member(3, 0, |_, xid| *xid = 0);
        d.message = Some("has 0 among its members");
        d.listed(3)
    })
    .since(Major::V9_3),
    hit("multixact-member-invalid", "a member of the future", |d| {
        let next = d.next_xid();
        d.member(3, 0, |_, xid| *xid = next);
        d.message = Some("which was never assigned");
        d.listed(3)
    })
    .since(Major::V9_3),
    hit(
        "multixact-member-invalid",
        "a state that there is not",
        |d| {
            d.member(3, 0, |status, _| *status = 6);
            d.message = Some("with unknown status 6");
            d.listed(3)
        },
    )
    .since(Major::V9_3),
    hit("multixact-member-invalid", "two updaters", |d| {
        d.member(3, 0, |status, _| *status = 4);
        d.message = Some("has two updaters");
        d.allowed.push("update-chain-invalid");
        d.listed(3)
    })
    .since(Major::V9_4),
    hit("multixact-member-invalid", "lockers alone", |d| {
        d.member(3, 1, |status, _| *status = 0);
        d.message = Some("has no updater among its members");
        d.allowed.push("update-chain-invalid");
        d.listed(3)
    })
    .since(Major::V9_3),
    hit(
        "multixact-member-invalid",
        "an updater before relfrozenxid",
        |d| {
            let old = d.relfrozenxid("locks_t") - 1;
            d.member(3, 1, |_, xid| *xid = old);
            d.message = Some("older than the table's relfrozenxid");
            d.allowed.push("update-chain-invalid");
            d.listed(3)
        },
    )
    .since(Major::V9_3),
    hit(
        "multixact-member-invalid",
        "an updater before the oldest",
        |d| {
            let old = d.oldest_xid() - 1;
            d.member(3, 1, |_, xid| *xid = old);
            d.message = Some("lies before the oldest transaction");
            d.allowed.push("update-chain-invalid");
            d.listed(3)
        },
    )
    .since(Major::V9_3),
    near_miss(
        "multixact-member-invalid",
        "a locker before the oldest",
        |d| {
            let old = d.oldest_xid() - 1;
            d.member(3, 0, |_, xid| *xid = old);
            vec![]
        },
    )
    .since(Major::V9_3),
    near_miss(
        "multixact-member-invalid",
        "the last transaction, another state",
        |d| {
            let last = d.next_xid() - 1;
            d.member(3, 0, |status, xid| (*status, *xid) = (3, last));
            vec![]
        },
    )
    .since(Major::V9_3),
    hit(
        "multixact-offset-invalid",
        "an offset below the one before",
        |d| {
            d.offset(4, 2);
            let at = d.offset_at(4);
            d.allowed.push("multixact-member-invalid");
            vec![
                d.file("multixact-offset-invalid", &d.slru(Slru::MultiXactOffset))
                    .byte(at),
            ]
        },
    )
    .since(Major::V9_3),
    hit("multixact-offset-invalid", "an offset past the next", |d| {
        let next = d.base.control.check_point_copy.next_multi_offset;
        d.offset(2, next + 1);
        let at = d.offset_at(3);
        d.allowed.push("multixact-member-invalid");
        vec![
            d.file("multixact-offset-invalid", &d.slru(Slru::MultiXactOffset))
                .byte(at),
        ]
    })
    .since(Major::V9_3),
    near_miss(
        "multixact-offset-invalid",
        "nonsense behind the last",
        |d| {
            let next = d.base.control.check_point_copy.next_multi;
            d.offset(next + 1, 1);
            vec![]
        },
    )
    .since(Major::V9_3),
    near_miss("multixact-offset-invalid", "one not yet set", |d| {
        d.offset(4, 0);
        d.allowed.push("multixact-member-invalid");
        vec![]
    })
    .since(Major::V9_3),
];

static COMMIT_TS: &[Row] = &[
    hit("commit-ts-segment-missing", "the segment missing", |d| {
        let next = d.next_xid();
        d.keep_commit_ts(next - 10, next - 1);
        if !d.is_since(Major::V19) {
            d.remove("pg_commit_ts/0000");
        }
        vec![d.file("commit-ts-segment-missing", "pg_commit_ts/0000")]
    })
    .since(Major::V15),
    hit(
        "commit-ts-segment-missing",
        "the segment removed, before replay",
        |d| {
            d.remove("pg_commit_ts/0000");
            vec![d.file("commit-ts-segment-missing", "pg_commit_ts/0000")]
        },
    )
    .since(Major::V15)
    .until(Major::V18)
    .crash(),
    hit(
        "commit-ts-segment-missing",
        "the page behind the end",
        |d| {
            let next = d.next_xid();
            d.keep_commit_ts(next - 10, next - 1);
            d.write("pg_commit_ts/0000", &[0; 8192]);
            let found = d.file("commit-ts-segment-missing", "pg_commit_ts/0000");
            vec![found.byte(8192)]
        },
    )
    .since(Major::V15),
    near_miss(
        "commit-ts-segment-missing",
        "the segment missing, and none is kept",
        |d| {
            let next = d.next_xid();
            d.keep_commit_ts(next - 10, next - 1);
            let at = if d.is_since(Major::V19) { 208 } else { 200 };
            d.control(|b| b[at] = 0);
            if !d.is_since(Major::V19) {
                d.remove("pg_commit_ts/0000");
            }
            vec![]
        },
    )
    .since(Major::V15),
    near_miss(
        "commit-ts-segment-missing",
        "the first that will be kept is still to come",
        |d| {
            let next = d.next_xid();
            d.keep_commit_ts(next, next);
            if !d.is_since(Major::V19) {
                d.remove("pg_commit_ts/0000");
            }
            vec![]
        },
    )
    .since(Major::V15),
];

static WAL: &[Row] = &[
    hit(
        "checkpoint-record-unreadable",
        "CRC of the checkpoint record",
        |d| {
            let at = d.base.control.check_point;
            d.break_record(at);
            let found = d.file("checkpoint-record-unreadable", "global/pg_control");
            // The checkpoint before serves up to 10.
            if d.is_since(Major::V11) {
                d.outcome = Some(Outcome::Fails);
                vec![found]
            } else {
                d.outcome = Some(Outcome::CrashRecovery);
                vec![found.severity(Severity::Damage)]
            }
        },
    ),
    hit(
        "checkpoint-record-unreadable",
        "every segment removed",
        |d| {
            d.remove_wal();
            d.outcome = Some(Outcome::Fails);
            vec![d.file("checkpoint-record-unreadable", "global/pg_control")]
        },
    ),
    near_miss(
        "checkpoint-record-unreadable",
        "bytes behind the checkpoint record",
        |d| {
            let end = d.base.end;
            d.wal(end, |b| b[..8].fill(0xFF));
            d.outcome = Some(Outcome::Clean);
            vec![]
        },
    ),
    hit(
        "wal-record-damaged",
        "CRC of a record two pages before the end",
        |d| {
            let at = d.record_before_end(2);
            d.break_record(at);
            d.silent_loss = true;
            let path = d.segment_at(at);
            let byte = d.geometry().segment_offset(at);
            vec![d.file("wal-record-damaged", &path).byte(byte)]
        },
    )
    .crash(),
    // Segments of the crashed 15 and 19 have 1 MB, so replay goes through several of them.
    hit(
        "wal-record-damaged",
        "a page zeroed in the segment before the last",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            let page =
                XLogRecPtr(d.geometry().segment_start(end - 1).0 + 20 * d.geometry().page_size);
            d.wal(page, |b| b[..BLCKSZ].fill(0));
            d.silent_loss = true;
            // Replay stops at the record that goes on there, or that should begin there; pages
            // that were written since have no WAL then, and that is all there is to say of them.
            d.anywhere("wal-record-damaged");
            d.allowed.push("page-lsn-beyond-wal");
            d.allowed.push("relation-cut-off");
            vec![]
        },
    )
    .crash()
    .since(Major::V11),
    // It seems to go on for pages behind the end of WAL, over the records that follow it.
    hit(
        "wal-record-damaged",
        "length of a record on the last page",
        |d| {
            let at = d.record_before_end(0);
            assert!(at < d.base.last_record);
            d.wal(at, |b| b[2] ^= 0x19);
            d.silent_loss = true;
            d.allowed.push("page-lsn-beyond-wal");
            let path = d.segment_at(at);
            let byte = d.geometry().segment_offset(at);
            vec![d.file("wal-record-damaged", &path).byte(byte)]
        },
    )
    .crash()
    .since(Major::V9_5),
    // The page seems to be left from an earlier use of its file.
    hit(
        "wal-record-damaged",
        "address of the page before the last",
        |d| {
            let page = XLogRecPtr(d.geometry().page_start(d.base.end).0 - d.geometry().page_size);
            assert!(d.record_before_end(0) < d.base.last_record);
            d.wal(page, |b| b[10] ^= b[10] & 0xF0);
            d.silent_loss = true;
            d.allowed.push("page-lsn-beyond-wal");
            d.anywhere("wal-record-damaged");
            vec![]
        },
    )
    .crash()
    .since(Major::V9_5),
    hit(
        "wal-record-damaged",
        "a record on the last page not written yet",
        |d| {
            let found = d.unwritten_record(0);
            vec![found.severity(Severity::Note)]
        },
    )
    .crash()
    .since(Major::V9_5),
    hit(
        "wal-record-damaged",
        "a record on the last page zeroed but for its end",
        |d| {
            let found = d.unwritten_record(1);
            d.silent_loss = true;
            vec![found]
        },
    )
    .crash()
    .since(Major::V9_5),
    near_miss("wal-record-damaged", "CRC of the last record", |d| {
        let at = d.base.last_record;
        d.break_record(at);
        vec![]
    })
    .crash(),
    near_miss("wal-record-damaged", "bytes behind the end of WAL", |d| {
        let end = d.base.end;
        d.wal(end, |b| b[..24].fill(0xFF));
        vec![]
    })
    .crash(),
    hit("wal-segment-missing", "gap behind a segment switch", |d| {
        let end = d.geometry().segment_of(d.base.end);
        d.switch_segment();
        d.remove_if_there(&d.segment(1, end + 1));
        d.make_segment(1, end + 2, |_| ());
        d.silent_loss = true;
        vec![d.file("wal-segment-missing", &d.segment(1, end + 1))]
    })
    .crash(),
    // Segments of the crashed 15 and 19 have 1 MB, so replay goes through several of them.
    hit(
        "wal-segment-missing",
        "the segment before the last of replay",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            let path = d.segment(1, end - 1);
            d.remove(&path);
            d.silent_loss = true;
            // Pages that were written since have no WAL then, and that is all there is to say of
            // them.
            d.allowed.push("page-lsn-beyond-wal");
            d.allowed.push("relation-cut-off");
            vec![d.file("wal-segment-missing", &path)]
        },
    )
    .crash()
    .since(Major::V11),
    near_miss(
        "wal-segment-missing",
        "end of WAL at a segment switch",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            d.switch_segment();
            d.remove_if_there(&d.segment(1, end + 1));
            vec![]
        },
    )
    .crash(),
    near_miss(
        "wal-segment-missing",
        "segments behind the end removed",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            d.remove(&d.segment(1, end + 1));
            vec![]
        },
    ),
    hit(
        "wal-segment-malformed",
        "segment behind the end cut short",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            let path = d.segment(1, end + 1);
            d.resize(&path, d.size(&path) - 8192);
            vec![d.file("wal-segment-malformed", &path)]
        },
    ),
    hit(
        "wal-segment-malformed",
        "segment that begins with no WAL",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            d.make_segment(1, end + 9, |b| b[..2].copy_from_slice(b"PK"));
            vec![d.file("wal-segment-malformed", &d.segment(1, end + 9))]
        },
    ),
    near_miss(
        "wal-segment-malformed",
        "segment of zeroes, made ahead",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            d.make_segment(1, end + 9, |b| b.fill(0));
            vec![]
        },
    ),
    hit(
        "wal-segment-foreign",
        "segment of another cluster behind the end",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            let at = d.sysid_at();
            d.make_segment(1, end + 9, |b| b[at] ^= 1);
            vec![d.file("wal-segment-foreign", &d.segment(1, end + 9))]
        },
    ),
    near_miss("wal-segment-foreign", "the same, of this cluster", |d| {
        let end = d.geometry().segment_of(d.base.end);
        d.make_segment(1, end + 9, |_| ());
        vec![]
    }),
    hit(
        "wal-segment-misnamed",
        "last segment under the name of the one before",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            let bytes = d.read(&d.segment(1, end));
            d.write(&d.segment(1, end - 1), &bytes);
            vec![d.file("wal-segment-misnamed", &d.segment(1, end - 1))]
        },
    ),
    near_miss(
        "wal-segment-misnamed",
        "last segment under the name of a later one",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            let bytes = d.read(&d.segment(1, end));
            d.write(&d.segment(1, end + 9), &bytes);
            vec![]
        },
    ),
    hit(
        "wal-segment-recycled",
        "last segment under the name of a later one",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            let bytes = d.read(&d.segment(1, end));
            d.write(&d.segment(1, end + 9), &bytes);
            vec![d.file("wal-segment-recycled", &d.segment(1, end + 9))]
        },
    ),
    near_miss(
        "wal-segment-recycled",
        "segment of zeroes, made ahead",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            d.make_segment(1, end + 9, |b| b.fill(0));
            vec![]
        },
    ),
    hit("history-file-invalid", "a line without a timeline", |d| {
        let text = format!("{}oops\n", d.history(1, d.base.end));
        let path = d.history_path(2);
        d.write(&path, text.as_bytes());
        vec![d.file("history-file-invalid", &path)]
    }),
    hit(
        "history-file-invalid",
        "an ancestor as young as the timeline",
        |d| {
            let path = d.history_path(2);
            d.write(&path, d.history(2, d.base.end).as_bytes());
            vec![d.file("history-file-invalid", &path)]
        },
    ),
    near_miss("history-file-invalid", "a comment and an empty line", |d| {
        let text = format!("# by hand\n\n{}", d.history(1, d.base.end));
        d.write(&d.history_path(2), text.as_bytes());
        vec![]
    }),
    hit(
        "timeline-history-missing",
        "timeline 2 without a history",
        |d| {
            d.promote();
            vec![d.file("timeline-history-missing", &d.history_path(2))]
        },
    ),
    near_miss(
        "timeline-history-missing",
        "timeline 2 with its history",
        |d| {
            d.promote();
            let branch = XLogRecPtr(d.base.control.check_point.0 - 8);
            d.write(&d.history_path(2), d.history(1, branch).as_bytes());
            d.outcome = Some(Outcome::Clean);
            vec![]
        },
    ),
    // Up to 9.2 a history names segments, and the server does not compare.
    hit(
        "timeline-not-ancestor",
        "timeline 2 branched off behind its checkpoint",
        |d| {
            d.promote();
            d.write(&d.history_path(2), d.history(1, d.base.end).as_bytes());
            d.outcome = Some(Outcome::Fails);
            vec![d.file("timeline-not-ancestor", "global/pg_control")]
        },
    )
    .since(Major::V9_3)
    .told(PatternKind::OtherTimeline, "branched off"),
    near_miss(
        "timeline-not-ancestor",
        "timeline 2 branched off right at its checkpoint",
        |d| {
            d.promote();
            let branch = d.base.control.check_point;
            d.write(&d.history_path(2), d.history(1, branch).as_bytes());
            d.outcome = Some(Outcome::Clean);
            vec![]
        },
    )
    .since(Major::V9_3),
];

static ARCHIVES: &[Row] = &[
    hit(
        "wal-segment-copies-differ",
        "another valid record in the archive",
        |d| {
            let path = d.segment(1, d.geometry().segment_of(d.base.end) + 9);
            d.make_segment(1, d.geometry().segment_of(d.base.end) + 9, |_| ());
            let (version, at) = (d.base.version, d.sysid_at() + 16);
            let name = d.archive_segment(&path, |b| {
                // xl_xid
                b[at + if version.since(Major::V9_3) { 4 } else { 12 }] ^= 1;
                fix_record_crc(version, &mut b[at..]);
            });
            vec![d.file("wal-segment-copies-differ", &name).byte(at as u64)]
        },
    ),
    hit(
        "wal-segment-copies-differ",
        "CRC of a record in the archive",
        |d| {
            let at = d.record_before_end(2);
            let byte = d.geometry().segment_offset(at);
            let crc = byte as usize + crc_at(d.base.version);
            let name = d.archive_segment(&d.segment_at(at), |b| b[crc] ^= 1);
            vec![d.file("wal-segment-copies-differ", &name).byte(byte)]
        },
    )
    .crash(),
    near_miss(
        "wal-segment-copies-differ",
        "archived before the segment was full",
        |d| {
            let at = d.record_before_end(2);
            let byte = d.geometry().segment_offset(at) as usize;
            d.archive_segment(&d.segment_at(at), |b| b[byte..].fill(0));
            vec![]
        },
    )
    .crash(),
    near_miss(
        "wal-segment-copies-differ",
        "archived when the segment before it filled the file's rear",
        |d| {
            let at = d.record_before_end(2);
            let page = d.geometry().page_start(at);
            let (byte, size) = (
                d.geometry().segment_offset(page) as usize,
                d.geometry().segment_size,
            );
            let (version, page_size) = (d.base.version, d.geometry().page_size as usize);
            d.archive_segment(&d.segment_at(at), |b| {
                for (n, old) in b[byte..].chunks_mut(page_size).enumerate() {
                    let lsn = page.0 + (n * page_size) as u64 - size;
                    let (high, low) = ((lsn >> 32) as u32, lsn as u32);
                    let words = if version.since(Major::V9_3) {
                        (low, high)
                    } else {
                        (high, low)
                    };
                    set_u32(old, 8, words.0);
                    set_u32(old, 12, words.1);
                }
            });
            vec![]
        },
    )
    .crash(),
    hit(
        "wal-archive-incomplete",
        "a segment between the archive and the WAL folder missing",
        |d| {
            let first = d.first_segment();
            d.make_early_segment(first - 2);
            d.archive_segment(&d.segment(1, first - 2), |_| ());
            d.remove(&d.segment(1, first - 2));
            vec![d.file("wal-archive-incomplete", &d.segment(1, first - 1))]
        },
    ),
    hit(
        "wal-archive-incomplete",
        "a segment that counts as archived",
        |d| {
            let end = d.geometry().segment_of(d.base.end);
            let path = d.segment(1, end);
            d.archive_status(path.rsplit('/').next().unwrap(), "done");
            fs::create_dir_all(d.archive()).unwrap();
            fs::write(d.archive().join("archive_command.log"), b"").unwrap();
            vec![d.file("wal-archive-incomplete", &path)]
        },
    ),
    near_miss(
        "wal-archive-incomplete",
        "the archive right before the WAL folder, and a segment archived as noted",
        |d| {
            let first = d.first_segment();
            d.make_early_segment(first - 1);
            d.archive_segment(&d.segment(1, first - 1), |_| ());
            d.remove(&d.segment(1, first - 1));
            let path = d.segment(1, d.geometry().segment_of(d.base.end));
            let name = d.archive_segment(&path, |_| ());
            d.archive_status(&name, "done");
            // The record that was made is not the one before the next segment's first.
            d.allowed.push("wal-record-damaged");
            vec![]
        },
    ),
    hit("wal-archiving-behind", "eight segments wait", |d| {
        for segno in 1..9 {
            d.archive_status(&d.geometry().name(1, segno).to_string(), "ready");
        }
        d.message = Some("8 files wait to be archived, 00000001");
        let directory = format!("{}/archive_status", d.base.version.wal_dir());
        vec![d.file("wal-archiving-behind", &directory)]
    }),
    near_miss(
        "wal-archiving-behind",
        "seven segments wait, and eight are done",
        |d| {
            for segno in 1..16 {
                let status = if segno < 8 { "ready" } else { "done" };
                d.archive_status(&d.geometry().name(1, segno).to_string(), status);
            }
            vec![]
        },
    ),
    hit(
        "archive-status-orphaned",
        "a segment waits that is not there",
        |d| {
            let path = d.archive_status("000000010000000000000001", "ready");
            vec![d.file("archive-status-orphaned", &path)]
        },
    ),
    near_miss(
        "archive-status-orphaned",
        "a segment waits that is there, and one that is not is done",
        |d| {
            d.archive_status("000000010000000000000001", "done");
            let path = d.segment(1, d.geometry().segment_of(d.base.end));
            d.archive_status(path.rsplit('/').next().unwrap(), "ready");
            vec![]
        },
    ),
    hit("wal-temporary-file", "xlogtemp of a killed server", |d| {
        let path = format!("{}/xlogtemp.4711", d.base.version.wal_dir());
        d.write(&path, &[0; 8192]);
        vec![d.file("wal-temporary-file", &path)]
    }),
    near_miss(
        "wal-temporary-file",
        "the name outside the WAL folder",
        |d| {
            d.write("xlogtemp.4711", &[0; 8192]);
            vec![]
        },
    ),
];

static CATALOGS: &[Row] = &[
    hit("catalog-rows-disagree", "row of a column gone", |d| {
        let (block, offnum, _) = d.attribute("ziplog", 2);
        d.line_pointer("pg_attribute", block, offnum, |_| (0, 0, 0));
        d.message = Some(" columns are not in pg_attribute, the first of them number 2");
        d.server_error = Some(if d.is_since(Major::V14) {
            "pg_attribute catalog is missing 1 attribute(s) for relation OID "
        } else {
            "catalog is missing 1 attribute(s) for relid "
        });
        vec![d.file(CATALOG_ROWS, &d.relation("ziplog"))]
    }),
    hit(
        "catalog-rows-disagree",
        "row of a catalog's column gone, crashed",
        |d| {
            // On a page that replay leaves alone.
            let (block, offnum, _) = d.attribute("pg_description", 2);
            d.line_pointer("pg_attribute", block, offnum, |_| (0, 0, 0));
            d.server_error = Some("");
            vec![d.file(CATALOG_ROWS, &d.relation("pg_description"))]
        },
    )
    .crash(),
    hit("catalog-rows-disagree", "number of a column changed", |d| {
        let (block, offnum, at) = d.attribute("ziplog", 2);
        d.tuple("pg_attribute", block, offnum, |t| set_u16(t, at.attnum, 1));
        d.message = Some("pg_attribute has two rows of column 1");
        d.server_error = Some("");
        vec![d.file(CATALOG_ROWS, &d.relation("ziplog"))]
    }),
    hit("catalog-rows-disagree", "column beyond relnatts", |d| {
        let (block, offnum, at) = d.attribute("ziplog", 2);
        d.tuple("pg_attribute", block, offnum, |t| set_u16(t, at.attnum, 99));
        d.message = Some("pg_attribute has a column 99, more than relnatts");
        d.server_error = Some("");
        let found = d.file(CATALOG_ROWS, &d.relation("ziplog"));
        vec![found.clone().severity(Severity::Abnormal), found]
    }),
    hit("catalog-rows-disagree", "column of no length", |d| {
        let (block, offnum, at) = d.attribute("ziplog", 2);
        d.tuple("pg_attribute", block, offnum, |t| set_u16(t, at.attlen, 0));
        d.message = Some("column 2 is 0 bytes long");
        d.server_error = Some("");
        vec![d.file(CATALOG_ROWS, &d.relation("ziplog"))]
    }),
    hit(
        "catalog-rows-disagree",
        "column of a type that is gone",
        |d| {
            let (block, offnum, at) = d.attribute("ziplog", 2);
            d.tuple("pg_attribute", block, offnum, |t| {
                set_u32(t, at.atttypid, 99_999)
            });
            d.server_error = Some("cache lookup failed for type 99999");
            vec![d.file(CATALOG_ROWS, &d.relation("ziplog"))]
        },
    ),
    hit("catalog-rows-disagree", "row of an index gone", |d| {
        let (block, offnum, _) = d.class("ziplog_addr");
        d.line_pointer("pg_class", block, offnum, |_| (0, 0, 0));
        d.allowed.push("orphaned-relation-file");
        d.server_error = Some("");
        let columns = d.file(CATALOG_ROWS, &d.relation("pg_attribute"));
        vec![
            columns.severity(Severity::Abnormal),
            d.file(CATALOG_ROWS, &d.relation("ziplog")),
        ]
    }),
    hit("catalog-rows-disagree", "an index that is none", |d| {
        let (_, _, class) = d.class("ziplog_addr");
        let (block, offnum, _) = d.live_row("pg_index", |layout, header, tuple| {
            PgIndex::parse(layout, header, tuple).filter(|row| row.indexrelid == class.oid)
        });
        d.line_pointer("pg_index", block, offnum, |_| (0, 0, 0));
        d.message = Some("it has no row in pg_index");
        vec![d.file(CATALOG_ROWS, &d.relation("ziplog_addr"))]
    }),
    hit("catalog-rows-disagree", "an index of no table", |d| {
        let (_, _, class) = d.class("ziplog_addr");
        let (block, offnum, _) = d.live_row("pg_index", |layout, header, tuple| {
            PgIndex::parse(layout, header, tuple).filter(|row| row.indexrelid == class.oid)
        });
        d.tuple("pg_index", block, offnum, |t| {
            let at = usize::from(t[T_HOFF]) + 4;
            set_u32(t, at, 99_999);
        });
        d.message = Some("the table 99999 that it is of is not in pg_class");
        vec![d.file(CATALOG_ROWS, &d.relation("ziplog_addr"))]
    }),
    hit("catalog-rows-disagree", "schema that is gone", |d| {
        d.edit_class("ziplog", |class| class.relnamespace, 99_999);
        d.message = Some("its schema 99999 is not in pg_namespace");
        d.server_error = Some("");
        vec![d.file(CATALOG_ROWS, &d.relation("ziplog"))]
    }),
    hit("catalog-rows-disagree", "TOAST table that is gone", |d| {
        d.edit_class("toasty", |class| class.reltoastrelid, 99_999);
        d.server_error = Some("");
        let toast = d.file(CATALOG_ROWS, &d.relation(&d.toast()));
        vec![
            toast.severity(Severity::Abnormal),
            d.file(CATALOG_ROWS, &d.relation("toasty")),
        ]
    }),
    hit("catalog-rows-disagree", "two tables of one name", |d| {
        let (block, offnum, docs) = d.class("docs");
        let (_, _, ziplog) = d.class("ziplog");
        let at = if d.is_since(Major::V12) { 4 } else { 0 };
        d.tuple("pg_class", block, offnum, |t| {
            let at = usize::from(t[T_HOFF]) + at;
            t[at..at + 6].copy_from_slice(b"ziplog");
        });
        d.message = Some(" has the same name and schema");
        let later = if docs.oid > ziplog.oid {
            "docs"
        } else {
            "ziplog"
        };
        vec![d.file(CATALOG_ROWS, &d.relation(later))]
    }),
    hit("catalog-rows-disagree", "row of a table twice", |d| {
        let (block, offnum, _) = d.class("docs");
        let (off, _, len) = d.item("pg_class", block, offnum);
        let at = block as usize * BLCKSZ + off as usize;
        let row = d.read(&d.relation("pg_class"))[at..at + len as usize].to_vec();
        let (block, offnum, _) = d.class("geo");
        let (_, _, room) = d.item("pg_class", block, offnum);
        assert!(room >= len, "no room");
        d.line_pointer("pg_class", block, offnum, |(off, flags, _)| {
            (off, flags, len)
        });
        d.tuple("pg_class", block, offnum, |t| {
            t.copy_from_slice(&row);
            set_u32(t, T_CTID, block << 16);
            set_u16(t, T_CTID + 4, offnum);
        });
        d.allowed.push("orphaned-relation-file");
        d.message = Some("pg_class has two rows of it");
        d.anywhere(CATALOG_ROWS);
        vec![]
    }),
    hit("catalog-rows-disagree", "no table of a TOAST table", |d| {
        let (_, _, toast) = d.class(&d.toast());
        assert!(toast.oid > 0);
        d.edit_class("toasty", |class| class.reltoastrelid, 0);
        d.allowed
            .extend(["tuple-data-invalid", "toast-value-incomplete"]);
        d.message = Some("no table has it as its TOAST table");
        let found = d.file(CATALOG_ROWS, &d.relation(&d.toast()));
        vec![found.severity(Severity::Abnormal)]
    }),
    hit(
        "catalog-rows-disagree",
        "tablespace of a view that is gone",
        |d| {
            let (block, offnum, _) = d.class("pg_tables");
            let at = if d.is_since(Major::V12) { 92 } else { 88 };
            d.catalog_u32("pg_class", (block, offnum), at, 99_999);
            d.every_database = true;
            d.message = Some("its tablespace 99999 is not in pg_tablespace");
            let found = d.file(CATALOG_ROWS, &d.relation("pg_class"));
            vec![found.severity(Severity::Abnormal)]
        },
    ),
    hit(
        "catalog-rows-disagree",
        "tablespace of a database that is gone",
        |d| {
            let (block, offnum) = d.database("reports");
            let at = match d.base.version.major {
                Major::V9_0 | Major::V9_1 | Major::V9_2 => 216,
                major if major < Major::V12 => 220,
                major if major < Major::V15 => 224,
                _ => 92,
            };
            d.catalog_u32("pg_database", (block, offnum), at, 99_999);
            d.every_database = true;
            // Where its files should be there are none.
            d.anywhere(CATALOG_ROWS);
            d.message = Some("is not in pg_tablespace");
            vec![]
        },
    ),
    hit("catalog-rows-disagree", "access method that is gone", |d| {
        d.edit_class("ziplog_addr", |class| class.relam, 99_999);
        d.server_error = Some("cache lookup failed for access method 99999");
        vec![d.file(CATALOG_ROWS, &d.relation("ziplog_addr"))]
    }),
    hit("catalog-rows-disagree", "row type that is gone", |d| {
        d.edit_class("ziplog", |class| class.reltype, 99_999);
        d.message = Some("its reltype 99999 is not in pg_type");
        d.server_error = Some("");
        vec![d.file(CATALOG_ROWS, &d.relation("ziplog"))]
    }),
    hit("catalog-rows-disagree", "owner that is no role", |d| {
        d.edit_class("ziplog", |class| class.relowner, 99_999);
        d.every_database = true;
        d.message = Some("its relowner 99999 is not in pg_authid");
        let found = d.file(CATALOG_ROWS, &d.relation("ziplog"));
        vec![if d.is_since(Major::V15) {
            found
        } else {
            found.severity(Severity::Abnormal)
        }]
    }),
    hit(
        "catalog-rows-disagree",
        "owner of a schema that is no role",
        |d| {
            let (block, offnum, _) = d.live_row("pg_namespace", |layout, header, tuple| {
                let row = PgNamed::parse(layout, header, tuple).ok();
                row.filter(|row| row.name == "public")
            });
            let at = if d.is_since(Major::V12) { 68 } else { 64 };
            d.catalog_u32("pg_namespace", (block, offnum), at, 99_999);
            d.every_database = true;
            d.message = Some("the nspowner 99999 of schema public is not in pg_authid");
            let found = d.file(CATALOG_ROWS, &d.relation("pg_namespace"));
            vec![if d.is_since(Major::V15) {
                found
            } else {
                found.severity(Severity::Abnormal)
            }]
        },
    ),
    hit(
        "catalog-rows-disagree",
        "CHECK constraint that is gone",
        |d| {
            let (block, offnum, class) = d.class("ziplog");
            d.tuple("pg_class", block, offnum, |t| {
                let natts = class.relnatts.to_le_bytes();
                let behind = [b'r', natts[0], natts[1], 0, 0];
                let at = t.windows(5).position(|w| w == behind).unwrap();
                t[at + 3] = 2;
            });
            d.message = Some("relchecks is 2, and pg_constraint has 0 CHECK constraints of it");
            d.server_error = Some(if d.is_since(Major::V14) {
                ""
            } else {
                "2 constraint record(s) missing for rel ziplog"
            });
            vec![d.file(CATALOG_ROWS, &d.relation("ziplog"))]
        },
    ),
    hit("catalog-rows-disagree", "default that is gone", |d| {
        let (block, offnum, at) = d.attribute("ziplog", 2);
        d.tuple("pg_attribute", block, offnum, |t| t[at.atthasdef] = 1);
        d.message = Some("is not in pg_attrdef");
        vec![d.file(CATALOG_ROWS, &d.relation("ziplog"))]
    }),
    hit(
        "catalog-rows-disagree",
        "default of a column without one",
        |d| {
            let (_, _, default) = d.live_row("pg_attrdef", |layout, header, tuple| {
                PgAttrdef::parse(layout, header, tuple).ok()
            });
            let table = d.class_of(default.adrelid);
            let (block, offnum, at) = d.attribute(&table, default.adnum);
            d.tuple("pg_attribute", block, offnum, |t| t[at.atthasdef] = 0);
            d.message = Some("which has none by atthasdef");
            d.anywhere(CATALOG_ROWS);
            vec![]
        },
    ),
    hit("catalog-rows-disagree", "collation that is gone", |d| {
        let (block, offnum, at) = d.attribute("pg_description", 4);
        d.tuple("pg_attribute", block, offnum, |t| {
            set_u32(t, at.attcollation, 99_999)
        });
        d.message = Some("the attcollation 99999 of column 4, description, is not in pg_collation");
        vec![d.file(CATALOG_ROWS, &d.relation("pg_description"))]
    })
    .since(Major::V9_1),
    hit(
        "catalog-rows-disagree",
        "operator class that is gone",
        |d| {
            let (block, offnum, keys) = d.index("ziplog_addr");
            let class = keys.indclass[0].to_le_bytes();
            d.tuple("pg_index", block, offnum, |t| {
                let from = usize::from(t[T_HOFF]) + 20;
                let at = t[from..].windows(4).position(|w| w == class).unwrap();
                set_u32(t, from + at, 99_999);
            });
            d.server_error = Some("could not find tuple for opclass 99999");
            vec![d.file(CATALOG_ROWS, &d.relation("ziplog_addr"))]
        },
    ),
    hit(
        "catalog-rows-disagree",
        "index on a column that is not there",
        |d| {
            let (block, offnum, keys) = d.index("ziplog_addr");
            let key = keys.indkey[0].to_le_bytes();
            d.tuple("pg_index", block, offnum, |t| {
                let from = usize::from(t[T_HOFF]) + 44;
                let at = t[from..].windows(2).position(|w| w == key).unwrap();
                set_u16(t, from + at, 99);
            });
            d.message = Some("it is on column 99, which its table does not have");
            d.server_error = Some("");
            vec![d.file(CATALOG_ROWS, &d.relation("ziplog_addr"))]
        },
    ),
    hit("catalog-rows-disagree", "view without its rule", |d| {
        let (_, _, view) = d.class("pg_tables");
        let (block, offnum, _) = d.live_row("pg_rewrite", |layout, header, tuple| {
            let row = PgRewrite::parse(layout, header, tuple).ok();
            row.filter(|row| row.ev_class == view.oid)
        });
        d.line_pointer("pg_rewrite", block, offnum, |_| (0, 0, 0));
        d.message = Some("the rule that makes it a view is not in pg_rewrite");
        vec![d.file(CATALOG_ROWS, &d.relation("pg_class"))]
    }),
    hit("catalog-rows-disagree", "parent that is gone", |d| {
        let (block, offnum, row) = d.live_row("pg_inherits", |layout, header, tuple| {
            PgInherits::parse(layout, header, tuple).ok()
        });
        d.catalog_u32("pg_inherits", (block, offnum), 4, 99_999);
        d.message = Some("its inhparent 99999 is not in pg_class");
        let child = d.class_of(row.inhrelid);
        vec![d.file(CATALOG_ROWS, &d.relation(&child))]
    }),
    hit(
        "catalog-rows-disagree",
        "output function that is gone",
        |d| {
            let (block, offnum, _) = d.live_row("pg_type", |layout, header, tuple| {
                let row = PgType::parse(layout, header, tuple).ok();
                row.filter(|row| row.oid == 600)
            });
            let at = match d.base.version.major {
                major if major < Major::V12 => 96,
                major if major < Major::V14 => 100,
                _ => 104,
            };
            d.catalog_u32("pg_type", (block, offnum), at, 99_999);
            d.message = Some("the typoutput 99999 of type 600 is not in pg_proc");
            vec![d.file(CATALOG_ROWS, &d.relation("pg_type"))]
        },
    ),
    hit("catalog-rows-disagree", "row of a sequence gone", |d| {
        let (block, offnum, row) = d.sequence();
        d.line_pointer("pg_sequence", block, offnum, |_| (0, 0, 0));
        d.server_error = Some("cache lookup failed for sequence ");
        vec![d.file(CATALOG_ROWS, &d.relation(&d.class_of(row.seqrelid)))]
    })
    .since(Major::V10),
    hit("catalog-rows-disagree", "sequence that stands still", |d| {
        let (block, offnum, row) = d.sequence();
        d.catalog_u32("pg_sequence", (block, offnum), 16, 0);
        d.catalog_u32("pg_sequence", (block, offnum), 20, 0);
        d.message = Some("pg_sequence has an increment of 0");
        vec![d.file(CATALOG_ROWS, &d.relation(&d.class_of(row.seqrelid)))]
    })
    .since(Major::V10),
    near_miss(
        "catalog-rows-disagree",
        "another owner, row type and step",
        |d| {
            let (_, _, docs) = d.class("docs");
            d.edit_class("ziplog", |class| class.reltype, docs.reltype);
            d.every_database = true;
            if d.is_since(Major::V10) {
                let (block, offnum, _) = d.sequence();
                d.catalog_u32("pg_sequence", (block, offnum), 16, 7);
            }
            vec![]
        },
    ),
    near_miss(
        "catalog-rows-disagree",
        "an access method that is gone, and a page of pg_am that cannot be read",
        |d| {
            d.edit_class("ziplog_addr", |class| class.relam, 99_999);
            d.page("pg_am", 0, |p| set_u16(p, PD_LOWER, 8190));
            vec![d.page_found("page-header-invalid", "pg_am", 0)]
        },
    ),
    near_miss(
        "catalog-rows-disagree",
        "collation of a dropped column gone",
        |d| {
            let (block, offnum, at) = d.live_row("pg_attribute", |layout, header, tuple| {
                let row = PgAttribute::parse(layout, header, tuple).ok()?;
                row.attisdropped.then(|| AttributeAt::of(layout, header))
            });
            d.tuple("pg_attribute", block, offnum, |t| {
                set_u32(t, at.attcollation, 99_999)
            });
            vec![]
        },
    )
    .since(Major::V9_1),
    hit("large-object-invalid", "row of an object gone", |d| {
        let (block, offnum, loid) = d
            .live_row("pg_largeobject_metadata", |layout, header, tuple| {
                parse_oid(layout, header, tuple).ok()
            });
        d.line_pointer("pg_largeobject_metadata", block, offnum, |_| (0, 0, 0));
        assert!(loid > 0);
        d.server_error = Some("large object ");
        d.message = Some("large object ");
        vec![d.page_found("large-object-invalid", "pg_largeobject", 0)]
    }),
    hit("large-object-invalid", "number of a page below 0", |d| {
        let (block, offnum, _) = d.live_row("pg_largeobject", |layout, header, tuple| {
            PgLargeobject::parse(layout, header, tuple).ok()
        });
        d.catalog_u32("pg_largeobject", (block, offnum), 4, u32::MAX);
        d.message = Some(" has a number below 0");
        d.server_error = Some("");
        vec![d.tuple_found("large-object-invalid", "pg_largeobject", block, offnum)]
    }),
    hit("large-object-invalid", "page with too many bytes", |d| {
        let (block, offnum, _) = d.live_row("pg_largeobject", |layout, header, tuple| {
            let row = PgLargeobject::parse(layout, header, tuple).ok();
            let hoff = usize::from(header.t_hoff);
            row.filter(|_| tuple[hoff + 8] & 3 == 2)
        });
        d.catalog_u32("pg_largeobject", (block, offnum), 12, 2049);
        d.allowed.push("compressed-data-invalid");
        d.message = Some(" has 2049 bytes, more than a page can have");
        vec![d.tuple_found("large-object-invalid", "pg_largeobject", block, offnum)]
    }),
    hit("large-object-invalid", "page twice", |d| {
        let (block, offnum, row) = d.live_row("pg_largeobject", |layout, header, tuple| {
            let row = PgLargeobject::parse(layout, header, tuple).ok();
            row.filter(|row| row.pageno == 1)
        });
        let (first, other, _) = d.live_row("pg_largeobject", |layout, header, tuple| {
            let first = PgLargeobject::parse(layout, header, tuple).ok();
            first.filter(|first| first.loid == row.loid && first.pageno == 0)
        });
        d.catalog_u32("pg_largeobject", (block, offnum), 4, 0);
        d.message = Some("page 0 of large object ");
        let (block, offnum) = (first, other).max((block, offnum));
        vec![d.tuple_found("large-object-invalid", "pg_largeobject", block, offnum)]
    }),
    near_miss(
        "large-object-invalid",
        "another page that leaves the same trace",
        |d| {
            let rows = [0, 1].map(|pageno| {
                d.live_row("pg_largeobject", |layout, header, tuple| {
                    let row = PgLargeobject::parse(layout, header, tuple).ok();
                    row.filter(|row| row.pageno == pageno)
                })
            });
            let [(_, _, first), (block, offnum, second)] = rows;
            // Under another object, with a number that is not below 0.
            let pageno_of = |loid| {
                let start = PgLargeobject {
                    loid,
                    pageno: 0,
                    size: None,
                };
                bit_of(&first).wrapping_sub(bit_of(&start)).cast_signed()
            };
            let mut others = (second.loid + 1..).filter(|loid| pageno_of(*loid) >= 0);
            let loid = others.next().unwrap();
            d.catalog_u32("pg_largeobject", (block, offnum), 0, loid);
            d.catalog_u32(
                "pg_largeobject",
                (block, offnum),
                4,
                pageno_of(loid).cast_unsigned(),
            );
            let (block, offnum, _) =
                d.live_row("pg_largeobject_metadata", |layout, header, tuple| {
                    let known = parse_oid(layout, header, tuple).ok();
                    known.filter(|known| *known != first.loid && *known != second.loid)
                });
            let before = if d.is_since(Major::V12) { 0 } else { 4 };
            d.tuple("pg_largeobject_metadata", block, offnum, |t| {
                let at = usize::from(t[T_HOFF]) - before;
                set_u32(t, at, loid);
            });
            vec![]
        },
    ),
    near_miss("large-object-invalid", "page of an object gone", |d| {
        let (block, offnum, _) = d.live_row("pg_largeobject", |layout, header, tuple| {
            PgLargeobject::parse(layout, header, tuple).ok()
        });
        d.line_pointer("pg_largeobject", block, offnum, |_| (0, 0, 0));
        vec![]
    }),
    near_miss(
        "large-object-invalid",
        "row of an object gone, on a page that cannot be read",
        |d| {
            d.page("pg_largeobject_metadata", 0, |p| set_u16(p, PD_LOWER, 8190));
            vec![d.page_found("page-header-invalid", "pg_largeobject_metadata", 0)]
        },
    ),
    near_miss(
        "catalog-rows-disagree",
        "row of a system column gone",
        |d| {
            let (block, offnum, _) = d.attribute("ziplog", -1);
            d.line_pointer("pg_attribute", block, offnum, |_| (0, 0, 0));
            vec![]
        },
    ),
    near_miss("catalog-rows-disagree", "other schema, other name", |d| {
        let (_, _, docs) = d.class("pg_class");
        d.edit_class("ziplog", |class| class.relnamespace, docs.relnamespace);
        vec![]
    }),
    near_miss(
        "catalog-rows-disagree",
        "row of a column gone, on a page from behind the end of WAL",
        |d| {
            let (block, offnum, _) = d.attribute("ziplog", 2);
            d.line_pointer("pg_attribute", block, offnum, |_| (0, 0, 0));
            let end = d.base.end;
            d.page("pg_attribute", block, |p| set_lsn(p, XLogRecPtr(end.0 + 8)));
            vec![d.page_found("page-lsn-beyond-wal", "pg_attribute", block)]
        },
    ),
    near_miss(
        "catalog-rows-disagree",
        "row of a column gone, and a page that cannot be read",
        |d| {
            let (block, offnum, _) = d.attribute("ziplog", 2);
            d.line_pointer("pg_attribute", block, offnum, |_| (0, 0, 0));
            d.page("pg_attribute", 0, |p| set_u16(p, PD_LOWER, 8190));
            vec![d.page_found("page-header-invalid", "pg_attribute", 0)]
        },
    ),
    near_miss(
        "catalog-rows-disagree",
        "row of a column whose transaction is taken for aborted",
        |d| {
            let (block, offnum, _) = d.attribute("ziplog", 2);
            d.tuple("pg_attribute", block, offnum, |t| {
                let infomask = get_u16(t, T_INFOMASK) & !XMIN_FROZEN | XMIN_INVALID;
                set_u16(t, T_INFOMASK, infomask);
            });
            d.allowed.push("hint-bit-contradicts-clog");
            vec![]
        },
    ),
];

/// Where a row of `pg_attribute` has its columns.
struct AttributeAt {
    atttypid: usize,
    attlen: usize,
    attnum: usize,
    atthasdef: usize,
    attcollation: usize,
}

impl AttributeAt {
    fn of(layout: &Layout, header: &HeapTupleHeader) -> Self {
        let hoff = usize::from(header.t_hoff);
        let (attlen, atthasdef, attcollation) = match layout.version.major {
            major if major < Major::V11 => (76, 96, 104),
            major if major < Major::V14 => (76, 96, 108),
            major if major < Major::V16 => (76, 97, 108),
            Major::V16 => (72, 91, 104),
            Major::V17 => (72, 91, 100),
            _ => (72, 87, 96),
        };
        Self {
            atttypid: hoff + 68,
            attlen: hoff + attlen,
            attnum: hoff + attlen + 2,
            atthasdef: hoff + atthasdef,
            attcollation: hoff + attcollation,
        }
    }
}

const CATALOG_ROWS: &str = "catalog-rows-disagree";

fn rows() -> impl Iterator<Item = &'static Row> {
    [
        CATALOGS, CONTROL, FILES, PAGES, TUPLES, SLRUS, COMMIT_TS, WAL, ARCHIVES,
    ]
    .into_iter()
    .flatten()
}

// ---------------------------------------------------------------------------------------------
// The tests

#[test]
fn damage_of_9_1() {
    run(Major::V9_1);
}

#[test]
fn damage_of_9_4() {
    run(Major::V9_4);
}

#[test]
fn damage_of_15() {
    run(Major::V15);
}

#[test]
fn damage_of_19() {
    run(Major::V19);
}

#[test]
fn every_check_has_a_hit_and_a_near_miss_in_three_eras() {
    for row in rows() {
        assert!(by_code(row.code).is_some(), "{} is no check", row.code);
    }
    for check in CHECKS {
        for shows in [Shows::Hit, Shows::NearMiss] {
            let eras = ERAS.iter().filter(|era| {
                rows().any(|r| r.code == check.code && r.shows == shows && r.applies_to(**era))
            });
            // What came with 9.5 is there in two of them.
            let young = [
                "tablespace-map-invalid",
                "replication-origin-invalid",
                "commit-ts-segment-missing",
            ];
            let least = if young.contains(&check.code) { 2 } else { 3 };
            assert!(
                eras.count() >= least,
                "{}: {shows:?} in fewer than {least} eras",
                check.code
            );
        }
    }
}

#[test]
fn every_probable_cause_is_told_in_three_eras() {
    for kind in PatternKind::ALL {
        let eras = ERAS.iter().filter(|era| {
            let tells = |row: &Row| row.told.is_some_and(|(told, _)| told == *kind);
            rows().any(|row| tells(row) && row.applies_to(**era))
        });
        // It takes WAL from before the redo point, which small segments leave little of.
        let least = if *kind == PatternKind::MixedTimes {
            2
        } else {
            3
        };
        assert!(eras.count() >= least, "{kind:?} in fewer than {least} eras");
    }
}

/// What the tests of amcheck and pg_visibility damage (`004_verify_heapam.pl`,
/// `001_verify_heapam.pl`, `002_corrupt_vm.pl`), and what is near to it.
const HEAP: [&str; 12] = [
    "line-pointer-invalid",
    "tuple-header-invalid",
    "update-chain-invalid",
    "xmin-out-of-range",
    "xmax-out-of-range",
    "multixact-out-of-range",
    "tuple-not-frozen",
    "tuple-data-invalid",
    "compressed-data-invalid",
    "toast-chunk-invalid",
    "toast-value-incomplete",
    "visibility-map-disagrees-with-heap",
];

/// What is laid out in other ways by version: tuples, and the records of ends of transactions.
fn is_by_version(row: &Row) -> bool {
    HEAP.contains(&row.code) || row.code == "clog-contradicts-wal"
}

#[test]
fn damage_of_tables_of_the_other_9_x() {
    for major in [
        Major::V9_0,
        Major::V9_2,
        Major::V9_3,
        Major::V9_5,
        Major::V9_6,
    ] {
        run_rows(major, &["clean"], is_by_version);
    }
}

#[test]
fn damage_of_tables_of_10_to_18() {
    let majors = [
        Major::V10,
        Major::V11,
        Major::V12,
        Major::V13,
        Major::V14,
        Major::V16,
        Major::V17,
        Major::V18,
    ];
    for major in majors {
        run_rows(major, &["clean"], is_by_version);
    }
}

fn run(era: Major) {
    run_rows(era, &["clean", "crash"], |_| true);
}

fn run_rows(era: Major, fixtures: &[&str], wanted: impl Fn(&Row) -> bool) {
    let mut failures = Vec::new();
    for fixture in fixtures {
        let base = Base::unpack(&format!("{era}-{fixture}"));
        let of_fixture = |row: &&Row| row.fixture == *fixture && row.applies_to(era);
        for row in rows().filter(of_fixture).filter(|row| wanted(row)) {
            if let Err(what) = base.try_row(row) {
                let code = row.code;
                let name = &base.name;
                failures.push(format!(
                    "{name}, {code}, {:?}: {}\n{what}",
                    row.shows, row.what
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

// ---------------------------------------------------------------------------------------------
// What is found

/// A finding as a row expects it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Found {
    code: &'static str,
    severity: Severity,
    recovery: Recovery,
    path: String,
    block: Option<u32>,
    offset_number: Option<u16>,
    byte_offset: Option<u64>,
}

impl Found {
    fn of(finding: &Finding) -> Self {
        let at = &finding.location;
        Self {
            code: finding.check.code,
            severity: finding.severity,
            recovery: finding.recovery,
            path: at.path.to_string(),
            block: at.block,
            offset_number: at.offset_number,
            byte_offset: at.byte_offset,
        }
    }

    fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    fn heals(mut self) -> Self {
        self.recovery = Recovery::Heals;
        self
    }

    fn byte(mut self, byte_offset: u64) -> Self {
        self.byte_offset = Some(byte_offset);
        self
    }
}

fn found(report: &Report) -> BTreeSet<Found> {
    report
        .findings
        .sorted()
        .into_iter()
        .map(Found::of)
        .collect()
}

// ---------------------------------------------------------------------------------------------
// Directories

/// A fixture as the server left it.
struct Base {
    name: String,
    folder: tempfile::TempDir,
    version: &'static Version,
    layout: Layout,
    control: ControlFile,
    checksums: bool,
    /// Relations of the database, by name.
    relations: BTreeMap<String, String>,
    /// The row of `pg_class` of the table that most rows damage.
    ziplog: PgClass,
    /// How the tuples of the table with long values are laid out.
    toasty: Arc<TupleDesc>,
    /// The same of other tables, by name.
    descs: BTreeMap<&'static str, Arc<TupleDesc>>,
    toasty_oid: u32,
    /// End of the last valid record.
    end: XLogRecPtr,
    /// Start of that record.
    last_record: XLogRecPtr,
    next_xid: u32,
    found: BTreeSet<Found>,
}

fn examine(pgdata: &Path, database: Option<&str>, archive: Option<PathBuf>) -> Report {
    let options = Options {
        threads: Some(1),
        wal_archives: archive.into_iter().collect(),
        database: database.map(str::to_owned),
        ..Options::default()
    };
    check(pgdata, &options, &()).unwrap()
}

struct Everybody;

impl Committed for Everybody {
    fn committed(&mut self, _: TransactionId) -> bool {
        true
    }
}

/// A table of the catalogs on disk.
fn table(pgdata: &Path, layout: &Layout, table: &str) -> CatalogRelation {
    let evidence = Evidence::open(pgdata, &[], IoMode::Pread).unwrap();
    let catalog = Catalog::read(&evidence, layout, None, &mut Everybody, &mut Vec::new());
    let mut relations = catalog.relations.into_values();
    let found = relations.find(|relation| relation.class.relname == table);
    found.unwrap()
}

impl Base {
    /// Unpacks a fixture, and asserts that it is silent as it is.
    fn unpack(name: &str) -> Self {
        let folder = unpack(name);
        let pgdata = folder.path().join("pgdata");
        let report = examine(&pgdata, None, None);
        for finding in report.findings.sorted() {
            assert!(finding.severity == Severity::Note, "{name}: {finding:?}");
        }
        assert_eq!(report.exit_status(), 0, "{name}");
        let version = Version::by_name(name.split('-').next().unwrap()).unwrap();
        let bytes = fs::read(pgdata.join("global/pg_control")).unwrap();
        let control = ControlFile::parse(version, &bytes).unwrap();
        let wal = report.wal.as_ref().unwrap();
        let relations = truth(name, "relations.csv");
        let mut lines = relations.lines();
        let column = |wanted: &str| {
            let head = relations.lines().next().unwrap();
            head.split(',').position(|column| column == wanted).unwrap()
        };
        let (database, relname, path) = (column("database"), column("relname"), column("path"));
        lines.next();
        let relations = lines
            .map(|line| line.split(',').collect::<Vec<_>>())
            .filter(|fields| fields[database] == "app")
            .map(|fields| (fields[relname].to_owned(), fields[path].to_owned()))
            .collect();
        let toasty = table(&pgdata, &control.layout(), "toasty");
        Self {
            name: name.to_owned(),
            version,
            layout: control.layout(),
            checksums: control.data_checksum_version == Some(1),
            control,
            relations,
            ziplog: table(&pgdata, &control.layout(), "ziplog").class,
            toasty: toasty.tuple_desc.unwrap(),
            descs: ["alltypes", "docs", "pg_proc"]
                .map(|name| {
                    let relation = table(&pgdata, &control.layout(), name);
                    (name, relation.tuple_desc.unwrap())
                })
                .into(),
            toasty_oid: toasty.class.oid,
            end: wal.end_lsn.unwrap(),
            last_record: wal.last_record_lsn.unwrap(),
            next_xid: wal.next_xid.xid().0,
            found: found(&report),
            folder,
        }
    }

    fn try_row(&self, row: &Row) -> Result<(), String> {
        let mut dir = Dir::of(self);
        let expected: BTreeSet<Found> = (row.edit)(&mut dir).into_iter().collect();
        let archive = Some(dir.archive()).filter(|archive| archive.is_dir());
        let database = Some(APP).filter(|_| !dir.every_database);
        let report = examine(&dir.path(""), database, archive);
        let all = found(&report);
        let mut complaints = Vec::new();
        let anywhere = dir.anywhere;
        if let Some(code) = anywhere
            && !all.iter().any(|f| f.code == code)
        {
            complaints.push(format!("  no {code}"));
        }
        let found: BTreeSet<Found> = all
            .iter()
            .filter(|f| !self.found.contains(f))
            .filter(|f| f.severity > Severity::Note || f.code == row.code)
            .filter(|f| !dir.allowed.contains(&f.code) && anywhere != Some(f.code))
            .cloned()
            .collect();
        complaints.extend(
            expected
                .difference(&found)
                .map(|f| format!("  lacks {f:?}")),
        );
        complaints.extend(found.difference(&expected).map(|f| format!("  has {f:?}")));
        if row.shows == Shows::NearMiss && expected.iter().any(|f| f.code == row.code) {
            complaints.push("  a near miss that hits".to_owned());
        }
        if row.shows == Shows::Hit
            && anywhere != Some(row.code)
            && !expected.iter().any(|f| f.code == row.code)
        {
            complaints.push("  a hit that misses".to_owned());
        }
        let lasting = |f: &Found| f.severity >= Severity::Damage && f.recovery != Recovery::Heals;
        let exit_status = u8::from(all.iter().any(lasting));
        if report.exit_status() != exit_status {
            complaints.push(format!("  exit status {}", report.exit_status()));
        }
        let startup = report.verdict.startup.as_ref();
        if let Some(outcome) = dir.outcome
            && startup.map(|s| s.outcome) != Some(outcome)
        {
            complaints.push(format!("  startup {startup:?}"));
        }
        if startup.is_some_and(|s| s.silent_loss) != dir.silent_loss {
            complaints.push(format!("  silent loss is not {}", dir.silent_loss));
        }
        let patterns = &report.verdict.patterns;
        if let Some((kind, text)) = row.told
            && !patterns
                .iter()
                .any(|p| p.kind == kind && p.summary.contains(text))
        {
            complaints.push(format!("  no {kind:?} with \"{text}\": {patterns:?}"));
        }
        if patterns.iter().any(|p| Some(p.kind) == row.not_told) {
            complaints.push(format!("  not to be told: {patterns:?}"));
        }
        if exit_status == 0 && !patterns.is_empty() {
            complaints.push(format!("  patterns without damage: {patterns:?}"));
        }
        if let Some(text) = dir.message
            && !report
                .findings
                .sorted()
                .iter()
                .any(|f| f.message.contains(text))
        {
            complaints.push(format!("  no message with \"{text}\""));
        }
        let mut errors = report
            .findings
            .sorted()
            .into_iter()
            .filter(|f| f.check.code == row.code)
            .filter_map(|f| f.server_error.as_deref());
        match dir.server_error {
            Some("") if errors.next().is_some() => complaints.push("  a server error".to_owned()),
            Some(text) if !errors.any(|error| error.contains(text)) && !text.is_empty() => {
                complaints.push(format!("  no server error with \"{text}\""));
            }
            _ => {}
        }
        if complaints.is_empty() {
            return Ok(());
        }
        let shown: Vec<String> = report
            .findings
            .sorted()
            .iter()
            .filter(|f| f.severity > Severity::Note)
            .take(5)
            .map(|f| format!("  ({}: {})", f.check.code, f.message))
            .collect();
        complaints.extend(shown);
        Err(complaints.join("\n"))
    }
}

/// How WAL says that a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Committed,
    SubCommitted,
    Aborted,
}

/// A copy of a fixture to be edited. Files are hard links to the fixture's until they are
/// written, so a copy costs next to nothing.
struct Dir<'b> {
    base: &'b Base,
    folder: tempfile::TempDir,
    /// How the next start must end.
    outcome: Option<Outcome>,
    /// Whether the start must lose something without a word.
    silent_loss: bool,
    /// Whether to look at the others, too.
    every_database: bool,
    /// Part of a message that must be there.
    message: Option<&'static str>,
    /// A code that must be there, wherever.
    anywhere: Option<&'static str>,
    /// Codes that may be there besides.
    allowed: Vec<&'static str>,
    /// What the `server_error` of some finding of the row's code must contain; empty when none
    /// of them must have one.
    server_error: Option<&'static str>,
    /// Folders that must be opened before they can be removed.
    closed: Vec<PathBuf>,
}

impl Drop for Dir<'_> {
    fn drop(&mut self) {
        for path in &self.closed {
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
        }
    }
}

impl<'b> Dir<'b> {
    fn of(base: &'b Base) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(base.folder.path()).unwrap() {
            let name = entry.unwrap().file_name();
            let (from, to) = (base.folder.path().join(&name), folder.path().join(&name));
            if name == "pgdata" {
                link_tree(&from, &to);
            } else {
                symlink(from, to).unwrap();
            }
        }
        Self {
            base,
            folder,
            outcome: None,
            silent_loss: false,
            every_database: false,
            message: None,
            anywhere: None,
            allowed: Vec::new(),
            server_error: None,
            closed: Vec::new(),
        }
    }

    fn is(&self, major: Major) -> bool {
        self.base.version.major == major
    }

    fn is_since(&self, major: Major) -> bool {
        self.base.version.since(major)
    }

    // Files.

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("pgdata").join(path)
    }

    /// The WAL archive, when there is one.
    fn archive(&self) -> PathBuf {
        self.folder.path().join("wal_archive")
    }

    /// Copies a segment into the WAL archive, edited; its path there is its name.
    fn archive_segment(&self, path: &str, edit: impl FnOnce(&mut [u8])) -> String {
        let mut bytes = self.read(path);
        edit(&mut bytes);
        let name = path.rsplit('/').next().unwrap().to_owned();
        fs::create_dir_all(self.archive()).unwrap();
        fs::write(self.archive().join(&name), bytes).unwrap();
        name
    }

    /// Says of the WAL file that it waits to be archived, or is.
    fn archive_status(&self, name: &str, status: &str) -> String {
        let directory = format!("{}/archive_status", self.base.version.wal_dir());
        let path = format!("{directory}/{name}.{status}");
        fs::create_dir_all(self.path(&directory)).unwrap();
        self.write(&path, b"");
        path
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn size(&self, path: &str) -> u64 {
        fs::metadata(self.path(path)).unwrap().len()
    }

    /// Writes a new file, so that the fixture's own stays as it is.
    fn write(&self, path: &str, bytes: &[u8]) {
        self.remove_if_there(path);
        fs::write(self.path(path), bytes).unwrap();
    }

    fn edit(&self, path: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.read(path);
        edit(&mut bytes);
        self.write(path, &bytes);
    }

    fn permit(&self, path: &str, mode: u32) {
        self.edit(path, |_| ());
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The same of a folder.
    fn permit_folder(&mut self, path: &str, mode: u32) {
        let path = self.path(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self.closed.push(path);
    }

    fn resize(&self, path: &str, size: u64) {
        self.edit(path, |b| b.resize(usize::try_from(size).unwrap(), 0));
    }

    /// Makes a file longer by what takes no room on the disk.
    fn stretch(&self, path: &str, size: u64) {
        self.edit(path, |_| ());
        let file = fs::OpenOptions::new().write(true).open(self.path(path));
        file.unwrap().set_len(size).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    fn remove_if_there(&self, path: &str) {
        if self.path(path).symlink_metadata().is_ok() {
            self.remove(path);
        }
    }

    /// A finding about a file, of the check's own severity.
    fn file(&self, code: &str, path: &str) -> Found {
        let check = by_code(code).unwrap();
        Found {
            code: check.code,
            severity: check.severity,
            recovery: Recovery::Persists,
            path: path.to_owned(),
            block: None,
            offset_number: None,
            byte_offset: None,
        }
    }

    /// A code that must be found at a place that the row does not tell.
    fn anywhere(&mut self, code: &'static str) {
        self.anywhere = Some(code);
    }

    // Pages and tuples.

    fn relation(&self, name: &str) -> String {
        self.base.relations[name].clone()
    }

    /// The TOAST table of the table with long values.
    fn toast(&self) -> String {
        let owner = self.base.toasty_oid;
        format!("pg_toast_{owner}")
    }

    /// The row of a catalog that a query finds: block, line pointer, and what is read of it.
    fn live_row<T>(
        &self,
        catalog: &str,
        wanted: impl Fn(&Layout, &HeapTupleHeader, &[u8]) -> Option<T>,
    ) -> (u32, u16, T) {
        let layout = &self.base.layout;
        let bytes = self.read(&self.relation(catalog));
        let mut room = HeapTuples::new(layout);
        for (block, page) in (0..).zip(bytes.chunks(BLCKSZ)) {
            let Ok(heap) = room.read(page) else { continue };
            for tuple in heap.tuples {
                let bytes = heap.bytes(tuple);
                let infomask = get_u16(bytes, T_INFOMASK);
                let aborted = infomask & XMIN_FROZEN == XMIN_INVALID;
                if infomask & XMAX_INVALID != 0
                    && !aborted
                    && let Some(row) = wanted(layout, &tuple.header, bytes)
                {
                    return (block, tuple.offnum, row);
                }
            }
        }
        panic!("no such row of {catalog}");
    }

    fn class(&self, relname: &str) -> (u32, u16, PgClass) {
        self.live_row("pg_class", |layout, header, tuple| {
            let row = PgClass::parse(layout, header, tuple).ok();
            row.filter(|row| row.relname == relname)
        })
    }

    /// Changes an object identifier in a row of `pg_class`.
    fn edit_class(&self, relname: &str, field: fn(&PgClass) -> u32, oid: u32) {
        let (block, offnum, class) = self.class(relname);
        let old = field(&class).to_le_bytes();
        self.tuple("pg_class", block, offnum, |t| {
            // Behind the name.
            let from = usize::from(t[T_HOFF]) + 64;
            let at = t[from..].windows(4).position(|w| w == old).unwrap();
            set_u32(t, from + at, oid);
        });
    }

    fn attribute(&self, relname: &str, attnum: i16) -> (u32, u16, AttributeAt) {
        let (_, _, class) = self.class(relname);
        self.live_row("pg_attribute", |layout, header, tuple| {
            let row = PgAttribute::parse(layout, header, tuple).ok()?;
            let wanted = row.attrelid == class.oid && row.attnum == attnum;
            wanted.then(|| AttributeAt::of(layout, header))
        })
    }

    /// The name of a relation.
    fn class_of(&self, oid: u32) -> String {
        let (_, _, class) = self.live_row("pg_class", |layout, header, tuple| {
            let row = PgClass::parse(layout, header, tuple).ok();
            row.filter(|row| row.oid == oid)
        });
        class.relname
    }

    fn index(&self, relname: &str) -> (u32, u16, IndexKeys) {
        let (_, _, class) = self.class(relname);
        self.live_row("pg_index", |layout, header, tuple| {
            let row = IndexKeys::parse(layout, header, tuple).ok();
            row.filter(|row| row.index.indexrelid == class.oid)
        })
    }

    /// Some sequence that was never altered.
    fn sequence(&self) -> (u32, u16, PgSequence) {
        self.live_row("pg_sequence", |layout, header, tuple| {
            let row = PgSequence::parse(layout, header, tuple).ok();
            row.filter(|_| get_u16(tuple, T_INFOMASK) & UPDATED == 0)
        })
    }

    fn database(&self, datname: &str) -> (u32, u16) {
        let (block, offnum, _) = self.live_row("pg_database", |layout, header, tuple| {
            let row = PgDatabase::parse(layout, header, tuple).ok();
            row.filter(|row| row.datname == datname)
        });
        (block, offnum)
    }

    /// Sets a column of a catalog's row that is of fixed place.
    fn catalog_u32(&self, catalog: &str, (block, offnum): (u32, u16), at: usize, value: u32) {
        self.tuple(catalog, block, offnum, |t| {
            let at = usize::from(t[T_HOFF]) + at;
            set_u32(t, at, value);
        });
    }

    fn blocks(&self, relation: &str) -> u32 {
        u32::try_from(self.size(&self.relation(relation)) / BLCKSZ as u64).unwrap()
    }

    /// Edits a page, and leaves its checksum as it is.
    fn raw_page(&self, relation: &str, blkno: u32, edit: impl FnOnce(&mut [u8])) {
        let at = blkno as usize * BLCKSZ;
        self.edit(&self.relation(relation), |b| edit(&mut b[at..at + BLCKSZ]));
    }

    /// Edits a page, and makes its checksum fit.
    fn page(&self, relation: &str, blkno: u32, edit: impl FnOnce(&mut [u8])) {
        self.raw_page(relation, blkno, |page| {
            edit(page);
            self.fix_checksum(page, blkno);
        });
    }

    /// Leaves of the last block the beginning as it was before rows were added; its number.
    fn tear(&self, relation: &str) -> u32 {
        let last = self.blocks(relation) - 1;
        self.raw_page(relation, last, |page| {
            let mut old = without_last_rows(page, 20);
            self.fix_checksum(&mut old, last);
            page[..1024].copy_from_slice(&old[..1024]);
        });
        last
    }

    /// Edits every page of the database that is not zero, and leaves its checksum as it is.
    fn every_page(&self, edit: impl Fn(&mut [u8])) {
        let folder = format!("base/{APP}");
        for entry in fs::read_dir(self.path(&folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                self.edit(&format!("{folder}/{name}"), |b| {
                    let pages = b.chunks_exact_mut(BLCKSZ);
                    pages
                        .filter(|page| page.iter().any(|b| *b != 0))
                        .for_each(&edit);
                });
            }
        }
    }

    /// Makes the first pages of many relations older than they may be.
    fn age_first_pages(&mut self) {
        let names = [
            "accounts",
            "accounts_pkey",
            "ziplog",
            "ziplog_addr",
            "docs",
            "docs_pkey",
            "geo",
            "locks_t",
            "trunc_t_pkey",
            "late_t",
        ];
        for name in names {
            self.page(name, 0, |p| set_lsn(p, XLogRecPtr(8)));
        }
        self.anywhere("lost-write");
    }

    /// Puts a page of each of two tables behind the end of WAL.
    fn pages_beyond(&self, end: XLogRecPtr) -> Vec<Found> {
        let tables = ["docs", "frozen_t"];
        for table in tables {
            self.page(table, 0, |p| set_lsn(p, XLogRecPtr(end.0 + 8)));
        }
        tables
            .map(|table| self.page_found("page-lsn-beyond-wal", table, 0))
            .into()
    }

    /// Sets the bit of a heap block in the visibility map.
    fn call_all_visible(&self, relation: &str, block: u32) {
        let path = format!("{}_vm", self.relation(relation));
        let bits = if self.is_since(Major::V9_6) { 2 } else { 1 };
        self.edit(&path, |bytes| {
            let page = &mut bytes[..BLCKSZ];
            page[24 + (block * bits / 8) as usize] |= 1 << (block * bits % 8);
            self.fix_checksum(page, 0);
        });
    }

    /// Edits a page of the free space map, and makes its checksum fit.
    fn map_page(&self, relation: &str, blkno: u32, edit: impl FnOnce(&mut [u8])) {
        let at = blkno as usize * BLCKSZ;
        self.edit(&format!("{}_fsm", self.relation(relation)), |b| {
            let page = &mut b[at..at + BLCKSZ];
            edit(page);
            self.fix_checksum(page, blkno);
        });
    }

    fn fsm_found(&self, relation: &str, blkno: u32) -> Found {
        let path = format!("{}_fsm", self.relation(relation));
        let found = Found {
            block: Some(blkno),
            ..self.file("free-space-map-wrong", &path)
        };
        found.byte(u64::from(blkno) * BLCKSZ as u64)
    }

    fn zero_page(&self, relation: &str, blkno: u32) {
        self.raw_page(relation, blkno, |page| page.fill(0));
    }

    fn fix_checksum(&self, page: &mut [u8], blkno: u32) {
        if self.base.checksums {
            set_u16(page, PD_CHECKSUM, page_checksum(page, blkno));
        }
    }

    /// A line pointer: lp_off, lp_flags, lp_len.
    fn item(&self, relation: &str, blkno: u32, offnum: u16) -> (u32, u32, u32) {
        let at = blkno as usize * BLCKSZ + item_at(offnum);
        let item = get_u32(&self.read(&self.relation(relation)), at);
        (item & 0x7FFF, item >> 15 & 3, item >> 17)
    }

    fn line_pointer(
        &self,
        relation: &str,
        blkno: u32,
        offnum: u16,
        edit: impl FnOnce((u32, u32, u32)) -> (u32, u32, u32),
    ) {
        let (off, flags, len) = edit(self.item(relation, blkno, offnum));
        self.page(relation, blkno, |p| {
            set_u32(p, item_at(offnum), off | flags << 15 | len << 17);
        });
    }

    fn tuple(&self, relation: &str, blkno: u32, offnum: u16, edit: impl FnOnce(&mut [u8])) {
        let (off, flags, len) = self.item(relation, blkno, offnum);
        assert_eq!(flags, 1, "a normal line pointer");
        self.page(relation, blkno, |p| {
            edit(&mut p[off as usize..(off + len) as usize])
        });
    }

    /// Makes a tuple the result of a HOT update.
    fn heap_only(&self, relation: &str, blkno: u32, offnum: u16) {
        self.tuple(relation, blkno, offnum, |t| {
            set(t, T_INFOMASK2, HEAP_ONLY);
            set(t, T_INFOMASK, UPDATED);
        });
    }

    /// Makes a transaction's HOT update of one tuple.
    fn hot_updated_by(&self, relation: &str, blkno: u32, offnum: u16, xid: u32, next: u16) {
        self.tuple(relation, blkno, offnum, |t| {
            deleted_by(t, xid, 0);
            set(t, T_INFOMASK2, HOT_UPDATED);
            set_u16(t, T_CTID + 4, next);
        });
    }

    /// Makes one tuple the older version of another, by an update that is taken for aborted.
    fn updated(&mut self, relation: &str, blkno: u32, offnum: u16, next: u16) {
        self.allowed.push("hint-bit-contradicts-clog");
        let mut xmin = 0;
        self.tuple(relation, blkno, next, |t| xmin = get_u32(t, T_XMIN));
        self.tuple(relation, blkno, offnum, |t| {
            set_u32(t, T_XMAX, xmin);
            set_u16(t, T_CTID + 4, next);
        });
    }

    fn tuple_without_nulls(&self, relation: &str, blkno: u32) -> u16 {
        let page = &self.read(&self.relation(relation))[blkno as usize * BLCKSZ..];
        (1..80)
            .find(|offnum| {
                let (off, _, _) = self.item(relation, blkno, *offnum);
                get_u16(page, off as usize + T_INFOMASK) & 1 == 0
            })
            .unwrap()
    }

    /// The first tuple of `toasty` with a value stored as wanted, and where in the tuple.
    fn stored(&self, wanted: impl Fn(&Stored<'_>) -> bool) -> (u16, usize) {
        let bytes = self.read(&self.relation("toasty"));
        let mut room = HeapTuples::new(&self.base.layout);
        let heap = room.read(&bytes[..BLCKSZ]).unwrap();
        for tuple in heap.tuples {
            let bytes = heap.bytes(tuple);
            let mut found = None;
            let walked = self.base.toasty.walk(&tuple.header, bytes, |_, stored| {
                if found.is_none() && wanted(&stored) {
                    found = Some(match stored {
                        Stored::Compressed(value) => {
                            value.as_ptr() as usize - bytes.as_ptr() as usize
                        }
                        Stored::External(pointer) => {
                            let head = [&[1, 18], &pointer.va_rawsize.to_le_bytes()[..]].concat();
                            bytes.windows(6).position(|w| w == head).unwrap()
                        }
                    });
                }
            });
            walked.unwrap();
            if let Some(at) = found {
                return (tuple.offnum, at);
            }
        }
        panic!("no such value");
    }

    /// The first value of a column that stands in its row and is as long as wanted: block, line
    /// pointer, and where in the tuple it begins.
    fn value_of(
        &self,
        table: &str,
        column: &str,
        mut wanted: impl FnMut(&[u8]) -> bool,
    ) -> (u32, u16, usize) {
        let desc = &self.base.descs[table];
        let bytes = self.read(&self.relation(table));
        let mut room = HeapTuples::new(&self.base.layout);
        for (block, page) in (0..).zip(bytes.chunks(BLCKSZ)) {
            let Ok(heap) = room.read(page) else { continue };
            for tuple in heap.tuples {
                let bytes = heap.bytes(tuple);
                let mut found = None;
                desc.values(&tuple.header, bytes, |attnum, _, value| {
                    let Value::Plain(value) = value else { return };
                    if desc.name(attnum) == Some(column) && wanted(value) {
                        found = Some(value.as_ptr() as usize - bytes.as_ptr() as usize);
                    }
                });
                let is_there = get_u16(bytes, T_INFOMASK) & XMAX_INVALID != 0;
                if let Some(at) = found.filter(|_| is_there) {
                    return (block, tuple.offnum, at);
                }
            }
        }
        panic!("no such value of {table}.{column}");
    }

    fn value(&self, table: &str, column: &str, least: usize) -> (u32, u16, usize) {
        self.value_of(table, column, |value| value.len() >= least)
    }

    /// Edits such a value of the table with all types.
    fn edit_value(&self, column: &str, least: usize, edit: impl FnOnce(&mut [u8])) -> Vec<Found> {
        self.edit_value_of(column, |value| value.len() >= least, edit)
    }

    fn edit_value_of(
        &self,
        column: &str,
        wanted: impl Fn(&[u8]) -> bool,
        edit: impl FnOnce(&mut [u8]),
    ) -> Vec<Found> {
        let len = std::cell::Cell::new(0);
        let (block, offnum, at) = self.value_of("alltypes", column, |value| {
            let is_wanted = wanted(value);
            if is_wanted {
                len.set(value.len());
            }
            is_wanted
        });
        self.tuple("alltypes", block, offnum, |t| {
            edit(&mut t[at..at + len.get()])
        });
        vec![self.tuple_found("value-invalid", "alltypes", block, offnum)]
    }

    /// The first tuple of `toasty` with a value stored out of line: its line pointer, where in
    /// it the pointer is, and the value.
    fn toast_value(&self) -> (u16, usize, ToastValue) {
        self.external(|_, _| true)
    }

    /// The same of one with such a pointer.
    fn external(
        &self,
        wanted: impl Fn(&ToastPointer, &Layout) -> bool,
    ) -> (u16, usize, ToastValue) {
        let layout = &self.base.layout;
        let (offnum, at) =
            self.stored(|s| matches!(s, Stored::External(pointer) if wanted(pointer, layout)));
        let (off, _, _) = self.item("toasty", 0, offnum);
        let bytes = self.read(&self.relation("toasty"));
        let pointer = &bytes[off as usize + at..];
        let mut extsize = get_u32(pointer, 6);
        if self.is_since(Major::V14) {
            extsize &= VARLENA_SIZE_LIMIT;
        }
        let value = ToastValue {
            value: get_u32(pointer, 10),
            extsize,
            max: max_chunk_size(layout),
        };
        (offnum, at, value)
    }

    /// Where a chunk of a value is: block and line pointer.
    fn chunk(&self, value: u32, seq: u32) -> (u32, u16) {
        let bytes = self.read(&self.relation(&self.toast()));
        let mut room = HeapTuples::new(&self.base.layout);
        for (block, page) in (0..).zip(bytes.chunks(BLCKSZ)) {
            let heap = room.read(page).unwrap();
            for tuple in heap.tuples {
                let bytes = heap.bytes(tuple);
                if get_u32(bytes, 24) == value && get_u32(bytes, 28) == seq {
                    return (block, tuple.offnum);
                }
            }
        }
        panic!("no such chunk");
    }

    fn page_found(&self, code: &str, relation: &str, blkno: u32) -> Found {
        Found {
            block: Some(blkno),
            byte_offset: Some(u64::from(blkno) * BLCKSZ as u64),
            ..self.file(code, &self.relation(relation))
        }
    }

    fn item_found(&self, code: &str, relation: &str, blkno: u32, offnum: u16) -> Found {
        let page = self.page_found(code, relation, blkno);
        Found {
            offset_number: Some(offnum),
            byte_offset: page.byte_offset.map(|at| at + item_at(offnum) as u64),
            ..page
        }
    }

    fn tuple_found(&self, code: &str, relation: &str, blkno: u32, offnum: u16) -> Found {
        let page = self.page_found(code, relation, blkno);
        let (off, _, _) = self.item(relation, blkno, offnum);
        Found {
            offset_number: Some(offnum),
            byte_offset: page.byte_offset.map(|at| at + u64::from(off)),
            ..page
        }
    }

    // Transactions.

    fn next_xid(&self) -> u32 {
        self.base.next_xid
    }

    fn relfrozenxid(&self, relation: &str) -> u32 {
        let layout = self.base.control.layout();
        table(&self.path("."), &layout, relation)
            .class
            .relfrozenxid
            .0
    }

    fn oldest_xid(&self) -> u32 {
        self.base.control.check_point_copy.oldest_xid.0
    }

    /// The bits of a tuple that several transactions locked.
    fn lockers(&self) -> u16 {
        if self.is_since(Major::V9_3) {
            XMAX_IS_MULTI | XMAX_LOCK_ONLY | XMAX_KEYSHR_LOCK
        } else {
            XMAX_IS_MULTI | XMAX_LOCK_ONLY // HEAP_XMAX_SHARED_LOCK there
        }
    }

    /// A transaction before the next one, of which the commit log says this alone, and no
    /// row but those that are edited knows.
    fn ended(&mut self, status: u8) -> u32 {
        let xid = self.next_xid() + u32::from(status);
        self.set_next_xid(self.next_xid() + 4);
        self.set_status(xid, status);
        xid
    }

    /// Where a sequence's tuple says whether its last value was given out.
    fn is_called_at(&self) -> usize {
        24 + if self.is_since(Major::V10) { 16 } else { 121 }
    }

    /// A transaction that the commit log has as aborted.
    fn aborted(&self) -> u32 {
        let log = self.read(&self.clog(0));
        let status = |xid: u32| log[xid as usize / 4] >> (xid % 4 * 2) & 3;
        let mut xids = self.oldest_xid()..self.next_xid();
        xids.rfind(|xid| status(*xid) == 2).unwrap()
    }

    fn set_status(&self, xid: u32, status: u8) {
        let (byte, shift) = (xid as usize / 4, xid % 4 * 2);
        self.edit(&self.clog(0), |b| {
            b[byte] = b[byte] & !(3 << shift) | status << shift;
        });
    }

    /// Reads the WAL of the directory.
    fn records(&self, mut each: impl FnMut(&Record<'_, '_>)) {
        let layout = self.base.layout;
        let evidence = Evidence::open(&self.path(""), &[], IoMode::Pread).unwrap();
        let wal = EvidenceWal::new(&evidence, &layout, false);
        let segments: Vec<XLogSegNo> = wal.segments().map(|(_, segno, _)| segno).collect();
        let context = WalContext {
            layout,
            system_identifier: None,
            timelines: Timelines::single(1),
        };
        dump(&context, &wal, &segments, (None, None), &mut |met| {
            if let Met::Record(record) = met {
                each(record);
            }
            ControlFlow::Continue(())
        });
    }

    /// Edits a tuple in the last page image of a table in the WAL that replay reads: one that
    /// is on disk as well. Where it is.
    fn tuple_in_image(&self, edit: impl FnOnce(&mut [u8])) -> (String, u32, u16) {
        let redo = self.base.control.check_point_copy.redo;
        let mut last = None;
        self.records(|record| {
            effects(self.base.layout, record, &mut |effect| {
                let Effect::Rebuilds {
                    image: Some(image), ..
                } = effect
                else {
                    return;
                };
                let Some((locator, blkno)) = effect.main_block() else {
                    return;
                };
                let path = relation_path(self.base.version, locator, ForkNumber::Main, 0);
                let mut tables = self.base.relations.iter();
                let table = tables.find(|(name, at)| **at == path && !name.starts_with("pg_"));
                let Some((name, _)) = table.filter(|_| record.lsn >= redo) else {
                    return;
                };
                let mut page = vec![0; BLCKSZ];
                image.restore(self.base.layout, &mut page).unwrap();
                let on_disk = self.read(&path);
                let at = blkno as usize * BLCKSZ;
                let Some(on_disk) = on_disk.get(at..at + BLCKSZ) else {
                    return;
                };
                let mut room = HeapTuples::new(&self.base.layout);
                let Ok(heap) = room.read(&page) else { return };
                if usize::from(heap.header.pd_special) != BLCKSZ {
                    return;
                }
                let same = heap.tuples.iter().find(|tuple| {
                    let item = item_at(tuple.offnum);
                    get_u32(on_disk, item) == get_u32(&page, item)
                        && tuple.lp.bytes(on_disk) == Some(heap.bytes(tuple))
                });
                // In a compressed image it is not to be found.
                if let Some(tuple) = same
                    && let bytes = heap.bytes(tuple)
                    && let Some(at) = record.bytes().windows(bytes.len()).position(|w| w == bytes)
                {
                    last = Some((
                        record.lsn,
                        record.bytes().to_vec(),
                        at..at + bytes.len(),
                        (name.clone(), blkno, tuple.offnum),
                    ));
                }
            });
        });
        let (lsn, mut record, tuple, place) = last.expect("an image of a table");
        edit(&mut record[tuple]);
        let crc = crc_of(self.base.version, &record);
        set_u32(&mut record, crc_at(self.base.version), crc);
        self.write_record(lsn, &record);
        place
    }

    /// Puts a record in the place of one as long.
    fn write_record(&self, lsn: XLogRecPtr, record: &[u8]) {
        let geometry = self.geometry();
        let mut rest = record;
        let mut at = lsn;
        while !rest.is_empty() {
            let page_end = geometry.page_start(at).0 + geometry.page_size;
            let room = usize::try_from(page_end - at.0).unwrap().min(rest.len());
            let (now, later) = rest.split_at(room);
            self.wal(at, |b| b[..room].copy_from_slice(now));
            rest = later;
            let header = match geometry.segment_offset(XLogRecPtr(page_end)) {
                0 => self.sysid_at() + 16,
                _ if self.is_since(Major::V9_3) => 24,
                _ => 16,
            };
            let continued = if self.is_since(Major::V9_3) { 0 } else { 4 };
            at = XLogRecPtr(page_end + header as u64 + continued);
        }
    }

    /// How transactions ended by the WAL of the directory, and where.
    fn ends(&self) -> Vec<(End, u32, XLogRecPtr)> {
        let mut ends = Vec::new();
        self.records(|record| {
            effects(self.base.layout, record, &mut |effect| match effect {
                Effect::Commits(end) => {
                    let subxacts = end.subxacts.iter();
                    ends.extend(subxacts.map(|xid| (End::SubCommitted, xid.0, record.lsn)));
                    ends.push((End::Committed, end.xid.0, record.lsn));
                }
                Effect::Aborts(end) => ends.push((End::Aborted, end.xid.0, record.lsn)),
                _ => {}
            });
        });
        ends
    }

    /// The last transaction that ended so before the redo point.
    fn ended_before_redo(&mut self, how: End) -> u32 {
        self.allowed.push("hint-bit-contradicts-clog");
        let redo = self.base.control.check_point_copy.redo;
        let ends = self.ends();
        let mut before = ends.iter().filter(|(_, _, lsn)| *lsn < redo);
        let (_, xid, _) = before.rfind(|(end, _, _)| *end == how).unwrap();
        *xid
    }

    fn last_record_before_redo(&self) -> XLogRecPtr {
        let redo = self.base.control.check_point_copy.redo;
        let mut last = XLogRecPtr::INVALID;
        self.records(|record| {
            if record.lsn < redo {
                last = record.lsn;
            }
        });
        last
    }

    /// A page of the first segment of the commit log, which WAL contradicts.
    fn clog_found(&self, page: u64) -> Found {
        let found = self.file("clog-contradicts-wal", &self.clog(0));
        found.byte(page * BLCKSZ as u64)
    }

    /// Where the offset of a multixact lies.
    fn offset_at(&self, multi: u32) -> u64 {
        let width = if self.is_since(Major::V19) { 8 } else { 4 };
        u64::from(multi) * width
    }

    fn offset(&self, multi: u32, offset: u64) {
        let at = self.offset_at(multi) as usize;
        let wide = self.is_since(Major::V19);
        self.edit(&self.slru(Slru::MultiXactOffset), |b| match wide {
            true => b[at..at + 8].copy_from_slice(&offset.to_le_bytes()),
            false => set_u32(b, at, u32::try_from(offset).unwrap()),
        });
    }

    /// Changes state and transaction of a member.
    fn member(&self, multi: u32, n: u32, edit: impl FnOnce(&mut u8, &mut u32)) {
        let at = self.offset_at(multi) as usize;
        let offsets = self.read(&self.slru(Slru::MultiXactOffset));
        let offset = get_u32(&offsets, at) + n;
        let group = offset as usize / 4 * 20;
        let n = offset as usize % 4;
        self.edit(&self.slru(Slru::MultiXactMember), |b| {
            let mut xid = get_u32(b, group + 4 + 4 * n);
            edit(&mut b[group + n], &mut xid);
            set_u32(b, group + 4 + 4 * n, xid);
        });
    }

    /// What is found on all rows that name a multixact.
    fn listed(&self, multi: u32) -> Vec<Found> {
        let multi = multi.to_string();
        truth(&self.base.name, "multixacts.csv")
            .lines()
            .skip(1)
            .map(|line| line.split(',').collect::<Vec<_>>())
            .filter(|fields| fields[2] == multi)
            .map(|fields| {
                let offnum = fields[4].trim_end_matches([')', '"']).parse().unwrap();
                self.tuple_found("multixact-member-invalid", "locks_t", 0, offnum)
            })
            .collect()
    }

    /// The state file of a prepared transaction.
    fn two_phase(&self, xid: u32) -> String {
        if self.is_since(Major::V17) {
            format!("pg_twophase/{xid:016X}")
        } else {
            format!("pg_twophase/{xid:08X}")
        }
    }

    fn clog(&self, segno: u64) -> String {
        format!("{}/{segno:04X}", self.base.version.xact_dir())
    }

    /// The first segment of an SLRU.
    fn slru(&self, slru: Slru) -> String {
        let layout = &self.base.layout;
        format!(
            "{}/{}",
            slru.directory(layout),
            slru.segment_name(0, layout)
        )
    }

    // pg_control and the checkpoint record.

    fn control_copy_at(&self) -> usize {
        if self.is_since(Major::V11) { 40 } else { 48 }
    }

    fn next_xid_at(&self) -> usize {
        match self.base.version.major {
            m if m >= Major::V19 => 32,
            m if m >= Major::V9_3 => 24,
            Major::V9_2 => 20,
            _ => 16,
        }
    }

    fn next_oid_at(&self) -> usize {
        self.next_xid_at() + if self.is_since(Major::V12) { 8 } else { 4 }
    }

    /// Edits `pg_control`, and makes its CRC fit.
    fn control(&self, edit: impl FnOnce(&mut [u8])) {
        let version = self.base.version;
        let crc_at = version.control_crc_at;
        self.edit("global/pg_control", |b| {
            edit(b);
            let crc = Crc::of(version).update([&b[..crc_at]]).value();
            set_u32(b, crc_at, crc);
        });
    }

    /// Edits the last checkpoint, in its record and in `pg_control`'s copy.
    fn check_point(&self, edit: impl Fn(&mut [u8])) {
        let at = self.control_copy_at();
        self.control(|b| edit(&mut b[at..]));
        let version = self.base.version;
        let header = RecordHeader::size(version);
        let payload = if version.since(Major::V9_5) {
            header + 2
        } else {
            header
        };
        self.wal(self.base.control.check_point, |b| {
            edit(&mut b[payload..]);
            fix_record_crc(version, b);
        });
    }

    fn set_next_xid(&self, xid: u32) {
        let at = self.next_xid_at();
        self.check_point(|b| set_u32(b, at, xid));
    }

    fn oldest_xid_at(&self) -> usize {
        let offset_size = if self.is_since(Major::V19) { 8 } else { 4 };
        self.next_oid_at() + 8 + offset_size
    }

    fn set_oldest_xid(&self, xid: u32) {
        let at = self.oldest_xid_at();
        self.check_point(|b| set_u32(b, at, xid));
    }

    fn set_next_multi(&self, multi: u32) {
        let at = self.next_oid_at() + 4;
        self.check_point(|b| set_u32(b, at, multi));
    }

    fn set_oldest_multi(&self, multi: u32) {
        let at = self.oldest_xid_at() + 8;
        self.check_point(|b| set_u32(b, at, multi));
    }

    fn multis_per_page(&self) -> u32 {
        Slru::MultiXactOffset.entries_per_page(&self.base.layout)
    }

    /// Makes the last checkpoint say that commit timestamps of these transactions are kept, 13
    /// and later.
    fn keep_commit_ts(&self, oldest: u32, newest: u32) {
        let track_at = if self.is_since(Major::V19) { 208 } else { 200 };
        self.control(|b| b[track_at] = 1);
        let at = (self.oldest_xid_at() + 16).next_multiple_of(8) + 8;
        self.check_point(|b| {
            set_u32(b, at, oldest);
            set_u32(b, at + 4, newest);
        });
    }

    fn label(&self) -> String {
        let control = &self.base.control;
        let segment = self.segment_at(control.check_point_copy.redo);
        format!(
            "START WAL LOCATION: {} (file {})\nCHECKPOINT LOCATION: {}\nBACKUP METHOD: \
             pg_start_backup\nSTART TIME: 2026-11-20 12:00:00 UTC\nLABEL: nightly\n",
            control.check_point_copy.redo,
            segment.rsplit_once('/').unwrap().1,
            control.check_point
        )
    }

    /// The history file of a base backup from the last checkpoint to here.
    fn backup_history(&self, stop: XLogRecPtr) {
        let redo = self.base.control.check_point_copy.redo;
        let file = |lsn| {
            let path = self.segment_at(lsn);
            path.rsplit_once('/').unwrap().1.to_owned()
        };
        let path = format!(
            "{}.{:08X}.backup",
            self.segment_at(redo),
            self.geometry().segment_offset(redo)
        );
        let stop = format!("STOP WAL LOCATION: {stop} (file {})\n", file(stop));
        let label = self.label();
        let (start, rest) = label.split_at(label.find("CHECKPOINT").unwrap());
        self.write(&path, format!("{start}{stop}{rest}").as_bytes());
    }

    // WAL.

    fn geometry(&self) -> WalGeometry {
        WalGeometry::of(&self.base.layout)
    }

    fn segment(&self, tli: TimeLineID, segno: XLogSegNo) -> String {
        format!(
            "{}/{}",
            self.base.version.wal_dir(),
            self.geometry().name(tli, segno)
        )
    }

    /// The segment on timeline 1 that holds a position.
    fn segment_at(&self, lsn: XLogRecPtr) -> String {
        self.segment(1, self.geometry().segment_of(lsn))
    }

    /// The oldest segment of the WAL folder.
    fn first_segment(&self) -> XLogSegNo {
        let names = fs::read_dir(self.path(self.base.version.wal_dir())).unwrap();
        let segments = names.filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let name = WalSegmentName::parse(&name)?;
            Some(self.geometry().segno(&name))
        });
        segments.min().unwrap()
    }

    /// Edits the WAL from a position on, up to the end of its segment.
    fn wal(&self, lsn: XLogRecPtr, edit: impl FnOnce(&mut [u8])) {
        let at = usize::try_from(self.geometry().segment_offset(lsn)).unwrap();
        self.edit(&self.segment_at(lsn), |b| edit(&mut b[at..]));
    }

    /// Makes a record on the last page, which others follow, one that was never written, but
    /// for some bytes at its end.
    fn unwritten_record(&mut self, left: usize) -> Found {
        let at = self.record_before_end(0);
        assert!(at < self.base.last_record);
        self.wal(at, |b| {
            let len = usize::try_from(get_u32(b, 0)).unwrap();
            b[len - 1] |= 1;
            b[..len - left].fill(0);
        });
        self.allowed.push("page-lsn-beyond-wal");
        let found = self.file("wal-record-damaged", &self.segment_at(at));
        found.byte(self.geometry().segment_offset(at))
    }

    /// Makes the CRC of a record wrong.
    fn break_record(&self, lsn: XLogRecPtr) {
        let at = crc_at(self.base.version);
        self.wal(lsn, |b| b[at] ^= 1);
    }

    fn remove_wal(&self) {
        let dir = self.base.version.wal_dir();
        for entry in fs::read_dir(self.path(dir)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    /// The first record that starts on a page so many pages before the end of WAL.
    fn record_before_end(&self, pages: u64) -> XLogRecPtr {
        let geometry = self.geometry();
        let page = XLogRecPtr(geometry.page_start(self.base.end).0 - pages * geometry.page_size);
        let bytes = self.read(&self.segment_at(page));
        let at = usize::try_from(geometry.segment_offset(page)).unwrap();
        let header = &bytes[at..];
        let continued = get_u16(header, 2) & 1 != 0;
        let (size, rest) = match (self.is_since(Major::V9_3), continued) {
            (true, _) => (24, get_u32(header, 16)),
            (false, true) => (16, 4 + get_u32(header, 16)),
            (false, false) => (16, 0),
        };
        let first = size + u64::from(rest).next_multiple_of(8);
        assert!(
            first + 64 < geometry.page_size,
            "a record starts on the page"
        );
        XLogRecPtr(page.0 + first)
    }

    /// `XLOG_SWITCH`, following the last record.
    fn switch_record(&self) -> Vec<u8> {
        let version = self.base.version;
        let mut record = vec![0; RecordHeader::size(version)];
        let size = u32::try_from(record.len()).unwrap();
        let (tot_len, prev, info) = match version.major {
            m if m >= Major::V9_5 => (0, 8, 16),
            m if m >= Major::V9_3 => (0, 16, 12),
            _ => (16, 4, 24),
        };
        set_u32(&mut record, tot_len, size);
        self.set_wal_lsn(&mut record, prev, self.base.last_record);
        record[info] = 0x40;
        fix_record_crc(version, &mut record);
        record
    }

    fn set_wal_lsn(&self, bytes: &mut [u8], at: usize, lsn: XLogRecPtr) {
        let (first, second) = if self.is_since(Major::V9_3) {
            (lsn.low(), lsn.high())
        } else {
            (lsn.high(), lsn.low())
        };
        set_u32(bytes, at, first);
        set_u32(bytes, at + 4, second);
    }

    /// Ends the WAL with a switch to the next segment.
    fn switch_segment(&self) {
        let record = self.switch_record();
        self.wal(self.base.end, |b| {
            b[..record.len()].copy_from_slice(&record)
        });
    }

    fn sysid_at(&self) -> usize {
        if self.is_since(Major::V9_3) { 24 } else { 16 }
    }

    /// Makes a segment with one record in it, and edits it.
    fn make_segment(&self, tli: TimeLineID, segno: XLogSegNo, edit: impl FnOnce(&mut Vec<u8>)) {
        let geometry = self.geometry();
        let header = self.sysid_at() + 16;
        let mut bytes = self.read(&self.segment_at(self.base.end))[..header].to_vec();
        set_u16(&mut bytes, 2, 2); // XLP_LONG_HEADER
        self.set_wal_lsn(&mut bytes, 8, geometry.segment_start(segno));
        if self.is_since(Major::V9_3) {
            set_u32(&mut bytes, 16, 0);
        }
        bytes.extend(self.switch_record());
        edit(&mut bytes);
        let path = self.segment(tli, segno);
        self.write(&path, &bytes);
        let file = File::options().write(true).open(self.path(&path)).unwrap();
        file.set_len(geometry.segment_size).unwrap();
    }

    /// The same before all others: its record cannot follow the last one.
    fn make_early_segment(&self, segno: XLogSegNo) {
        let version = self.base.version;
        let at = self.sysid_at() + 16;
        let prev = match version.major {
            Major::V9_0 | Major::V9_1 | Major::V9_2 => 4,
            Major::V9_3 | Major::V9_4 => 16,
            _ => 8,
        };
        let before = XLogRecPtr(self.geometry().segment_start(segno).0 - 64);
        self.make_segment(1, segno, |b| {
            self.set_wal_lsn(b, at + prev, before);
            fix_record_crc(version, &mut b[at..]);
        });
    }

    /// Leaves one segment of WAL with the last checkpoint in it, which follows no record; where
    /// that ends.
    fn reset_wal(&self) -> XLogRecPtr {
        let version = self.base.version;
        let last = self.base.control.check_point;
        let segno = self.geometry().segment_of(last) + 1;
        let header = self.sysid_at() + 16;
        let lsn = XLogRecPtr(self.geometry().segment_start(segno).0 + header as u64);
        let mut record = Vec::new();
        self.wal(last, |b| record = b[..256].to_vec());
        let length_at = if self.is_since(Major::V9_3) { 0 } else { 16 };
        record.truncate(get_u32(&record, length_at) as usize);
        let prev_at = match version.major {
            m if m >= Major::V9_5 => 8,
            m if m >= Major::V9_3 => 16,
            _ => 4,
        };
        let payload = RecordHeader::size(version) + if version.since(Major::V9_5) { 2 } else { 0 };
        record[prev_at..prev_at + 8].fill(0);
        self.set_wal_lsn(&mut record, payload, lsn);
        fix_record_crc(version, &mut record);
        let end = XLogRecPtr((lsn.0 + record.len() as u64).next_multiple_of(8));
        self.make_segment(1, segno, |b| {
            b.truncate(header);
            b.extend(record);
        });
        let path = self.segment(1, segno);
        let made = self.read(&path);
        self.remove_wal();
        self.write(&path, &made);
        let copy = self.control_copy_at();
        self.control(|b| {
            self.set_wal_lsn(b, 32, lsn);
            self.set_wal_lsn(b, copy, lsn);
        });
        end
    }

    /// Moves the last checkpoint, and the segment it lies in, to timeline 2.
    fn promote(&self) {
        let since_9_3 = self.is_since(Major::V9_3);
        self.check_point(|b| {
            set_u32(b, 8, 2);
            if since_9_3 {
                set_u32(b, 12, 2);
            }
        });
        let segno = self.geometry().segment_of(self.base.control.check_point);
        let mut bytes = self.read(&self.segment(1, segno));
        for page in bytes.chunks_exact_mut(BLCKSZ) {
            set_u32(page, 4, 2);
        }
        self.remove(&self.segment(1, segno));
        self.write(&self.segment(2, segno), &bytes);
    }

    fn history_path(&self, tli: TimeLineID) -> String {
        format!("{}/{tli:08X}.history", self.base.version.wal_dir())
    }

    /// A history of one line: the timeline `tli` was left at `lsn`.
    fn history(&self, tli: TimeLineID, lsn: XLogRecPtr) -> String {
        if self.is_since(Major::V9_3) {
            format!("{tli}\t{lsn}\tno recovery target specified\n")
        } else {
            let segment = self.segment_at(lsn);
            let segment = segment.rsplit_once('/').unwrap().1;
            format!("{tli}\t{segment}\tno recovery target specified\n")
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Bytes

fn get_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn set_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

/// Sets bits of a half-word.
fn set(bytes: &mut [u8], at: usize, bits: u16) {
    set_u16(bytes, at, get_u16(bytes, at) | bits);
}

fn set_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Makes the free space map say that a heap block is all free, with the nodes above it.
fn raise(page: &mut [u8], slot: usize) {
    let mut node = 4095 + slot;
    page[28 + node] = 255;
    while node > 0 {
        node = (node - 1) / 2;
        page[28 + node] = 255;
    }
}

/// Makes the rows of a heap page those of a transaction that committed, not frozen.
fn unfrozen(page: &mut [u8]) {
    for offnum in 1..=(get_u16(page, PD_LOWER) - 24) / 4 {
        let item = get_u32(page, item_at(offnum));
        if item >> 15 & 3 == 1 {
            let tuple = &mut page[(item & 0x7FFF) as usize..];
            let others = get_u16(tuple, T_INFOMASK) & !XMIN_FROZEN;
            set_u16(tuple, T_INFOMASK, others | XMIN_COMMITTED);
        }
    }
}

fn set_lsn(page: &mut [u8], lsn: XLogRecPtr) {
    set_u32(page, PD_LSN, lsn.high());
    set_u32(page, PD_LSN + 4, lsn.low());
}

fn item_at(offnum: u16) -> usize {
    24 + 4 * (usize::from(offnum) - 1)
}

/// Makes the tuple's first column, a text, begin with these bytes.
fn set_first_value(tuple: &mut [u8], word: u32) {
    let at = usize::from(tuple[T_HOFF]);
    set_u32(tuple, at, word);
}

fn is_pglz(stored: &Stored<'_>) -> bool {
    matches!(stored, Stored::Compressed(value) if value[7] >> 6 == 0)
}

fn is_pglz_pointer(pointer: &ToastPointer, layout: &Layout) -> bool {
    pointer.is_compressed(layout) && pointer.va_extinfo.method(layout) == 0
}

/// Where in the first chunk of a compressed value the stream begins: behind the chunk's own
/// header and the value's.
fn chunk_stream(tuple: &[u8]) -> usize {
    let data = usize::from(tuple[T_HOFF]) + 8;
    data + if tuple[data] & 1 == 1 { 5 } else { 8 }
}

/// A heap page as it was before its last rows were added.
fn without_last_rows(page: &[u8], rows: u16) -> Vec<u8> {
    let mut old = page.to_vec();
    let (lower, upper) = (get_u16(page, PD_LOWER), get_u16(page, PD_UPPER));
    let old_lower = lower - 4 * rows;
    let off = |at: u16| get_u32(page, usize::from(at)) & 0x7FFF;
    let old_upper = off(old_lower - 4);
    assert_eq!(off(lower - 4), u32::from(upper), "rows in order");
    old[usize::from(old_lower)..old_upper as usize].fill(0);
    set_u16(&mut old, PD_LOWER, old_lower);
    set_u16(&mut old, PD_UPPER, u16::try_from(old_upper).unwrap());
    old
}

/// Sets xmin, and of its hint bits those given alone.
fn inserted_by(tuple: &mut [u8], xmin: u32, hint_bits: u16) {
    set_u32(tuple, T_XMIN, xmin);
    let infomask = get_u16(tuple, T_INFOMASK) & !XMIN_FROZEN | hint_bits;
    set_u16(tuple, T_INFOMASK, infomask);
}

/// Sets xmax, and of the bits about it those given alone.
fn deleted_by(tuple: &mut [u8], xmax: u32, bits: u16) {
    set_u32(tuple, T_XMAX, xmax);
    let infomask = get_u16(tuple, T_INFOMASK) & !XMAX_BITS | bits;
    set_u16(tuple, T_INFOMASK, infomask);
}

fn crc_at(version: &Version) -> usize {
    match version.major {
        m if m >= Major::V9_5 => 20,
        m if m >= Major::V9_3 => 24,
        _ => 0,
    }
}

/// Makes the CRC of the record that `bytes` begin with fit.
fn fix_record_crc(version: &Version, bytes: &mut [u8]) {
    let length_at = if version.since(Major::V9_3) { 0 } else { 16 };
    let length = get_u32(bytes, length_at) as usize;
    assert!(length < 256 && length <= bytes.len(), "a short record");
    let crc = crc_of(version, &bytes[..length]);
    set_u32(bytes, crc_at(version), crc);
}
