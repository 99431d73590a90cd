//! Damage of many kinds, done to copies of one crashed and one stopped cluster: what the report says of the next start
//! against what the server does.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::crash::{NO_CHECKPOINTS, busy_settings};
use crate::log::Startup;
use crate::server::{Cluster, PATIENCE, Server, write_file};
use crate::tool::{Report, check};
use crate::workload::{Checkpoints, Load, Random, create_tables};

/// One way to damage a data directory.
struct Damage {
    name: &'static str,
    /// Done to the cluster that was stopped cleanly, not to the one that crashed.
    clean: bool,
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
}

const fn crashed(name: &'static str, edit: fn(&Path, &Wal)) -> Damage {
    Damage {
        name,
        clean: false,
        since: 10,
        until: 18,
        counted: true,
        edit,
    }
}

const fn stopped(name: &'static str, edit: fn(&Path, &Wal)) -> Damage {
    Damage {
        clean: true,
        ..crashed(name, edit)
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

fn segment_of(lsn: &str, report: &Report) -> String {
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
fn needed(data: &Path, report: &Report) -> Wal {
    let text = |path: &str| report.at(path).as_str().unwrap().to_owned();
    let first = segment_of(&text("wal.redo_lsn"), report);
    let last = segment_of(&text("wal.end_lsn"), report);
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    Wal {
        segments: segments(data)
            .into_iter()
            .filter(|path| (first.clone()..=last.clone()).contains(&name(path)))
            .collect(),
    }
}

/// What the server did.
struct Observed {
    outcome: String,
    startup: Startup,
    rows: Option<String>,
}

const COUNT: &str = "SELECT (SELECT count(*) FROM account) || ' ' || (SELECT sum(balance) FROM account) || ' ' \
                     || (SELECT count(*) FROM event) || ' ' || (SELECT count(*) FROM document)";

fn observe(mut copy: Cluster, count: bool) -> Observed {
    copy.launch(&[]);
    let started = copy.comes_up(Duration::from_secs(60));
    let rows = (started && count).then(|| copy.try_sql(COUNT));
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

fn predicted(report: &Report, data: &Path) -> String {
    let startup = report.at("verdict.startup");
    match startup["outcome"].as_str() {
        Some("fails") => {
            let message = startup["message"].as_str().unwrap_or("no message");
            message.replace("PGDATA", &data.display().to_string())
        }
        _ => "starts".to_owned(),
    }
}

/// Every kind of damage on one major.
pub fn damaged_start(server: Server) {
    let random = &mut Random::new();
    let mut settings = busy_settings(server);
    settings.extend(NO_CHECKPOINTS);
    // Pages that reached the disk before their WAL was taken away would make the checkpoint at the end of recovery fail,
    // or not, by chance.
    settings.extend(["shared_buffers = 256MB", "bgwriter_lru_maxpages = 0"]);
    let mut cluster = Cluster::init(server, &settings);
    cluster.start();
    create_tables(&cluster);
    let load = Load::start(&cluster, random, Checkpoints::None);
    std::thread::sleep(Duration::from_millis(1500));
    // A segment in the middle must have others, filled, on both sides.
    let segment = if server.small_segments() { 1 } else { 16 };
    let written = || {
        let bytes =
            cluster.sql("SELECT pg_current_wal_lsn() - redo_lsn FROM pg_control_checkpoint()");
        bytes.parse::<u64>().unwrap() >> 20
    };
    let since = Instant::now();
    while written() < 5 * segment {
        assert!(since.elapsed() < PATIENCE, "only {} MB of WAL", written());
        std::thread::sleep(Duration::from_millis(100));
    }
    cluster.kill();
    drop(load);
    let mut clean = cluster.stand_in();
    clean.start();
    clean.stop();
    let whole = observe(cluster.stand_in(), true).rows;

    let only = std::env::var("PGAUTOPSY_DAMAGE").unwrap_or_default();
    let mut table = String::new();
    let mut wrong = 0;
    for damage in damages() {
        let applies = (damage.since..=damage.until).contains(&server.major);
        if !applies || !damage.name.contains(&only) {
            continue;
        }
        let base = if damage.clean { &clean } else { &cluster };
        let copy = base.stand_in();
        let data = copy.data();
        let wal = if damage.clean {
            Wal {
                segments: Vec::new(),
            }
        } else {
            needed(&data, &check(&copy))
        };
        (damage.edit)(&data, &wal);
        let report = check(&copy);
        let prediction = predicted(&report, &data);
        let differences;
        let real = observe(copy, !damage.clean);
        if prediction == "starts" && real.outcome == "starts" {
            let lost = !damage.clean && real.rows != whole;
            let silent = report.at("verdict.startup.silent_loss") == true;
            differences = report.differences(&real.startup)
                + &if silent == lost || !damage.counted {
                    String::new()
                } else {
                    let commits = &report.at("verdict.loss")[0]["commits"];
                    format!(
                        "silent_loss is {silent} with {commits} commits, rows {:?} of {whole:?}\n",
                        real.rows
                    )
                };
        } else if prediction == real.outcome {
            differences = String::new();
        } else {
            differences = "outcome\n".to_owned();
        }
        wrong += usize::from(!differences.is_empty());
        let mark = if differences.is_empty() { "   " } else { "!! " };
        writeln!(
            table,
            "{mark}{} | {} | {prediction} | {}\n{differences}",
            server.major, damage.name, real.outcome
        )
        .unwrap();
    }
    println!("{table}");
    assert_eq!(wrong, 0, "predictions that are wrong\n{table}");
}
