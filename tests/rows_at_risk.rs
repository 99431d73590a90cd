//! With each segment and page of the commit log and of the multixacts lost in turn, the tuples that the report calls
//! unreadable are those that a count by hand finds: tuples that need the page, since no hint bit says what it would.
//!
//! The count by hand reads bytes of the files itself, by these rules (`heapam_visibility.c: HeapTupleSatisfiesMVCC`):
//! a tuple needs the page of its `t_xmin`, unless a hint bit or another page tells that it was inserted or was not; if it was,
//! it needs that of its `t_xmax`, unless that is invalid, a mere lock, or a hint bit tells. If `t_xmax` is a multixact, it needs
//! the pages of its offset and of the next one, of each member (`multixact.c: GetMultiXactIdMembers`), and of the updater.
//!
//! After a crash, what the WAL from the redo point on tells needs no page: which transactions ended, which multixacts were made,
//! which pages begin anew, all zero. Tuples are counted as they are on disk. What the records say is taken from the library,
//! whose reading of them `wal_records.rs` holds against `pg_waldump`.
#![allow(missing_docs)]

mod support;

use pgautopsy::check::{IoMode, Options, check};
use pgautopsy::finding::Severity;
use pgautopsy::format::control::ControlFile;
use pgautopsy::format::slru::Slru;
use pgautopsy::format::types::{TransactionId, XLogSegNo};
use pgautopsy::format::version::{Layout, Major, Version};
use pgautopsy::format::wal::effects::{Effect, effects};
use pgautopsy::pgdata::Evidence;
use pgautopsy::recovery::dump::{Met, dump};
use pgautopsy::recovery::reader::WalContext;
use pgautopsy::recovery::source::EvidenceWal;
use pgautopsy::recovery::timeline::Timelines;
use pgautopsy::report::Report;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::{AddAssign, ControlFlow, Range};
use std::path::{Path, PathBuf};
use support::{bundled, unpack, unpack_file};

const BLCKSZ: usize = 8192;
/// Pages of a segment.
const SEGMENT: u32 = 32;

/// What the WAL says that replay reads.
#[derive(Default)]
struct Replayed {
    /// How transactions ended: whether they committed.
    ended: BTreeMap<u32, bool>,
    /// Pages that begin anew.
    zeroed: BTreeSet<(Slru, u32)>,
    /// Multixacts: first offset, and updater.
    multis: BTreeMap<u32, (u32, Option<u32>)>,
}

struct Cluster {
    pgdata: PathBuf,
    major: Major,
    layout: Layout,
    /// Pages of the commit log, of the offsets and of the members.
    pages: BTreeMap<(Slru, u32), Vec<u8>>,
    next_multi: u32,
    next_offset: u32,
    replayed: Replayed,
    /// Main forks, from PGDATA.
    relations: BTreeMap<String, Vec<u8>>,
}

/// Pages of an SLRU that are lost.
#[derive(Clone)]
struct Lost {
    slru: Slru,
    pages: Range<u32>,
}

/// The first lost page that is needed.
type Needs = Result<bool, u32>;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn replayed(pgdata: &Path, control: &ControlFile, layout: Layout) -> Replayed {
    let mut replayed = Replayed::default();
    let evidence = Evidence::open(pgdata, &[], IoMode::Pread).unwrap();
    let wal = EvidenceWal::new(&evidence, &layout, false);
    let segments: Vec<XLogSegNo> = wal.segments().map(|(_, segno, _)| segno).collect();
    let context = WalContext {
        layout,
        system_identifier: Some(control.system_identifier),
        timelines: Timelines::single(1),
    };
    let from = control.check_point_copy.redo;
    dump(&context, &wal, &segments, (Some(from), None), &mut |met| {
        let Met::Record(record) = met else {
            return ControlFlow::Break(());
        };
        effects(layout, record, &mut |effect| {
            let (end, committed) = match effect {
                Effect::Commits(end) => (end, true),
                Effect::Aborts(end) => (end, false),
                Effect::CreatesMulti {
                    mid,
                    offset,
                    members,
                } => {
                    let offset = u32::try_from(offset).unwrap();
                    let updater = members.updater().map(|xid| xid.0);
                    replayed.multis.insert(mid, (offset, updater));
                    return;
                }
                Effect::ZeroesClogPage(page) => {
                    replayed.zeroed.insert((Slru::Xact, page as u32));
                    return;
                }
                Effect::ZeroesMultiOffsetPage(page) => {
                    replayed.zeroed.insert((Slru::MultiXactOffset, page as u32));
                    return;
                }
                Effect::ZeroesMultiMemberPage(page) => {
                    replayed.zeroed.insert((Slru::MultiXactMember, page as u32));
                    return;
                }
                _ => return,
            };
            let xids = end.subxacts.iter().chain([end.xid]);
            replayed
                .ended
                .extend(xids.map(|TransactionId(xid)| (xid, committed)));
        });
        ControlFlow::Continue(())
    });
    replayed
}

impl Cluster {
    fn read(pgdata: &Path) -> Cluster {
        let bytes = fs::read(pgdata.join("global/pg_control")).unwrap();
        let version = fs::read_to_string(pgdata.join("PG_VERSION")).unwrap();
        let version = Version::by_name(version.trim()).unwrap();
        let control = ControlFile::parse(version, &bytes).unwrap();
        let layout = control.layout();
        let mut pages = BTreeMap::new();
        for slru in [Slru::Xact, Slru::MultiXactOffset, Slru::MultiXactMember] {
            for entry in fs::read_dir(pgdata.join(slru.directory(&layout))).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                let segment = u32::from_str_radix(name, 16).unwrap();
                for (n, page) in (0..).zip(fs::read(&path).unwrap().chunks_exact(BLCKSZ)) {
                    pages.insert((slru, segment * SEGMENT + n), page.to_vec());
                }
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
        let point = control.check_point_copy;
        Cluster {
            pgdata: pgdata.to_owned(),
            major: version.major,
            layout,
            pages,
            next_multi: point.next_multi,
            next_offset: u32::try_from(point.next_multi_offset).unwrap(),
            replayed: replayed(pgdata, &control, layout),
            relations,
        }
    }

    /// The bytes of an entry's page, and the number of the entry on it.
    fn entry(&self, slru: Slru, entry: u32, lost: &Lost) -> Result<(Option<&[u8]>, usize), u32> {
        let per_page = match slru {
            Slru::Xact => 32_768,
            Slru::MultiXactOffset if self.major >= Major::V19 => 1024,
            Slru::MultiXactOffset => 2048,
            _ if self.major >= Major::V9_3 => 1636,
            _ => 2048,
        };
        let (page, n) = (entry / per_page, (entry % per_page) as usize);
        if self.replayed.zeroed.contains(&(slru, page)) {
            return Ok((None, n));
        }
        if lost.slru == slru && lost.pages.contains(&page) {
            return Err(page);
        }
        Ok((Some(&self.pages[&(slru, page)]), n))
    }

    fn committed(&self, xid: u32, lost: &Lost) -> Needs {
        if xid < 3 {
            return Ok(xid > 0);
        }
        if let Some(committed) = self.replayed.ended.get(&xid) {
            return Ok(*committed);
        }
        let (page, n) = self.entry(Slru::Xact, xid, lost)?;
        Ok(page.is_some_and(|page| page[n / 4] >> (n % 4 * 2) & 3 == 1))
    }

    /// The first lost page without which nobody can tell if a tuple is a row.
    fn needs(&self, tuple: &[u8], lost: &Lost) -> Result<(), u32> {
        let (xmin, xmax, infomask) = (u32_at(tuple, 0), u32_at(tuple, 4), u16_at(tuple, 20));
        let since_9_3 = self.major >= Major::V9_3;
        let inserted = match infomask & 0x0300 {
            0x0300 | 0x0100 => true,
            0x0200 => false,
            _ => self.committed(xmin, lost)?,
        };
        let lock = if since_9_3 {
            infomask & 0x0080 != 0 || infomask & 0x1050 == 0x0040
        } else {
            infomask & 0x00C0 != 0
        };
        if !inserted || infomask & 0x0C00 != 0 || lock {
            return Ok(());
        }
        let deleter = if infomask & 0x1000 != 0 && since_9_3 {
            self.updater(xmax, lost)?
        } else {
            Some(xmax)
        };
        if let Some(xid) = deleter {
            self.committed(xid, lost)?;
        }
        Ok(())
    }

    /// Where the members of a multixact begin.
    fn offset(&self, multi: u32, lost: &Lost) -> Result<u32, u32> {
        if let Some((offset, _)) = self.replayed.multis.get(&multi) {
            return Ok(*offset);
        }
        let width = if self.major >= Major::V19 { 8 } else { 4 };
        let (page, n) = self.entry(Slru::MultiXactOffset, multi, lost)?;
        Ok(u32_at(page.unwrap(), n * width))
    }

    /// The updating member of a multixact (`multixact.c: GetMultiXactIdMembers`).
    fn updater(&self, multi: u32, lost: &Lost) -> Result<Option<u32>, u32> {
        if let Some((_, updater)) = self.replayed.multis.get(&multi) {
            return Ok(*updater);
        }
        let first = self.offset(multi, lost)?;
        let is_last =
            multi + 1 == self.next_multi && !self.replayed.multis.contains_key(&(multi + 1));
        let end = match is_last {
            true => self.next_offset,
            false => self.offset(multi + 1, lost)?,
        };
        let mut updater = None;
        for member in first..end {
            let (page, within) = self.entry(Slru::MultiXactMember, member, lost)?;
            let (page, group) = (page.unwrap(), within / 4 * 20);
            let n = within % 4;
            if page[group + n] >= 4 {
                updater = Some(u32_at(page, group + 4 + 4 * n));
            }
        }
        Ok(updater)
    }

    /// Whether only a hint bit says that a transaction on a lost page committed.
    fn is_marked(&self, tuple: &[u8], lost: &Lost) -> Result<(), u32> {
        let (xmin, hints) = (u32_at(tuple, 0), u16_at(tuple, 20) & 0x0300);
        // From 9.4 on both bits mean frozen, and nobody asks for the transaction.
        let is_marked = hints == 0x0100 || hints == 0x0300 && self.major < Major::V9_4;
        match self.committed(xmin, lost) {
            Err(page) if is_marked => Err(page),
            _ => Ok(()),
        }
    }

    /// Tuples of which that is true of a lost page, by page and file.
    fn count(
        &self,
        lost: &Lost,
        what: fn(&Self, &[u8], &Lost) -> Result<(), u32>,
    ) -> BTreeMap<(u32, &str), u64> {
        let mut counts = BTreeMap::new();
        for (path, bytes) in &self.relations {
            for page in bytes.chunks_exact(BLCKSZ) {
                // Only heap pages have no special space; a new page has no header.
                if usize::from(u16_at(page, 16)) != BLCKSZ {
                    continue;
                }
                let items = (usize::from(u16_at(page, 12)) - 24) / 4;
                for item in 0..items {
                    let pointer = u32_at(page, 24 + 4 * item);
                    let (offset, flags) = ((pointer & 0x7FFF) as usize, pointer >> 15 & 3);
                    if flags == 1
                        && let Err(lost) = what(self, &page[offset..], lost)
                    {
                        *counts.entry((lost, path.as_str())).or_default() += 1;
                    }
                }
            }
        }
        counts
    }

    fn segment(&self, slru: Slru, page: u32) -> PathBuf {
        let name = slru.segment_path(u64::from(page / SEGMENT), &self.layout);
        self.pgdata.join(name)
    }
}

fn report_of(pgdata: &Path) -> Report {
    let options = Options {
        max_findings: 10_000,
        threads: Some(1),
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

/// What was compared.
#[derive(Default, Debug)]
struct Compared {
    pages: usize,
    needed_pages: usize,
    tuples: u64,
}

impl AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.pages += other.pages;
        self.needed_pages += other.needed_pages;
        self.tuples += other.tuples;
    }
}

/// Compares with the page lost, and all behind it in its segment.
fn compare_lost(cluster: &Cluster, name: &str, slru: Slru, page: u32) -> Compared {
    let end = page / SEGMENT * SEGMENT + SEGMENT;
    let lost = Lost {
        slru,
        pages: page..end,
    };
    let what = format!("{name} without {slru:?} page {page}");
    let needs = cluster.count(&lost, Cluster::needs);
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for ((_, path), tuples) in &needs {
        *expected.entry(path).or_default() += tuples;
    }
    let path = cluster.segment(slru, page);
    let kept = fs::read(&path).unwrap();
    // Its file is gone, or ends before it.
    if page.is_multiple_of(SEGMENT) {
        fs::remove_file(&path).unwrap();
    } else {
        fs::write(&path, &kept[..(page % SEGMENT) as usize * BLCKSZ]).unwrap();
    }
    let report = report_of(&cluster.pgdata);
    fs::write(&path, &kept).unwrap();
    let found = unreadable(&report);
    let differing: Vec<_> = expected
        .keys()
        .chain(found.keys())
        .filter(|path| expected.get(*path) != found.get(*path))
        .map(|path| (path, expected.get(path), found.get(path)))
        .collect();
    assert_eq!(differing, [], "{what}");

    let tuples: u64 = expected.values().sum();
    let codes = match slru {
        Slru::Xact => ["clog-segment-missing", "clog-segment-short"],
        _ => ["multixact-segment-missing", "multixact-segment-short"],
    };
    let in_need = told(&report, &codes, " need", " tuple");
    assert_eq!(in_need, tuples, "{what}: tuples that need it");
    if slru == Slru::Xact {
        // Of the relations that are named, also the tuples that get along without the page.
        let marked = cluster.count(&lost, Cluster::is_marked);
        let spared: u64 = needs.keys().filter_map(|at| marked.get(at)).sum();
        let more = told(&report, &codes, "marked", " more ");
        assert_eq!(more, spared, "{what}: marked ones");
    }
    Compared {
        pages: 1,
        needed_pages: usize::from(tuples > 0),
        tuples,
    }
}

/// Compares with a page of the commit log all zero: it decides as if all had aborted. Marks tell that it was lost.
fn compare_zeroed(cluster: &Cluster, name: &str, page: u32) {
    let lost = Lost {
        slru: Slru::Xact,
        pages: page..page + 1,
    };
    let is_betrayed = !cluster.count(&lost, Cluster::is_marked).is_empty();
    let expected: u64 = match is_betrayed {
        true => cluster.count(&lost, Cluster::needs).values().sum(),
        false => 0,
    };
    let path = cluster.segment(Slru::Xact, page);
    let kept = fs::read(&path).unwrap();
    let mut zeroed = kept.clone();
    let at = (page % SEGMENT) as usize * BLCKSZ;
    zeroed[at..at + BLCKSZ].fill(0);
    fs::write(&path, zeroed).unwrap();
    let report = report_of(&cluster.pgdata);
    fs::write(&path, &kept).unwrap();
    let zeroed = ["clog-segment-zeroed"];
    let decided =
        told(&report, &zeroed, "yet", " here") + told(&report, &zeroed, "without a mark", " tuple");
    assert_eq!(decided, expected, "{name} with page {page} zeroed");
}

fn compare_all(name: &str, pgdata: &Path) -> Compared {
    let cluster = Cluster::read(pgdata);
    let mut compared = Compared::default();
    for &(slru, page) in cluster.pages.keys() {
        // Holes that a file begins with.
        let is_hole = cluster.pages[&(slru, page)].iter().all(|byte| *byte == 0);
        if is_hole && cluster.pages.len() > 10 && !page.is_multiple_of(SEGMENT) {
            continue;
        }
        compared += compare_lost(&cluster, name, slru, page);
        if slru == Slru::Xact {
            compare_zeroed(&cluster, name, page);
        }
    }
    compared
}

fn compare_fixtures(kind: &str) -> Compared {
    let names: Vec<_> = bundled().iter().filter(|n| n.ends_with(kind)).collect();
    let compared: Vec<Compared> = names
        .par_iter()
        .map(|name| {
            let folder = unpack(name);
            compare_all(name, &folder.path().join("pgdata"))
        })
        .collect();
    compared
        .into_iter()
        .fold(Compared::default(), |mut all, one| {
            all += one;
            all
        })
}

#[test]
fn after_a_clean_stop() {
    let compared = compare_fixtures("-clean");
    // A page of the commit log, one of offsets, one of members.
    assert_eq!(compared.pages, 3 * 17, "{compared:?}");
    assert!(
        compared.needed_pages > 25 && compared.tuples > 100,
        "{compared:?}"
    );
}

#[test]
fn after_a_crash() {
    let compared = compare_fixtures("-crash");
    assert_eq!(compared.pages, 3 * 17, "{compared:?}");
    // Replay makes all multixacts of these.
    assert!(
        compared.needed_pages > 15 && compared.tuples > 40_000,
        "{compared:?}"
    );
}

#[test]
fn after_a_crash_with_many_pages() {
    let folder = unpack_file("slru-15.tar.zst");
    let pgdata = folder.path().join("pgdata");
    let report = report_of(&pgdata);
    let findings = report.findings.sorted();
    let worst = findings.iter().map(|finding| finding.severity).max();
    assert!(worst <= Some(Severity::Note), "{findings:#?}");
    let compared = compare_all("slru-15", &pgdata);
    assert!(compared.pages > 10, "{compared:?}");
    assert!(
        compared.needed_pages > 10 && compared.tuples > 10_000,
        "{compared:?}"
    );
}
