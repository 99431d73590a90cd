//! `server_error`, held against the server: each kind of damage is done to a table of its own, `COPY` reads every table, and
//! those that fail must be those of which the report has a `server_error`, with the same words.
//!
//! Each table has one fault: of several on a page the server first meets those of tuple headers, since it decides which
//! tuples it sees before it takes any apart. What is inside a value of an enum or of a composite type is no business of the
//! report, and of no kind here: nor is an empty TOAST table, of which only the index tells which block it is that cannot be
//! read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pgautopsy::format::checksum::page_checksum;
use serde_json::Value;

use crate::differential::{Row, conclude};
use crate::parity::{
    BLCKSZ, HEAP_HASNULL, HEAP_XMAX_COMMITTED, HEAP_XMAX_INVALID, HEAP_XMAX_IS_MULTI,
    HEAP_XMIN_COMMITTED, HEAP_XMIN_INVALID, Page, T_HOFF, T_INFOMASK, T_INFOMASK2, T_XMAX, T_XMIN,
};
use crate::server::{Cluster, PATIENCE, Server, write_file};
use crate::tool::{Report, check};

const HEAP_XMAX_LOCK_ONLY: u16 = 0x0080;
const HEAP_MOVED_OFF: u16 = 0x4000;
const XMIN_HINTS: u16 = HEAP_XMIN_COMMITTED | HEAP_XMIN_INVALID;
const XMAX_HINTS: u16 = HEAP_XMAX_COMMITTED | HEAP_XMAX_INVALID;

/// Long past when compared in a circle, and never assigned.
const PAST: u32 = 4_026_531_839;
/// Not assigned yet in any of these clusters, and not in the file of the newest transaction's page.
const FUTURE: u32 = 1_500_000;

/// Blocks of a segment.
const RELSEG_SIZE: u32 = 131_072;

/// Where a page's header has its fields.
const PD_CHECKSUM: usize = 8;
const PD_FLAGS: usize = 10;
const PD_ALL_VISIBLE: u16 = 4;
const PD_LOWER: usize = 12;
const PD_UPPER: usize = 14;
const PD_SPECIAL: usize = 16;
const PD_PAGESIZE_VERSION: usize = 18;

/// Where the second column begins in a tuple without nulls whose first is an integer, and what a varlena has there.
const BODY: usize = 28;
/// The same of a pointer to a value stored out of line (`varatt_external`).
const POINTER_RAWSIZE: usize = BODY + 2;
const POINTER_EXTINFO: usize = BODY + 6;
const POINTER_VALUE: usize = BODY + 10;
const POINTER_TOAST: usize = BODY + 14;
/// Where a chunk has its number, and its data.
const CHUNK_SEQ: usize = 28;
const CHUNK_DATA: usize = 32;
/// Where the first chunk of a compressed value has the value's size, and the compressed bytes.
const CHUNK_SIZE: usize = CHUNK_DATA + 4;
const CHUNK_STREAM: usize = CHUNK_DATA + 8;

/// A table that is damaged, and its files.
struct Table {
    main: PathBuf,
    toast: PathBuf,
    /// Of the TOAST table, or else of the table itself.
    index: PathBuf,
    /// Of `pg_attribute`.
    attribute: PathBuf,
    oid: u32,
}

/// A kind of damage.
struct Kind {
    name: &'static str,
    /// What makes the table `$t`, a statement a line.
    make: &'static str,
    edit: fn(&Table),
    /// Why nobody can tell what the server does of it; then the report must not.
    chance: Option<&'static str>,
    since: u32,
}

const fn kind(name: &'static str, make: &'static str, edit: fn(&Table)) -> Kind {
    Kind {
        name,
        make,
        edit,
        chance: None,
        since: 10,
    }
}

impl Kind {
    const fn chance(mut self, why: &'static str) -> Kind {
        self.chance = Some(why);
        self
    }

    const fn since(mut self, major: u32) -> Kind {
        self.since = major;
        self
    }

    fn table(&self) -> String {
        self.name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .collect::<Vec<_>>()
            .join("_")
            .to_lowercase()
    }
}

/// Two integers, hint bits set.
const FIXED: &str = "CREATE TABLE $t (id int, n int)
    INSERT INTO $t SELECT i, i FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
/// The same without them.
const UNHINTED: &str = "CREATE TABLE $t (id int, n int)
    INSERT INTO $t SELECT i, i FROM generate_series(1, 10) i";
/// Three blocks.
const LONG: &str = "CREATE TABLE $t (id int, body text)
    INSERT INTO $t SELECT i, repeat('x', 300) FROM generate_series(1, 60) i
    VACUUM $t";
/// Texts with headers of 1 byte.
const SHORT: &str = "CREATE TABLE $t (id int, body text)
    INSERT INTO $t SELECT i, md5(i::text) FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
/// Texts with headers of 4 bytes.
const WIDE: &str = "CREATE TABLE $t (id int, body text)
    INSERT INTO $t SELECT i, repeat('x', 300) FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const BYTEA: &str = "CREATE TABLE $t (id int, body bytea)
    INSERT INTO $t SELECT i, convert_to(repeat('x', 300), 'UTF8') FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const PGLZ: &str = "CREATE TABLE $t (id int, body text)
    INSERT INTO $t SELECT i, repeat(md5(i::text), 200) FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const LZ4: &str = "CREATE TABLE $t (id int, body text COMPRESSION lz4)
    INSERT INTO $t SELECT i, repeat(md5(i::text), 200) FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const NUMERIC: &str = "CREATE TABLE $t (id int, n numeric)
    INSERT INTO $t SELECT i, i * 1.5 FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const INET: &str = "CREATE TABLE $t (id int, a inet)
    INSERT INTO $t SELECT i, '192.168.0.1/24' FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const VARBIT: &str = "CREATE TABLE $t (id int, b varbit)
    INSERT INTO $t SELECT i, '101100111000' FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const ARRAY: &str = "CREATE TABLE $t (id int, a int[])
    INSERT INTO $t SELECT i, ARRAY[i, 2, 3] FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
/// The array lies 16 bytes from its start.
const JSONB: &str = "CREATE TABLE $t (id int, j jsonb)
    INSERT INTO $t SELECT i, '{\"a\": [1]}' FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const RANGE: &str = "CREATE TABLE $t (id int, r int4range)
    INSERT INTO $t SELECT i, int4range(i, 99) FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const ENUM: &str = "CREATE TYPE $t_mood AS ENUM ('sad', 'ok')
    CREATE TABLE $t (id int, m $t_mood)
    INSERT INTO $t SELECT i, 'ok' FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
/// With a header of 4 bytes, at 32: the time begins 24 bytes into it, the text 32.
const COMPOSITE: &str = "CREATE TYPE $t_pair AS (at timestamp, body text)
    CREATE TABLE $t (id int, p $t_pair)
    INSERT INTO $t SELECT i, (now(), repeat('x', 100))::$t_pair FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const MULTIRANGE: &str = "CREATE TABLE $t (id int, r int4multirange)
    INSERT INTO $t SELECT i, int4multirange(int4range(i, 20), int4range(30, 40)) FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
/// The second item lies 8 bytes behind the first, and has its text 12 bytes from its own start.
const JSONPATH: &str = "CREATE TABLE $t (id int, p jsonpath)
    INSERT INTO $t SELECT i, '$.abc' FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
/// A control byte, and the value's header as the first literals of the stream.
const PGLZ_JSONB: &str = "CREATE TABLE $t (id int, j jsonb)
    INSERT INTO $t SELECT i, jsonb_build_array(repeat(md5(i::text), 200)) FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
const LZ4_JSONB: &str = "CREATE TABLE $t (id int, j jsonb COMPRESSION lz4)
    INSERT INTO $t SELECT i, jsonb_build_array(repeat(md5(i::text), 200)) FROM generate_series(1, 10) i
    SELECT count(*) FROM $t";
/// A timestamp in the year 292278 BC.
const EARLY_TIME: [u8; 8] = (i64::MIN + 1).to_le_bytes();
/// Five chunks a value, four a page.
const TOASTED: &str = "CREATE TABLE $t (id int, body text)
    ALTER TABLE $t ALTER body SET STORAGE EXTERNAL
    INSERT INTO $t SELECT i, repeat('w', 9900) FROM generate_series(1, 3) i
    VACUUM $t";

/// The same, of bytes that are no method, and up to 13 a size below 0, if taken for compressed.
const TOASTED_BYTES: &str = "CREATE TABLE $t (id int, body bytea)
    ALTER TABLE $t ALTER body SET STORAGE EXTERNAL
    INSERT INTO $t SELECT i, decode(repeat('a9', 9900), 'hex') FROM generate_series(1, 3) i
    VACUUM $t";
/// Compressed: three chunks a value.
const TOASTED_PGLZ: &str = "CREATE TABLE $t (id int, body text)
    INSERT INTO $t SELECT i, (SELECT string_agg(md5((i * 1000 + n)::text) || repeat('z', 30), '') FROM generate_series(1, 140) n) FROM generate_series(1, 3) i
    VACUUM $t";
const TOASTED_LZ4: &str = "CREATE TABLE $t (id int, body text COMPRESSION lz4)
    INSERT INTO $t SELECT i, (SELECT string_agg(md5((i * 1000 + n)::text) || repeat('z', 30), '') FROM generate_series(1, 140) n) FROM generate_series(1, 3) i
    VACUUM $t";

/// Changes a page and makes its checksum fit.
fn page(path: &Path, block: u32, edit: impl FnOnce(&mut Page)) {
    let mut page = Page::read(path, block as usize);
    edit(&mut page);
    page.write(path, block);
}

/// Changes the first page of a table.
fn first(table: &Table, edit: impl FnOnce(&mut Page)) {
    page(&table.main, 0, edit);
}

fn set_u16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

fn set_line_pointer(page: &mut Page, offnum: usize, off: u32, flags: u32, len: u32) {
    let at = 24 + 4 * (offnum - 1);
    let lp = off | flags << 15 | len << 17;
    page.0[at..at + 4].copy_from_slice(&lp.to_le_bytes());
}

fn header(table: &Table, field: usize, value: u16) {
    first(table, |page| set_u16(&mut page.0, field, value));
}

/// Changes bytes, and no checksum.
fn bytes(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    edit(&mut bytes);
    write_file(path, bytes);
}

fn flip(path: &Path, at: usize) {
    bytes(path, |bytes| bytes[at] ^= 0x10);
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// Another file of the same relation.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// Sets the xmin of the first tuple, and its hint bits.
fn xmin(table: &Table, xid: u32, hints: u16) {
    first(table, |page| {
        page.set_xid(1, T_XMIN, xid);
        page.bits(1, T_INFOMASK, XMIN_HINTS, hints);
    });
}

/// The same of xmax.
fn xmax(table: &Table, xid: u32, hints: u16) {
    first(table, |page| {
        page.set_xid(1, T_XMAX, xid);
        page.bits(1, T_INFOMASK, XMAX_HINTS, hints);
    });
}

/// Marks the first page so.
fn all_visible(table: &Table) {
    header(table, PD_FLAGS, PD_ALL_VISIBLE);
}

/// Overwrites four bytes of the second column of the first tuple.
fn word(table: &Table, at: usize, value: u32) {
    first(table, |page| page.set_xid(1, at, value));
}

/// Changes four bytes of a chunk.
fn chunk(table: &Table, offnum: usize, at: usize, change: fn(u32) -> u32) {
    page(&table.toast, 0, |page| {
        let word = change(page.u32(offnum, at));
        page.set_xid(offnum, at, word);
    });
}

/// Changes four bytes of the pointer in the first tuple.
fn pointer(table: &Table, at: usize, change: fn(u32) -> u32) {
    first(table, |page| {
        let word = change(page.u32(1, at));
        page.set_xid(1, at, word);
    });
}

/// Changes the row of `pg_attribute` for the column `n`.
fn column(table: &Table, edit: impl FnOnce(&mut Page, usize)) {
    let blocks = fs::metadata(&table.attribute).unwrap().len() / BLCKSZ as u64;
    for block in 0..u32::try_from(blocks).unwrap() {
        let page = Page::read(&table.attribute, block as usize);
        let line_pointers =
            (u16::from_le_bytes([page.0[PD_LOWER], page.0[PD_LOWER + 1]]).max(24) - 24) / 4;
        let found = (1..=usize::from(line_pointers)).find(|offnum| {
            let is_tuple = page.line_pointer(*offnum) >> 15 & 3 == 1;
            is_tuple && {
                let row = page.at(*offnum, usize::from(page.0[page.at(*offnum, T_HOFF)]));
                page.0[row..row + 4] == table.oid.to_le_bytes()
                    && page.0[row + 4..row + 6] == *b"n\0"
            }
        });
        if let Some(offnum) = found {
            return self::page(&table.attribute, block, |page| edit(page, offnum));
        }
    }
    panic!("no column n of {}", table.oid);
}

/// Drops a chunk from the page, as a line pointer that was never used.
fn drop_chunk(table: &Table, offnum: usize) {
    page(&table.toast, 0, |page| {
        set_line_pointer(page, offnum, 0, 0, 0);
    });
}

#[rustfmt::skip]
fn kinds() -> Vec<Kind> {
    let crash = "the server copies a length past the end of its memory";
    let tag = "the server takes it for a value of -1 bytes: releases differ in what becomes of that";
    let beyond = "the server reads what lies behind the page in its memory";
    vec![
        // Nothing.
        kind("untouched", FIXED, |_| {}),
        kind("untouched unhinted", UNHINTED, |_| {}),
        kind("untouched toasted", TOASTED, |_| {}),
        kind("untouched pglz", PGLZ, |_| {}),
        kind("untouched lz4", LZ4, |_| {}).since(14),

        // Pages.
        kind("page checksum", FIXED, |t| flip(&t.main, 8000)),
        kind("page checksum of block 1", LONG, |t| flip(&t.main, BLCKSZ + 8000)),
        kind("page checksum of all blocks", LONG, |t| {
            for block in 0..3 {
                flip(&t.main, block * BLCKSZ + 8000);
            }
        }),
        kind("page of another block", LONG, |t| bytes(&t.main, |bytes| bytes.copy_within(BLCKSZ..2 * BLCKSZ, 0))),
        kind("page half zero", LONG, |t| bytes(&t.main, |bytes| bytes[4096..8192].fill(0))),
        kind("page of text", FIXED, |t| bytes(&t.main, |bytes| {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = b"pg_dump: last built-in OID is 16383\n"[at % 36];
            }
        })),
        kind("page zero", LONG, |t| bytes(&t.main, |bytes| bytes[..BLCKSZ].fill(0))),
        kind("page header zero", FIXED, |t| bytes(&t.main, |bytes| bytes[..24].fill(0))),
        kind("pd_lower beyond pd_upper", FIXED, |t| header(t, PD_LOWER, 8190)),
        kind("pd_lower in the header", FIXED, |t| header(t, PD_LOWER, 0)),
        kind("pd_lower cut", FIXED, |t| header(t, PD_LOWER, 24 + 4 * 5)),
        kind("pd_upper beyond pd_special", FIXED, |t| header(t, PD_UPPER, 8196)),
        kind("pd_upper zero", FIXED, |t| header(t, PD_UPPER, 0)),
        kind("pd_special beyond the page", FIXED, |t| header(t, PD_SPECIAL, 8200)),
        kind("pd_special not aligned", FIXED, |t| header(t, PD_SPECIAL, 8190)),
        kind("pd_special of an index", FIXED, |t| first(t, |page| {
            // A page with room for it: all tuples above would lie in the special space.
            set_u16(&mut page.0, PD_SPECIAL, 8176);
        })),
        kind("pd_flags", FIXED, |t| header(t, PD_FLAGS, 0x0400)),
        kind("pd_pagesize_version", FIXED, |t| header(t, PD_PAGESIZE_VERSION, 0x2003)),
        kind("pd_pagesize_version of no size", FIXED, |t| header(t, PD_PAGESIZE_VERSION, 0)),
        kind("pd_lsn in the future", UNHINTED, |t| first(t, |page| page.0[0..4].copy_from_slice(&[9, 0, 0, 0]))),

        // Line pointers.
        kind("line pointer beyond the page", FIXED, |t| first(t, |page| set_line_pointer(page, 1, 8184, 1, 32))).chance(beyond),
        kind("line pointer too long", FIXED, |t| first(t, |page| set_line_pointer(page, 1, 8152, 1, 400))),
        kind("line pointer without length", FIXED, |t| first(t, |page| {
            let off = page.line_pointer(1) & 0x7FFF;
            set_line_pointer(page, 1, off, 1, 0);
        })),
        kind("line pointer to another tuple", FIXED, |t| first(t, |page| {
            let second = page.line_pointer(2);
            set_line_pointer(page, 1, second & 0x7FFF, 1, second >> 17);
        })),
        kind("line pointer unused", FIXED, |t| first(t, |page| set_line_pointer(page, 1, 0, 0, 0))),
        kind("line pointer dead", FIXED, |t| first(t, |page| set_line_pointer(page, 1, 0, 3, 0))),
        kind("line pointer redirect to nowhere", FIXED, |t| first(t, |page| set_line_pointer(page, 1, 77, 2, 0))),

        // Tuple headers.
        kind("t_hoff beyond the tuple", FIXED, |t| first(t, |page| page.set(1, T_HOFF, [248]))),
        kind("t_hoff too small", FIXED, |t| first(t, |page| page.set(1, T_HOFF, [16]))),
        kind("t_hoff not aligned", FIXED, |t| first(t, |page| page.set(1, T_HOFF, [27]))),
        kind("natts too many", FIXED, |t| first(t, |page| page.bits(1, T_INFOMASK2, 0x07FF, 2047))),
        kind("natts too few", FIXED, |t| first(t, |page| page.bits(1, T_INFOMASK2, 0x07FF, 1))),
        kind("null bitmap that is none", FIXED, |t| first(t, |page| page.bits(1, T_INFOMASK, 0, HEAP_HASNULL))),
        kind("null bits", "CREATE TABLE $t (id int, n int, body text)
            INSERT INTO $t SELECT i, NULL, 'text' FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, 23, [0x01]))),
        kind("xmax committed and multixact", FIXED, |t| first(t, |page| {
            page.bits(1, T_INFOMASK, HEAP_XMAX_INVALID, HEAP_XMAX_COMMITTED | HEAP_XMAX_IS_MULTI);
        })),
        kind("moved off by no one", UNHINTED, |t| first(t, |page| page.bits(1, T_INFOMASK, 0, HEAP_MOVED_OFF))),

        // Transactions.
        kind("xmin never assigned", UNHINTED, |t| xmin(t, PAST, 0)),
        kind("xmin never assigned, hinted", FIXED, |t| xmin(t, PAST, HEAP_XMIN_COMMITTED)),
        kind("xmin never assigned, frozen", FIXED, |t| xmin(t, PAST, XMIN_HINTS)),
        kind("xmin never assigned, aborted", FIXED, |t| xmin(t, PAST, HEAP_XMIN_INVALID)),
        kind("xmin in the future", UNHINTED, |t| xmin(t, FUTURE, 0)),
        kind("xmin in the future, hinted", FIXED, |t| xmin(t, FUTURE, HEAP_XMIN_COMMITTED)),
        kind("xmin before the horizon", UNHINTED, |t| xmin(t, 100, 0)),
        kind("xmin invalid", UNHINTED, |t| xmin(t, 0, 0)),
        kind("xmin bootstrap", UNHINTED, |t| xmin(t, 1, 0)),
        kind("xmin never assigned in TOAST", TOASTED, |t| page(&t.toast, 0, |page| {
            page.set_xid(1, T_XMIN, PAST);
            page.bits(1, T_INFOMASK, XMIN_HINTS, 0);
        })),
        kind("xmax never assigned", FIXED, |t| xmax(t, PAST, 0)),
        kind("xmax never assigned, hinted", FIXED, |t| xmax(t, PAST, HEAP_XMAX_COMMITTED)),
        kind("xmax never assigned, invalid", FIXED, |t| xmax(t, PAST, HEAP_XMAX_INVALID)),
        kind("xmax never assigned, lock only", FIXED, |t| xmax(t, PAST, HEAP_XMAX_LOCK_ONLY)),
        kind("xmax in the future", FIXED, |t| xmax(t, FUTURE, 0)),
        kind("xmax before the horizon", FIXED, |t| xmax(t, 100, 0)),
        kind("xmax never assigned of an aborted tuple", FIXED, |t| {
            xmin(t, 100, HEAP_XMIN_INVALID);
            xmax(t, PAST, 0);
        }),
        kind("xmax never assigned in TOAST", TOASTED, |t| page(&t.toast, 0, |page| {
            page.set_xid(1, T_XMAX, PAST);
            page.bits(1, T_INFOMASK, XMAX_HINTS, 0);
        })),
        kind("xmin never assigned on an all-visible page", FIXED, |t| {
            xmin(t, PAST, 0);
            all_visible(t);
        }),
        kind("xmax never assigned on an all-visible page", FIXED, |t| {
            xmax(t, PAST, 0);
            all_visible(t);
        }),
        kind("multixact too old on an all-visible page", FIXED, |t| {
            xmax(t, 4_000_000_000, HEAP_XMAX_IS_MULTI);
            all_visible(t);
        }),
        kind("pglz stream of a deleted row on an all-visible page", PGLZ, |t| {
            first(t, |page| {
                page.set(1, BODY + 8, [0xFF; 16]);
                page.set_xid(1, T_XMAX, 3);
                page.bits(1, T_INFOMASK, XMAX_HINTS, HEAP_XMAX_COMMITTED);
            });
            all_visible(t);
        }),
        kind("multixact too old", FIXED, |t| xmax(t, 4_000_000_000, HEAP_XMAX_IS_MULTI)),
        kind("multixact in the future", FIXED, |t| xmax(t, 1_000_000, HEAP_XMAX_IS_MULTI)),
        kind("multixact in the future, lock only", FIXED, |t| xmax(t, 1_000_000, HEAP_XMAX_IS_MULTI | HEAP_XMAX_LOCK_ONLY)),
        kind("multixact zero", FIXED, |t| xmax(t, 0, HEAP_XMAX_IS_MULTI)),
        kind("multixact in the future of an aborted tuple", FIXED, |t| {
            xmin(t, 100, HEAP_XMIN_INVALID);
            xmax(t, 1_000_000, HEAP_XMAX_IS_MULTI);
        }),

        // Values.
        kind("varlena of no bytes", WIDE, |t| word(t, BODY, 0)),
        kind("varlena of 1 byte", WIDE, |t| word(t, BODY, 1 << 2)),
        kind("varlena of 3 bytes", WIDE, |t| word(t, BODY, 3 << 2)).chance(crash),
        kind("bytea of no bytes", BYTEA, |t| word(t, BODY, 0)),
        kind("varlena cut", WIDE, |t| word(t, BODY, 100 << 2)),
        kind("varlena too long", WIDE, |t| word(t, BODY, 20_000 << 2)),
        kind("varlena of a gigabyte", WIDE, |t| word(t, BODY, 0x3FFF_FFFF << 2)).chance(crash),
        kind("short varlena too long", SHORT, |t| first(t, |page| page.set(1, BODY, [0xFF]))),
        kind("short varlena cut", SHORT, |t| first(t, |page| page.set(1, BODY, [0x09]))),
        kind("TOAST tag unknown", SHORT, |t| first(t, |page| page.set(1, BODY, [0x01, 0x4D]))).chance(tag),
        kind("text of no encoding", SHORT, |t| first(t, |page| page.set(1, BODY + 1, [0xFF, 0xFE, 0x80]))),
        kind("name without an end", "CREATE TABLE $t (id int, n name)
            INSERT INTO $t SELECT i, 'name' FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, BODY, [b'x'; 64]))),
        kind("numeric of no scale", NUMERIC, |t| first(t, |page| page.set(1, BODY + 1, [0xFF, 0x3F]))),
        // Values that their types cannot have; most go out all the same.
        kind("text with a zero byte", SHORT, |t| first(t, |page| page.set(1, BODY + 5, [0]))),
        kind("boolean of 2", "CREATE TABLE $t (id int, b bool)
            INSERT INTO $t SELECT i, true FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, BODY, [2]))),
        kind("numeric of no digits", NUMERIC, |t| first(t, |page| page.set(1, BODY + 3, [0xFF, 0xFF]))),
        kind("numeric of no kind", NUMERIC, |t| first(t, |page| page.set(1, BODY + 1, [0x00, 0xE0]))),
        kind("timestamp before all others", "CREATE TABLE $t (id int, at timestamp)
            INSERT INTO $t SELECT i, now() FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, 32, EARLY_TIME))),
        kind("timestamptz before all others", "CREATE TABLE $t (id int, at timestamptz)
            INSERT INTO $t SELECT i, now() FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, 32, EARLY_TIME))),
        kind("timestamp after all others", "CREATE TABLE $t (id int, at timestamp)
            INSERT INTO $t SELECT i, now() FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, 32, (i64::MAX - 1).to_le_bytes()))),
        kind("domain of times before all others", "CREATE DOMAIN $t_at AS timestamp
            CREATE TABLE $t (id int, at $t_at)
            INSERT INTO $t SELECT i, now() FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, 32, EARLY_TIME))),
        kind("domain over a domain of booleans", "CREATE DOMAIN $t_is AS bool
            CREATE DOMAIN $t_not AS $t_is
            CREATE TABLE $t (id int, is_not $t_not)
            INSERT INTO $t SELECT i, true FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, BODY, [2]))),
        kind("jsonb of no kind in a domain", "CREATE DOMAIN $t_j AS jsonb
            CREATE TABLE $t (id int, j $t_j)
            INSERT INTO $t SELECT i, '{\"a\": [1]}' FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, BODY + 4, [0]))),
        kind("date before all others", "CREATE TABLE $t (id int, day date)
            INSERT INTO $t SELECT i, now() FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, BODY, (-2_451_546_i32).to_le_bytes()))),
        kind("time of 25 hours", "CREATE TABLE $t (id int, at time)
            INSERT INTO $t SELECT i, now() FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, 32, 90_000_000_000_i64.to_le_bytes()))),
        kind("interval of too many hours", "CREATE TABLE $t (id int, span interval)
            INSERT INTO $t SELECT i, '1 day' FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, 32, (3_600_000_000_i64 << 31).to_le_bytes()))),
        kind("inet of no family", INET, |t| first(t, |page| page.set(1, BODY + 1, [0x42]))),
        kind("inet of 33 bits", INET, |t| first(t, |page| page.set(1, BODY + 2, [33]))),
        kind("inet of 4 bytes called 16", INET, |t| first(t, |page| page.set(1, BODY + 1, [3]))),
        kind("bits of a size below 0", VARBIT, |t| first(t, |page| page.set(1, BODY + 1, [0, 0, 0, 0x80]))),
        kind("bits of a gigabyte", VARBIT, |t| first(t, |page| page.set(1, BODY + 1, [0xFF, 0xFF, 0xFF, 0x3F]))),
        kind("bits that are not there", VARBIT, |t| first(t, |page| page.set(1, BODY + 1, [40, 0, 0, 0]))),
        kind("array too large", ARRAY, |t| first(t, |page| page.set(1, BODY + 16, [0x40]))),
        kind("array of a size below 0", ARRAY, |t| first(t, |page| page.set(1, BODY + 16, [0x80]))),
        kind("array of no type", ARRAY, |t| first(t, |page| page.set(1, BODY + 9, [0; 4]))),
        kind("array of another type", ARRAY, |t| first(t, |page| page.set(1, BODY + 9, 26_u32.to_le_bytes()))),
        kind("array of less than no dimensions", ARRAY, |t| first(t, |page| page.set(1, BODY + 1, [0xFF; 4]))),
        kind("array of times before all others", "CREATE TABLE $t (id int, at timestamp[])
            INSERT INTO $t SELECT i, ARRAY[now(), now()]::timestamp[] FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, BODY + 29, EARLY_TIME))),
        kind("jsonb of no kind", JSONB, |t| first(t, |page| page.set(1, BODY + 4, [0]))),
        kind("jsonb of two kinds", JSONB, |t| first(t, |page| page.set(1, BODY + 4, [0x60]))),
        kind("jsonb with a key of null", JSONB, |t| first(t, |page| page.set(1, BODY + 8, [0xC0]))),
        kind("jsonb within jsonb of no kind", JSONB, |t| first(t, |page| page.set(1, BODY + 20, [0]))),
        kind("jsonb with a type of 7", JSONB, |t| first(t, |page| page.set(1, BODY + 12, [0x70]))),
        kind("jsonb with a text of no encoding", JSONB, |t| first(t, |page| page.set(1, BODY + 13, [0xFF]))),
        kind("polygon of fewer points", "CREATE TABLE $t (id int, p polygon)
            INSERT INTO $t SELECT i, '((0,0),(1,1),(2,0))' FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, BODY + 1, [2]))),
        kind("range without its upper bound", RANGE, |t| first(t, |page| page.set(1, BODY + 13, [0x12]))),
        kind("range of no type", RANGE, |t| first(t, |page| page.set(1, BODY + 1, [0; 4]))),
        kind("enum of no label", ENUM, |t| word(t, BODY, 99)),
        kind("enum of a label of another type", "CREATE TYPE $t_other AS ENUM ('x')
            CREATE TYPE $t_mood AS ENUM ('sad', 'ok')
            CREATE TABLE $t (id int, m $t_mood, o oid)
            INSERT INTO $t SELECT i, 'ok', e.oid FROM generate_series(1, 10) i, pg_enum e WHERE enumtypid = '$t_other'::regtype
            SELECT count(*) FROM $t", |t| first(t, |page| {
                let other = page.u32(1, BODY + 4);
                page.set_xid(1, BODY, other);
            })),
        kind("enum of a label that was renamed", "CREATE TYPE $t_mood AS ENUM ('sad', 'ok')
            CREATE TABLE $t (id int, m $t_mood)
            INSERT INTO $t SELECT i, 'ok' FROM generate_series(1, 10) i
            ALTER TYPE $t_mood RENAME VALUE 'ok' TO 'fine'
            SELECT count(*) FROM $t", |_| {}),
        kind("enum of no label in an array", "CREATE TYPE $t_mood AS ENUM ('sad', 'ok')
            CREATE TABLE $t (id int, m $t_mood[])
            INSERT INTO $t SELECT i, '{sad,ok}' FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, BODY + 21, 99_u32.to_le_bytes()))),
        kind("composite with a time before all others", COMPOSITE, |t| first(t, |page| page.set(1, 56, EARLY_TIME))),
        kind("composite with a text of no encoding", COMPOSITE, |t| first(t, |page| page.set(1, 65, [0xFF]))),
        kind("composite with an enum of no label", "CREATE TYPE $t_mood AS ENUM ('sad', 'ok')
            CREATE TYPE $t_pair AS (m $t_mood, n int)
            CREATE TABLE $t (id int, p $t_pair)
            INSERT INTO $t SELECT i, ('ok', i)::$t_pair FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| first(t, |page| page.set(1, BODY + 21, 99_u32.to_le_bytes()))),
        kind("multirange of no type", MULTIRANGE, |t| first(t, |page| page.set(1, BODY + 1, [0; 4]))).since(14),
        kind("multirange of a gigabyte of pointers", MULTIRANGE, |t| first(t, |page| page.set(1, BODY + 8, [0x10]))).since(14),
        kind("multirange of a number below 0", MULTIRANGE, |t| first(t, |page| page.set(1, BODY + 8, [0x80]))).since(14),
        kind("multirange of a place too early", MULTIRANGE, |t| first(t, |page| page.set(1, BODY + 9, [4]))).since(14),
        kind("jsonpath of an unknown type", JSONPATH, |t| first(t, |page| page.set(1, BODY + 5, [99]))).since(12),
        kind("jsonpath with an unknown type", JSONPATH, |t| first(t, |page| page.set(1, BODY + 13, [200]))).since(12),
        kind("jsonpath of another version", JSONPATH, |t| first(t, |page| page.set(1, BODY + 1, [2]))).since(12),
        kind("jsonpath with a text of no encoding", JSONPATH, |t| first(t, |page| page.set(1, BODY + 25, [0xFF]))).since(12),
        kind("pglz text of no encoding", PGLZ, |t| first(t, |page| page.set(1, BODY + 9, [0xFF]))),
        kind("lz4 text of no encoding", LZ4, |t| first(t, |page| page.set(1, BODY + 12, [0xFF]))).since(14),
        kind("pglz jsonb of no kind", PGLZ_JSONB, |t| first(t, |page| page.set(1, BODY + 12, [0]))),
        kind("lz4 jsonb of no kind", LZ4_JSONB, |t| first(t, |page| page.set(1, BODY + 13, [0]))).since(14),
        kind("compressed in a header too short", PGLZ, |t| word(t, BODY, 4 << 2 | 2)),
        kind("pglz stream", PGLZ, |t| first(t, |page| page.set(1, BODY + 8, [0xFF; 16]))),
        kind("pglz stream of a deleted row", PGLZ, |t| first(t, |page| {
            page.set(1, BODY + 8, [0xFF; 16]);
            page.set_xid(1, T_XMAX, 3);
            page.bits(1, T_INFOMASK, XMAX_HINTS, HEAP_XMAX_COMMITTED);
        })),
        kind("varlena of no bytes in an aborted row", WIDE, |t| {
            word(t, BODY, 0);
            xmin(t, 100, HEAP_XMIN_INVALID);
        }),
        kind("pglz cut", PGLZ, |t| first(t, |page| {
            let len = page.u32(1, BODY) >> 2;
            page.set_xid(1, BODY, (len - 4) << 2 | 2);
        })),
        kind("pglz size too large", PGLZ, |t| word(t, BODY + 4, 6401)),
        kind("pglz size too small", PGLZ, |t| word(t, BODY + 4, 6399)),
        kind("pglz size of a gigabyte", PGLZ, |t| word(t, BODY + 4, 0x3FFF_FFFF)),
        kind("pglz size of nearly a gigabyte", PGLZ, |t| word(t, BODY + 4, 0x3FFF_FFFB)),
        kind("compression method none", PGLZ, |t| word(t, BODY + 4, 6400 | 2 << 30)),
        kind("pglz called lz4", PGLZ, |t| word(t, BODY + 4, 6400 | 1 << 30)).since(14),
        kind("lz4 stream", LZ4, |t| first(t, |page| page.set(1, BODY + 8, [0xFF; 16]))).since(14),
        kind("lz4 size too large", LZ4, |t| word(t, BODY + 4, 6401 | 1 << 30)).since(14),
        kind("lz4 size too small", LZ4, |t| word(t, BODY + 4, 6399 | 1 << 30)).since(14),

        // TOAST tables.
        kind("TOAST page checksum", TOASTED, |t| flip(&t.toast, 8000)),
        kind("TOAST page zero header", TOASTED, |t| bytes(&t.toast, |bytes| bytes[..24].fill(0))),
        kind("TOAST file missing", TOASTED, |t| remove(&t.toast)),
        kind("TOAST index file missing", TOASTED, |t| remove(&t.index)),
        kind("TOAST index root checksum", TOASTED, |t| flip(&t.index, BLCKSZ + 100)),
        kind("TOAST index meta page checksum", TOASTED, |t| flip(&t.index, 100)),
        kind("TOAST index without magic", TOASTED, |t| page(&t.index, 0, |page| page.0[24..28].fill(0))),
        kind("chunk compressed", TOASTED, |t| page(&t.toast, 0, |page| {
            let word = page.u32(1, CHUNK_DATA);
            page.set_xid(1, CHUNK_DATA, word | 2);
        })),
        kind("chunk missing", TOASTED, |t| drop_chunk(t, 2)),
        kind("chunk sequence wrong", TOASTED, |t| page(&t.toast, 0, |page| page.set_xid(2, CHUNK_SEQ, 3))),
        kind("chunk too short", TOASTED, |t| page(&t.toast, 0, |page| page.set_xid(2, CHUNK_DATA, 1000 << 2))),
        kind("chunk twice", TOASTED, |t| page(&t.toast, 0, |page| {
            let first = page.line_pointer(1);
            set_line_pointer(page, 2, first & 0x7FFF, 1, first >> 17);
        })),
        kind("value without chunks", TOASTED, |t| (1..=4).for_each(|offnum| drop_chunk(t, offnum))),
        kind("untouched toasted pglz", TOASTED_PGLZ, |_| {}),
        kind("untouched toasted lz4", TOASTED_LZ4, |_| {}).since(14),
        kind("pglz chunk", TOASTED_PGLZ, |t| chunk(t, 1, CHUNK_STREAM, |_| u32::MAX)),
        kind("second pglz chunk", TOASTED_PGLZ, |t| chunk(t, 2, CHUNK_DATA + 400, |_| 0)),
        kind("pglz chunk of size too large", TOASTED_PGLZ, |t| chunk(t, 1, CHUNK_SIZE, |size| size + 1)),
        kind("pglz chunk of size too small", TOASTED_PGLZ, |t| chunk(t, 1, CHUNK_SIZE, |size| size - 1)),
        kind("pglz chunk of size of a gigabyte", TOASTED_PGLZ, |t| chunk(t, 1, CHUNK_SIZE, |_| 0x3FFF_FFFF)),
        kind("pglz chunk of no method", TOASTED_PGLZ, |t| chunk(t, 1, CHUNK_SIZE, |size| size | 2 << 30)),
        kind("pglz chunk called lz4", TOASTED_PGLZ, |t| chunk(t, 1, CHUNK_SIZE, |size| size | 1 << 30)).since(14),
        kind("lz4 chunk", TOASTED_LZ4, |t| chunk(t, 2, CHUNK_DATA + 400, |_| 0)).since(14),
        kind("lz4 chunk of size too large", TOASTED_LZ4, |t| chunk(t, 1, CHUNK_SIZE, |size| size + 1)).since(14),
        kind("lz4 chunk of size too small", TOASTED_LZ4, |t| chunk(t, 1, CHUNK_SIZE, |size| size - 1)).since(14),
        kind("pglz chunk missing and wrong", TOASTED_PGLZ, |t| {
            chunk(t, 1, CHUNK_STREAM, |_| u32::MAX);
            drop_chunk(t, 2);
        }),
        kind("pointer calls plain compressed", TOASTED_BYTES, |t| pointer(t, POINTER_RAWSIZE, |size| size + 1)),
        kind("pointer of a gigabyte to plain", TOASTED_BYTES, |t| word(t, POINTER_RAWSIZE, 0x3FFF_FFFF)),
        kind("pointer calls plain lz4", TOASTED, |t| pointer(t, POINTER_RAWSIZE, |size| size + 1)).since(14),
        kind("pointer calls compressed plain", TOASTED_PGLZ, |t| {
            first(t, |page| {
                let stored = page.u32(1, POINTER_EXTINFO) & 0x3FFF_FFFF;
                page.set_xid(1, POINTER_RAWSIZE, stored + 4);
            });
        }).chance("the compressed bytes are text or not as it happens"),
        kind("pointer of another size to pglz", TOASTED_PGLZ, |t| pointer(t, POINTER_RAWSIZE, |size| size + 100)),
        kind("pointer of another method to pglz", TOASTED_PGLZ, |t| pointer(t, POINTER_EXTINFO, |info| info | 1 << 30)).since(14),
        kind("pointer of no method to pglz", TOASTED_PGLZ, |t| pointer(t, POINTER_EXTINFO, |info| info | 3 << 30)).since(14),
        kind("pointer to a missing value", TOASTED, |t| word(t, POINTER_VALUE, 77)),
        kind("pointer to a missing TOAST table", TOASTED, |t| word(t, POINTER_TOAST, 77)),

        // Files.
        kind("file missing", FIXED, |t| remove(&t.main)),
        kind("file empty", FIXED, |t| bytes(&t.main, Vec::clear)),
        kind("file ends in a block", LONG, |t| bytes(&t.main, |bytes| bytes.truncate(2 * BLCKSZ + 4000))),
        kind("file a block shorter", LONG, |t| bytes(&t.main, |bytes| bytes.truncate(2 * BLCKSZ))),
        kind("first segment short", LONG, |t| {
            // With the checksum of where it lies.
            let sum = page_checksum(&fs::read(&t.main).unwrap()[..BLCKSZ], RELSEG_SIZE);
            bytes(&t.main, |bytes| {
                let mut next = bytes[..BLCKSZ].to_vec();
                set_u16(&mut next, PD_CHECKSUM, sum);
                write_file(&beside(&t.main, ".1"), next);
            });
        }),
        kind("first segment missing", LONG, |t| fs::rename(&t.main, beside(&t.main, ".1")).unwrap()),
        kind("visibility map checksum", LONG, |t| flip(&beside(&t.main, "_vm"), 100)),
        kind("visibility map header", LONG, |t| page(&beside(&t.main, "_vm"), 0, |page| set_u16(&mut page.0, PD_LOWER, 8190))),
        kind("visibility map missing", LONG, |t| remove(&beside(&t.main, "_vm"))),
        kind("visibility map of deleted rows", "CREATE TABLE $t (id int, n int)
            INSERT INTO $t SELECT i, i FROM generate_series(1, 10) i
            VACUUM $t", |t| first(t, |page| {
                page.set_xid(1, T_XMAX, 3);
                page.bits(1, T_INFOMASK, XMAX_HINTS, HEAP_XMAX_COMMITTED);
            })),
        kind("free space map checksum", "CREATE TABLE $t (id int, body text)
            INSERT INTO $t SELECT i, repeat('x', 300) FROM generate_series(1, 600) i
            DELETE FROM $t WHERE id < 200
            VACUUM $t", |t| flip(&beside(&t.main, "_fsm"), 100)),

        // Relations of other kinds.
        kind("index checksum", "CREATE TABLE $t (id int PRIMARY KEY, n int)
            INSERT INTO $t SELECT i, i FROM generate_series(1, 10) i
            SELECT count(*) FROM $t", |t| flip(&t.index, BLCKSZ + 100)),
        kind("sequence page", "CREATE SEQUENCE $t
            SELECT nextval('$t')", |t| flip(&t.main, 8180)),
        kind("sequence zero", "CREATE SEQUENCE $t
            SELECT nextval('$t')", |t| bytes(&t.main, |bytes| bytes.fill(0))),
        kind("sequence missing", "CREATE SEQUENCE $t", |t| remove(&t.main)),
        kind("materialized view page", "CREATE MATERIALIZED VIEW $t AS SELECT 1 AS id, repeat('x', 100) AS body", |t| flip(&t.main, 8180)),
        kind("partition page", "CREATE TABLE $t_of (id int, n int) PARTITION BY RANGE (id)
            CREATE TABLE $t PARTITION OF $t_of FOR VALUES FROM (0) TO (100)
            INSERT INTO $t_of SELECT i, i FROM generate_series(1, 10) i", |t| flip(&t.main, 8180)),
        kind("unlogged page", "CREATE UNLOGGED TABLE $t (id int, n int)
            INSERT INTO $t SELECT i, i FROM generate_series(1, 10) i", |t| flip(&t.main, 8180)),
        kind("unlogged file missing", "CREATE UNLOGGED TABLE $t (id int, n int)
            INSERT INTO $t SELECT i, i FROM generate_series(1, 10) i", |t| remove(&t.main)),

        // Catalogs.
        kind("column missing", FIXED, |t| column(t, |page, offnum| set_line_pointer(page, offnum, 0, 0, 0))),
        kind("column missing of no rows", "CREATE TABLE $t (id int, n int)", |t| column(t, |page, offnum| {
            set_line_pointer(page, offnum, 0, 0, 0);
        })),
        kind("column of no type", FIXED, |t| column(t, |page, offnum| {
            let hoff = usize::from(page.0[page.at(offnum, T_HOFF)]);
            page.set_xid(offnum, hoff + 68, 99_999);
        })),
    ]
}

/// The check whose `server_error` comes when the page is written, as the report says: hint bits make it so.
const ON_WRITE: &str = "page-lsn-beyond-wal";

/// What the first transactions and multixacts of the cluster leave, to lose their segments.
const EARLY: &[(&str, &str)] = &[
    ("early_unhinted", UNHINTED),
    ("early_hinted", FIXED),
    ("early_deleted", "CREATE TABLE $t (id int, n int)
        INSERT INTO $t SELECT i, i FROM generate_series(1, 10) i
        SELECT count(*) FROM $t
        DELETE FROM $t WHERE id > 5"),
    ("early_aborted", "CREATE TABLE $t (id int, n int)
        BEGIN; INSERT INTO $t SELECT i, i FROM generate_series(1, 10) i; ROLLBACK"),
    ("early_subtransaction", "CREATE TABLE $t (id int, n int)
        BEGIN; SAVEPOINT s; INSERT INTO $t VALUES (1, 1); RELEASE s; INSERT INTO $t VALUES (2, 2); COMMIT"),
    ("early_updated", "CREATE TABLE $t (id int, n int)
        INSERT INTO $t VALUES (1, 1)
        SELECT count(*) FROM $t
        BEGIN; SELECT FROM $t FOR KEY SHARE; SAVEPOINT s; UPDATE $t SET n = 2; COMMIT"),
    ("early_locked", "CREATE TABLE $t (id int, n int)
        INSERT INTO $t VALUES (1, 1)
        SELECT count(*) FROM $t
        BEGIN; SELECT FROM $t FOR KEY SHARE; SAVEPOINT s; SELECT FROM $t FOR SHARE; COMMIT"),
    ("early_toasted", "CREATE TABLE $t (id int, body text)
        ALTER TABLE $t ALTER body SET STORAGE EXTERNAL
        INSERT INTO $t SELECT i, repeat('w', 9900) FROM generate_series(1, 3) i
        SELECT count(*) FROM $t"),
];

/// More multixacts than a segment of either kind holds, and then more transactions than one of `pg_xact` does.
const BURN: &str = "
CREATE TABLE burn AS SELECT 1 AS id;
DO $$BEGIN
    PERFORM 1 FROM burn FOR KEY SHARE;
    FOR i IN 1..70000 LOOP
        BEGIN PERFORM 1 FROM burn FOR SHARE; RAISE 'again'; EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
END$$;
DO $$BEGIN
    FOR i IN 1..1000000 LOOP
        BEGIN PERFORM pg_logical_emit_message(true, '', ''); EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
END$$;
DROP TABLE burn;
";

/// What is done to files below a folder.
type Edit = fn(&Path);

/// Databases that are damaged as a whole, each with a table `copied`.
const DATABASES: &[(&str, Edit)] = &[
    ("db_map_checksum", |db| {
        flip(&db.join("pg_filenode.map"), 100)
    }),
    ("db_map_zero", |db| {
        bytes(&db.join("pg_filenode.map"), |bytes| bytes.fill(0))
    }),
    ("db_map_missing", |db| remove(&db.join("pg_filenode.map"))),
    ("db_folder_missing", |db| fs::remove_dir_all(db).unwrap()),
    ("db_version_missing", |db| remove(&db.join("PG_VERSION"))),
    ("db_version_invalid", |db| {
        bytes(&db.join("PG_VERSION"), |bytes| bytes[0] = b'x')
    }),
];

/// Copies that lose the first segment of an SLRU, or what is in it.
const SEGMENTS: &[(&str, Edit)] = &[
    ("pg_xact missing", |data| remove(&data.join("pg_xact/0000"))),
    ("pg_xact cut", |data| {
        bytes(&data.join("pg_xact/0000"), Vec::clear)
    }),
    ("offsets missing", |data| {
        remove(&data.join("pg_multixact/offsets/0000"))
    }),
    ("offsets cut", |data| {
        bytes(&data.join("pg_multixact/offsets/0000"), Vec::clear)
    }),
    ("members missing", |data| {
        remove(&data.join("pg_multixact/members/0000"))
    }),
    ("members cut", |data| {
        bytes(&data.join("pg_multixact/members/0000"), Vec::clear)
    }),
];

/// Runs statements as a file.
fn script(cluster: &Cluster, database: &str, text: &str) {
    let path = cluster.home().join("script.sql");
    write_file(&path, text);
    let mut psql = cluster.psql();
    psql.args(["-d", database, "-v", "ON_ERROR_STOP=1", "-f"]);
    crate::server::output(psql.arg(&path));
}

/// The statements that make a table: a line each.
fn statements(make: &str, table: &str) -> String {
    make.lines()
        .map(|line| format!("{};\n", line.trim().replace("$t", table)))
        .collect()
}

/// A stopped cluster with a table for each kind of damage, and where its files are.
struct Base {
    cluster: Cluster,
    kinds: Vec<Kind>,
    /// The files of [`Table`] and its object identifier, by table.
    files: BTreeMap<String, [String; 5]>,
    /// What `COPY` takes.
    sources: BTreeMap<String, String>,
    /// The table that a TOAST table or its index belongs to, by their names.
    owners: BTreeMap<String, String>,
    /// The folders of databases.
    databases: BTreeMap<String, String>,
}

const SETTINGS: [&str; 4] = [
    "autovacuum = off",
    "checkpoint_timeout = 1h",
    "max_wal_size = 8GB",
    // A damaged page that is still in memory would not be read.
    "shared_buffers = 32MB",
];

impl Base {
    fn new(mut cluster: Cluster, early: bool) -> Base {
        let major = cluster.server.major;
        cluster.start();
        let has_lz4 = cluster.sql(
            "SELECT coalesce(bool_or(enumvals @> '{lz4}'), false) FROM pg_settings WHERE name = 'default_toast_compression'",
        ) == "t";
        let kinds: Vec<Kind> = kinds()
            .into_iter()
            .filter(|kind| kind.since <= major)
            // What else a server built without it says of such a value, no report can know.
            .filter(|kind| has_lz4 || !kind.name.contains("lz4"))
            .collect();
        let mut text = String::new();
        if early {
            text.extend(EARLY.iter().map(|(table, make)| statements(make, table)));
            text += BURN;
        }
        text.extend(
            kinds
                .iter()
                .map(|kind| statements(kind.make, &kind.table())),
        );
        text.extend(
            DATABASES
                .iter()
                .map(|(name, _)| format!("CREATE DATABASE {name};\n")),
        );
        script(&cluster, "postgres", &text);
        for (name, _) in DATABASES {
            script(&cluster, name, "CREATE TABLE copied AS SELECT 1 AS id;");
        }
        // What stands in the catalogs must not depend on the segments that will be missing.
        let catalogs = cluster.sql(
            "SELECT 'VACUUM FREEZE ' || oid::regclass || ';' FROM pg_class \
             WHERE relkind IN ('r', 'm') AND relname NOT LIKE 'early%' AND oid < 16384",
        );
        script(&cluster, "postgres", &catalogs);
        let mut base = Base {
            kinds,
            files: BTreeMap::new(),
            sources: BTreeMap::new(),
            owners: BTreeMap::new(),
            databases: BTreeMap::new(),
            cluster,
        };
        base.look_up();
        base.cluster.stop();
        base
    }

    fn look_up(&mut self) {
        let rows = self.cluster.sql(
            "SELECT concat_ws('|', c.relname, c.relkind, pg_relation_filepath(c.oid), \
             coalesce(pg_relation_filepath(t.oid), '-'), coalesce(pg_relation_filepath(i.indexrelid), '-'), \
             pg_relation_filepath('pg_attribute'), c.oid, \
             coalesce(t.relname, '-'), coalesce(i.indexrelid::regclass::text, '-')) \
             FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid LEFT JOIN pg_index i ON i.indrelid = coalesce(t.oid, c.oid) \
             WHERE c.relkind IN ('r', 'm', 'S') AND c.oid >= 16384 AND c.relnamespace = 'public'::regnamespace",
        );
        for row in rows.lines() {
            let fields: Vec<String> = row.split('|').map(str::to_owned).collect();
            let [
                table,
                relkind,
                main,
                toast,
                index,
                attribute,
                oid,
                toast_name,
                index_name,
            ] = fields.try_into().unwrap();
            self.sources.insert(
                table.clone(),
                match &*relkind {
                    "r" => table.clone(),
                    _ => format!("(SELECT * FROM {table})"),
                },
            );
            // COPY uses no index but those of TOAST tables.
            for name in [toast_name, index_name] {
                let name = name.trim_start_matches("pg_toast.");
                if name.starts_with("pg_toast_") {
                    self.owners.insert(name.to_owned(), table.clone());
                }
            }
            self.files
                .insert(table, [main, toast, index, attribute, oid]);
        }
        let rows = self
            .cluster
            .sql("SELECT datname || '|base/' || oid FROM pg_database");
        for row in rows.lines() {
            let (name, path) = row.split_once('|').unwrap();
            self.databases.insert(path.to_owned(), name.to_owned());
        }
    }

    /// Does all damage to tables and databases.
    fn damage(&self, data: &Path) {
        for kind in &self.kinds {
            let [main, toast, index, attribute, oid] = &self.files[&kind.table()];
            (kind.edit)(&Table {
                main: data.join(main),
                toast: data.join(toast),
                index: data.join(index),
                attribute: data.join(attribute),
                oid: oid.parse().unwrap(),
            });
        }
        for (path, name) in &self.databases {
            if let Some((_, edit)) = DATABASES.iter().find(|(database, _)| database == name) {
                edit(&data.join(path));
            }
        }
    }

    /// The first error that the report expects of each table, or of each database.
    fn predicted(&self, report: &Report) -> BTreeMap<String, String> {
        let mut errors = BTreeMap::new();
        for finding in report.findings() {
            let Some(error) = finding["server_error"].as_str() else {
                continue;
            };
            let place = self.place(finding);
            let is_index =
                finding["relation"]["kind"] == "index" && !self.sources.contains_key(&place);
            if finding["recovery"] == "heals" || finding["code"] == ON_WRITE || is_index {
                continue;
            }
            errors.entry(place).or_insert_with(|| error.to_owned());
        }
        errors
    }

    /// The table or database that a finding is about, or what it says when it is about neither.
    fn place(&self, finding: &Value) -> String {
        let path = finding["path"].as_str().unwrap();
        let name = match finding["relation"]["name"].as_str() {
            Some(name) => name,
            // Of a page of an SLRU: `12 tuples of postgres.public.orders need it`
            None => finding["message"]
                .as_str()
                .unwrap()
                .split_once(" of postgres.")
                .and_then(|(_, rest)| rest.split_once('.'))
                .map_or("", |(_, rest)| rest.split(' ').next().unwrap()),
        };
        if let Some(owner) = self.owners.get(name) {
            return owner.clone();
        }
        if self.sources.contains_key(name) {
            return name.to_owned();
        }
        let folder = path.rsplit_once('/').map(|(folder, _)| folder);
        let database = [Some(path), folder]
            .into_iter()
            .flatten()
            .find_map(|path| self.databases.get(path));
        match database {
            Some(database) => database.clone(),
            None => format!("{}: {}", path, finding["message"]),
        }
    }

    /// Looks at a damaged copy, starts the server on it and compares.
    fn compare(&self, phase: &str, mut copy: Cluster, rows: &mut Vec<Row>) {
        let report = check(&copy);
        let mut predicted = self.predicted(&report);
        copy.start();
        let tables = self
            .sources
            .iter()
            .map(|(table, source)| (&**table, "postgres", &**source));
        let databases = self
            .databases
            .values()
            .filter(|name| name.starts_with("db_"))
            .map(|name| (&**name, &**name, "copied"));
        // A crash starts a recovery, which mends some of what the others are to read.
        let (chance, sure): (Vec<_>, Vec<_>) = tables
            .chain(databases)
            .partition(|(name, ..)| self.kind(name).is_some_and(|kind| kind.chance.is_some()));
        let mut row = |what: &str, predicted: Option<&str>, real: Option<&str>, agrees: bool| {
            let major = self.cluster.server.major;
            let [predicted, real] = [predicted, real].map(|error| error.unwrap_or("no error"));
            rows.push(Row {
                line: format!("{major} | {phase} | {what} | {predicted} | {real}"),
                differences: if agrees {
                    String::new()
                } else {
                    "differs\n".to_owned()
                },
            });
        };
        for (name, database, source) in sure {
            let (predicted, real) = (predicted.remove(name), read(&copy, database, source));
            let what = self.kind(name).map_or(name, |kind| kind.name);
            let agrees = predicted == real;
            row(what, predicted.as_deref(), real.as_deref(), agrees);
        }
        for finding in report.findings() {
            let Some(error) = finding["server_error"].as_str() else {
                continue;
            };
            if finding["code"] == ON_WRITE {
                // How far the server has come by then, nobody knows.
                let said = error.split(" --- ").next().unwrap();
                let real = copy.try_sql("CHECKPOINT");
                let agrees =
                    real.contains("checkpoint request failed") && copy.log().contains(said);
                row(
                    "pd_lsn in the future, written",
                    Some(error),
                    Some(&real),
                    agrees,
                );
            }
        }
        for (name, database, source) in chance {
            let (predicted, real) = (predicted.remove(name), read(&copy, database, source));
            let what = self.kind(name).map_or(name, |kind| kind.name);
            row(
                what,
                predicted.as_deref(),
                real.as_deref(),
                predicted.is_none(),
            );
        }
        for (place, error) in &predicted {
            row(place, Some(error), Some("COPY reads nothing of it"), false);
        }
    }

    /// The kind of damage that was done to a table.
    fn kind(&self, table: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.table() == table)
    }
}

/// The first error of a `COPY` in a session of its own.
fn read(copy: &Cluster, database: &str, source: &str) -> Option<String> {
    let statement = format!("COPY {source} TO '/dev/null'");
    let since = Instant::now();
    loop {
        let mut psql = copy.psql();
        let output = psql
            .args(["-d", database, "-c", &statement])
            .output()
            .unwrap();
        if output.status.success() {
            return None;
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Another session crashed, and the server starts again by itself.
        if !said.contains("the database system is ") {
            return Some(first_error(&said).unwrap_or(said));
        }
        assert!(
            since.elapsed() < PATIENCE,
            "the server does not come back:\n{}",
            copy.log()
        );
        sleep(Duration::from_millis(50));
    }
}

/// The first message of an error; none when a backend crashed.
fn first_error(said: &str) -> Option<String> {
    said.lines().find_map(|line| {
        ["ERROR:  ", "FATAL:  ", "PANIC:  "]
            .iter()
            .find_map(|severity| line.split_once(severity))
            .map(|(_, message)| message.to_owned())
    })
}

/// Every kind of damage on one major.
pub fn copy_of_every_table(server: Server) {
    let mut rows = Vec::new();
    let base = Base::new(Cluster::init(server, &SETTINGS), true);
    let copy = base.cluster.stand_in();
    base.damage(&copy.data());
    base.compare("stopped", copy, &mut rows);

    let mut crashed = base.cluster.stand_in();
    crashed.start();
    crashed.sql("CREATE TABLE other AS SELECT i FROM generate_series(1, 1000) i");
    crashed.kill();
    base.damage(&crashed.data());
    base.compare("crashed", crashed.stand_in(), &mut rows);

    for (name, edit) in SEGMENTS {
        let copy = base.cluster.stand_in();
        edit(&copy.data());
        base.compare(name, copy, &mut rows);
    }

    let base = Base::new(Cluster::init_without_checksums(server, &SETTINGS), false);
    let copy = base.cluster.stand_in();
    base.damage(&copy.data());
    base.compare("without checksums", copy, &mut rows);
    let summary = format!("{} kinds of damage to tables\n", base.kinds.len());
    conclude("copy", server, &rows, &summary);
}
