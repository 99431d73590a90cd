//! Reads a PostgreSQL data directory and its WAL straight from the files, with no server, and
//! tells what is damaged, what the next start will do, what would be lost and what to do
//! first. PostgreSQL 9.0 to 19, little-endian, 64 bits.
//!
//! Whoever reads this wants to know where things are. This page is the whole plan of the
//! house; each module's own page says what its rooms are for.
//!
//! # From files to a report
//!
//! ```text
//! files -> bytes -> structures -> facts -> recovery plan -> checks -> findings -> verdict -> report
//! pgdata            format        cluster  recovery    scan, checks   finding     verdict    report
//! ```
//!
//! [`check::check`] walks this line once, from left to right, and is the best place to start
//! reading. WAL comes before pages: a crashed directory is not a damaged one, and a page can be
//! judged only by what replay will do to it. A torn page that a full-page image overwrites is
//! a note; the same page outside the plan is damage, and so are rows that the image has damaged
//! as well.
//!
//! | module | what lives there |
//! |---|---|
//! | [`format`](mod@format) | pure parsers over `&[u8]`, one file per on-disk structure; the version table; no I/O, no panics, no judgement |
//! | [`pgdata`] | the evidence: a directory, a tar of one, WAL archives; walks, names every file, hands out bytes |
//! | [`cluster`] | established facts: version, `pg_control`, timelines, SLRUs, names of relations, catalogs that contradict each other; each present, missing, unreadable or malformed |
//! | [`recovery`] | the dry run of the next start: start point, walk through the WAL, stop, plan, refusals; and what else the WAL tells: events, points in time, copies |
//! | [`scan`] | the parallel driver: one read and one parse per block, small summaries that are merged |
//! | [`checks`] | one fault per file: code, severity, explanation, remedy and the function, together |
//! | [`finding`] | what a check says: how bad, how sure, where; and the bounded collection of it |
//! | [`verdict`] | findings, plan and coverage -> what to tell the operator; pure |
//! | [`messages`] | the server's own messages: what they mean, how a log is searched for them, what the evidence answers |
//! | [`report`] | the finished report as data, and its printers: text, JSON, explanations |
//! | [`mod@check`] | the order of it all, as one function |
//! | [`ls`] | what there is of databases and relations, damaged or deleted as it may be |
//! | [`slru`] | what there is of the commit log, the multixacts and their like |
//! | `main`, `cli`, `show`, `wal` | the command: arguments, progress, exit status, single files and WAL to print |
//!
//! # Four rules
//!
//! **Damage is a value, never an exit.** Bytes that cannot be the structure give
//! [`format::Malformed`]: what, at which byte, why. One check per structure reports it, so
//! that nothing downstream repeats it. An I/O error is listed as not examined. Only "there is
//! no evidence here" ends a run. Unknown enum values and flags are kept and shown as unknown.
//!
//! **`format` cannot panic, loop or balloon.** Its lints deny indexing, unchecked arithmetic,
//! unwrapping and `as`. Nothing is allocated by a number read from disk without a ceiling,
//! nothing recurses, and chains (ctids, btree links, WAL, timelines) are followed within a
//! bound.
//!
//! **One word, one unit.** Types and fields have PostgreSQL's spelling (`TimeLineID`,
//! `XLogSegNo`, `pd_lsn`, `t_xmin`), locals the source's (`blkno`, `offnum`, `segno`, `tli`).
//! An `OffsetNumber` counts line pointers from 1 and is never a byte; bytes are `file_offset`
//! or `page_offset`. LSNs print as `16/B374D848`. Comments cite the PostgreSQL source as
//! `xlogreader.c: ValidXLogRecord`.
//!
//! **Same evidence, same report.** Output is the same to the byte for any number of threads,
//! and the evidence is never written.
//!
//! # Versions
//!
//! [`format::VERSIONS`] has one row per major version, newest first. A parser has one list of
//! fields for all of them, and a difference stands beside its field as
//! `since(Major::V9_3)`; there is no code per version. A new version is a row, and then
//! what differs. [`format::wal::WalGeometry`] alone knows how WAL is divided into pages and
//! segments, [`format::slru::Slru`] where a transaction or multixact is looked up, and
//! [`format::names`] with [`pgdata::classify`] what files are called.
//!
//! # A new check
//!
//! One file in `src/checks/` with a `check!` (its doc comment is the text of `pgautopsy
//! explain` and of `docs/checks.md`) and its name in the `registry!` of [`checks`].
//!
//! # Example
//!
//! What does the next start do, and is anything damaged for good?
//!
//! ```no_run
//! use pgautopsy::check::{Options, check};
//! use pgautopsy::finding::{Recovery, Severity};
//! use std::path::Path;
//!
//! let options = Options {
//!     wal_archives: vec!["/mnt/archive".into()],
//!     ..Options::default()
//! };
//! // A data directory, or a tar of one; nobody listens to the progress.
//! let report = check(Path::new("/var/lib/postgresql/15/main"), &options, &())?;
//! println!("{}", report.verdict.headline);
//! for (key, group) in report.findings.groups() {
//!     if key.severity >= Severity::Damage && key.recovery == Recovery::Persists {
//!         println!("{}: {} times", key.code, group.total);
//!     }
//! }
//! # Ok::<(), pgautopsy::check::CheckError>(())
//! ```
//!
//! A parser by itself, on bytes from anywhere:
//!
//! ```
//! use pgautopsy::format::names::WalSegmentName;
//! use pgautopsy::format::wal::WalGeometry;
//! use pgautopsy::format::{Layout, Major, Version};
//!
//! let layout = Layout::usual(Version::of(Major::V15).unwrap());
//! let name = WalSegmentName::parse("0000000100000016000000B3").unwrap();
//! let geometry = WalGeometry::of(&layout);
//! let start = geometry.segment_start(geometry.segno(&name));
//! assert_eq!(start.to_string(), "16/B3000000");
//! ```

pub mod check;
pub mod checks;
pub mod cluster;
pub mod finding;
pub mod format;
pub mod ls;
pub mod messages;
pub mod pgdata;
pub mod recovery;
pub mod report;
pub mod scan;
pub mod slru;
pub mod verdict;
