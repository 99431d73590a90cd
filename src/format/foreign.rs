//! What a block that is no page of a relation may be instead: told by how it begins.
//!
//! A block that landed in the wrong place tells which layer lost it: another file's content
//! points to the file system or the storage below, WAL to the server's own files mixed up.

use super::version::VERSIONS;
use serde::Serialize;
use std::fmt;

/// Content that PostgreSQL does not write into relations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Foreign {
    /// Text.
    Text,
    /// A page of WAL.
    Wal,
    /// A structure of a file system, which is named.
    FileSystem(&'static str),
    /// A file of a kind that is named.
    File(&'static str),
    /// Bytes without any pattern: compressed or encrypted.
    Noise,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Wal => f.write_str("a page of WAL"),
            Self::FileSystem(name) => write!(f, "a structure of the {name} file system"),
            Self::File(name) => write!(f, "the beginning of a {name} file"),
            Self::Noise => f.write_str("bytes without a pattern, compressed or encrypted"),
        }
    }
}

/// Where marks stand, what they are, and of whom. Marks of two bytes are left out: chance
/// would find them.
const MARKS: &[(usize, &[u8], Foreign)] = &[
    (0, b"XFSB", Foreign::FileSystem("XFS")),
    (0, b"XAGF", Foreign::FileSystem("XFS")),
    (0, b"XAGI", Foreign::FileSystem("XFS")),
    (0, b"XAFL", Foreign::FileSystem("XFS")),
    (0, b"AB3B", Foreign::FileSystem("XFS")),
    (0, b"AB3C", Foreign::FileSystem("XFS")),
    (0, b"IAB3", Foreign::FileSystem("XFS")),
    (0, b"BMA3", Foreign::FileSystem("XFS")),
    (0, b"XDB3", Foreign::FileSystem("XFS")),
    (0, b"XDD3", Foreign::FileSystem("XFS")),
    // Of the journal, jbd2.
    (0, b"\xC0\x3B\x39\x98", Foreign::FileSystem("ext4")),
    (0x40, b"_BHRfS_M", Foreign::FileSystem("Btrfs")),
    (0, b"FILE0\0", Foreign::FileSystem("NTFS")),
    (0, b"INDX(\0", Foreign::FileSystem("NTFS")),
    (0, b"LABELONE", Foreign::FileSystem("LVM")),
    (0, b"\x1F\x8B\x08", Foreign::File("gzip")),
    (0, b"\x28\xB5\x2F\xFD", Foreign::File("zstd")),
    (0, b"\x04\x22\x4D\x18", Foreign::File("lz4")),
    (0, b"\xFD7zXZ\0", Foreign::File("xz")),
    (0, b"BZh9", Foreign::File("bzip2")),
    (0, b"PK\x03\x04", Foreign::File("zip")),
    (0, b"\x7FELF", Foreign::File("program (ELF)")),
    (0, b"%PDF-", Foreign::File("PDF")),
    (0, b"\x89PNG", Foreign::File("PNG")),
    (0, b"\xFF\xD8\xFF", Foreign::File("JPEG")),
    (0, b"SQLite format 3\0", Foreign::File("SQLite")),
    (0, b"PGDMP", Foreign::File("pg_dump")),
    (0, b"LPKSHHRH", Foreign::File("systemd journal")),
    (257, b"ustar", Foreign::File("tar")),
];

/// What a block is that the server would not take for a page, when it can be told.
#[must_use]
pub fn foreign(block: &[u8]) -> Option<Foreign> {
    if text(block).is_some() {
        return Some(Foreign::Text);
    }
    if is_wal(block) {
        return Some(Foreign::Wal);
    }
    let marked = |(at, mark, _): &&(usize, &[u8], Foreign)| {
        block.get(*at..).is_some_and(|rest| rest.starts_with(mark))
    };
    let known = MARKS.iter().find(marked).map(|(_, _, what)| *what);
    known.or_else(|| is_noise(block).then_some(Foreign::Noise))
}

/// The beginning of the text that fills a block, when it is text: nearly all bytes printable,
/// which no page of a relation is.
#[must_use]
pub fn text(block: &[u8]) -> Option<String> {
    let printable = |b: &&u8| is_text_byte(**b) || **b >= 0x80;
    let ascii = block.iter().filter(|b| is_text_byte(**b)).count();
    // A character of UTF-8 may be cut at either end.
    let utf8 = || {
        let begun = block.iter().position(|b| b & 0xC0 != 0x80).unwrap_or(0);
        let whole = block.get(begun..).unwrap_or_default();
        begun < 4
            && match std::str::from_utf8(whole) {
                Ok(_) => true,
                Err(error) => error.error_len().is_none(),
            }
            && block.iter().all(|b| printable(&b))
    };
    let is_ascii = ascii.saturating_mul(100) >= block.len().saturating_mul(97);
    if block.is_empty() || !is_ascii && !utf8() {
        return None;
    }
    let line = block
        .split(|b| *b == b'\n')
        .max_by_key(|line| line.len().min(60))?;
    let line = String::from_utf8_lossy(line);
    let line = line.trim_start_matches(char::REPLACEMENT_CHARACTER);
    let shown: String = line.chars().take(60).collect();
    let more = if line.chars().count() > 60 { "…" } else { "" };
    Some(format!("{}{more}", shown.trim()))
}

/// Whether ASCII text may hold the byte.
pub(super) fn is_text_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Whether it begins as a page of WAL of any version does (`xlog_internal.h:
/// XLogPageHeaderData`): magic, known flags, a timeline, and the address of a page.
fn is_wal(block: &[u8]) -> bool {
    let Some(header) = block.first_chunk::<16>() else {
        return false;
    };
    let [m0, m1, i0, i1, t0, t1, t2, t3, address @ ..] = *header;
    let magic = u16::from_le_bytes([m0, m1]);
    let info = u16::from_le_bytes([i0, i1]);
    let tli = u32::from_le_bytes([t0, t1, t2, t3]);
    // Up to 9.2 the halves of an address stand in the other order.
    let address = u64::from_le_bytes(address);
    let known = VERSIONS
        .iter()
        .any(|version| version.wal_magics.contains(&magic));
    let is_page = |address: u64| address != 0 && address.is_multiple_of(1024);
    known && info < 16 && tli != 0 && (is_page(address) || is_page(address.rotate_left(32)))
}

/// Whether all byte values are about equally frequent, as nothing but compressed or encrypted
/// data is throughout a block.
fn is_noise(block: &[u8]) -> bool {
    if block.len() < 4096 {
        return false;
    }
    let mut counts = [0_u32; 256];
    for byte in block {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    // Chi-square with 255 degrees of freedom: noise exceeds 400 less than once in a million
    // times; tables, text and programs come out in the thousands.
    let size = u64::try_from(block.len()).unwrap_or(u64::MAX);
    let squares: u64 = counts.iter().map(|n| u64::from(*n).pow(2)).sum();
    squares.saturating_mul(256) < size.saturating_mul(size.saturating_add(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_others() {
        let begins = |bytes: &[u8]| {
            let mut block = bytes.to_vec();
            block.resize(8192, 0);
            foreign(&block)
        };
        assert_eq!(begins(b"XAGF\0\0\0\x01"), Some(Foreign::FileSystem("XFS")));
        assert_eq!(begins(b"\x1F\x8B\x08\0"), Some(Foreign::File("gzip")));
        assert_eq!(begins(b"XAGx"), None);
        let mut wal = vec![0x16, 0xD1, 1, 0, 1, 0, 0, 0, 0, 0x20, 0, 0, 6, 0, 0, 0];
        assert_eq!(begins(&wal), Some(Foreign::Wal));
        wal[8] = 1;
        assert_eq!(begins(&wal), None);
        let mut tar = vec![0; 8192];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(foreign(&tar), Some(Foreign::File("tar")));
        assert_eq!(foreign(&[0; 8192]), None);
        assert_eq!(foreign(b""), None);
    }

    #[test]
    fn text_of_any_language() {
        let line = "May 18 03:00:00 server1 kernel: all is well\n";
        let block: Vec<u8> = line.bytes().cycle().take(8192).collect();
        assert_eq!(text(&block).as_deref(), Some(line.trim()));
        // Cut within a character at both ends.
        let block: Vec<u8> = "журнал сервера\n"
            .bytes()
            .cycle()
            .skip(1)
            .take(8192)
            .collect();
        assert_eq!(foreign(&block), Some(Foreign::Text));
        assert!(text(&block).unwrap().ends_with("журнал сервера"));
        let mut binary = block;
        binary[4000] = 0;
        assert_eq!(text(&binary), None);
    }

    #[test]
    fn noise_has_no_pattern() {
        let mut x = 1_u64;
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1442);
            (x >> 56) as u8
        };
        let noise: Vec<u8> = (0..8192).map(|_| next()).collect();
        assert_eq!(foreign(&noise), Some(Foreign::Noise));
        let mut half = noise;
        half[..2048].fill(0);
        assert_eq!(foreign(&half), None);
    }
}
