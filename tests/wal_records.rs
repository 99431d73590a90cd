//! Every record of the crash fixtures, against what the servers' own tools and their own
//! recovery made of it.

use pgautopsy::format::wal::effects::{Effect, effects};
use pgautopsy::format::wal::heap::{self, HeapOp};
use pgautopsy::format::wal::heap2::{self, Heap2Op};
use pgautopsy::format::wal::multixact::{self, MultiXactOp};
use pgautopsy::format::wal::xact::{self, XactOp};
use pgautopsy::format::wal::{self, Record, rmgr};
use pgautopsy::format::{
    ForkNumber, Layout, Major, RelFileLocator, TimestampTz, VERSIONS, Version, XLogRecPtr,
};
use pgautopsy::recovery::reader::{Position, SegmentFile, WalContext, WalReader, WalSource};
use pgautopsy::recovery::timeline::Timelines;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");

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
        let archive = format!("{TESTDATA}/fixtures/{name}.tar.zst");
        let archive = std::fs::File::open(&archive).unwrap_or_else(|e| panic!("{archive}: {e}"));
        let mut archive = zstd::Decoder::new(archive).unwrap();
        archive.window_log_max(27).unwrap();
        let mut tar = tar::Archive::new(archive);
        let wal_dir = format!("{}/", version.wal_dir());
        let mut segments = BTreeMap::new();
        let mut files = BTreeSet::new();
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let Some(path) = path.trim_start_matches("./").strip_prefix("pgdata/") else {
                continue;
            };
            if let Some(segment) = path.strip_prefix(&wal_dir)
                && segment.len() == 24
            {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                segments.insert(segment.to_owned(), bytes);
            }
            files.insert(path.to_owned());
        }
        let control = Self::truth(name, "control.txt");
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
                timelines: Timelines::single(1),
            },
            segments,
            files,
            redo: XLogRecPtr::parse(&value("REDO location")).unwrap(),
        }
    }

    fn truth(name: &str, file: &str) -> String {
        let path = format!("{TESTDATA}/truth/{name}/{file}");
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let bytes = if path.ends_with(".zst") {
            zstd::decode_all(&bytes[..]).unwrap()
        } else {
            bytes
        };
        String::from_utf8_lossy(&bytes).into_owned()
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
    fn walk(&self, mut each: impl FnMut(&Record<'_, '_>)) {
        let mut reader = WalReader::new(&self.context, self, Position::at(self.redo));
        let mut n = 0;
        while let Ok(record) = reader.read() {
            each(&record);
            n += 1;
        }
        assert!(n > 1000, "{}: only {n} records", self.name);
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
        let bytes = self.segments.get(&self.name(tli, segno))?;
        Some(Box::new(Segment(bytes)))
    }

    fn name(&self, tli: u32, segno: u64) -> String {
        let per_log = wal::WalGeometry::of(&self.context.layout).segments_per_log();
        format!("{tli:08X}{:08X}{:08X}", segno / per_log, segno % per_log)
    }
}

fn crash_fixtures() -> impl Iterator<Item = Fixture> {
    VERSIONS
        .iter()
        .map(|v| Fixture::load(&format!("{}-crash", v.major)))
}

type Block = (RelFileLocator, ForkNumber, u32);

#[test]
fn every_record_is_understood() {
    let mut wrong: BTreeMap<String, u32> = BTreeMap::new();
    for fixture in crash_fixtures() {
        let layout = fixture.layout();
        fixture.walk(|record| {
            let kind = fixture.kind(record);
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
fn effects_are_what_recovery_did() {
    let mut wrong = BTreeMap::new();
    for fixture in crash_fixtures() {
        let plan = Plan::of(&fixture);
        let truth = Fixture::truth(&fixture.name, "recovered_pages.csv.zst");
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
        println!("{}: {checked} pages, {images} images", fixture.name);
        assert!(checked > 100 && images > 0, "{}", fixture.name);
    }
    let n = wrong.len();
    let some: Vec<_> = wrong.into_iter().take(60).collect();
    assert!(n == 0, "{n}: {some:#?}");
}

/// The servers recovered these copies whole, so WAL rebuilds each torn page.
#[test]
fn torn_pages_are_rebuilt() {
    for name in [
        "9.3-torn", "9.6-torn", "13-torn", "15-torn", "18-torn", "19-torn",
    ] {
        let fixture = Fixture::load(name);
        let plan = Plan::of(&fixture);
        let mut missing = Vec::new();
        let truth = Fixture::truth(name, "bad_checksums.csv");
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
        rmgr::RM_MULTIXACT_ID => {
            if let MultiXactOp::CreateId { mid, moff, members } =
                multixact::parse(layout, record).unwrap()
            {
                facts.push(format!("{mid} offset {moff} nmembers {}: ", members.len()));
                facts.extend(members.xids().map(|x| format!(" {x} (")));
            }
        }
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
fn records_read_as_the_servers_tools_read_them() {
    let mut wrong = Vec::new();
    for fixture in crash_fixtures().filter(|f| f.layout().since(Major::V9_3)) {
        let text = Fixture::truth(&fixture.name, "waldump.txt.zst");
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
        assert!(n > 1000 && lines.next().is_none(), "{} {n}", fixture.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
