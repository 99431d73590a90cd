//! Pages of real clusters: what is healthy must look healthy to every parser.

use pgautopsy::format::cause::{Cause, explain};
use pgautopsy::format::checksum::page_checksum;
use pgautopsy::format::fsm::FsmPage;
use pgautopsy::format::heap::HeapTuples;
use pgautopsy::format::index::{Meta, PageKind, Special};
use pgautopsy::format::page::{self, PageHeader};
use pgautopsy::format::slru::{self, Slru, SlruPlace};
use pgautopsy::format::{BlockNumber, ForkNumber, Layout, Major, Version, vm};
use pgautopsy::report::page::{PageContext, render_page};
use std::collections::HashMap;

mod support;

/// One relation file segment of a fixture.
struct Relation {
    path: String,
    fork: ForkNumber,
    /// Block number of the first block.
    first: BlockNumber,
    bytes: Vec<u8>,
}

/// `16385`, `16385.1`, `16385_vm`, `t3_16390`: the fork and the segment.
fn relation_name(name: &str) -> Option<(ForkNumber, u32)> {
    let (name, segno) = match name.split_once('.') {
        Some((name, segno)) => (name, segno.parse().ok()?),
        None => (name, 0),
    };
    let name = match name.strip_prefix('t') {
        Some(temp) => temp.split_once('_')?.1,
        None => name,
    };
    let (number, fork) = match name.split_once('_') {
        None => (name, ForkNumber::Main),
        Some((number, "fsm")) => (number, ForkNumber::Fsm),
        Some((number, "vm")) => (number, ForkNumber::Vm),
        Some((number, "init")) => (number, ForkNumber::Init),
        Some(_) => return None,
    };
    number.parse::<u32>().ok()?;
    Some((fork, segno))
}

fn layout(fixture: &str) -> Layout {
    let major = fixture.split_once('-').unwrap().0;
    Layout::usual(Version::by_name(major).unwrap())
}

/// All relation files of a fixture, and its layout.
fn relations(fixture: &str) -> (Layout, Vec<Relation>) {
    let layout = layout(fixture);
    let wanted = |path: &str| {
        ["pgdata/base/", "pgdata/global/", "ts1/"]
            .iter()
            .any(|r| path.starts_with(r))
    };
    let all: Vec<Relation> = support::fixture_files(fixture, wanted)
        .into_iter()
        .filter_map(|(path, bytes)| {
            let (fork, segno) = relation_name(path.rsplit('/').next().unwrap())?;
            Some(Relation {
                path,
                fork,
                first: segno * layout.relseg_size,
                bytes,
            })
        })
        .collect();
    assert!(all.len() > 100, "{fixture} has relations");
    (layout, all)
}

/// Fixtures of every era, in which every page is as the server wrote it.
const HEALTHY: [&str; 8] = [
    "9.0-crash",
    "9.2-crash",
    "9.3-crash",
    "9.6-crash",
    "11-crash",
    "14-clean",
    "15-crash",
    "19-crash",
];

fn each_page(fixture: &str, mut look: impl FnMut(&Layout, &Relation, BlockNumber, &[u8])) {
    let (layout, relations) = relations(fixture);
    for relation in &relations {
        for (page, blkno) in relation.bytes.chunks_exact(8192).zip(relation.first..) {
            look(&layout, relation, blkno, page);
        }
    }
}

#[test]
fn checksums_and_headers_of_healthy_pages() {
    for fixture in HEALTHY {
        let mut pages = 0;
        each_page(fixture, |layout, relation, blkno, page| {
            let place = format!("{fixture} {} block {blkno}", relation.path);
            assert!(page::server_accepts(page, layout), "{place}");
            page::page_faults(page, layout, |fault| panic!("{place}: {fault}"));
            let header = PageHeader::parse(page).unwrap();
            if layout.since(Major::V9_3) && !header.is_new() {
                assert_eq!(page_checksum(page, blkno), header.pd_checksum, "{place}");
                assert!(
                    page::server_accepts_checksummed(page, blkno, layout),
                    "{place}"
                );
            }
            pages += 1;
        });
        assert!(pages > 1000, "{fixture}: {pages} pages");
    }
}

#[test]
fn torn_pages_are_the_recorded_ones() {
    for fixture in support::of_kind("torn") {
        torn_pages_are_those_of(fixture);
    }
}

#[test]
#[ignore = "needs the whole set beside the repository"]
fn bad_checksums_are_the_recorded_ones() {
    let mut seen = 0;
    for fixture in support::all_shared() {
        let recorded = support::truth_if_any(&fixture, "bad_checksums.csv").is_some();
        if recorded && fixture != "15-targz" {
            torn_pages_are_those_of(&fixture);
            seen += 1;
        }
    }
    assert_eq!(seen, 11);
}

fn torn_pages_are_those_of(fixture: &str) {
    let mut wanted: Vec<(String, u32)> = support::truth(fixture, "bad_checksums.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let mut fields = line.split(',');
            let path = fields.next().unwrap().to_owned();
            (path, fields.next().unwrap().parse().unwrap())
        })
        .collect();
    let mut found = Vec::new();
    each_page(fixture, |layout, relation, blkno, page| {
        // The server's tool passes over pages that look new, though the second half of one
        // may have been written: the server refuses that page.
        let is_new = PageHeader::parse(page).unwrap().is_new();
        if !is_new && !page::server_accepts_checksummed(page, blkno, layout) {
            let path = relation
                .path
                .strip_prefix("pgdata/")
                .unwrap_or(&relation.path);
            found.push((path.to_owned(), blkno));
        }
    });
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted, "{fixture}");
}

#[test]
fn heap_pages_have_no_faults() {
    for fixture in HEALTHY {
        let mut room = HeapTuples::default();
        let mut tuples = 0;
        each_page(fixture, |layout, relation, blkno, page| {
            let heap = room.read(page).unwrap();
            // Only heaps have no special space.
            let special = usize::from(heap.header.pd_special);
            if relation.fork != ForkNumber::Main || special != page.len() {
                return;
            }
            let place = format!("{fixture} {} block {blkno}", relation.path);
            heap.line_pointer_faults(|offnum, fault| panic!("{place} item {offnum}: {fault}"));
            for tuple in heap.tuples {
                tuple.header.faults(tuple.lp.lp_len(), layout, |fault| {
                    panic!("{place} item {}: {fault}", tuple.offnum)
                });
                tuples += 1;
            }
        });
        assert!(tuples > 20_000, "{fixture}: {tuples} tuples");
    }
}

#[test]
fn special_spaces_and_meta_pages() {
    for fixture in HEALTHY {
        let mut kinds: HashMap<PageKind, u32> = HashMap::new();
        let mut metas = 0;
        each_page(fixture, |layout, relation, blkno, page| {
            let header = PageHeader::parse(page).unwrap();
            if relation.fork != ForkNumber::Main || header.is_new() {
                return;
            }
            let place = format!("{fixture} {} block {blkno}", relation.path);
            let special = Special::parse(page, &header);
            assert_eq!(special.unknown_flags(layout), 0, "{place}: {special:?}");
            *kinds.entry(special.kind()).or_default() += 1;
            if special.is_meta() {
                let meta = Meta::parse(page, special.kind()).unwrap();
                assert_eq!(meta.fault(layout), None, "{place}: {meta:?}");
                assert_eq!(blkno, 0, "{place}");
                metas += 1;
            }
        });
        let layout = layout(fixture);
        for (kind, since) in [
            (PageKind::Heap, Major::V9_0),
            (PageKind::Btree, Major::V9_0),
            (PageKind::Hash, Major::V9_0),
            (PageKind::Gin, Major::V9_0),
            (PageKind::Gist, Major::V9_0),
            (PageKind::Sequence, Major::V9_0),
            (PageKind::SpGist, Major::V9_2),
            (PageKind::Brin, Major::V9_5),
        ] {
            let found = kinds.remove(&kind).is_some();
            assert_eq!(found, layout.since(since), "{fixture}: {kind}");
        }
        assert!(kinds.is_empty(), "{fixture}: {kinds:?}");
        assert!(metas > 50, "{fixture}");
    }
}

#[test]
fn maps_are_consistent() {
    for fixture in ["9.3-crash", "15-crash"] {
        let mut pages = 0;
        each_page(fixture, |layout, relation, blkno, page| {
            let place = format!("{fixture} {} block {blkno}", relation.path);
            let header = PageHeader::parse(page).unwrap();
            if header.is_new() {
                return;
            }
            match relation.fork {
                ForkNumber::Fsm => {
                    let fsm = FsmPage::parse(page, layout).unwrap();
                    assert_eq!(fsm.wrong_nodes().next(), None, "{place}");
                }
                ForkNumber::Vm => {
                    assert!(vm::set_blocks(page, layout).all(|(_, bits)| bits != 2));
                }
                ForkNumber::Main | ForkNumber::Init => return,
            }
            assert!(vm::is_map_shaped(&header, layout), "{place}");
            pages += 1;
        });
        assert!(pages > 50, "{fixture}: {pages}");
    }
}

fn shown(layout: &Layout, relation: &Relation, blkno: BlockNumber, page: &[u8]) -> String {
    let context = PageContext {
        layout: *layout,
        fork: relation.fork,
        blkno,
        nblocks: relation.first + u32::try_from(relation.bytes.len() / 8192).unwrap(),
        checksums: Some(layout.since(Major::V9_3)),
    };
    let mut out = Vec::new();
    render_page(&mut out, page, &context).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn healthy_pages_are_rendered_without_a_fault() {
    for fixture in ["9.2-crash", "15-crash"] {
        let mut pages = 0;
        each_page(fixture, |layout, relation, blkno, page| {
            // A part of the larger relations does.
            if blkno % 8 > 1 {
                return;
            }
            let shown = shown(layout, relation, blkno, page);
            let place = format!("{fixture} {} block {blkno}", relation.path);
            for line in shown.lines() {
                assert!(line.len() <= 80, "{place}: {line}");
                assert!(!line.trim_start().starts_with("fault"), "{place}: {line}");
                assert!(!line.trim_start().starts_with("why"), "{place}: {line}");
            }
            pages += 1;
        });
        assert!(pages > 300, "{fixture}: {pages}");
    }
}

#[test]
fn flipped_bits_are_survived() {
    // The same sequence in each run.
    let mut x = 88_172_645_463_325_252_u64;
    let mut random = move |below: usize| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        usize::try_from(x >> 16).unwrap() % below
    };
    let mut n = 0;
    each_page("15-crash", |layout, relation, blkno, page| {
        n += 1;
        if n % 100 != 0 {
            return;
        }
        let mut page = page.to_vec();
        for _ in 0..=random(8) {
            // Half of them where structure is.
            let at = if random(2) == 0 {
                random(64)
            } else {
                random(8192)
            };
            page[at] ^= 1 << random(8);
        }
        let text = shown(layout, relation, blkno, &page);
        for line in text.lines() {
            assert!(line.len() <= 80, "{line}");
        }
        assert!(text.contains("2000\n"), "the dump reaches the end");
    });
}

/// Single causes put into real pages are named again.
#[test]
fn damage_is_explained() {
    let layout = layout("15-crash");
    let (mut sums, mut moved, mut bits, mut pages) = (0, 0, 0, 0);
    each_page("15-crash", |_, relation, blkno, page| {
        let header = PageHeader::parse(page).unwrap();
        if header.is_new() || blkno % 64 != 5 || relation.fork != ForkNumber::Main {
            return;
        }
        pages += 1;
        let mut damaged = page.to_vec();
        damaged[9] ^= 0x10;
        let why = explain(&damaged, blkno, 6, &layout).unwrap();
        sums += u32::from(why.cause == Cause::ChecksumBit { bit: 12 });
        let why = explain(page, blkno + 400, 1000, &layout).unwrap();
        moved += u32::from(matches!(why.cause, Cause::OtherBlock { blkno: b, .. } if b == blkno));
        let mut damaged = page.to_vec();
        damaged[13] ^= 0x80;
        let why = explain(&damaged, blkno, 6, &layout).unwrap();
        bits += u32::from(matches!(
            why.cause,
            Cause::Bit {
                byte: 13,
                bit: 7,
                ..
            }
        ));
    });
    assert!(pages > 5, "{pages}");
    assert_eq!((sums, moved, bits), (pages, pages, pages));
}

/// The SLRU segments of a fixture.
struct Slrus {
    layout: Layout,
    segments: HashMap<(Slru, u64), Vec<u8>>,
}

impl Slrus {
    fn of(fixture: &str) -> Self {
        let layout = layout(fixture);
        let all = [
            Slru::Xact,
            Slru::MultiXactOffset,
            Slru::MultiXactMember,
            Slru::CommitTs,
        ];
        let slru_of = |path: &str| {
            let (dir, name) = path.strip_prefix("pgdata/")?.rsplit_once('/')?;
            let slru = all.into_iter().find(|s| s.directory(&layout) == dir)?;
            Some((slru, slru::parse_segment_name(name)?))
        };
        let segments = support::fixture_files(fixture, |path| slru_of(path).is_some())
            .into_iter()
            .map(|(path, bytes)| (slru_of(&path).unwrap(), bytes))
            .collect();
        Self { layout, segments }
    }

    fn at(&self, slru: Slru, entry: u64) -> (&[u8], SlruPlace) {
        let place = slru.locate(entry, &self.layout);
        let at = usize::try_from(place.page_offset(&self.layout)).unwrap();
        (&self.segments[&(slru, place.segno)][at..], place)
    }

    fn members(&self, multi: u64) -> String {
        let offset = |multi| {
            let (page, place) = self.at(Slru::MultiXactOffset, multi);
            slru::multixact_offset(page, place, &self.layout).unwrap()
        };
        let members: Vec<String> = (offset(multi)..offset(multi + 1))
            .map(|o| {
                let (page, place) = self.at(Slru::MultiXactMember, o);
                let member = slru::multixact_member(page, place, &self.layout).unwrap();
                format!("{}:{}", member.xid, member.status)
            })
            .collect();
        members.join(" ")
    }
}

#[test]
fn slrus_say_what_the_server_says() {
    for fixture in [
        "9.0-clean",
        "9.2-clean",
        "9.3-clean",
        "15-clean",
        "19-clean",
    ] {
        let slrus = Slrus::of(fixture);
        let mut statuses = 0;
        for line in support::truth(fixture, "xacts.csv").lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            if let (Ok(xid), "committed" | "aborted") = (fields[1].parse(), fields[2]) {
                let (page, place) = slrus.at(Slru::Xact, xid);
                let status = slru::xid_status(page, place).unwrap();
                assert_eq!(status.to_string(), fields[2], "{fixture} {line}");
                statuses += 1;
            }
        }
        assert!(statuses > 4, "{fixture}: {statuses}");
        let multis: HashMap<u64, String> = support::truth(fixture, "multixacts.csv")
            .lines()
            .skip(1)
            .filter_map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                let members = fields.last()?.to_string();
                (members.contains(' ')).then(|| Some((fields[2].parse().ok()?, members)))?
            })
            .collect();
        let newest = multis.keys().max().copied();
        for (multi, members) in multis {
            // Up to 18 the newest one's end may not be on disk.
            if Some(multi) != newest {
                assert_eq!(slrus.members(multi), members, "{fixture} multixact {multi}");
            }
        }
        assert!(newest > Some(1), "{fixture}");
    }
}
