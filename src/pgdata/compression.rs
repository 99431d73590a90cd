//! Compressions, told from a file's first bytes, and their readers.
//!
//! Every reader gives the bytes of one stream after the other, and takes no more memory than
//! [`MAX_WINDOW`] for what it must remember, whatever the stream asks for.

use super::bytes::Raw;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

/// How far back a stream may refer: 128 MiB, what `zstd --long` writes and twice what `xz -9`
/// does. More would let the stream say how much memory is taken.
const MAX_WINDOW: u32 = 1 << WINDOW_LOG;
const WINDOW_LOG: u32 = 27;

/// How a file is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
    Bzip2,
    Xz,
    /// The `.lzma` files that came before xz.
    Lzma,
    Brotli,
}

impl Compression {
    /// What the first bytes of a file say; lzma and brotli have no mark of their own.
    pub(super) fn by_magic(head: &[u8]) -> Option<Self> {
        match head {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            // Ordinary and skippable frames; pzstd begins with the latter.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4D, 0x18, ..] => Some(Self::Lz4),
            [b'B', b'Z', b'h', ..] => Some(Self::Bzip2),
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    /// What a file's first bytes say, or for the two that have no mark the end of its name.
    ///
    /// # Errors
    /// When it is compressed or encrypted in a way that is not read.
    pub(super) fn of(name: &[u8], head: &[u8]) -> io::Result<Option<Self>> {
        if let Some(marked) = Self::by_magic(head) {
            return Ok(Some(marked));
        }
        let suffix = name.rsplit(|b| *b == b'.').next().unwrap_or_default();
        match suffix {
            b"lzma" => Ok(Some(Self::Lzma)),
            b"br" => Ok(Some(Self::Brotli)),
            // What `openssl enc` and pgBackRest put in front.
            _ if head.starts_with(b"Salted__") => Err(io::Error::other("it is encrypted")),
            b"gz" | b"zst" | b"lz4" | b"bz2" | b"xz" => {
                let suffix = String::from_utf8_lossy(suffix);
                Err(io::Error::other(format!(
                    "it does not begin as a .{suffix} file does; encrypted, perhaps"
                )))
            }
            _ => Ok(None),
        }
    }

    /// The uncompressed bytes from the start.
    pub(super) fn reader(self, raw: &Arc<Raw>) -> io::Result<Box<dyn Read + Send>> {
        let cursor = RawCursor {
            raw: Arc::clone(raw),
            at: 0,
        };
        let mut input = BufReader::with_capacity(256 << 10, cursor);
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
                decoder.window_log_max(WINDOW_LOG)?;
                Box::new(decoder)
            }
            Self::Lz4 => Box::new(Lz4Frames {
                decoder: lz4_flex::frame::FrameDecoder::new(input),
            }),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
            Self::Xz => {
                let limit = MAX_WINDOW / 1024;
                Box::new(lzma_rust2::XzReader::new_mem_limit(input, true, limit))
            }
            Self::Lzma => {
                let limit = MAX_WINDOW / 1024;
                Box::new(lzma_rust2::LzmaReader::new_mem_limit(input, limit, None)?)
            }
            Self::Brotli => {
                // RFC 9841: the mark of windows of up to 1 GB, which must be asked for.
                if matches!(input.fill_buf()?, [mark, ..] if mark & 0x7F == 0x11) {
                    return Err(io::Error::other("brotli with a large window is not read"));
                }
                Box::new(brotli_decompressor::Decompressor::new(input, 64 << 10))
            }
        })
    }
}

struct RawCursor {
    raw: Arc<Raw>,
    at: u64,
}

impl Read for RawCursor {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.raw.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Reads one frame after the other: the decoder itself ends with each.
struct Lz4Frames<R: BufRead> {
    decoder: lz4_flex::frame::FrameDecoder<R>,
}

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.decoder.read(buf)?;
            // Each round without output has used up a frame's end or an empty block.
            if n > 0 || buf.is_empty() || self.decoder.get_mut().fill_buf()?.is_empty() {
                return Ok(n);
            }
        }
    }
}
