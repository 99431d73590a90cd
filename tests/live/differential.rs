//! Damage of many kinds, done to copies of one crashed and one stopped cluster: what the report says of the next start
//! against what the server does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::crash::{NO_CHECKPOINTS, busy_settings};
use crate::log::Startup;
use crate::server::{Cluster, PATIENCE, Server, make_dir, write_file};
use crate::tool::{Report, check, check_path, check_with};
use crate::workload::{Checkpoints, Load, Random, create_tables};
use pgautopsy::format::crc::Crc;

/// What a damage is done to a copy of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    /// Killed under load; a prepared transaction, a slot and an origin in files.
    Crashed,
    /// The same, started again and stopped cleanly.
    Stopped,
    /// Its standby, killed while it streamed.
    Standby,
    /// Its base backup, with `backup_label` and WAL in place.
    Backup,
    /// A cluster that ran with `wal_level = minimal`.
    Minimal,
}

/// One way to damage a data directory.
struct Damage {
    name: &'static str,
    base: Base,
    since: u32,
    until: u32,
    /// Whether rows tell of a silent loss: not when nothing that is left shows that WAL is missing, or when every query
    /// fails.
    counted: bool,
    edit: fn(&Path, &Wal),
}

/// Where the WAL of the crashed cluster lies.
struct Wal {
    /// Segments from the redo point to the end of WAL.
    segments: Vec<PathBuf>,
    /// `backup_label` of the last checkpoint.
    label: String,
    /// The file of a table that replay changes.
    account: String,
}

const fn crashed(name: &'static str, edit: fn(&Path, &Wal)) -> Damage {
    Damage {
        name,
        base: Base::Crashed,
        since: 10,
        until: 18,
        counted: true,
        edit,
    }
}

const fn of(base: Base, name: &'static str, edit: fn(&Path, &Wal)) -> Damage {
    Damage {
        base,
        // With damaged relation maps no query is answered.
        counted: !matches!(base, Base::Crashed),
        ..crashed(name, edit)
    }
}

const fn stopped(name: &'static str, edit: fn(&Path, &Wal)) -> Damage {
    of(Base::Stopped, name, edit)
}

impl Damage {
    const fn since(mut self, major: u32) -> Damage {
        self.since = major;
        self
    }
}

fn remove(data: &Path, path: &str) {
    let path = data.join(path);
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

fn change(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    edit(&mut bytes);
    write_file(path, bytes);
}

fn flip(path: &Path, at: usize) {
    change(path, |bytes| bytes[at] ^= 0x10);
}

/// The newest file of a folder by its name.
fn newest(folder: PathBuf) -> PathBuf {
    let files = fs::read_dir(folder).unwrap();
    files.map(|entry| entry.unwrap().path()).max().unwrap()
}

/// The state file of the transaction that was left prepared.
fn prepared(data: &Path) -> PathBuf {
    newest(data.join("pg_twophase"))
}

const SLOT: &str = "pg_replslot/kept/state";
const ORIGINS: &str = "pg_logical/replorigin_checkpoint";

/// Puts a CRC-32C of all before it at the end.
fn sign(bytes: &mut [u8]) {
    let at = bytes.len() - 4;
    let crc = Crc::Castagnoli(0).update([&bytes[..at]]).value();
    bytes[at..].copy_from_slice(&crc.to_le_bytes());
}

fn append(path: &Path, lines: &str) {
    let mut text = fs::read_to_string(path).unwrap_or_default();
    text.push_str(lines);
    text.push('\n');
    write_file(path, text);
}

fn configure(data: &Path, lines: &str) {
    append(&data.join("postgresql.conf"), lines);
}

fn major(data: &Path) -> u32 {
    let version = fs::read_to_string(data.join("PG_VERSION")).unwrap();
    version.trim().parse().unwrap()
}

/// Asks for recovery, with these settings.
fn recover(data: &Path, lines: &str) {
    if major(data) >= 12 {
        write_file(&data.join("recovery.signal"), "");
        configure(data, lines);
    } else {
        let _ = fs::remove_file(data.join("recovery.conf"));
        append(&data.join("recovery.conf"), lines);
    }
}

/// The settings of a recovery for which no archive has anything.
const NO_ARCHIVE: &str = "restore_command = '/bin/false'";

fn recover_with(data: &Path, lines: &str) {
    recover(data, &format!("{NO_ARCHIVE}\n{lines}"));
}

/// Makes a standby one that recovers from an archive, and then ends.
fn no_standby(data: &Path) {
    let _ = fs::remove_file(data.join("standby.signal"));
    recover_with(data, "");
}

fn write_label(data: &Path, wal: &Wal, more: &str) {
    write_file(&data.join("backup_label"), format!("{}{more}", wal.label));
}

/// Removes all WAL segments but the first.
fn keep_first_segment(data: &Path) {
    for path in &segments(data)[1..] {
        fs::remove_file(path).unwrap();
    }
}

/// Moves the WAL to the folder `archive` beside the data directory, and recovers from there.
fn archive(data: &Path) {
    let archive = data.parent().unwrap().join("archive");
    make_dir(&archive);
    for path in segments(data) {
        let to = archive.join(path.file_name().unwrap());
        write_file(&to, fs::read(&path).unwrap());
        fs::remove_file(path).unwrap();
    }
    recover(
        data,
        &format!("restore_command = 'cp {}/%f \"%p\"'", archive.display()),
    );
}

fn each_database(data: &Path, edit: impl Fn(&Path)) {
    for entry in fs::read_dir(data.join("base")).unwrap() {
        let map = entry.unwrap().path().join("pg_filenode.map");
        if map.exists() {
            edit(&map);
        }
    }
}

/// Every kind of damage, a line each.
fn damages() -> Vec<Damage> {
    let mut all = vec![
        crashed("nothing", |_, _| {}),
        stopped("nothing, stopped", |_, _| {}),
        // WAL
        crashed("WAL segment in the middle missing", |_, wal| {
            fs::remove_file(&wal.segments[wal.segments.len() / 2]).unwrap();
        }),
        crashed("first WAL segment missing", |_, wal| {
            fs::remove_file(&wal.segments[0]).unwrap();
        }),
        Damage {
            counted: false,
            ..crashed("last WAL segment missing", |_, wal| {
                fs::remove_file(wal.segments.last().unwrap()).unwrap();
            })
        },
        crashed("WAL segment cut off", |_, wal| {
            let path = &wal.segments[wal.segments.len() / 2];
            change(path, |bytes| bytes.truncate(bytes.len() / 2 + 100));
        }),
        crashed("WAL segment empty", |_, wal| {
            write_file(&wal.segments[wal.segments.len() / 2], "");
        }),
        crashed("WAL page header overwritten", |_, wal| {
            let path = &wal.segments[wal.segments.len() / 2];
            change(path, |bytes| {
                let at = bytes.len() / 2;
                bytes[at..at + 16].fill(0xAA);
            });
        }),
        crashed("WAL page of an unknown timeline", |_, wal| {
            let path = &wal.segments[wal.segments.len() / 2];
            change(path, |bytes| {
                let at = bytes.len() / 2;
                bytes[at + 6] ^= 0xC9;
            });
        }),
        crashed("WAL segment of another cluster", |_, wal| {
            flip(&wal.segments[wal.segments.len() / 2], 24);
        }),
        stopped("checkpoint record overwritten", |data, _| {
            let wal = newest_segment(data);
            change(&wal, |bytes| {
                let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
                bytes[end.saturating_sub(60)..end].fill(0x55);
            });
        }),
        stopped("WAL folder empty", |data, _| {
            for entry in fs::read_dir(data.join("pg_wal")).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    fs::remove_file(path).unwrap();
                }
            }
        }),
        // pg_control
        crashed("pg_control missing", |data, _| {
            remove(data, "global/pg_control")
        }),
        crashed("pg_control empty", |data, _| {
            write_file(&data.join("global/pg_control"), "")
        }),
        crashed("pg_control cut off", |data, _| {
            change(&data.join("global/pg_control"), |bytes| bytes.truncate(100));
        }),
        crashed("pg_control zeroed", |data, _| {
            change(&data.join("global/pg_control"), |bytes| bytes.fill(0));
        }),
        crashed("pg_control with a flipped bit", |data, _| {
            flip(&data.join("global/pg_control"), 48);
        }),
        crashed("pg_control of another version", |data, _| {
            flip(&data.join("global/pg_control"), 8);
        }),
        // version and lock file
        crashed("PG_VERSION missing", |data, _| remove(data, "PG_VERSION")),
        crashed("PG_VERSION empty", |data, _| {
            write_file(&data.join("PG_VERSION"), "")
        }),
        crashed("PG_VERSION of 9.1", |data, _| {
            write_file(&data.join("PG_VERSION"), "9.1\n")
        }),
        crashed("PG_VERSION of text", |data, _| {
            write_file(&data.join("PG_VERSION"), "text\n")
        }),
        crashed("postmaster.pid of a dead server", |data, _| {
            let text = format!("4194303\n{}\n1\n5432\n\n\n  1 1\n", data.display());
            write_file(&data.join("postmaster.pid"), text);
        }),
        crashed("postmaster.pid empty", |data, _| {
            write_file(&data.join("postmaster.pid"), "")
        }),
        // what asks for recovery
        crashed("backup_label of text", |data, _| {
            write_file(&data.join("backup_label"), "text\n")
        }),
        crashed("backup_label empty", |data, _| {
            write_file(&data.join("backup_label"), "")
        }),
        crashed(
            "backup_label of a checkpoint that is not there",
            |data, _| {
                write_file(
                    &data.join("backup_label"),
                    "START WAL LOCATION: 7F/28000028 (file 000000010000007F00000028)\n\
                 CHECKPOINT LOCATION: 7F/28000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n\
                 START TIME: 2026-11-20 12:00:00 UTC\nLABEL: x\nSTART TIMELINE: 1\n",
                );
            },
        ),
        Damage {
            since: 12,
            ..crashed("recovery.conf", |data, _| {
                write_file(&data.join("recovery.conf"), "")
            })
        },
        Damage {
            since: 12,
            ..crashed("recovery.signal without restore_command", |data, _| {
                write_file(&data.join("recovery.signal"), "");
            })
        },
        // SLRUs
        crashed("commit log missing", |data, _| {
            fs::remove_file(newest(data.join("pg_xact"))).unwrap();
        }),
        stopped("commit log missing, stopped", |data, _| {
            fs::remove_file(newest(data.join("pg_xact"))).unwrap();
        }),
        stopped("commit log empty, stopped", |data, _| {
            write_file(&newest(data.join("pg_xact")), "");
        }),
        crashed("commit log empty", |data, _| {
            write_file(&newest(data.join("pg_xact")), "");
        }),
        crashed("multixact offsets missing", |data, _| {
            fs::remove_file(newest(data.join("pg_multixact/offsets"))).unwrap();
        }),
        crashed("multixact offsets empty", |data, _| {
            write_file(&newest(data.join("pg_multixact/offsets")), "");
        }),
        crashed("multixact members missing", |data, _| {
            fs::remove_file(newest(data.join("pg_multixact/members"))).unwrap();
        }),
        crashed("multixact members empty", |data, _| {
            write_file(&newest(data.join("pg_multixact/members")), "");
        }),
        stopped("multixact offsets missing, stopped", |data, _| {
            fs::remove_file(newest(data.join("pg_multixact/offsets"))).unwrap();
        }),
        stopped("multixact members missing, stopped", |data, _| {
            fs::remove_file(newest(data.join("pg_multixact/members"))).unwrap();
        }),
        // small files
        Damage {
            counted: false,
            ..crashed("shared relation map flipped", |data, _| {
                flip(&data.join("global/pg_filenode.map"), 12);
            })
        },
        Damage {
            counted: false,
            ..crashed("shared relation map missing", |data, _| {
                remove(data, "global/pg_filenode.map")
            })
        },
        crashed("replication slot without state", |data, _| {
            fs::create_dir(data.join("pg_replslot/lost")).unwrap();
        }),
        crashed("replication slot of text", |data, _| {
            fs::create_dir(data.join("pg_replslot/lost")).unwrap();
            write_file(&data.join("pg_replslot/lost/state"), "x".repeat(200));
        }),
        crashed("replication origins of text", |data, _| {
            write_file(
                &data.join("pg_logical/replorigin_checkpoint"),
                "text that is none",
            );
        }),
        crashed("two-phase file of text", |data, _| {
            let name = if has_full_names(data) {
                "pg_twophase/0000000000000300"
            } else {
                "pg_twophase/00000300"
            };
            write_file(&data.join(name), "x".repeat(200));
        }),
        crashed("tablespace link dangling", |data, _| {
            std::os::unix::fs::symlink("/nonexistent/ts", data.join("pg_tblspc/99999")).unwrap();
        }),
        stopped("tablespace link dangling, stopped", |data, _| {
            std::os::unix::fs::symlink("/nonexistent/ts", data.join("pg_tblspc/99999")).unwrap();
        }),
        crashed("timeline history of text", |data, _| {
            write_file(&data.join("pg_wal/00000002.history"), "text\n");
        }),
    ];
    all.extend(small_files());
    all.extend(permissions());
    all.extend(recoveries());
    all.extend(backups_and_standbys());
    macro_rules! without {
        ($($path:literal),*) => {$(
            all.push(Damage {
                counted: $path != "base",
                ..crashed(concat!($path, " missing"), |data, _| remove(data, $path))
            });
            all.push(stopped(concat!($path, " missing, stopped"), |data, _| remove(data, $path)));
        )*};
    }
    without!(
        "base",
        "global",
        "pg_commit_ts",
        "pg_logical",
        "pg_logical/mappings",
        "pg_logical/snapshots",
        "pg_multixact",
        "pg_multixact/members",
        "pg_multixact/offsets",
        "pg_notify",
        "pg_replslot",
        "pg_serial",
        "pg_snapshots",
        "pg_stat",
        "pg_stat_tmp",
        "pg_subtrans",
        "pg_tblspc",
        "pg_twophase",
        "pg_wal",
        "pg_wal/archive_status",
        "pg_xact"
    );
    all
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Files that the server's user cannot open, or not for writing.
fn permissions() -> Vec<Damage> {
    vec![
        crashed("pg_control read-only", |data, _| {
            permit(&data.join("global/pg_control"), 0o400);
        }),
        stopped("pg_control closed", |data, _| {
            permit(&data.join("global/pg_control"), 0o000);
        }),
        stopped("PG_VERSION closed", |data, _| {
            permit(&data.join("PG_VERSION"), 0o000);
        }),
        crashed("postmaster.pid closed", |data, _| {
            write_file(&data.join("postmaster.pid"), "1\n");
            permit(&data.join("postmaster.pid"), 0o000);
        }),
        crashed("first WAL segment closed", |_, wal| {
            permit(&wal.segments[0], 0o000);
        }),
        crashed("WAL segment in the middle closed", |_, wal| {
            permit(&wal.segments[wal.segments.len() / 2], 0o000);
        }),
        crashed("WAL segment in the middle read-only", |_, wal| {
            permit(&wal.segments[wal.segments.len() / 2], 0o400);
        }),
        crashed("last WAL segment read-only", |_, wal| {
            permit(wal.segments.last().unwrap(), 0o400);
        }),
        crashed("table of replay read-only", |data, wal| {
            permit(&data.join(&wal.account), 0o400);
        }),
        crashed("table of replay closed", |data, wal| {
            permit(&data.join(&wal.account), 0o000);
        }),
        stopped("table closed", |data, wal| {
            permit(&data.join(&wal.account), 0o000);
        }),
        crashed("folder of the database closed", |data, wal| {
            let folder = data.join(&wal.account);
            let folder = folder.parent().unwrap();
            // It cannot be told which of several is met first.
            let init = |path: &PathBuf| path.to_str().unwrap().ends_with("_init");
            for path in fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
            {
                if init(&path) {
                    fs::remove_file(path).unwrap();
                }
            }
            permit(folder, 0o600);
        }),
        crashed("commit log read-only", |data, _| {
            permit(&newest(data.join("pg_xact")), 0o400);
        }),
        crashed("commit log closed", |data, _| {
            permit(&newest(data.join("pg_xact")), 0o000);
        }),
        stopped("commit log closed after a clean stop", |data, _| {
            permit(&newest(data.join("pg_xact")), 0o000);
        }),
        stopped("multixact offsets closed after a clean stop", |data, _| {
            permit(&newest(data.join("pg_multixact/offsets")), 0o000);
        }),
    ]
}

/// Prepared transactions, slots, origins and relation maps.
fn small_files() -> Vec<Damage> {
    vec![
        crashed("two-phase file with another magic", |data, _| {
            flip(&prepared(data), 0)
        }),
        crashed("two-phase file with a flipped bit", |data, _| {
            flip(&prepared(data), 50)
        }),
        crashed("two-phase file of another length", |data, _| {
            flip(&prepared(data), 5)
        }),
        crashed("two-phase file of another transaction", |data, _| {
            change(&prepared(data), |bytes| {
                bytes[8] ^= 1;
                sign(bytes);
            });
        }),
        crashed("two-phase file cut off", |data, _| {
            change(&prepared(data), |bytes| bytes.truncate(bytes.len() - 8));
        }),
        crashed("two-phase file cut off within a word", |data, _| {
            change(&prepared(data), |bytes| bytes.truncate(bytes.len() - 3));
        }),
        crashed("two-phase file cut to 10 bytes", |data, _| {
            change(&prepared(data), |bytes| bytes.truncate(10));
        }),
        stopped("two-phase file with a flipped bit, stopped", |data, _| {
            flip(&prepared(data), 50)
        }),
        crashed("slot with another magic", |data, _| {
            flip(&data.join(SLOT), 0)
        }),
        crashed("slot of another version", |data, _| {
            flip(&data.join(SLOT), 8)
        }),
        crashed("slot of another length", |data, _| {
            flip(&data.join(SLOT), 12)
        }),
        crashed("slot with a flipped bit", |data, _| {
            flip(&data.join(SLOT), 17)
        }),
        crashed("slot cut to 10 bytes", |data, _| {
            change(&data.join(SLOT), |bytes| bytes.truncate(10));
        }),
        crashed("slot cut to 100 bytes", |data, _| {
            change(&data.join(SLOT), |bytes| bytes.truncate(100));
        }),
        stopped("slot with a flipped bit, stopped", |data, _| {
            flip(&data.join(SLOT), 17)
        }),
        crashed("slot of a server with wal_level minimal", |data, _| {
            configure(data, "wal_level = minimal\nmax_wal_senders = 0");
        }),
        crashed("origins with a flipped bit", |data, _| {
            flip(&data.join(ORIGINS), 5)
        }),
        crashed("origins cut off", |data, _| {
            change(&data.join(ORIGINS), |bytes| bytes.truncate(14));
        }),
        crashed("origins cut to 2 bytes", |data, _| {
            change(&data.join(ORIGINS), |bytes| bytes.truncate(2));
        }),
        crashed("origins missing", |data, _| remove(data, ORIGINS)),
        of(
            Base::Crashed,
            "relation maps of databases flipped",
            |data, _| {
                each_database(data, |map| flip(map, 12));
            },
        ),
        of(
            Base::Crashed,
            "relation maps of databases with another magic",
            |data, _| {
                each_database(data, |map| flip(map, 0));
            },
        ),
        crashed("tablespace_map of text, left over", |data, _| {
            write_file(&data.join("tablespace_map"), "text");
        }),
    ]
}

/// What asks for recovery, and its settings.
fn recoveries() -> Vec<Damage> {
    vec![
        crashed("backup_label left over", |data, wal| {
            write_label(data, wal, "")
        }),
        crashed(
            "backup_label of a streamed backup left over",
            |data, wal| {
                write_label(data, wal, "BACKUP METHOD: streamed\n");
            },
        ),
        crashed("backup_label of a standby", |data, wal| {
            write_label(data, wal, "BACKUP METHOD: streamed\nBACKUP FROM: standby\n");
        }),
        crashed("backup_label with another timeline", |data, wal| {
            write_label(data, wal, "START TIME: now\nLABEL: x\nSTART TIMELINE: 7\n");
        })
        .since(11),
        crashed(
            "backup_label with another timeline and no time",
            |data, wal| {
                write_label(data, wal, "START TIMELINE: 7\n");
            },
        ),
        crashed("backup_label of an incremental backup", |data, wal| {
            let more = "INCREMENTAL FROM LSN: 0/1000028\nINCREMENTAL FROM TLI: 1\n";
            write_label(data, wal, more);
        })
        .since(17),
        crashed("backup_label and tablespace_map", |data, wal| {
            write_label(data, wal, "");
            let target = data.parent().unwrap().join("ts1");
            let oid = newest(data.join("pg_tblspc"));
            let oid = oid.file_name().unwrap().to_str().unwrap();
            write_file(
                &data.join("tablespace_map"),
                format!("{oid} {}\n", target.display()),
            );
        }),
        crashed("backup_label and a tablespace_map of text", |data, wal| {
            write_label(data, wal, "");
            write_file(&data.join("tablespace_map"), "text\n");
        }),
        crashed(
            "backup_label and a tablespace_map without its last line end",
            |data, wal| {
                write_label(data, wal, "");
                write_file(&data.join("tablespace_map"), "16400 /nowhere");
            },
        ),
        crashed("recovery with an empty archive", |data, _| {
            recover_with(data, "")
        }),
        stopped("recovery with an empty archive, stopped", |data, _| {
            recover_with(data, "")
        }),
        crashed("recovery, target timeline that is not there", |data, _| {
            recover_with(data, "recovery_target_timeline = '7'");
        }),
        crashed("recovery, current timeline, history of text", |data, _| {
            write_file(&data.join("pg_wal/00000002.history"), "text\n");
            // Up to 11 nothing, as this was the usual.
            let current = if major(data) >= 12 {
                "recovery_target_timeline = 'current'"
            } else {
                ""
            };
            recover_with(data, current);
        }),
        crashed("recovery, latest timeline, history of text", |data, _| {
            write_file(&data.join("pg_wal/00000002.history"), "text\n");
            recover_with(data, "recovery_target_timeline = 'latest'");
        }),
        crashed("recovery, history without a place", |data, _| {
            write_file(&data.join("pg_wal/00000002.history"), "1\n");
            recover_with(data, "recovery_target_timeline = 'latest'");
        }),
        crashed("recovery, history that does not rise", |data, _| {
            write_file(
                &data.join("pg_wal/00000004.history"),
                "2\t0/90000000\n1\t0/A0000000\n",
            );
            recover_with(data, "recovery_target_timeline = '4'");
        }),
        crashed("recovery, history with itself", |data, _| {
            write_file(&data.join("pg_wal/00000002.history"), "2\t0/90000000\tx\n");
            recover_with(data, "recovery_target_timeline = 'latest'");
        }),
        crashed("recovery, timeline that branched off before", |data, _| {
            write_file(&data.join("pg_wal/00000002.history"), "1\t0/200000\tx\n");
            recover_with(data, "recovery_target_timeline = 'latest'");
        }),
        crashed("recovery, timeline of others", |data, _| {
            write_file(&data.join("pg_wal/00000009.history"), "7\t0/200000\tx\n");
            recover_with(data, "recovery_target_timeline = '9'");
        }),
        crashed("recovery, timeline that branches off later", |data, _| {
            write_file(&data.join("pg_wal/00000002.history"), "1\tF/1000000\tx\n");
            recover_with(data, "recovery_target_timeline = '2'");
        }),
        crashed("recovery with few connections", |data, _| {
            configure(data, "max_connections = 15");
            recover_with(data, "");
        }),
        crashed("recovery with few workers", |data, _| {
            configure(data, "max_worker_processes = 5");
            recover_with(data, "");
        }),
        crashed("recovery with few WAL senders", |data, _| {
            configure(data, "max_wal_senders = 2");
            recover_with(data, "");
        }),
        crashed("recovery with few prepared transactions", |data, _| {
            configure(data, "max_prepared_transactions = 5");
            recover_with(data, "");
        }),
        crashed("recovery with few locks", |data, _| {
            configure(data, "max_locks_per_transaction = 32");
            recover_with(data, "");
        }),
        crashed(
            "recovery with few connections, no hot standby",
            |data, _| {
                configure(data, "max_connections = 15\nhot_standby = off");
                recover_with(data, "");
            },
        ),
        crashed("few connections without recovery", |data, _| {
            configure(data, "max_connections = 15")
        }),
        of(Base::Minimal, "recovery of wal_level minimal", |data, _| {
            recover_with(data, "")
        }),
        of(
            Base::Minimal,
            "recovery of wal_level minimal, no hot standby",
            |data, _| {
                configure(data, "hot_standby = off");
                recover_with(data, "");
            },
        ),
        of(Base::Minimal, "wal_level minimal", |_, _| {}),
        crashed("recovery from a directory", |data, _| archive(data)),
    ]
}

fn backups_and_standbys() -> Vec<Damage> {
    vec![
        of(Base::Backup, "base backup", |_, _| {}),
        of(
            Base::Backup,
            "base backup without backup_label",
            |data, _| {
                remove(data, "backup_label");
            },
        ),
        of(
            Base::Backup,
            "base backup without the end of its WAL",
            |data, _| keep_first_segment(data),
        ),
        of(Base::Backup, "base backup without WAL", |data, _| {
            segments(data)
                .iter()
                .for_each(|path| fs::remove_file(path).unwrap());
        }),
        of(
            Base::Backup,
            "base backup, recovery from a directory",
            |data, _| archive(data),
        ),
        of(
            Base::Backup,
            "base backup, recovery without the end of its WAL",
            |data, _| {
                keep_first_segment(data);
                recover_with(data, "");
            },
        ),
        of(Base::Standby, "standby", |_, _| {}),
        of(Base::Standby, "standby without its last WAL", |data, _| {
            keep_first_segment(data)
        }),
        of(Base::Standby, "standby without WAL", |data, _| {
            segments(data)
                .iter()
                .for_each(|path| fs::remove_file(path).unwrap());
        }),
        of(Base::Standby, "standby with few connections", |data, _| {
            configure(data, "max_connections = 15");
        }),
        of(Base::Standby, "standby, recovery instead", |data, _| {
            no_standby(data)
        }),
        of(
            Base::Standby,
            "standby, recovery without its last WAL",
            |data, _| {
                no_standby(data);
                keep_first_segment(data);
            },
        ),
        of(
            Base::Standby,
            "standby, timeline that ends before it is consistent",
            |data, wal| {
                no_standby(data);
                let first = wal.segments[0].file_name().unwrap().to_str().unwrap();
                // Behind the checkpoint, before the minimum recovery point.
                let size = fs::metadata(&wal.segments[0]).unwrap().len();
                let next = (u64::from_str_radix(&first[16..], 16).unwrap() + 1) * size;
                let text = format!("1\t0/{next:X}\tx\n");
                write_file(&data.join("pg_wal/00000002.history"), text);
                let path = if major(data) >= 12 {
                    "postgresql.conf"
                } else {
                    "recovery.conf"
                };
                append(&data.join(path), "recovery_target_timeline = 'latest'");
            },
        ),
    ]
}

/// From 17 on files of prepared transactions are named for the epoch, too.
fn has_full_names(data: &Path) -> bool {
    let version = fs::read_to_string(data.join("PG_VERSION")).unwrap();
    version.trim().parse::<u32>().is_ok_and(|major| major >= 17)
}

fn newest_segment(data: &Path) -> PathBuf {
    let report = crate::tool::check_path(data);
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let end = report.at("wal.end_lsn").as_str().unwrap().to_owned();
    segments(data)
        .into_iter()
        .rfind(|path| name(path) <= segment_of(&end, &report))
        .unwrap()
}

pub fn segment_of(lsn: &str, report: &Report) -> String {
    let (high, low) = lsn.split_once('/').unwrap();
    let size = report.at("cluster.wal_segment_size").as_u64().unwrap();
    let low = u64::from_str_radix(low, 16).unwrap() / size;
    format!(
        "00000001{:08X}{low:08X}",
        u64::from_str_radix(high, 16).unwrap()
    )
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(data.join("pg_wal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().len() == 24)
        .collect();
    files.sort();
    files
}

/// The part of the WAL that the crashed cluster needs, among all segments of a copy.
fn needed(data: &Path, report: &Report, account: &str) -> Wal {
    let text = |path: &str| report.at(path).as_str().unwrap().to_owned();
    let first = segment_of(&text("cluster.redo_lsn"), report);
    let last = segment_of(&text("wal.end_lsn"), report);
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let redo = text("cluster.redo_lsn");
    Wal {
        segments: segments(data)
            .into_iter()
            .filter(|path| (first.clone()..=last.clone()).contains(&name(path)))
            .collect(),
        label: format!(
            "START WAL LOCATION: {redo} (file {})\nCHECKPOINT LOCATION: {}\n",
            segment_of(&redo, report),
            text("cluster.checkpoint_lsn")
        ),
        account: account.to_owned(),
    }
}

/// What the server did.
pub struct Observed {
    pub outcome: String,
    pub startup: Startup,
    /// What the query gave, when the server came up.
    pub rows: Option<String>,
}

const COUNT: &str = "SELECT (SELECT count(*) FROM account) || ' ' || (SELECT sum(balance) FROM account) || ' ' \
                     || (SELECT count(*) FROM event) || ' ' || (SELECT count(*) FROM document) || ' ' || (SELECT count(*) FROM unread) || ' ' || (SELECT count(*) FROM pg_prepared_xacts)";

/// The outcome of a standby that lets nobody in.
const WAITS: &str = "waits";

/// How long a standby is watched that should let nobody in.
const STANDBY_PATIENCE: Duration = Duration::from_secs(8);

/// Starts the server, asks a query, and kills it.
pub fn observe(copy: Cluster, query: Option<&str>) -> Observed {
    observe_for(copy, query, PATIENCE)
}

/// The same, with patience for a standby to let somebody in.
fn observe_for(mut copy: Cluster, query: Option<&str>, patience: Duration) -> Observed {
    let standby = copy.is_standby();
    copy.launch(&[]);
    if standby && !copy.lets_in_or_ends(patience) {
        copy.kill();
        return Observed {
            outcome: WAITS.to_owned(),
            startup: Startup::read(&copy.log()),
            rows: None,
        };
    }
    let started = if standby {
        copy.log().contains("ready to accept read")
    } else {
        copy.comes_up(Duration::from_secs(60))
    };
    let rows = query.filter(|_| started).map(|sql| copy.try_sql(sql));
    if started {
        copy.kill();
    }
    let log = copy.log();
    let outcome = if started {
        "starts".to_owned()
    } else {
        let fatal = log.lines().find_map(|line| {
            let severe = line.starts_with("FATAL:") || line.starts_with("PANIC:");
            severe.then(|| line.replacen(":  ", ": ", 1))
        });
        fatal.unwrap_or_else(|| log.lines().collect::<Vec<_>>().join(" "))
    };
    Observed {
        outcome,
        startup: Startup::read(&log),
        rows,
    }
}

/// The outcome that a report predicts, as [`Observed`] has it.
pub fn predicted(report: &Report, data: &Path) -> String {
    let startup = report.at("verdict.startup");
    match startup["outcome"].as_str() {
        Some("fails") => {
            let message = startup["message"].as_str().unwrap_or("no message");
            message.replace("PGDATA", &data.display().to_string())
        }
        _ if !startup["waits_for"].is_null() => WAITS.to_owned(),
        _ => "starts".to_owned(),
    }
}

/// A line of the table of a suite, and how the prediction differs from what was observed.
pub struct Row {
    pub line: String,
    pub differences: String,
}

impl Row {
    fn is_wrong(&self) -> bool {
        !self.differences.is_empty()
    }

    fn text(&self) -> String {
        let mark = if self.is_wrong() { "!! " } else { "   " };
        format!("{mark}{}\n{}", self.line, self.differences)
    }
}

/// Keeps the table of a suite in `target/tmp`. Fails with the rows that are wrong, and only those: the whole table hides
/// them in a log that is cut off.
pub fn conclude(suite: &str, server: Server, rows: &[Row], summary: &str) {
    let wrong: Vec<&Row> = rows.iter().filter(|row| row.is_wrong()).collect();
    let count = format!("{} rows, {} predicted wrong", rows.len(), wrong.len());
    let text: String = rows.iter().map(Row::text).collect();
    let file = format!("{suite}-{}.txt", server.major);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    fs::write(path, format!("{text}{summary}{count}\n")).unwrap();
    let wrong: String = wrong.into_iter().map(Row::text).collect();
    assert!(wrong.is_empty(), "{count}\n{wrong}");
}

/// The clusters that damages are done to.
struct Bases {
    crashed: Cluster,
    stopped: Cluster,
    standby: Cluster,
    backup: Cluster,
    minimal: Cluster,
    /// The file of the table `account`.
    account: String,
}

impl Bases {
    fn new(server: Server) -> Bases {
        let random = &mut Random::new();
        let mut settings = busy_settings(server);
        settings.extend(NO_CHECKPOINTS);
        // Pages that reached the disk before their WAL was taken away would make the checkpoint at the end of recovery
        // fail, or not, by chance.
        settings.extend(["shared_buffers = 256MB", "bgwriter_lru_maxpages = 0"]);
        // The standby and the backup need WAL for some time.
        settings.push(if server.major >= 13 {
            "wal_keep_size = 4GB"
        } else {
            "wal_keep_segments = 4000"
        });
        let mut crashed = Cluster::init(server, &settings);
        crashed.start();
        create_tables(&crashed);
        crashed.sql("SELECT pg_create_physical_replication_slot('kept')");
        crashed.sql("SELECT pg_replication_origin_create('elsewhere')");
        crashed.sql("SELECT pg_replication_origin_advance('elsewhere', '0/1234567')");
        crashed.sql("BEGIN; INSERT INTO prepared VALUES ('left'); PREPARE TRANSACTION 'left'");
        // Rows that nobody has read: only the commit log says that they are there.
        crashed.sql("CREATE TABLE unread (id int) WITH (autovacuum_enabled = off)");
        crashed.sql("INSERT INTO unread SELECT generate_series(1, 50)");
        let mut standby = crate::replication::start_standby(&crashed);
        crashed.sql("CHECKPOINT");
        let load = Load::start(&crashed, random, Checkpoints::None);
        let backup = crate::backup::take(&crashed);
        std::thread::sleep(Duration::from_millis(1500));
        // A segment in the middle must have others, filled, on both sides.
        let segment = if server.small_segments() { 1 } else { 16 };
        let written = || {
            let bytes =
                crashed.sql("SELECT pg_current_wal_lsn() - redo_lsn FROM pg_control_checkpoint()");
            bytes.parse::<u64>().unwrap() >> 20
        };
        let since = Instant::now();
        while written() < 5 * segment {
            assert!(since.elapsed() < PATIENCE, "only {} MB of WAL", written());
            std::thread::sleep(Duration::from_millis(100));
        }
        let account = crashed.sql("SELECT pg_relation_filepath('account')");
        standby.stop();
        crate::replication::follow(&standby, None);
        crashed.kill();
        drop(load);

        let mut stopped = crashed.stand_in();
        stopped.start();
        stopped.stop();
        let mut minimal = stopped.stand_in();
        remove(&minimal.data(), "pg_replslot/kept");
        minimal.configure(&["wal_level = minimal", "max_wal_senders = 0"]);
        minimal.start();
        minimal.stop();
        minimal.configure(&["wal_level = replica", "max_wal_senders = 4"]);
        Bases {
            crashed,
            stopped,
            standby,
            backup,
            minimal,
            account,
        }
    }

    fn get(&self, base: Base) -> &Cluster {
        match base {
            Base::Crashed => &self.crashed,
            Base::Stopped => &self.stopped,
            Base::Standby => &self.standby,
            Base::Backup => &self.backup,
            Base::Minimal => &self.minimal,
        }
    }
}

/// Every kind of damage on one major.
pub fn damaged_start(server: Server) {
    let bases = Bases::new(server);
    let whole = observe(bases.crashed.stand_in(), Some(COUNT)).rows;
    let [crashed, standby] = [&bases.crashed, &bases.standby].map(|base| check(&base.stand_in()));

    let only = std::env::var("PGAUTOPSY_DAMAGE").unwrap_or_default();
    let mut rows = Vec::new();
    for damage in damages() {
        let applies = (damage.since..=damage.until).contains(&server.major);
        if !applies || !only.split('|').any(|part| damage.name.contains(part)) {
            continue;
        }
        let base = bases.get(damage.base);
        let copy = base.stand_in();
        let data = copy.data();
        let wal = match damage.base {
            Base::Crashed => needed(&data, &crashed, &bases.account),
            Base::Standby => needed(&data, &standby, &bases.account),
            _ => Wal {
                segments: Vec::new(),
                label: String::new(),
                account: bases.account.clone(),
            },
        };
        (damage.edit)(&data, &wal);
        let archive = copy.home().join("archive");
        copy.keep_on_failure();
        let report = if archive.exists() {
            check_with(&["--wal-archive", archive.to_str().unwrap()], &data)
        } else {
            check_path(&data)
        };
        let prediction = predicted(&report, &data);
        // The stopped cluster is the crashed one, recovered.
        let counts = matches!(damage.base, Base::Crashed | Base::Stopped);
        // It says nothing of the end of its redo.
        let follows = copy.is_standby();
        let patience = if prediction == WAITS {
            STANDBY_PATIENCE
        } else {
            PATIENCE
        };
        let real = observe_for(copy, counts.then_some(COUNT), patience);
        // What reads ahead, 15 and later, may come to it first, or to another; and in a folder that is closed replay may
        // have to make another file before.
        let create = "FATAL: could not create file";
        let closed = prediction.starts_with(create) && prediction.ends_with("Permission denied");
        let other = real.outcome.starts_with("FATAL: could not open file") && server.major >= 15
            || real.outcome.starts_with(create) && closed;
        let ahead =
            prediction.starts_with(create) && other && real.outcome.ends_with("Permission denied");
        let differences = if prediction != real.outcome && !ahead {
            "outcome\n".to_owned()
        } else if prediction != "starts" || follows {
            String::new()
        } else {
            // A query that fails, or a session that is not let in, is not silent.
            let fails = real
                .rows
                .as_ref()
                .is_some_and(|rows| rows.starts_with("ERROR") || rows.starts_with("psql: error"));
            let commits = &report.at("verdict.loss")[0]["commits"];
            // Where it fails, rows cannot be counted: then the verdict must agree with itself.
            let lost = if fails {
                commits.as_u64().is_some_and(|commits| commits > 0)
            } else {
                counts && real.rows != whole
            };
            let silent = report.at("verdict.startup.silent_loss") == true;
            report.differences(&real.startup)
                + &if silent == lost || !damage.counted {
                    String::new()
                } else {
                    format!(
                        "silent_loss is {silent} with {commits} commits, rows {:?} of {whole:?}\n",
                        real.rows
                    )
                }
        };
        // What the server refuses must be told as damage, or at least what to do.
        let told = prediction == "starts" || prediction == WAITS || report.status == 1;
        let differences = if told {
            differences
        } else {
            format!("{differences}status\n")
        };
        let differences = if differences.is_empty() {
            differences
        } else {
            differences + &report.complaints_text()
        };
        rows.push(Row {
            line: format!(
                "{} | {} | {prediction} | {}",
                server.major, damage.name, real.outcome
            ),
            differences,
        });
    }
    conclude("damaged-start", server, &rows, "");
}
