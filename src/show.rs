//! Finds the bytes that `pgautopsy control` and `pgautopsy page` print.

use pgautopsy::format::control::{ControlFile, ControlReading};
use pgautopsy::format::names::RelFileName;
use pgautopsy::format::pgversion::PgVersion;
use pgautopsy::format::{BlockNumber, ForkNumber, Layout, VERSIONS, Version};
use pgautopsy::pgdata::{Evidence, FileReader, IoMode};
use pgautopsy::report::controldata::{ControlVerdict, render_control};
use pgautopsy::report::page::{PageContext, render_page};
use std::io::{self, Write};
use std::path::Path;

/// More than any `pg_control` or `PG_VERSION` has; a device could be named instead.
const MAX_SMALL_FILE: usize = 64 << 10;
const PG_CONTROL: &str = "global/pg_control";
const PG_VERSION: &str = "PG_VERSION";

/// A `pg_control` and what `PG_VERSION` says beside it.
pub(crate) struct Control {
    bytes: Vec<u8>,
    version_hint: Option<&'static Version>,
}

impl Control {
    /// Of a data directory, of a tar of one, or a file by itself.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let of_directory = path.join(PG_CONTROL);
        if of_directory.exists() {
            return Self::file(&of_directory, Some(path));
        }
        match Evidence::open(path, &[], IoMode::Pread) {
            Ok(evidence) => Self::in_evidence(&evidence, path),
            Err(_) if is_small(path) => Self::file(path, path.parent().and_then(Path::parent)),
            Err(error) => Err(format!("cannot read {error}")),
        }
    }

    fn file(path: &Path, root: Option<&Path>) -> Result<Self, String> {
        Ok(Self {
            bytes: read_small(path).map_err(|error| cannot_read(path, &error))?,
            version_hint: root.and_then(version_of),
        })
    }

    fn in_evidence(evidence: &Evidence, path: &Path) -> Result<Self, String> {
        let read = |name| {
            let id = evidence.by_path(name)?;
            let file = evidence.file(id);
            Some(file.and_then(|file| file.read_all(MAX_SMALL_FILE)))
        };
        let bytes = read(PG_CONTROL)
            .ok_or_else(|| format!("there is no {PG_CONTROL} in {}", path.display()))?;
        Ok(Self {
            bytes: bytes.map_err(|error| cannot_read(&path.join(PG_CONTROL), &error))?,
            version_hint: read(PG_VERSION).and_then(|bytes| version(&bytes.ok()?)),
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
        let blcksz = u64::from(layout.blcksz);
        let mut bytes = vec![0; layout.blcksz as usize];
        let got = FileReader::open(&path, IoMode::Pread)
            .and_then(|file| file.read_at(&mut bytes, u64::from(blkno) * blcksz))
            .map_err(|error| cannot_read(&path, &error))?;
        bytes.truncate(got);
        let blocks_of = |path: &Path| -> Option<u64> {
            let metadata = path.metadata().ok().filter(|metadata| metadata.is_file())?;
            Some(metadata.len().div_ceil(blcksz))
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
        let control = root.join(PG_CONTROL);
        let Ok(bytes) = read_small(&control) else {
            continue;
        };
        if let ControlReading::Decoded { control, .. } = ControlFile::read(&bytes, version_hint) {
            let checksums = control.data_checksum_version.map(|version| version != 0);
            return (control.layout(), checksums);
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

fn version(pg_version: &[u8]) -> Option<&'static Version> {
    match PgVersion::parse(pg_version) {
        Ok(PgVersion::Known(version)) => Some(version),
        Ok(PgVersion::Unknown(..)) | Err(_) => None,
    }
}

fn version_of(root: &Path) -> Option<&'static Version> {
    version(&read_small(&root.join(PG_VERSION)).ok()?)
}

fn cannot_read(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

fn is_small(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_SMALL_FILE as u64)
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    FileReader::open(path, IoMode::Pread)?.read_all(MAX_SMALL_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn control_is_found_in_a_directory_a_tar_and_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let pgdata = folder.path().join("pgdata");
        fs::create_dir_all(pgdata.join("global")).unwrap();
        fs::write(pgdata.join(PG_CONTROL), [7; 8192]).unwrap();
        fs::write(pgdata.join(PG_VERSION), "15\n").unwrap();
        let tar = folder.path().join("backup.tar");
        let mut builder = tar::Builder::new(fs::File::create(&tar).unwrap());
        builder.append_dir_all("pgdata", &pgdata).unwrap();
        builder.finish().unwrap();
        for path in [&pgdata, &pgdata.join(PG_CONTROL), &tar] {
            let control = Control::load(path).unwrap();
            assert_eq!(control.bytes, [7; 8192], "{}", path.display());
            assert_eq!(control.version_hint, Version::by_name("15"));
        }
        fs::remove_file(pgdata.join(PG_CONTROL)).unwrap();
        let error = Control::load(&pgdata).err().unwrap();
        assert!(
            error.starts_with("there is no global/pg_control in "),
            "{error}"
        );
        let large = folder.path().join("no archive");
        fs::write(&large, vec![7; MAX_SMALL_FILE + 1]).unwrap();
        let error = Control::load(&large).err().unwrap();
        assert!(error.contains("not a data directory"), "{error}");
    }
}
