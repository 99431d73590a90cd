//! Compresses as archivers do.

use std::io::Write;

/// Compresses all of it.
pub type Pack = fn(&[u8]) -> Vec<u8>;

pub fn plain(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

pub fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(0);
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn lzma(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::LzmaOptions::with_preset(0);
    let mut out = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = brotli::CompressorWriter::new(Vec::new(), 64 << 10, 3, 22);
    out.write_all(bytes).unwrap();
    out.into_inner()
}

/// Suffix, how it is made, and whether the file says so itself.
pub const COMPRESSIONS: [(&str, Pack, bool); 8] = [
    ("", plain, true),
    (".gz", gzip, true),
    (".zst", zstandard, true),
    (".lz4", lz4, true),
    (".bz2", bzip2, true),
    (".xz", xz, true),
    (".lzma", lzma, false),
    (".br", brotli, false),
];
