//! Finds the bytes that `pgautopsy control` and `pgautopsy page` print.

use pgautopsy::format::control::{ControlFile, ControlReading};
use pgautopsy::format::names::RelFileName;
use pgautopsy::format::pgversion::PgVersion;
use pgautopsy::format::{BlockNumber, ForkNumber, Layout, VERSIONS, Version};
use pgautopsy::report::controldata::{ControlVerdict, render_control};
use pgautopsy::report::page::{PageContext, render_page};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// More than any `pg_control` or `PG_VERSION` has; a device could be named instead.
const MAX_SMALL_FILE: u64 = 64 << 10;

/// A `pg_control` and what `PG_VERSION` says beside it.
pub(crate) struct Control {
    bytes: Vec<u8>,
    version_hint: Option<&'static Version>,
}

impl Control {
    /// Of a data directory, or a file by itself.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let (file, root) = if path.is_dir() {
            (path.join("global/pg_control"), Some(path))
        } else {
            (path.to_owned(), path.parent().and_then(Path::parent))
        };
        Ok(Self {
            bytes: read_small(&file).map_err(|error| cannot_read(&file, &error))?,
            version_hint: root.and_then(version_of),
        })
    }

    /// Prints it; whether it is good.
    pub(crate) fn print(&self, mut out: &mut dyn Write) -> io::Result<bool> {
        let verdict = render_control(&mut out, &self.bytes, self.version_hint)?;
        Ok(verdict == ControlVerdict::Good)
    }
}

/// A page and its surroundings.
pub(crate) struct Page {
    bytes: Vec<u8>,
    context: PageContext,
}

impl Page {
    /// Block `block` from the start of `file`; it may lie in a later segment.
    pub(crate) fn load(file: &Path, block: BlockNumber) -> Result<Self, String> {
        if file.is_dir() {
            return Err(format!(
                "{} is a folder: name a file of a relation",
                file.display()
            ));
        }
        let (layout, checksums) = surroundings(file);
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.and_then(RelFileName::parse);
        let segment_path = |segment: u32| match name {
            Some(name) => file.with_file_name(RelFileName { segment, ..name }.to_string()),
            None => file.to_owned(),
        };
        let first = name.map_or(0, |name| name.segment);
        let (ahead, blkno) = match name {
            Some(_) => (block / layout.relseg_size, block % layout.relseg_size),
            None => (0, block),
        };
        let segment = first.saturating_add(ahead);
        let path = segment_path(segment);
        if ahead > 0 && !path.exists() {
            return Err(format!(
                "there is no block {block}: {} is missing",
                path.display()
            ));
        }
        let mut open = File::open(&path).map_err(|error| cannot_read(&path, &error))?;
        let mut bytes = Vec::new();
        open.seek(SeekFrom::Start(u64::from(blkno) * u64::from(layout.blcksz)))
            .and_then(|_| open.take(layout.blcksz.into()).read_to_end(&mut bytes))
            .map_err(|error| cannot_read(&path, &error))?;
        let blocks_of = |path: &Path| -> Option<u64> {
            let metadata = path.metadata().ok().filter(|metadata| metadata.is_file())?;
            Some(metadata.len().div_ceil(layout.blcksz.into()))
        };
        if bytes.is_empty() {
            let blocks = blocks_of(&path).unwrap_or(0);
            return Err(format!(
                "there is no block {blkno} in {}: it has {blocks}, counted from 0",
                path.display()
            ));
        }
        // The fork goes on as long as there are segments.
        let mut last = segment;
        while name.is_some() && last < u32::MAX && segment_path(last + 1).is_file() {
            last += 1;
        }
        let nblocks = u64::from(last) * u64::from(layout.relseg_size)
            + blocks_of(&segment_path(last)).unwrap_or(0);
        let before = segment.checked_mul(layout.relseg_size);
        Ok(Self {
            bytes,
            context: PageContext {
                layout,
                fork: name.map_or(ForkNumber::Main, |name| name.fork),
                blkno: before
                    .and_then(|before| before.checked_add(blkno))
                    .ok_or_else(|| format!("{}: no relation is that long", path.display()))?,
                nblocks: u32::try_from(nblocks).unwrap_or(u32::MAX),
                checksums,
            },
        })
    }

    pub(crate) fn print(&self, mut out: &mut dyn Write) -> io::Result<()> {
        render_page(&mut out, &self.bytes, &self.context)
    }
}

/// What the data directory around a file says of its pages. Without one the newest version
/// is assumed: the format of pages has not changed since 8.3.
fn surroundings(file: &Path) -> (Layout, Option<bool>) {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    for root in file.ancestors().skip(1) {
        let version_hint = version_of(root);
        let control: PathBuf = root.join("global/pg_control");
        let Ok(bytes) = read_small(&control) else {
            continue;
        };
        if let ControlReading::Decoded { control, .. } = ControlFile::read(&bytes, version_hint) {
            return described(&control);
        }
        if let Some(version) = version_hint {
            tracing::warn!(
                "{} cannot be read: 8192-byte blocks assumed",
                control.display()
            );
            return (Layout::usual(version), None);
        }
    }
    tracing::warn!(
        "no data directory around {}: read as PostgreSQL {} with 8192-byte blocks",
        file.display(),
        VERSIONS[0].major
    );
    (Layout::usual(&VERSIONS[0]), None)
}

/// The sizes of a `pg_control`, as far as they are possible.
fn described(control: &ControlFile) -> (Layout, Option<bool>) {
    let mut layout = Layout::usual(control.version);
    if control.blcksz.is_power_of_two() && (1024..=32768).contains(&control.blcksz) {
        layout.blcksz = control.blcksz;
    }
    if control.relseg_size > 0 {
        layout.relseg_size = control.relseg_size;
    }
    (
        layout,
        control.data_checksum_version.map(|version| version != 0),
    )
}

fn version_of(root: &Path) -> Option<&'static Version> {
    match PgVersion::parse(&read_small(&root.join("PG_VERSION")).ok()?) {
        Ok(PgVersion::Known(version)) => Some(version),
        Ok(PgVersion::Unknown(..)) | Err(_) => None,
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_SMALL_FILE)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
