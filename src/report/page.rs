//! One page in words: every byte of it is named once, and shown once more as hex.
//!
//! The page is first cut into regions that follow each other without gap or overlap, then
//! the regions are printed in order. That works for any bytes: what the header says is used
//! only as far as it stays on the page, and what is left over is called unexplained.

use crate::format::cause::explain;
use crate::format::checksum::page_checksum;
use crate::format::heap::{HeapTupleHeader, HeapTuples, Xmax, Xmin};
use crate::format::heap::{MOVED_PARTITIONS_OFFSET_NUMBER, SPEC_TOKEN_OFFSET_NUMBER};
use crate::format::heap::{infomask_names, infomask2_names};
use crate::format::index::{GIN_DATA, Meta, PageKind, Special};
use crate::format::page::{
    ItemId, ItemPointer, LpFlags, PageHeader, is_zeroed, line_pointers, page_faults, server_accepts,
};
use crate::format::{BlockNumber, ForkNumber, Layout, Major, OffsetNumber, fsm::FsmPage, vm};
use std::io::{self, Write};
use std::ops::Range;

/// Where a page comes from.
#[derive(Clone, Copy, Debug)]
pub struct PageContext {
    /// The cluster's version and sizes.
    pub layout: Layout,
    /// The fork it belongs to.
    pub fork: ForkNumber,
    /// Its number within the fork.
    pub blkno: BlockNumber,
    /// Blocks of the fork.
    pub nblocks: BlockNumber,
    /// Whether the cluster has data checksums; `None` when that is not known.
    pub checksums: Option<bool>,
}

/// What some bytes of a page are.
#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    /// The whole page is zero.
    Zeroed,
    /// Fewer bytes than a header has.
    Fragment,
    Header,
    LinePointers,
    /// What stands in place of line pointers.
    Contents(&'static str),
    Free,
    /// A tuple, and the bytes of it that lie in another one printed before.
    Tuple(OffsetNumber, ItemId, usize),
    Padding,
    Special,
    Unexplained,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Region {
    bytes: Range<usize>,
    what: What,
}

/// Cuts a page into regions that follow each other.
fn regions(page: &[u8], context: &PageContext) -> Vec<Region> {
    let mut all = Vec::new();
    let mut push = |bytes: Range<usize>, what| {
        if !bytes.is_empty() {
            all.push(Region { bytes, what });
        }
    };
    if is_zeroed(page) {
        push(0..page.len(), What::Zeroed);
        return all;
    }
    let Ok(header) = PageHeader::parse(page) else {
        push(0..page.len(), What::Fragment);
        return all;
    };
    push(0..24, What::Header);
    let end = page.len();
    let special_at = usize::from(header.pd_special);
    let special_at = if special_at >= 24 && special_at <= end {
        special_at
    } else {
        end
    };
    let upper = usize::from(header.pd_upper).clamp(24, special_at);
    let lower = usize::from(header.pd_lower).clamp(24, special_at);
    match context.fork {
        ForkNumber::Fsm => {
            push(24..end, What::Contents("free space map"));
            return all;
        }
        ForkNumber::Vm => {
            push(24..end, What::Contents("visibility map"));
            return all;
        }
        ForkNumber::Main | ForkNumber::Init => {}
    }
    let special = Special::parse(page, &header);
    let mut at = lower;
    if !special.has_line_pointers() {
        // Other pages keep within pd_lower; a posting tree and hash's bitmap use it freely.
        push(24..lower, What::Contents(contents(&special)));
        push(lower..upper, What::Free);
        push(upper.max(lower)..special_at, What::Unexplained);
        push(special_at..end, What::Special);
        return all;
    }
    let pointers_end = 24 + (lower - 24) / 4 * 4;
    push(24..pointers_end, What::LinePointers);
    push(pointers_end..lower, What::Unexplained);

    let mut tuples: Vec<(usize, usize, OffsetNumber, ItemId)> = line_pointers(page, &header)
        .filter(|(_, lp)| lp.lp_len() > 0 && matches!(lp.flags(), LpFlags::Normal | LpFlags::Dead))
        .map(|(offnum, lp)| (usize::from(lp.lp_off()), usize::from(lp.end()), offnum, lp))
        .filter(|(start, stop, ..)| *start >= lower && *stop <= special_at)
        .collect();
    tuples.sort_unstable_by_key(|(start, _, offnum, _)| (*start, *offnum));
    // Bytes between the tuples: free before pd_upper, else left behind by something.
    let gap = |push: &mut dyn FnMut(Range<usize>, What), from: usize, to: usize| {
        let border = upper.clamp(from, to);
        push(from..border, What::Free);
        push(border..to, What::Unexplained);
    };
    for (start, stop, offnum, lp) in tuples {
        if start > at {
            gap(&mut push, at, start);
            at = start;
        }
        if stop <= at {
            // Wholly inside what was printed before; the line pointers' faults tell of it.
            continue;
        }
        push(at..stop, What::Tuple(offnum, lp, at - start));
        at = stop;
        let aligned = at.next_multiple_of(8).min(special_at);
        if page.get(at..aligned).is_some_and(is_zeroed) {
            push(at..aligned, What::Padding);
            at = aligned;
        }
    }
    gap(&mut push, at, special_at);
    push(special_at..end, What::Special);
    all
}

fn contents(special: &Special) -> &'static str {
    match special {
        special if special.is_meta() => "meta page",
        Special::Gin { flags, .. } if flags & GIN_DATA != 0 => "posting tree",
        Special::Hash { .. } => "bitmap of overflow pages",
        Special::Brin { .. } => "range map",
        _ => "contents of unknown form",
    }
}

const INDENT: &str = "             ";

/// Prints words one after another, breaking lines before column 80.
fn words<W: Write>(
    out: &mut W,
    label: &str,
    words: impl IntoIterator<Item = String>,
) -> io::Result<()> {
    let mut line = format!("{INDENT}{label:<13}");
    let mut fresh = true;
    for word in words {
        if !fresh && line.len() + 1 + word.len() > 80 {
            writeln!(out, "{}", line.trim_end())?;
            line = format!("{INDENT}{:<13}", "");
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(&word);
        fresh = false;
    }
    writeln!(out, "{}", line.trim_end())
}

fn text<W: Write>(out: &mut W, label: &str, sentence: &str) -> io::Result<()> {
    words(out, label, sentence.split(' ').map(str::to_owned))
}

/// `0x0005 A B`: a number and the names of its bits; bits without a name as a number.
fn flags(value: u16, width_from: u32, names: &[&str]) -> Vec<String> {
    let mut all = vec![format!("0x{value:04X}")];
    let mut rest = u32::from(value) >> width_from << width_from;
    for (name, bit) in names.iter().zip(width_from..16) {
        if rest & 1 << bit != 0 {
            all.push((*name).to_owned());
            rest &= !(1 << bit);
        }
    }
    if rest != 0 {
        all.push(format!("unknown 0x{rest:04X}"));
    }
    all
}

/// 16 bytes a line with their characters; repeated lines are folded into `*`.
fn hex_dump<W: Write>(out: &mut W, page: &[u8], range: Range<usize>) -> io::Result<()> {
    let mut at = range.start;
    let mut before: Option<&[u8]> = None;
    let mut folded = false;
    while at < range.end {
        // Lines begin at multiples of 16, wherever the range does.
        let stop = ((at / 16 + 1) * 16).min(range.end);
        let bytes = page.get(at..stop).unwrap_or_default();
        if before == Some(bytes) && stop < range.end {
            if !folded {
                writeln!(out, "*")?;
                folded = true;
            }
        } else {
            folded = false;
            write!(out, "{at:04X} ")?;
            let skipped = at % 16;
            let place = |i: usize| i.checked_sub(skipped).and_then(|i| bytes.get(i)).copied();
            for i in 0..16 {
                let space = if i == 8 { " " } else { "" };
                match place(i) {
                    Some(byte) => write!(out, "{space} {byte:02x}")?,
                    None => write!(out, "{space}   ")?,
                }
            }
            let shown: String = (0..16)
                .map(|i| match place(i) {
                    Some(byte @ b' '..=b'~') => char::from(byte),
                    Some(_) => '.',
                    None => ' ',
                })
                .collect();
            writeln!(out, "  |{shown}|")?;
        }
        before = Some(bytes);
        at = stop;
    }
    Ok(())
}

/// Prints one page: verdict, every region in words, all bytes in hex.
///
/// # Errors
/// When `out` cannot be written to.
pub fn render_page<W: Write>(out: &mut W, page: &[u8], context: &PageContext) -> io::Result<()> {
    let header = PageHeader::parse(page).unwrap_or_default();
    let special = Special::parse(page, &header);
    let kind = match context.fork {
        ForkNumber::Fsm => "free space map".to_owned(),
        ForkNumber::Vm => "visibility map".to_owned(),
        _ if is_zeroed(page) => "new".to_owned(),
        _ => special.kind().to_string(),
    };
    writeln!(
        out,
        "block {} of {}, fork {}: {} bytes, PostgreSQL {}",
        context.blkno,
        context.nblocks,
        context.fork,
        page.len(),
        context.layout.version.major
    )?;
    writeln!(out, "kind: {kind}\n\nVerdict")?;
    verdict(out, page, &header, context)?;

    writeln!(out, "\nBytes (hex, first to last)")?;
    for region in regions(page, context) {
        write!(
            out,
            "{:04X}-{:04X}    ",
            region.bytes.start,
            region.bytes.end.saturating_sub(1)
        )?;
        let bytes = page.get(region.bytes.clone()).unwrap_or_default();
        match region.what {
            What::Zeroed => writeln!(out, "zero throughout: allocated and never written")?,
            What::Fragment => writeln!(out, "less than a page header")?,
            What::Header => print_header(out, &header, &context.layout)?,
            What::LinePointers => print_line_pointers(out, page, &header)?,
            What::Contents(name) => print_contents(out, name, page, &special, context)?,
            What::Free => print_free(out, bytes)?,
            What::Padding => writeln!(out, "padding")?,
            What::Special => print_special(out, &special, &context.layout)?,
            What::Tuple(offnum, lp, covered) => {
                writeln!(
                    out,
                    "item {offnum}: {}{} of {} bytes{}",
                    if lp.flags() == LpFlags::Dead {
                        "dead "
                    } else {
                        ""
                    },
                    if is_heap(&special) {
                        "tuple"
                    } else {
                        "index tuple"
                    },
                    lp.lp_len(),
                    if covered > 0 {
                        format!(", the first {covered} shared")
                    } else {
                        String::new()
                    }
                )?;
                let tuple = lp.bytes(page).unwrap_or_default();
                if is_heap(&special) {
                    print_heap_tuple(out, tuple, lp, &context.layout)?;
                } else {
                    print_index_tuple(out, tuple, special.kind())?;
                }
            }
            What::Unexplained => {
                let zero = if is_zeroed(bytes) { ", all zero" } else { "" };
                writeln!(out, "unexplained, {} bytes{zero}", bytes.len())?;
                if !is_zeroed(bytes) {
                    hex_dump(out, page, region.bytes)?;
                }
            }
        }
    }
    writeln!(out, "\nAll bytes (repeated lines: *)")?;
    hex_dump(out, page, 0..page.len())?;
    writeln!(out, "{:04X}", page.len())
}

fn is_heap(special: &Special) -> bool {
    matches!(special, Special::None | Special::Sequence)
}

fn verdict<W: Write>(
    out: &mut W,
    page: &[u8],
    header: &PageHeader,
    context: &PageContext,
) -> io::Result<()> {
    let layout = &context.layout;
    text(
        out,
        "server",
        if is_zeroed(page) {
            "accepts the page: it is empty"
        } else if server_accepts(page, layout) {
            "accepts the header"
        } else if layout.since(Major::V9_3) {
            "refuses the page: \"invalid page in block\""
        } else {
            "refuses the page: \"invalid page header in block\""
        },
    )?;
    let mut faults = Vec::new();
    page_faults(page, layout, |fault| faults.push(fault.to_string()));
    let special = Special::parse(page, header);
    let main = matches!(context.fork, ForkNumber::Main | ForkNumber::Init);
    if main && !header.is_new() {
        if is_heap(&special) {
            if let Ok(heap) = HeapTuples::new(layout).read(page) {
                heap.line_pointer_faults(|offnum, fault| {
                    faults.push(format!("item {offnum}: {fault}"));
                });
                for tuple in heap.tuples {
                    tuple.header.faults(tuple.lp.lp_len(), layout, |fault| {
                        faults.push(format!("item {}: {fault}", tuple.offnum));
                    });
                }
            }
        } else {
            let unknown = special.unknown_flags(layout);
            if unknown != 0 {
                faults.push(format!(
                    "{} flags 0x{unknown:04X} are unknown",
                    special.kind()
                ));
            }
            if special.is_meta()
                && let Some(fault) = Meta::parse(page, special.kind()).and_then(|m| m.fault(layout))
            {
                faults.push(format!("meta page: {fault}"));
            }
        }
    }
    if faults.is_empty() {
        text(out, "structure", "no fault")?;
    }
    for fault in &faults {
        text(out, "fault", fault)?;
    }
    if !layout.since(Major::V9_3) {
        return text(out, "checksum", "pages have none before 9.3");
    }
    if is_zeroed(page) {
        return text(out, "checksum", "empty pages have none");
    }
    let calculated = page_checksum(page, context.blkno);
    let stored = header.pd_checksum;
    let off = match context.checksums {
        Some(true) => "",
        Some(false) => "; checksums are off",
        None => "; whether checksums are on is not known",
    };
    if calculated == stored {
        return text(out, "checksum", &format!("0x{stored:04X}, right{off}"));
    }
    text(
        out,
        "checksum",
        &format!(
            "stored 0x{stored:04X} ({stored}), calculated 0x{calculated:04X} ({calculated}){off}"
        ),
    )?;
    match explain(page, context.blkno, context.nblocks, layout) {
        Some(explanation) => text(out, "why", &explanation.to_string()),
        None => text(out, "why", "no single cause explains it"),
    }
}

fn print_header<W: Write>(out: &mut W, header: &PageHeader, layout: &Layout) -> io::Result<()> {
    writeln!(out, "page header")?;
    text(out, "pd_lsn", &header.pd_lsn.to_string())?;
    let sum = header.pd_checksum;
    if layout.since(Major::V9_3) {
        text(out, "pd_checksum", &format!("0x{sum:04X} ({sum})"))?;
    } else {
        text(out, "pd_tli", &sum.to_string())?;
    }
    let names = ["HAS_FREE_LINES", "PAGE_FULL", "ALL_VISIBLE"];
    words(out, "pd_flags", flags(header.pd_flags, 0, &names))?;
    for (name, value) in [
        ("pd_lower", header.pd_lower),
        ("pd_upper", header.pd_upper),
        ("pd_special", header.pd_special),
    ] {
        text(out, name, &format!("{value} (0x{value:04X})"))?;
    }
    let (size, version) = (header.page_size(), header.layout_version());
    text(out, "page size", &format!("{size}, version {version}"))?;
    text(out, "pd_prune_xid", &header.pd_prune_xid.to_string())
}

/// Line pointers in runs of one kind; redirects with their targets.
fn print_line_pointers<W: Write>(out: &mut W, page: &[u8], header: &PageHeader) -> io::Result<()> {
    let all: Vec<(OffsetNumber, ItemId)> = line_pointers(page, header).collect();
    writeln!(out, "{} line pointers", all.len())?;
    for run in all.chunk_by(|(_, a), (_, b)| a.flags() == b.flags()) {
        let (Some((first, lp)), Some((last, _))) = (run.first(), run.last()) else {
            continue;
        };
        let label = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        let kind = lp.flags().to_string();
        match lp.flags() {
            LpFlags::Redirect => words(
                out,
                &label,
                std::iter::once(kind).chain(
                    run.iter()
                        .map(|(from, lp)| format!("{from}->{}", lp.lp_off())),
                ),
            )?,
            LpFlags::Unused => words(out, &label, [kind])?,
            LpFlags::Dead if run.iter().all(|(_, lp)| lp.lp_len() == 0) => {
                words(out, &label, [kind])?;
            }
            LpFlags::Normal | LpFlags::Dead => words(
                out,
                &label,
                std::iter::once(kind).chain(
                    run.iter()
                        .map(|(_, lp)| format!("{:04X}+{}", lp.lp_off(), lp.lp_len())),
                ),
            )?,
        }
    }
    Ok(())
}

fn print_free<W: Write>(out: &mut W, bytes: &[u8]) -> io::Result<()> {
    let used = bytes.iter().filter(|byte| **byte != 0).count();
    if used == 0 {
        writeln!(out, "free space, {} bytes, all zero", bytes.len())
    } else {
        writeln!(
            out,
            "free space, {} bytes, {used} of them not zero (left by old tuples)",
            bytes.len()
        )
    }
}

fn print_contents<W: Write>(
    out: &mut W,
    name: &str,
    page: &[u8],
    special: &Special,
    context: &PageContext,
) -> io::Result<()> {
    writeln!(out, "{name}")?;
    match context.fork {
        ForkNumber::Vm => {
            let blocks: Vec<(u32, u8)> = vm::set_blocks(page, &context.layout).collect();
            let per_page = u64::from(vm::heap_blocks_per_page(&context.layout));
            let first = u64::from(context.blkno) * per_page;
            text(
                out,
                "covers",
                &format!("heap blocks {first} to {}", first + per_page - 1),
            )?;
            let name = |bits| match bits {
                1 => "visible",
                3 => "frozen",
                _ => "frozen alone",
            };
            for run in blocks.chunk_by(|a, b| a.1 == b.1 && a.0 + 1 == b.0) {
                if let (Some((from, bits)), Some((to, _))) = (run.first(), run.last()) {
                    let (from, to) = (first + u64::from(*from), first + u64::from(*to));
                    text(out, name(*bits), &format!("{from} to {to}"))?;
                }
            }
        }
        ForkNumber::Fsm => {
            if let Some(fsm) = FsmPage::parse(page, &context.layout) {
                text(out, "fp_next_slot", &fsm.fp_next_slot.to_string())?;
                let used = fsm.nodes.iter().filter(|n| **n != 0).count();
                text(out, "nodes", &format!("{used} not zero"))?;
                let wrong = fsm.wrong_nodes().count();
                text(out, "wrong nodes", &wrong.to_string())?;
            }
        }
        ForkNumber::Main | ForkNumber::Init => {
            if special.is_meta()
                && let Some(meta) = Meta::parse(page, special.kind())
            {
                print_meta(out, &meta)?;
            }
        }
    }
    Ok(())
}

fn print_meta<W: Write>(out: &mut W, meta: &Meta) -> io::Result<()> {
    let sentence = match meta {
        Meta::Btree {
            btm_magic,
            btm_version,
            btm_root,
            btm_level,
            btm_fastroot,
            btm_fastlevel,
        } => format!(
            "magic 0x{btm_magic:08X}, version {btm_version}, root {btm_root} at level {btm_level}, fast root {btm_fastroot} at level {btm_fastlevel}"
        ),
        Meta::Hash {
            hashm_magic,
            hashm_version,
            hashm_ntuples,
            hashm_maxbucket,
        } => format!(
            "magic 0x{hashm_magic:08X}, version {hashm_version}, {hashm_ntuples:e} tuples, highest bucket {hashm_maxbucket}"
        ),
        Meta::Gin {
            head,
            tail,
            n_pending_pages,
            n_pending_heap_tuples,
            gin_version,
        } => format!(
            "version {gin_version}, pending list from block {head} to {tail}: {n_pending_pages} pages, {n_pending_heap_tuples} rows"
        ),
        Meta::SpGist { magic_number } => format!("magic 0x{magic_number:08X}"),
        Meta::Brin {
            brin_magic,
            brin_version,
            pages_per_range,
            last_revmap_page,
        } => format!(
            "magic 0x{brin_magic:08X}, version {brin_version}, {pages_per_range} blocks a range, last page of the range map {last_revmap_page}"
        ),
    };
    text(out, "meta", &sentence)
}

fn print_heap_tuple<W: Write>(
    out: &mut W,
    tuple: &[u8],
    lp: ItemId,
    layout: &Layout,
) -> io::Result<()> {
    let Some(header) = HeapTupleHeader::parse(tuple) else {
        return text(out, "fault", "shorter than a tuple header");
    };
    let xmin = match header.xmin(layout) {
        Xmin::Frozen => "frozen".to_owned(),
        Xmin::Committed => "committed".to_owned(),
        Xmin::Invalid => "aborted".to_owned(),
        Xmin::Undecided(_) => "no hint: ask the commit log".to_owned(),
        Xmin::Moved { xvac, moved_in } => format!(
            "moved {} by VACUUM FULL {xvac} before 9.0",
            if moved_in { "in" } else { "off" }
        ),
    };
    text(out, "t_xmin", &format!("{} ({xmin})", header.t_xmin))?;
    let xmax = match header.xmax(layout) {
        Xmax::None if !header.t_xmax.is_valid() => "none",
        Xmax::None => "not deleted",
        Xmax::Locker(_) => "locked only",
        Xmax::Lockers(_) => "multixact, locked only",
        Xmax::UpgradedLockers(_) => "multixact from before 9.3, locked only",
        Xmax::Deleted(_) => "deleted",
        Xmax::Undecided(_) => "no hint: ask the commit log",
        Xmax::Members(_) => "multixact: ask its members",
    };
    text(out, "t_xmax", &format!("{} ({xmax})", header.t_xmax))?;
    text(out, "t_cid", &header.t_cid.to_string())?;
    let ctid = header.t_ctid;
    let special = match ctid.offnum {
        SPEC_TOKEN_OFFSET_NUMBER if layout.since(Major::V9_5) => {
            " (speculative insertion, not finished)"
        }
        MOVED_PARTITIONS_OFFSET_NUMBER if layout.since(Major::V11) => {
            " (moved to another partition)"
        }
        _ => "",
    };
    text(out, "t_ctid", &format!("{ctid}{special}"))?;
    let mut mask2 = flags(header.t_infomask2, 11, &infomask2_names(layout));
    mask2.push(format!("natts {}", header.natts()));
    words(out, "t_infomask2", mask2)?;
    let names = infomask_names(layout);
    words(out, "t_infomask", flags(header.t_infomask, 0, &names))?;
    text(out, "t_hoff", &header.t_hoff.to_string())?;
    let hoff = usize::from(header.t_hoff);
    if header.has(crate::format::heap::HEAP_HASNULL) {
        let bits = tuple.get(23..hoff.min(tuple.len())).unwrap_or_default();
        let nulls: String = (0..usize::from(header.natts()))
            .map(|i| match bits.get(i / 8) {
                Some(byte) if byte >> (i % 8) & 1 == 1 => '1',
                Some(_) => '0',
                None => '?',
            })
            .collect();
        let pieces = nulls.as_bytes().chunks(48);
        words(
            out,
            "t_bits",
            pieces.map(|p| String::from_utf8_lossy(p).into_owned()),
        )?;
    }
    let mut faults = Vec::new();
    header.faults(lp.lp_len(), layout, |fault| faults.push(fault.to_string()));
    for fault in faults {
        text(out, "fault", &fault)?;
    }
    let data = tuple.len().saturating_sub(hoff);
    text(out, "data", &format!("{data} bytes"))
}

/// `IndexTupleData`. BRIN and SP-GiST tuples have other heads.
fn print_index_tuple<W: Write>(out: &mut W, tuple: &[u8], kind: PageKind) -> io::Result<()> {
    if matches!(kind, PageKind::Brin | PageKind::SpGist) {
        return Ok(());
    }
    let Some([a, b, c, d, e, f, g, h]) = tuple.first_chunk::<8>().copied() else {
        return text(out, "fault", "shorter than an index tuple's head");
    };
    let half = |low, high| u16::from_le_bytes([low, high]);
    let tid = ItemPointer::from_halves(half(a, b), half(c, d), half(e, f));
    let info = half(g, h);
    text(out, "t_tid", &tid.to_string())?;
    let mut line = flags(info, 13, &["AM_RESERVED", "HASVARWIDTH", "HASNULL"]);
    line.push(format!("size {}", info & 0x1FFF));
    words(out, "t_info", line)
}

fn print_special<W: Write>(out: &mut W, special: &Special, layout: &Layout) -> io::Result<()> {
    writeln!(out, "special space: {}", special.kind())?;
    let block = |blkno: BlockNumber| match blkno {
        crate::format::INVALID_BLOCK_NUMBER => "none".to_owned(),
        blkno => blkno.to_string(),
    };
    let fields: Vec<(&str, String)> = match *special {
        Special::None | Special::Sequence | Special::Unknown(_) => Vec::new(),
        Special::Btree {
            btpo_prev,
            btpo_next,
            level,
            btpo_cycleid,
            ..
        } => vec![
            ("btpo_prev", block(btpo_prev)),
            ("btpo_next", block(btpo_next)),
            ("btpo_level", level.to_string()),
            ("btpo_cycleid", btpo_cycleid.to_string()),
        ],
        Special::Hash {
            hasho_prevblkno,
            hasho_nextblkno,
            hasho_bucket,
            ..
        } => vec![
            ("prevblkno", block(hasho_prevblkno)),
            ("nextblkno", block(hasho_nextblkno)),
            ("bucket", block(hasho_bucket)),
        ],
        Special::Gin {
            rightlink, maxoff, ..
        } => vec![
            ("rightlink", block(rightlink)),
            ("maxoff", maxoff.to_string()),
        ],
        Special::Gist { nsn, rightlink, .. } => {
            vec![("nsn", nsn.to_string()), ("rightlink", block(rightlink))]
        }
        Special::SpGist {
            n_redirection,
            n_placeholder,
            ..
        } => vec![
            ("nRedirection", n_redirection.to_string()),
            ("nPlaceholder", n_placeholder.to_string()),
        ],
        Special::Brin { page_type, .. } => vec![("page type", format!("0x{page_type:04X}"))],
    };
    for (name, value) in fields {
        text(out, name, &value)?;
    }
    if let Some(value) = special.flags() {
        words(out, "flags", flags(value, 0, special.flag_names(layout)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Version;
    use crate::format::heap::tests::{add, tuple};
    use crate::format::page::tests::empty;

    fn context(major: Major, fork: ForkNumber) -> PageContext {
        PageContext {
            layout: Layout::usual(Version::of(major).unwrap()),
            fork,
            blkno: 3,
            nblocks: 9,
            checksums: Some(true),
        }
    }

    fn render(page: &[u8], context: &PageContext) -> String {
        let mut out = Vec::new();
        render_page(&mut out, page, context).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn assert_covered(page: &[u8], context: &PageContext) {
        let mut at = 0;
        for region in regions(page, context) {
            assert_eq!(region.bytes.start, at, "{region:?}");
            assert!(region.bytes.end > at, "{region:?}");
            at = region.bytes.end;
        }
        assert_eq!(at, page.len());
    }

    #[test]
    fn a_heap_page_in_words() {
        let mut page = empty(0);
        add(&mut page, &tuple(700, 36));
        add(&mut page, &tuple(701, 40));
        let sum = page_checksum(&page, 3);
        page[8..10].copy_from_slice(&sum.to_le_bytes());
        let context = context(Major::V15, ForkNumber::Main);
        assert_covered(&page, &context);
        let shown = render(&page, &context);
        for line in [
            "kind: heap",
            "             structure    no fault",
            "             checksum     0x",
            "0000-0017    page header",
            "0018-001F    2 line pointers",
            "             1-2          normal 1FD8+36 1FB0+40",
            "0020-1FAF    free space, 8080 bytes, all zero",
            "1FB0-1FD7    item 2: tuple of 40 bytes",
            "             t_xmin       701 (committed)",
            "             t_infomask   0x0900 XMIN_COMMITTED XMAX_INVALID",
            "1FFC-1FFF    padding",
            "1FB0  bd 02 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|",
        ] {
            assert!(shown.contains(line), "{line}\n{shown}");
        }
        assert!(shown.lines().all(|line| line.len() <= 80), "{shown}");
    }

    #[test]
    fn odd_pages() {
        let context = context(Major::V9_2, ForkNumber::Main);
        assert!(render(&[0; 8192], &context).contains("zero throughout"));
        assert!(render(&[1; 9], &context).contains("less than a page header"));
        let mut page = empty(0);
        page[8191] = 7;
        page[15] = 0x1F;
        page[14] = 0;
        assert!(render(&page, &context).contains("1F00-1FFF    unexplained, 256 bytes"));
        assert_covered(&page, &context);
    }

    #[test]
    fn repeated_lines_are_folded() {
        let mut out = Vec::new();
        hex_dump(&mut out, &[0; 80], 4..80).unwrap();
        let shown = String::from_utf8(out).unwrap();
        let heads: Vec<&str> = shown.lines().map(|l| l.get(..4).unwrap_or(l)).collect();
        assert_eq!(heads, ["0004", "0010", "*", "0040"]);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn garbage_is_covered(
            mut page in proptest::collection::vec(0_u8.., 0..1500),
            bounds: [u16; 3],
            sane: bool,
        ) {
            if sane && page.len() > 24 {
                let mut bounds = bounds.map(|b| b % page.len() as u16);
                bounds.sort_unstable();
                for (bound, at) in bounds.iter().zip([12, 14, 16]) {
                    page[at..at + 2].copy_from_slice(&bound.to_le_bytes());
                }
            }
            for major in [Major::V9_0, Major::V12, Major::V19] {
                for fork in [ForkNumber::Main, ForkNumber::Fsm, ForkNumber::Vm] {
                    let context = context(major, fork);
                    assert_covered(&page, &context);
                    let shown = render(&page, &context);
                    assert!(shown.lines().all(|line| line.len() <= 80), "{shown}");
                }
            }
        }
    }
}
