//! Pages of real clusters: what is healthy must look healthy to every parser.

use pgautopsy::format::checksum::page_checksum;
use pgautopsy::format::heap::HeapTuples;
use pgautopsy::format::page::{self, PageHeader};
use pgautopsy::format::{BlockNumber, ForkNumber, Layout, Major, Version};
use std::io::Read;
use std::path::Path;

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

/// All relation files in a fixture, and its layout.
fn relations(fixture: &str) -> (Layout, Vec<Relation>) {
    let path = format!("testdata/fixtures/{fixture}.tar.zst");
    let file = std::fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path))
        .unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let major = fixture.split_once('-').unwrap().0;
    let layout = Layout::usual(Version::by_name(major).unwrap());
    let mut all = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let relations = ["/base/", "/global/", "ts1/"];
        if !entry.header().entry_type().is_file() || !relations.iter().any(|r| path.contains(r)) {
            continue;
        }
        let name = path.rsplit('/').next().unwrap();
        if let Some((fork, segno)) = relation_name(name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            all.push(Relation {
                path,
                fork,
                first: segno * layout.relseg_size,
                bytes,
            });
        }
    }
    assert!(all.len() > 100, "{path} has relations");
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
    let truth = "testdata/truth/13-torn/bad_checksums.csv";
    let truth = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(truth)).unwrap();
    let mut wanted: Vec<(String, u32)> = truth
        .lines()
        .skip(1)
        .map(|line| {
            let mut fields = line.split(',');
            let path = fields.next().unwrap().to_owned();
            (path, fields.next().unwrap().parse().unwrap())
        })
        .collect();
    let mut found = Vec::new();
    each_page("13-torn", |layout, relation, blkno, page| {
        if !page::server_accepts_checksummed(page, blkno, layout) {
            let path = relation
                .path
                .strip_prefix("pgdata/")
                .unwrap_or(&relation.path);
            found.push((path.to_owned(), blkno));
        }
    });
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted);
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
