//! With each page of the commit log cut off in turn, the tuples that the report calls unreadable are those that a count by
//! hand finds: tuples that need the page, since no hint bit says what it would.
//!
//! The count by hand reads bytes of the files itself, by these rules (`heapam_visibility.c: HeapTupleSatisfiesMVCC`):
//! a tuple needs the page of its `t_xmin`, unless a hint bit or another page tells that it was inserted or was not; if it was,
//! it needs that of its `t_xmax`, unless that is invalid, a mere lock, or a hint bit tells.
#![allow(missing_docs)]

mod support;

use pgautopsy::check::{Options, check};
use pgautopsy::format::version::{Major, Version};
use pgautopsy::report::Report;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use support::{bundled, unpack};

const BLCKSZ: usize = 8192;
/// Of a commit log page.
const XIDS: u32 = 4 * BLCKSZ as u32;

struct Cluster {
    major: Major,
    /// The commit log by page.
    clog: BTreeMap<u32, Vec<u8>>,
    /// The first segments of `pg_multixact`.
    offsets: Vec<u8>,
    members: Vec<u8>,
    /// Main forks, from PGDATA.
    relations: BTreeMap<String, Vec<u8>>,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn clog_folder(pgdata: &Path) -> PathBuf {
    let folder = pgdata.join("pg_xact");
    if folder.exists() {
        folder
    } else {
        pgdata.join("pg_clog")
    }
}

impl Cluster {
    fn read(pgdata: &Path, major: Major) -> Cluster {
        let mut clog = BTreeMap::new();
        for entry in fs::read_dir(clog_folder(pgdata)).unwrap() {
            let path = entry.unwrap().path();
            let segment =
                u32::from_str_radix(path.file_name().unwrap().to_str().unwrap(), 16).unwrap();
            for (n, page) in (0..).zip(fs::read(&path).unwrap().chunks_exact(BLCKSZ)) {
                clog.insert(segment * 32 + n, page.to_vec());
            }
        }
        let mut relations = BTreeMap::new();
        let mut folders = vec![pgdata.join("global")];
        folders.extend(
            fs::read_dir(pgdata.join("base"))
                .unwrap()
                .map(|entry| entry.unwrap().path()),
        );
        // pg_tblspc/16385/PG_10_201707211/16386
        let mut spaces = vec![pgdata.join("pg_tblspc")];
        for _ in 0..3 {
            let deeper: Vec<PathBuf> = spaces
                .iter()
                .flat_map(|folder| fs::read_dir(folder).unwrap())
                .map(|entry| entry.unwrap().path())
                .collect();
            spaces = deeper;
        }
        folders.extend(spaces);
        for folder in folders {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                if name.bytes().all(|byte| byte.is_ascii_digit()) {
                    let from_pgdata = path.strip_prefix(pgdata).unwrap().to_str().unwrap();
                    relations.insert(from_pgdata.to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        let multixact = |names: [&str; 2]| {
            let paths = names.map(|name| pgdata.join("pg_multixact").join(name));
            let path = paths.iter().find(|path| path.exists());
            fs::read(path.unwrap()).unwrap()
        };
        Cluster {
            major,
            clog,
            offsets: multixact(["offsets/0000", "offsets/000000000000000"]),
            members: multixact(["members/0000", "members/000000000000000"]),
            relations,
        }
    }

    /// Whether a transaction committed; `None` when only `lost` could tell.
    fn committed(&self, xid: u32, lost: u32) -> Option<bool> {
        match xid {
            0 => return Some(false),
            1 | 2 => return Some(true),
            _ if xid / XIDS == lost => return None,
            _ => {}
        }
        let at = (xid % XIDS) as usize;
        Some(self.clog[&(xid / XIDS)][at / 4] >> (at % 4 * 2) & 3 == 1)
    }

    /// Whether nobody can tell without a page if a tuple is a row.
    fn needs(&self, tuple: &[u8], lost: u32) -> bool {
        let (xmin, xmax, infomask) = (u32_at(tuple, 0), u32_at(tuple, 4), u16_at(tuple, 20));
        let since_9_3 = self.major >= Major::V9_3;
        let inserted = match infomask & 0x0300 {
            0x0300 | 0x0100 => Some(true),
            0x0200 => Some(false),
            _ => self.committed(xmin, lost),
        };
        match inserted {
            None => return true,
            Some(false) => return false,
            Some(true) => {}
        }
        let lock = if since_9_3 {
            infomask & 0x0080 != 0 || infomask & 0x1050 == 0x0040
        } else {
            infomask & 0x00C0 != 0
        };
        if infomask & 0x0C00 != 0 || lock {
            return false;
        }
        let deleter = if infomask & 0x1000 != 0 && since_9_3 {
            self.updater(xmax)
        } else {
            Some(xmax)
        };
        deleter.is_some_and(|xid| self.committed(xid, lost).is_none())
    }

    /// The updating member of a multixact (`multixact.c: GetMultiXactIdMembers`).
    fn updater(&self, multi: u32) -> Option<u32> {
        let width = if self.major >= Major::V19 { 8 } else { 4 };
        let first = u32_at(&self.offsets, multi as usize * width);
        let next = u32_at(&self.offsets, (multi as usize + 1) * width);
        // The last one's members end where no transaction stands.
        let last = if next == 0 { u32::MAX } else { next };
        (first..last)
            .map(|member| {
                let (page, within) = (member / 1636, member % 1636);
                let group = page as usize * BLCKSZ + within as usize / 4 * 20;
                let n = within as usize % 4;
                (
                    self.members[group + n],
                    u32_at(&self.members, group + 4 + 4 * n),
                )
            })
            .take_while(|(_, xid)| *xid != 0)
            .find(|(status, _)| *status >= 4)
            .map(|(_, xid)| xid)
    }

    /// Whether a hint bit says that a transaction of a page committed.
    fn is_marked(&self, tuple: &[u8], lost: u32) -> bool {
        let (xmin, hints) = (u32_at(tuple, 0), u16_at(tuple, 20) & 0x0300);
        // From 9.4 on both bits mean frozen, and nobody asks for the transaction.
        let is_marked = hints == 0x0100 || hints == 0x0300 && self.major < Major::V9_4;
        is_marked && xmin > 2 && xmin / XIDS == lost
    }

    /// Tuples of which that is true of a page, by file.
    fn count(&self, lost: u32, what: fn(&Self, &[u8], u32) -> bool) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for (path, bytes) in &self.relations {
            let mut count = 0;
            for page in bytes.chunks_exact(BLCKSZ) {
                // Only heap pages have no special space; a new page has no header.
                if usize::from(u16_at(page, 16)) != BLCKSZ {
                    continue;
                }
                let items = (usize::from(u16_at(page, 12)) - 24) / 4;
                for item in 0..items {
                    let pointer = u32_at(page, 24 + 4 * item);
                    let (offset, flags) = ((pointer & 0x7FFF) as usize, pointer >> 15 & 3);
                    count += u64::from(flags == 1 && what(self, &page[offset..], lost));
                }
            }
            if count > 0 {
                counts.insert(path.as_str(), count);
            }
        }
        counts
    }
}

fn report_of(pgdata: &Path) -> Report {
    let options = Options {
        max_findings: 10_000,
        ..Options::default()
    };
    check(pgdata, &options, &()).unwrap()
}

fn unreadable(report: &Report) -> BTreeMap<&str, u64> {
    report
        .relations
        .iter()
        .filter(|relation| relation.unreadable_tuples > 0)
        .map(|relation| (relation.path.as_str(), relation.unreadable_tuples))
        .collect()
}

/// The sum of the numbers that stand before some words, in the messages of these checks that have `part` in them.
fn told(report: &Report, codes: &[&str], part: &str, words: &str) -> u64 {
    let number = |message: &str| -> Option<u64> {
        let (before, _) = message.split_once(words)?;
        let digits = before.rsplit(' ').next()?.replace(',', "");
        Some(digits.parse().unwrap_or_else(|_| panic!("{message}")))
    };
    let findings = report.findings.sorted();
    findings
        .iter()
        .filter(|finding| codes.contains(&finding.check.code) && finding.message.contains(part))
        .filter_map(|finding| number(&finding.message))
        .sum()
}

#[test]
fn without_each_commit_log_page_in_turn() {
    let (mut pages, mut tuples) = (0, 0);
    for name in bundled().iter().filter(|name| name.ends_with("-clean")) {
        let folder = unpack(name);
        let pgdata = folder.path().join("pgdata");
        let version = fs::read_to_string(pgdata.join("PG_VERSION")).unwrap();
        let version = Version::by_name(version.trim()).unwrap();
        let major = version.major;
        let cluster = Cluster::read(&pgdata, major);
        for &page in cluster.clog.keys() {
            let expected = cluster.count(page, Cluster::needs);
            let path = clog_folder(&pgdata).join(format!("{:04X}", page / 32));
            let kept = fs::read(&path).unwrap();
            // Its file is gone, or ends before it.
            if page % 32 == 0 {
                fs::remove_file(&path).unwrap();
            } else {
                fs::write(&path, &kept[..page as usize % 32 * BLCKSZ]).unwrap();
            }
            let report = report_of(&pgdata);
            fs::write(&path, &kept).unwrap();
            let found = unreadable(&report);
            let differing: Vec<_> = expected
                .keys()
                .chain(found.keys())
                .filter(|path| expected.get(*path) != found.get(*path))
                .map(|path| (path, expected.get(path), found.get(path)))
                .collect();
            assert_eq!(differing, [], "{name} without page {page}");

            // Of the relations that are named, also the tuples that get along without the page.
            let marked = cluster.count(page, Cluster::is_marked);
            let spared: u64 = expected.keys().filter_map(|path| marked.get(path)).sum();
            let missing = ["clog-segment-missing", "clog-segment-short"];
            let more = told(&report, &missing, "marked", " more ");
            assert_eq!(more, spared, "{name} without page {page}");

            // All zero, it decides as if all had aborted; marks tell that it was lost.
            let mut zeroed = kept.clone();
            let at = page as usize % 32 * BLCKSZ;
            zeroed[at..at + BLCKSZ].fill(0);
            fs::write(&path, zeroed).unwrap();
            let report = report_of(&pgdata);
            fs::write(&path, &kept).unwrap();
            let zeroed = ["clog-segment-zeroed"];
            let decided = told(&report, &zeroed, "yet", " here")
                + told(&report, &zeroed, "without a mark", " tuple");
            assert_eq!(
                decided,
                expected.values().sum::<u64>(),
                "{name} with page {page} zeroed"
            );

            pages += 1;
            tuples += expected.values().sum::<u64>();
        }
        assert_eq!(unreadable(&report_of(&pgdata)), BTreeMap::new(), "{name}");
    }
    assert!(pages > 4 && tuples > 100, "{pages} pages, {tuples} tuples");
}
