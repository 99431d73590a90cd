//! Every record of the crash fixtures, against what the servers' own tools and their own
//! recovery made of it.

use pgautopsy::format::wal::clog::{self, ClogOp};
use pgautopsy::format::wal::dbase::{self, DbaseOp};
use pgautopsy::format::wal::effects::{Effect, effects};
use pgautopsy::format::wal::heap::{self, HeapOp};
use pgautopsy::format::wal::heap2::{self, Heap2Op};
use pgautopsy::format::wal::multixact::{self, MultiXactOp};
use pgautopsy::format::wal::relmap;
use pgautopsy::format::wal::smgr::{self, SmgrOp};
use pgautopsy::format::wal::standby::{self, StandbyOp};
use pgautopsy::format::wal::xact::{self, XactOp};
use pgautopsy::format::wal::xlog::{self, XLogOp};
use pgautopsy::format::wal::{self, Decoder, Record, RecordHeader, rmgr};
use pgautopsy::format::{
    ForkNumber, Layout, Major, RelFileLocator, TimestampTz, VERSIONS, Version, XLogRecPtr,
};
use pgautopsy::recovery::reader::{Position, SegmentFile, WalContext, WalReader, WalSource};
use pgautopsy::recovery::timeline::Timelines;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

mod support;

/// One fixture: its WAL in memory and the names of its files.
struct Fixture {
    name: String,
    context: WalContext,
    segments: BTreeMap<String, Vec<u8>>,
    files: BTreeSet<String>,
    redo: XLogRecPtr,
}

impl Fixture {
    fn load(name: &str) -> Self {
        let version = Version::by_name(name.split('-').next().unwrap()).unwrap();
        let wal_dir = format!("pgdata/{}/", version.wal_dir());
        let mut files = BTreeSet::new();
        let wal = support::fixture_files(name, |path| {
            files.extend(path.strip_prefix("pgdata/").map(str::to_owned));
            path.strip_prefix(&wal_dir).is_some_and(|f| f.len() == 24)
        });
        let segments = wal
            .into_iter()
            .map(|(path, bytes)| (path[wal_dir.len()..].to_owned(), bytes))
            .collect();
        let control = support::truth(name, "control.txt");
        let value = |key: &str| {
            let line = control.lines().find(|l| l.contains(key)).unwrap();
            line.rsplit(' ').next().unwrap().to_owned()
        };
        let mut layout = Layout::usual(version);
        layout.wal_segsz = value("Bytes per WAL segment").parse().unwrap();
        Self {
            name: name.to_owned(),
            context: WalContext {
                layout,
                system_identifier: None,
                timelines: Timelines::single(value("checkpoint's TimeLineID").parse().unwrap()),
            },
            segments,
            files,
            redo: XLogRecPtr::parse(&value("REDO location")).unwrap(),
        }
    }

    fn layout(&self) -> Layout {
        self.context.layout
    }

    fn kind(&self, record: &Record<'_, '_>) -> String {
        let version = self.layout().version;
        let header = &record.header;
        let kind = rmgr::identify(version, header.xl_rmid, header.xl_info);
        let name = rmgr::name(version, header.xl_rmid);
        format!("{name} {}", kind.unwrap_or("?"))
    }

    /// Reads from the redo point to the end of WAL.
    fn walk(&self, each: impl FnMut(&Record<'_, '_>)) {
        self.walk_from(self.redo, each);
    }

    /// Reads all that is left of the WAL.
    fn walk_all(&self, each: impl FnMut(&Record<'_, '_>)) {
        let geometry = wal::WalGeometry::of(&self.context.layout);
        let tli = self.context.timelines.target();
        let mut segno = geometry.segment_of(self.redo);
        while segno > 0 && self.open(tli, segno - 1).is_some() {
            segno -= 1;
        }
        let mut reader = WalReader::new(&self.context, self, Position::at(self.redo));
        let first = reader.find_first_in_segment(segno).unwrap().unwrap();
        self.walk_from(first, each);
    }

    fn walk_from(&self, start: XLogRecPtr, mut each: impl FnMut(&Record<'_, '_>)) {
        let mut reader = WalReader::new(&self.context, self, Position::at(start));
        let mut n = 0;
        while let Ok(record) = reader.read() {
            each(&record);
            n += 1;
        }
        assert!(n > 100, "{}: only {n} records", self.name);
    }
}

struct Segment<'a>(&'a [u8]);

impl SegmentFile for Segment<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = &self.0[usize::try_from(offset).unwrap().min(self.0.len())..];
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }
}

impl WalSource for Fixture {
    fn open(&self, tli: u32, segno: u64) -> Option<Box<dyn SegmentFile + '_>> {
        let name = wal::WalGeometry::of(&self.context.layout).name(tli, segno);
        let bytes = self.segments.get(&name.to_string())?;
        Some(Box::new(Segment(bytes)))
    }
}

fn crash_fixtures() -> impl Iterator<Item = Fixture> {
    VERSIONS
        .iter()
        .map(|v| Fixture::load(&format!("{}-crash", v.major)))
}

/// Those whose own WAL the truth has read out.
fn fixtures_with_waldump() -> impl Iterator<Item = Fixture> {
    support::all_shared()
        .into_iter()
        .filter(|name| {
            let major = Version::by_name(name.split('-').next().unwrap()).unwrap();
            let variant = ["-crash", "-torn", "-promoted"];
            major.since(Major::V9_3) && variant.iter().any(|v| name.ends_with(v))
        })
        .map(|name| Fixture::load(&name))
}

type Block = (RelFileLocator, ForkNumber, u32);

#[test]
fn every_record_is_understood() {
    let mut wrong: BTreeMap<String, u32> = BTreeMap::new();
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for fixture in crash_fixtures() {
        let layout = fixture.layout();
        fixture.walk_all(|record| {
            let kind = fixture.kind(record);
            *kinds.entry(kind.clone()).or_default() += 1;
            let mut complain = |what: String| {
                *wrong
                    .entry(format!("{} {kind}: {what}", fixture.name))
                    .or_default() += 1;
            };
            if kind.ends_with('?') {
                complain(format!("unknown {:02X}", record.header.xl_info));
            }
            let mut named: BTreeSet<Block> = BTreeSet::new();
            effects(layout, record, &mut |effect| match effect {
                Effect::Unclear(malformed) => complain(malformed.to_string()),
                Effect::Rebuilds {
                    locator,
                    fork,
                    blkno,
                    ..
                }
                | Effect::Touches {
                    locator,
                    fork,
                    blkno,
                } => {
                    named.insert((locator, fork, blkno));
                    if blkno > 10_000 || locator.spc_oid < 1663 {
                        complain(format!("wild block {locator} {blkno}"));
                    }
                }
                _ => {}
            });
            for block in record.blocks() {
                if let Some(image) = block.image {
                    let mut page = vec![0; 8192];
                    if let Err(e) = image.restore(layout, &mut page) {
                        complain(e.to_string());
                    }
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(kinds.len() > 80, "{kinds:?}");
}

/// `base/16386/16404.1` and a block in it.
fn block_of(path: &str, block: u32) -> Option<Block> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let file = parts.pop()?;
    let (spc_oid, db_oid) = match parts[..] {
        ["global"] => (1664, 0),
        ["base", db] => (1663, db.parse().ok()?),
        ["pg_tblspc", ts, _, db] => (ts.parse().ok()?, db.parse().ok()?),
        _ => return None,
    };
    let (file, segment) = file.split_once('.').unwrap_or((file, "0"));
    let (number, fork) = file.split_once('_').unwrap_or((file, "main"));
    let fork = match fork {
        "main" => ForkNumber::Main,
        "vm" => ForkNumber::Vm,
        "fsm" => ForkNumber::Fsm,
        _ => ForkNumber::Init,
    };
    let locator = RelFileLocator {
        spc_oid,
        db_oid,
        rel_number: number.parse().ok()?,
    };
    let segment: u32 = segment.parse().ok()?;
    Some((locator, fork, segment * 131_072 + block))
}

/// MD5, for the hashes in the truth (RFC 1321).
fn md5(bytes: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [
        [7, 12, 17, 22],
        [5, 9, 14, 20],
        [4, 11, 16, 23],
        [6, 10, 15, 21],
    ];
    let mut message = bytes.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend_from_slice(&(bytes.len() as u64 * 8).to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
    for chunk in message.chunks_exact(64) {
        let word = |i: usize| u32::from_le_bytes(chunk[i * 4..i * 4 + 4].try_into().unwrap());
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64 {
            let (f, g) = match i / 16 {
                0 => (b & c | !b & d, i),
                1 => (d & b | !d & c, (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), 7 * i % 16),
            };
            let k = ((i as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a.wrapping_add(f).wrapping_add(k).wrapping_add(word(g));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
        }
        for (s, v) in state.iter_mut().zip([a, b, c, d]) {
            *s = s.wrapping_add(v);
        }
    }
    let mut out = [0; 16];
    for (o, s) in out.chunks_exact_mut(4).zip(state) {
        o.copy_from_slice(&s.to_le_bytes());
    }
    out
}

/// What the records of a fixture do to its pages.
#[derive(Default)]
struct Plan {
    /// End of the last record that changes a page, its kind, and the page if that record
    /// has its image and does not make it anew all the same.
    last: BTreeMap<Block, (XLogRecPtr, String, Option<Vec<u8>>)>,
    rebuilt: BTreeSet<Block>,
    made_visible: BTreeMap<Block, XLogRecPtr>,
    copied: BTreeSet<u32>,
    vm_cleared: BTreeSet<RelFileLocator>,
}

impl Plan {
    fn of(fixture: &Fixture) -> Self {
        let mut plan = Self::default();
        let layout = fixture.layout();
        fixture.walk(|record| {
            effects(layout, record, &mut |effect| match effect {
                Effect::Rebuilds {
                    locator,
                    fork,
                    blkno,
                    image,
                } => {
                    let page = image.map(|image| {
                        let mut page = vec![0; 8192];
                        image.restore(layout, &mut page).unwrap();
                        page
                    });
                    let block = (locator, fork, blkno);
                    let entry = (record.end_lsn, fixture.kind(record), page);
                    plan.last.insert(block, entry);
                    plan.rebuilt.insert(block);
                }
                Effect::Touches {
                    locator,
                    fork,
                    blkno,
                } => {
                    let kind = fixture.kind(record);
                    let block = (locator, fork, blkno);
                    // Sets a hint bit of the heap page; its LSN only in later minors with
                    // checksums.
                    if kind == "Heap2 VISIBLE" && fork == ForkNumber::Main {
                        plan.made_visible.insert(block, record.end_lsn);
                    } else {
                        plan.last.insert(block, (record.end_lsn, kind, None));
                    }
                }
                Effect::CopiesDatabase { db, .. } => {
                    plan.copied.insert(db);
                }
                Effect::ClearsVm { locator, .. }
                | Effect::Truncates {
                    locator,
                    fork: ForkNumber::Vm,
                    ..
                } => {
                    plan.vm_cleared.insert(locator);
                }
                _ => {}
            });
        });
        plan
    }
}

/// Recovery by the server changed these pages, and stamped them with the end of the last
/// record that did: the effects must say the same. Where that record has an image, it must
/// be the page, byte by byte.
#[test]
#[ignore = "needs the whole set beside the repository"]
fn effects_are_what_recovery_did() {
    let mut wrong = BTreeMap::new();
    for fixture in crash_fixtures() {
        let plan = Plan::of(&fixture);
        let truth = support::truth(&fixture.name, "recovered_pages.csv.zst");
        let (mut checked, mut images) = (0, 0);
        for line in truth.lines().skip(1) {
            let [path, block, lsn, hash] = line.split(',').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let Some(page) = block_of(path, block.parse().unwrap()) else {
                continue;
            };
            let unlogged = fixture.files.contains(&format!("{path}_init"));
            // The free space map is not logged; copied files are as in the other database.
            if page.1 == ForkNumber::Fsm || unlogged || plan.copied.contains(&page.0.db_oid) {
                continue;
            }
            let found = plan.last.get(&page);
            if page.1 == ForkNumber::Vm && plan.vm_cleared.contains(&page.0) {
                continue;
            }
            checked += 1;
            let lsn = XLogRecPtr::parse(lsn);
            // A new page of zeros has no LSN.
            let visible = plan.made_visible.get(&page).copied();
            if lsn != Some(XLogRecPtr::INVALID)
                && found.map(|f| f.0) != lsn
                && (visible.is_none() || visible != lsn)
            {
                let found = found.map(|f| (f.0, &f.1)).to_owned();
                wrong.insert(format!("{} {line}", fixture.name), format!("{found:?}"));
            }
            if let Some((lsn, kind, Some(image))) = found
                && visible.is_none_or(|visible| visible < *lsn)
            {
                let mut image = image.clone();
                image[..4].copy_from_slice(&lsn.high().to_le_bytes());
                image[4..8].copy_from_slice(&lsn.low().to_le_bytes());
                image[8..10].fill(0);
                images += 1;
                if hex::encode(&md5(&image)[..8]) != hash {
                    wrong.insert(format!("{} {line}", fixture.name), format!("{kind} image"));
                }
            }
        }
        assert!(checked > 100 && images > 0, "{}", fixture.name);
    }
    let n = wrong.len();
    let some: Vec<_> = wrong.into_iter().take(60).collect();
    assert!(n == 0, "{n}: {some:#?}");
}

/// The servers recovered these copies whole, so WAL rebuilds each torn page.
#[test]
fn torn_pages_are_rebuilt() {
    let torn = support::of_kind("torn");
    assert_eq!(torn.len(), 6);
    for name in torn {
        let fixture = Fixture::load(name);
        let plan = Plan::of(&fixture);
        let mut missing = Vec::new();
        let truth = support::truth(name, "bad_checksums.csv");
        for line in truth.lines().skip(1) {
            let mut fields = line.split(',');
            let path = fields.next().unwrap();
            let page = block_of(path, fields.next().unwrap().parse().unwrap()).unwrap();
            if page.1 != ForkNumber::Fsm && !plan.rebuilt.contains(&page) {
                missing.push(line.to_owned());
            }
        }
        assert!(truth.lines().count() > 1, "{name}");
        assert!(missing.is_empty(), "{name}: {missing:#?}");
    }
}

/// `2026-11-20 12:19:30.081573`, as tools print it in UTC.
fn timestamp(time: TimestampTz) -> String {
    let since = time::Duration::microseconds(time.0);
    let at = time::macros::datetime!(2000-01-01 0:00 UTC) + since;
    let format = time::macros::format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]"
    );
    at.format(format).unwrap()
}

/// The description of a record in our words, as far as tools print the same ones.
fn facts(fixture: &Fixture, record: &Record<'_, '_>) -> Vec<String> {
    let layout = fixture.layout();
    let mut facts = Vec::new();
    match record.header.xl_rmid {
        rmgr::RM_XACT_ID => match xact::parse(layout, record).unwrap() {
            XactOp::Commit(end)
            | XactOp::Abort(end)
            | XactOp::CommitPrepared(end)
            | XactOp::AbortPrepared(end) => {
                facts.push(timestamp(end.xact_time));
                if !end.subxacts.is_empty() {
                    let xids: Vec<_> = end.subxacts.iter().map(|x| x.to_string()).collect();
                    facts.push(format!("subxacts: {}", xids.join(" ")));
                }
                if end.dropped.iter().any(|l| l.spc_oid == 1663) {
                    facts.push("rels: ".to_owned());
                }
                for rel in end.dropped.iter().filter(|l| l.spc_oid == 1663) {
                    facts.push(format!("base/{}/{}", rel.db_oid, rel.rel_number));
                }
                if end.xid != record.header.xl_xid {
                    facts.push(format!("{}:", end.xid));
                }
            }
            XactOp::Assignment { xtop, subxacts } => {
                let xids: Vec<_> = subxacts.iter().map(|x| x.to_string()).collect();
                facts.push(format!("xtop {xtop}: subxacts: {}", xids.join(" ")));
            }
            _ => {}
        },
        rmgr::RM_MULTIXACT_ID => match multixact::parse(layout, record).unwrap() {
            MultiXactOp::CreateId { mid, moff, members } => {
                facts.push(format!("{mid} offset {moff} nmembers {}: ", members.len()));
                facts.extend(members.xids().map(|x| format!(" {x} (")));
            }
            MultiXactOp::ZeroOffPage(page) | MultiXactOp::ZeroMemPage(page) => {
                facts.push(format!(" {page}"));
            }
            _ => {}
        },
        rmgr::RM_XLOG_ID => match xlog::parse(layout, record).unwrap() {
            XLogOp::NextOid(oid) => facts.push(format!(" {oid}")),
            XLogOp::RestorePoint { name, .. } => {
                facts.push(String::from_utf8(name.to_vec()).unwrap());
            }
            XLogOp::FpwChange(on) => facts.push(format!(" {on}")),
            XLogOp::BackupEnd(lsn) => facts.push(wal::lsn_text(layout.version, lsn)),
            XLogOp::EndOfRecovery {
                time,
                this_tli,
                prev_tli,
                ..
            } => {
                facts.push(format!("tli {this_tli}; prev tli {prev_tli}; time "));
                facts.push(timestamp(time)[..19].to_owned());
            }
            XLogOp::ParameterChange(change) => {
                facts.push(format!("max_connections={} ", change.max_connections));
                facts.push(format!("max_prepared_xacts={} ", change.max_prepared_xacts));
                facts.push(format!("max_locks_per_xact={} ", change.max_locks_per_xact));
                let bool = |b: bool| if b { "on" } else { "off" };
                facts.extend(
                    change
                        .track_commit_timestamp
                        .map(|b| format!("track_commit_timestamp={}", bool(b))),
                );
            }
            XLogOp::CheckpointOnline(_) => facts.push("; online".to_owned()),
            XLogOp::CheckpointShutdown(_) => facts.push("; shutdown".to_owned()),
            _ => {}
        },
        rmgr::RM_SMGR_ID => match smgr::parse(layout, record).unwrap() {
            SmgrOp::Create { locator, fork } => {
                facts.push(format!("/{}{}", locator.rel_number, fork.suffix()));
            }
            SmgrOp::Truncate { locator, blkno, .. } => {
                facts.push(format!("/{} to {blkno} blocks", locator.rel_number));
            }
            SmgrOp::Unknown(_) => {}
        },
        rmgr::RM_CLOG_ID => match clog::parse(layout, record).unwrap() {
            ClogOp::ZeroPage(page) => facts.push(format!(" {page}")),
            ClogOp::Truncate { pageno, .. } => facts.push(format!("page {pageno}")),
            ClogOp::Unknown(_) => {}
        },
        rmgr::RM_DBASE_ID if layout.since(Major::V10) => {
            match dbase::parse(layout, record).unwrap() {
                DbaseOp::CreateFileCopy {
                    db,
                    ts,
                    src_db,
                    src_ts,
                } => facts.push(format!("copy dir {src_ts}/{src_db} to {ts}/{db}")),
                DbaseOp::CreateWalLog { db, ts } => facts.push(format!("create dir {ts}/{db}")),
                DbaseOp::Drop { db, tablespaces } => {
                    facts.extend(tablespaces.iter().map(|ts| format!(" {ts}/{db}")));
                }
                DbaseOp::Unknown(_) => {}
            }
        }
        rmgr::RM_RELMAP_ID => {
            let update = relmap::parse(record).unwrap().unwrap();
            facts.push(format!(
                "database {} tablespace {} size {}",
                update.db,
                update.ts,
                update.data.len()
            ));
        }
        rmgr::RM_STANDBY_ID => match standby::parse(layout, record).unwrap() {
            StandbyOp::Lock(locks) => facts.extend(
                locks
                    .iter()
                    .map(|l| format!("xid {} db {} rel {}", l.xid, l.db, l.rel)),
            ),
            StandbyOp::RunningXacts(running) => {
                facts.push(format!(
                    "nextXid {} latestCompletedXid {} oldestRunningXid {}",
                    running.next_xid, running.latest_completed_xid, running.oldest_running_xid
                ));
                facts.extend(running.xids.iter().map(|xid| format!(" {xid}")));
            }
            _ => {}
        },
        rmgr::RM_HEAP_ID => {
            let tid = |t: &heap::Target| {
                if !layout.since(Major::V9_5) {
                    format!("rel {}; tid {}/{}", t.locator, t.blkno, t.offnum)
                } else if layout.since(Major::V16) {
                    format!("off: {}", t.offnum)
                } else {
                    format!("off {}", t.offnum)
                }
            };
            match heap::parse(layout, record).unwrap() {
                HeapOp::Insert { target, .. } | HeapOp::Inplace { target, .. } => {
                    facts.push(tid(&target));
                }
                HeapOp::Delete { target, xmax, .. } => {
                    facts.push(tid(&target));
                    if layout.since(Major::V16) {
                        facts.push(format!("xmax: {xmax}"));
                    }
                }
                HeapOp::Lock { target, xmax, .. } => {
                    facts.push(tid(&target));
                    facts.push(xmax.to_string());
                }
                HeapOp::Update(u) | HeapOp::HotUpdate(u) => {
                    if layout.since(Major::V16) {
                        facts.push(format!(
                            "old_xmax: {}, old_off: {}",
                            u.old_xmax, u.old.offnum
                        ));
                        facts.push(format!(
                            "new_xmax: {}, new_off: {}",
                            u.new_xmax, u.new.offnum
                        ));
                    } else {
                        facts.push(format!("{} xmax {}", tid(&u.old), u.old_xmax));
                        facts.push(format!("xmax {}", u.new_xmax));
                        if layout.since(Major::V9_5) {
                            facts.push(format!("new off {}", u.new.offnum));
                        } else {
                            facts.push(format!("new tid {}/{}", u.new.blkno, u.new.offnum));
                        }
                    }
                }
                _ => {}
            }
        }
        rmgr::RM_HEAP2_ID => match heap2::parse(layout, record).unwrap() {
            Heap2Op::MultiInsert(insert) if layout.since(Major::V16) => {
                facts.push(format!("ntuples: {}", insert.ntuples));
            }
            Heap2Op::MultiInsert(insert) => facts.push(format!("{} tuples", insert.ntuples)),
            Heap2Op::Prune { page, .. } if !layout.since(Major::V9_5) => {
                facts.push(format!("rel {}; blk {}", page.locator, page.blkno));
            }
            Heap2Op::Prune {
                conflict_xid: Some(xid),
                ..
            } => facts.push(format!(" {xid}")),
            Heap2Op::Freeze { cutoff_xid, .. } => facts.push(format!(" {cutoff_xid}")),
            Heap2Op::Visible { cutoff_xid, .. } if layout.since(Major::V9_5) => {
                facts.push(format!(" {cutoff_xid}"));
            }
            _ => {}
        },
        _ => {}
    }
    for block in record.blocks().filter(|_| layout.since(Major::V9_5)) {
        let fork = match block.fork {
            ForkNumber::Main => String::new(),
            fork => format!(" fork {fork}"),
        };
        facts.push(format!(
            "blkref #{}: rel {}{fork} blk {}{}",
            block.id,
            block.locator,
            block.blkno,
            if block.image.is_some() { " FPW" } else { "" }
        ));
    }
    facts
}

/// Against the text of each version's own `pg_xlogdump` or `pg_waldump`.
#[test]
#[ignore = "needs the whole set beside the repository"]
fn records_read_as_the_servers_tools_read_them() {
    let mut wrong = Vec::new();
    for fixture in fixtures_with_waldump() {
        let text = support::truth(&fixture.name, "waldump.txt.zst");
        let mut lines = text.lines().filter(|l| l.starts_with("rmgr: "));
        let mut n = 0_u32;
        fixture.walk(|record| {
            let Some(line) = lines.next() else {
                wrong.push(format!("{}: record without a line", fixture.name));
                return;
            };
            n += 1;
            let (head, desc) = line.split_once("desc: ").unwrap();
            let version = fixture.layout().version;
            let lsn = |lsn: XLogRecPtr| format!("{:X}/{:08X}", lsn.high(), lsn.low());
            let lengths = head.split("(rec/tot):").nth(1).unwrap();
            let lengths = lengths.split(", tx:").next().unwrap();
            let tot_len = lengths.rsplit('/').next().unwrap().trim();
            let mut expected = vec![
                format!("lsn: {},", lsn(record.lsn)),
                format!("prev {},", lsn(record.header.xl_prev)),
                format!("rmgr: {} ", rmgr::name(version, record.header.xl_rmid)),
                format!("tx: {:>10},", record.header.xl_xid.0),
            ];
            expected.retain(|fact| !head.contains(fact));
            if tot_len != record.header.xl_tot_len.to_string() {
                expected.push(format!("{} bytes", record.header.xl_tot_len));
            }
            if fixture.layout().since(Major::V9_5) && record.header.xl_rmid != rmgr::RM_GENERIC_ID {
                let kind = fixture.kind(record);
                let name = kind.split_once(' ').unwrap().1;
                if desc.split([' ', ',', ';', ':']).next() != Some(name) {
                    expected.push(name.to_owned());
                }
            }
            for fact in facts(&fixture, record) {
                if !desc.contains(&fact) {
                    expected.push(fact);
                }
            }
            if !expected.is_empty() && wrong.len() < 60 {
                wrong.push(format!("{}: {expected:?} not in {line}", fixture.name));
            }
        });
        assert!(n > 100 && lines.next().is_none(), "{} {n}", fixture.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Records of every version, kept to be damaged.
fn samples() -> Vec<(Layout, Vec<u8>)> {
    let mut samples = Vec::new();
    for major in [
        Major::V9_0,
        Major::V9_2,
        Major::V9_4,
        Major::V9_5,
        Major::V15,
        Major::V19,
    ] {
        let fixture = Fixture::load(&format!("{major}-crash"));
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        fixture.walk(|record| {
            let n = seen.entry(fixture.kind(record)).or_default();
            *n += 1;
            if *n <= 3 {
                samples.push((fixture.layout(), record.bytes().to_vec()));
            }
        });
    }
    samples
}

/// Everything there is to read in a record; must come back whatever the bytes are.
fn read_all(layout: Layout, bytes: &[u8]) {
    let Ok(header) = RecordHeader::parse(layout.version, bytes) else {
        return;
    };
    let (lsn, end_lsn) = (XLogRecPtr(0x100_0028), XLogRecPtr(0x100_0128));
    let mut decoder = Decoder::new();
    let record = match decoder.decode(layout, lsn, end_lsn, header, bytes) {
        Ok(record) => record,
        Err(e) => {
            assert!(!e.message(layout.version, lsn).is_empty());
            return;
        }
    };
    for block in record.blocks() {
        if let Some(image) = block.image {
            let mut page = vec![0; 8192];
            let _ = image.restore(layout, &mut page);
        }
    }
    let mut n = 0_u32;
    effects(layout, &record, &mut |effect| {
        n += 1;
        if let Effect::CreatesMulti { members, .. } = effect {
            assert!(members.xids().count() <= bytes.len());
        }
        if let Effect::Rebuilds {
            image: Some(image), ..
        } = effect
        {
            let mut page = vec![0; 8192];
            let _ = image.restore(layout, &mut page);
        }
    });
    assert!(n as usize <= bytes.len() + 64, "effects beyond the record");
    if let Ok(Heap2Op::MultiInsert(insert)) = heap2::parse(layout, &record) {
        assert!(insert.iter().count() <= usize::from(insert.ntuples));
    }
    let _ = wal::standby::parse(layout, &record);
    let _ = rmgr::identify(layout.version, header.xl_rmid, header.xl_info);
    let _ = rmgr::name(layout.version, header.xl_rmid);
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    })
}

#[test]
fn damaged_records_do_no_harm() {
    let samples = samples();
    assert!(samples.len() > 300);
    let mut runner = runner(4_000);
    let damage = (
        any::<Index>(),
        vec((any::<Index>(), any::<u8>()), 0..4),
        any::<Index>(),
        any::<bool>(),
    );
    runner
        .run(&damage, |(sample, flips, cut, do_cut)| {
            let (layout, bytes) = sample.get(&samples);
            let mut bytes = bytes.clone();
            for (at, value) in flips {
                // Mostly in the headers and the first of the data.
                let len = bytes.len().min(96);
                *at.get_mut(&mut bytes[..len]) = value;
            }
            if do_cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            read_all(*layout, &bytes);
            Ok(())
        })
        .unwrap();
}

#[test]
fn arbitrary_records_do_no_harm() {
    let mut runner = runner(20_000);
    let record = (
        any::<Index>(),
        any::<u8>(),
        any::<u8>(),
        vec(any::<u8>(), 0..400),
    );
    runner
        .run(&record, |(version, rmid, info, main)| {
            let version = version.get(&VERSIONS);
            let rmid = rmid % 24;
            let main_len = u32::try_from(main.len()).unwrap();
            let mut bytes = vec![0; RecordHeader::size(version)];
            if version.since(Major::V9_5) {
                (bytes[16], bytes[17]) = (info, rmid);
                bytes.push(254);
                bytes.extend_from_slice(&main_len.to_le_bytes());
            } else if version.since(Major::V9_3) {
                (bytes[12], bytes[13]) = (info & 0xF0, rmid);
                bytes[8..12].copy_from_slice(&main_len.to_le_bytes());
            } else {
                (bytes[24], bytes[25]) = (info & 0xF0, rmid);
                bytes[20..24].copy_from_slice(&main_len.to_le_bytes());
            }
            bytes.extend_from_slice(&main);
            read_all(Layout::usual(version), &bytes);
            Ok(())
        })
        .unwrap();
}
