//! What a `pg_control` turns out to be, be it whole, damaged or of an unknown version.
//!
//! Sources: `xlog.c: ReadControlFile`, `common/controldata_utils.c: get_controlfile`, 9.0 to 19.

use super::ControlFile;
use crate::format::crc::Crc;
use crate::format::cursor::Cursor;
use crate::format::page::is_zeroed;
use crate::format::refusal::{INITDB, Refusal};
use crate::format::version::{Major, VERSIONS, Version};
use std::fmt;

impl ControlFile {
    /// Finds out what `bytes` are. `pg_version_hint` is what the `PG_VERSION` file beside it
    /// says; it is asked only where the file does not tell the version itself.
    #[must_use]
    pub fn read(bytes: &[u8], pg_version_hint: Option<&'static Version>) -> ControlReading {
        let too_short = |version: Option<&'static Version>| ControlReading::TooShort {
            len: bytes.len(),
            need: version.map_or(SMALLEST, size_of_control_file_data),
        };
        let mut c = Cursor::new("pg_control", bytes);
        let (Ok(system_identifier), Ok(pg_control_version), Ok(catalog_version_no)) =
            (c.u64(), c.u32(), c.u32())
        else {
            return too_short(pg_version_hint);
        };
        if is_zeroed(bytes) {
            return ControlReading::AllZero { len: bytes.len() };
        }
        // `controldata_utils.c: get_controlfile` and the server use the same test.
        if pg_control_version & 0xFFFF == 0 && pg_control_version >> 16 != 0 {
            return ControlReading::OtherByteOrder { pg_control_version };
        }
        let numbers = (pg_control_version, catalog_version_no);
        let Some((version, decided_by)) = decide_version(bytes, numbers, pg_version_hint) else {
            return ControlReading::UnknownVersion {
                system_identifier,
                pg_control_version,
                catalog_version_no,
                crc_at: find_crc(bytes),
            };
        };
        if bytes.len() < size_of_control_file_data(version) {
            return too_short(Some(version));
        }
        let Ok(control) = Self::parse(version, bytes) else {
            return too_short(Some(version));
        };
        let crc = match computed_crc(Crc::of(version), bytes, version.control_crc_at) {
            Some((stored, computed)) if stored != computed => CrcVerdict::Bad {
                stored,
                computed,
                good_as: VERSIONS
                    .iter()
                    .filter(|v| crc_is_good(v, bytes))
                    .min_by_key(|v| v.control_version != pg_control_version),
            },
            _ => CrcVerdict::Good,
        };
        ControlReading::Decoded {
            control: Box::new(control),
            decided_by,
            crc,
        }
    }
}

/// `sizeof(ControlFileData)` of the oldest version, which has the smallest.
const SMALLEST: usize = 192;

/// `sizeof(ControlFileData)`: the server reads so many bytes, no more and no fewer.
fn size_of_control_file_data(version: &Version) -> usize {
    version
        .control_crc_at
        .saturating_add(size_of::<u32>())
        .next_multiple_of(8)
}

/// The CRC stored at `crc_at` and the one over all bytes before it.
fn computed_crc(crc: Crc, bytes: &[u8], crc_at: usize) -> Option<(u32, u32)> {
    let (before, rest) = bytes.split_at_checked(crc_at)?;
    let stored = u32::from_le_bytes(*rest.first_chunk()?);
    Some((stored, crc.update([before]).value()))
}

fn crc_is_good(version: &Version, bytes: &[u8]) -> bool {
    computed_crc(Crc::of(version), bytes, version.control_crc_at)
        .is_some_and(|(stored, computed)| stored == computed)
}

/// Where a CRC-32C of all bytes before it stands: an unknown version's file that is intact.
fn find_crc(bytes: &[u8]) -> Option<usize> {
    (SMALLEST..512).step_by(4).find(|at| {
        computed_crc(Crc::Castagnoli(0), bytes, *at)
            .is_some_and(|(stored, computed)| stored == computed)
    })
}

/// The version whose layout the file has, where that can be known.
fn decide_version(
    bytes: &[u8],
    (control_version, catalog_version): (u32, u32),
    hint: Option<&'static Version>,
) -> Option<(&'static Version, DecidedBy)> {
    if let Some(version) = Version::by_control(control_version, catalog_version) {
        return Some((version, DecidedBy::ControlAndCatalog));
    }
    let known_control = VERSIONS
        .iter()
        .any(|v| v.control_version == control_version);
    let candidates = || {
        VERSIONS
            .iter()
            .filter(move |v| !known_control || v.control_version == control_version)
    };
    let only = |version: &'static Version| candidates().all(|v| v == version);
    if let Some(version) = candidates().next()
        && only(version)
    {
        return Some((version, DecidedBy::ControlVersion));
    }
    let mut good = candidates().filter(|v| crc_is_good(v, bytes));
    if let (Some(version), None) = (good.next(), good.next()) {
        return Some((version, DecidedBy::Crc));
    }
    if let Some(version) = hint
        && candidates().any(|v| v == version)
    {
        return Some((version, DecidedBy::PgVersion));
    }
    if let Some(version) = VERSIONS
        .iter()
        .find(|v| v.catalog_version == catalog_version)
    {
        return Some((version, DecidedBy::CatalogVersion));
    }
    let version = candidates().next()?;
    (known_control && candidates().all(|v| v.control_crc_at == version.control_crc_at))
        .then_some((version, DecidedBy::SharedLayout))
}

/// What told which version's layout a `pg_control` has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecidedBy {
    /// Control and catalog version are those of a release.
    ControlAndCatalog,
    /// The control version belongs to one major only; the catalog version is not that of its
    /// release, as in a pre-release or a fork.
    ControlVersion,
    /// The CRC is good in this layout alone.
    Crc,
    /// The `PG_VERSION` file; the numbers in `pg_control` are unknown.
    PgVersion,
    /// The catalog version; the control version is unknown.
    CatalogVersion,
    /// The control version is shared by several majors with the same layout, of which the
    /// newest is named; the catalog version is unknown.
    SharedLayout,
}

impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ControlAndCatalog => "control and catalog version",
            Self::ControlVersion => {
                "control version alone, the catalog version is not that of its release"
            }
            Self::Crc => "the only layout whose CRC is right, the catalog version is unknown",
            Self::PgVersion => "PG_VERSION, the version numbers in pg_control are unknown",
            Self::CatalogVersion => "catalog version alone, the control version is unknown",
            Self::SharedLayout => {
                "control version, which several majors with this layout share; the catalog \
                 version is unknown"
            }
        })
    }
}

/// Whether the CRC fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrcVerdict {
    /// It fits.
    Good,
    /// It does not; no value in the file can be relied on.
    Bad {
        /// As stored.
        stored: u32,
        /// As computed over the bytes before it.
        computed: u32,
        /// The version in whose layout the CRC is right, one with the control version
        /// of the file rather than another.
        good_as: Option<&'static Version>,
    },
}

/// What a `pg_control` turned out to be.
#[derive(Clone, PartialEq, Debug)]
pub enum ControlReading {
    /// Fewer bytes than the server reads.
    TooShort {
        /// Bytes there are.
        len: usize,
        /// Bytes of the structure, in the oldest version where the version is unknown.
        need: usize,
    },
    /// Zeroes throughout.
    AllZero {
        /// Bytes there are.
        len: usize,
    },
    /// From a machine of the other byte order.
    OtherByteOrder {
        /// `pg_control_version` as read in the wrong order.
        pg_control_version: u32,
    },
    /// No version of the table.
    UnknownVersion {
        /// `system_identifier`, which has been first in every version.
        system_identifier: u64,
        /// `pg_control_version`
        pg_control_version: u32,
        /// `catalog_version_no`
        catalog_version_no: u32,
        /// Where a good CRC stands: then the file is whole, and of an unknown version.
        crc_at: Option<usize>,
    },
    /// Decoded, which does not say that it is right: see `crc` and
    /// [`ControlFile::impossible`].
    Decoded {
        /// The values.
        control: Box<ControlFile>,
        /// What told the version.
        decided_by: DecidedBy,
        /// Whether they are what the server wrote.
        crc: CrcVerdict,
    },
}

impl ControlReading {
    /// What a server of `version`, built with the usual or the cluster's own options, says
    /// of the file before it ends; `None` when it accepts it.
    #[must_use]
    pub fn refusal(&self, version: &Version) -> Option<Refusal> {
        let found = match self {
            Self::TooShort { len, .. } => {
                let need = size_of_control_file_data(version);
                let message = if version.since(Major::V12) {
                    format!("could not read file \"global/pg_control\": read {len} of {need}")
                } else {
                    format!("could not read from control file: read {len} bytes, expected {need}")
                };
                return (*len < need).then(|| Refusal::plain("PANIC", message));
            }
            Self::AllZero { .. } => 0,
            Self::OtherByteOrder { pg_control_version }
            | Self::UnknownVersion {
                pg_control_version, ..
            } => *pg_control_version,
            Self::Decoded { control, .. } => control.pg_control_version,
        };
        let own = version.control_version;
        if matches!(self, Self::OtherByteOrder { .. }) {
            let signed = found.cast_signed();
            return Some(Refusal::incompatible(
                &format!(
                    "The database cluster was initialized with PG_CONTROL_VERSION {signed} \
                     (0x{found:08x}), but the server was compiled with PG_CONTROL_VERSION {own} \
                     (0x{own:08x})."
                ),
                "This could be a problem of mismatched byte ordering.  It looks like you need to \
                 initdb.",
            ));
        }
        if found != own {
            return Some(Refusal::compiled("PG_CONTROL_VERSION", found, own, INITDB));
        }
        let Self::Decoded { control, crc, .. } = self else {
            return None;
        };
        if *crc != CrcVerdict::Good {
            return Some(Refusal::plain(
                "FATAL",
                "incorrect checksum in control file".to_owned(),
            ));
        }
        if control.catalog_version_no != version.catalog_version {
            return Some(Refusal::compiled(
                "CATALOG_VERSION_NO",
                control.catalog_version_no,
                version.catalog_version,
                INITDB,
            ));
        }
        control
            .impossible()
            .into_iter()
            .filter(|i| !i.other_build)
            .find_map(|i| i.refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::Layout;
    use proptest::prelude::*;

    /// A file of zeroes with right version numbers and CRC.
    fn blank(version: &Version) -> Vec<u8> {
        let mut bytes = vec![0; 512];
        bytes[8..12].copy_from_slice(&version.control_version.to_le_bytes());
        bytes[12..16].copy_from_slice(&version.catalog_version.to_le_bytes());
        sign(version, &mut bytes);
        bytes
    }

    fn sign(version: &Version, bytes: &mut [u8]) {
        let at = version.control_crc_at;
        let crc = Crc::of(version).update([&bytes[..at]]).value();
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }

    fn of(major: Major) -> &'static Version {
        Version::of(major).unwrap()
    }

    fn decoded(reading: ControlReading) -> (ControlFile, DecidedBy, CrcVerdict) {
        match reading {
            ControlReading::Decoded {
                control,
                decided_by,
                crc,
            } => (*control, decided_by, crc),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_pg_control_is_described() {
        let hint = Some(of(Major::V15));
        assert_eq!(
            ControlFile::read(&[], hint),
            ControlReading::TooShort { len: 0, need: 296 }
        );
        assert_eq!(
            ControlFile::read(&[0; 8192], hint),
            ControlReading::AllZero { len: 8192 }
        );
        let swapped: Vec<u8> = blank(of(Major::V15))
            .chunks(4)
            .flat_map(|word| word.iter().rev().copied().collect::<Vec<u8>>())
            .collect();
        assert_eq!(
            ControlFile::read(&swapped, hint),
            ControlReading::OtherByteOrder {
                pg_control_version: 0x1405_0000
            }
        );
        let mut cut = blank(of(Major::V12));
        cut.truncate(200);
        assert_eq!(
            ControlFile::read(&cut, None),
            ControlReading::TooShort {
                len: 200,
                need: 296
            }
        );
    }

    #[test]
    fn both_layouts_of_942_and_all_majors_of_1300_are_told_apart() {
        for v in &VERSIONS {
            let (control, by, crc) = decoded(ControlFile::read(&blank(v), None));
            assert_eq!(control.version, v);
            assert_eq!((by, crc), (DecidedBy::ControlAndCatalog, CrcVerdict::Good));
        }
    }

    #[test]
    fn an_unknown_catalog_version_is_no_reason_to_guess() {
        let alter = |major| {
            let mut bytes = blank(of(major));
            bytes[12] ^= 1;
            sign(of(major), &mut bytes);
            bytes
        };
        let read = |major, hint| decoded(ControlFile::read(&alter(major), hint));
        assert_eq!(read(Major::V17, None).1, DecidedBy::ControlVersion);
        assert_eq!(read(Major::V9_5, None).1, DecidedBy::Crc);
        assert_eq!(read(Major::V9_5, None).0.version, of(Major::V9_5));
        // The CRC speaks louder than a PG_VERSION from elsewhere.
        assert_eq!(
            read(Major::V9_4, Some(of(Major::V9_5))).0.version,
            of(Major::V9_4)
        );
        let (control, by, crc) = read(Major::V14, Some(of(Major::V14)));
        assert_eq!((by, crc), (DecidedBy::PgVersion, CrcVerdict::Good));
        assert_eq!(control.version, of(Major::V14));
        assert_eq!(read(Major::V14, None).1, DecidedBy::SharedLayout);

        // Without a good CRC nothing tells 9.4 from 9.5.
        let mut bytes = alter(Major::V9_4);
        bytes[100] ^= 1;
        let reading = ControlFile::read(&bytes, None);
        assert!(matches!(reading, ControlReading::UnknownVersion { .. }));
    }

    #[test]
    fn a_whole_file_of_a_version_to_come_is_seen_to_be_whole() {
        let mut bytes = blank(of(Major::V18));
        bytes[8..12].copy_from_slice(&2000_u32.to_le_bytes());
        bytes[12..16].copy_from_slice(&202_709_011_u32.to_le_bytes());
        let crc = Crc::Castagnoli(0).update([&bytes[..320]]).value();
        bytes[320..324].copy_from_slice(&crc.to_le_bytes());
        let ControlReading::UnknownVersion { crc_at, .. } = ControlFile::read(&bytes, None) else {
            panic!()
        };
        assert_eq!(crc_at, Some(320));
        bytes[40] ^= 1;
        let ControlReading::UnknownVersion { crc_at, .. } = ControlFile::read(&bytes, None) else {
            panic!()
        };
        assert_eq!(crc_at, None);
    }

    #[test]
    fn a_wrong_crc_is_flagged_and_other_layouts_are_tried() {
        let mut bytes = blank(of(Major::V9_5));
        bytes[12..16].copy_from_slice(&of(Major::V9_4).catalog_version.to_le_bytes());
        sign(of(Major::V9_5), &mut bytes);
        let reading = ControlFile::read(&bytes, None);
        assert_eq!(
            reading.refusal(of(Major::V9_4)).unwrap().to_string(),
            "FATAL:  incorrect checksum in control file"
        );
        let CrcVerdict::Bad { good_as, .. } = decoded(reading).2 else {
            panic!()
        };
        assert_eq!(good_as, Some(of(Major::V9_5)));
    }

    #[test]
    fn sizes_that_cannot_be_are_named_and_not_used() {
        let mut bytes = blank(of(Major::V15));
        bytes[228..232].copy_from_slice(&0x0300_0000_u32.to_le_bytes());
        sign(of(Major::V15), &mut bytes);
        let (control, ..) = decoded(ControlFile::read(&bytes, None));
        assert_eq!(control.layout(), Layout::usual(of(Major::V15)));
        let fields: Vec<&str> = control.impossible().iter().map(|i| i.field).collect();
        assert_eq!(
            fields[..10],
            [
                "maxAlign",
                "floatFormat",
                "blcksz",
                "relseg_size",
                "xlog_blcksz",
                "nameDataLen",
                "indexMaxKeys",
                "toast_max_chunk_size",
                "loblksize",
                "float8ByVal"
            ]
        );
        assert!(fields.contains(&"xlog_seg_size"));
        assert_eq!(
            ControlFile::read(&bytes, None)
                .refusal(of(Major::V15))
                .unwrap()
                .detail
                .as_deref(),
            Some(
                "The database cluster was initialized with MAXALIGN 0, but the server was \
                 compiled with MAXALIGN 8."
            )
        );
    }

    /// What PostgreSQL 15.18 said of such files.
    #[test]
    fn refusals_are_worded_as_the_server_words_them() {
        let v = of(Major::V15);
        let said = |refusal: Refusal| {
            (
                refusal.to_string(),
                refusal.detail.unwrap_or_default(),
                refusal.hint.unwrap_or_default(),
            )
        };
        let swapped = ControlReading::OtherByteOrder {
            pg_control_version: 0x1405_0000,
        };
        let incompatible = "FATAL:  database files are incompatible with server".to_owned();
        assert_eq!(
            said(swapped.refusal(v).unwrap()),
            (
                incompatible.clone(),
                "The database cluster was initialized with PG_CONTROL_VERSION 335872000 \
                 (0x14050000), but the server was compiled with PG_CONTROL_VERSION 1300 \
                 (0x00000514)."
                    .to_owned(),
                "This could be a problem of mismatched byte ordering.  It looks like you need to \
                 initdb."
            )
        );
        assert_eq!(
            said(
                ControlFile::read(&blank(of(Major::V12)), None)
                    .refusal(v)
                    .unwrap()
            ),
            (
                incompatible,
                "The database cluster was initialized with PG_CONTROL_VERSION 1201, but the \
                 server was compiled with PG_CONTROL_VERSION 1300."
                    .to_owned(),
                "It looks like you need to initdb."
            )
        );
        let mut bytes = blank(v);
        bytes[228] = 1;
        let (control, ..) = decoded(ControlFile::read(&bytes, None));
        let seg_size = control
            .impossible()
            .into_iter()
            .find(|i| i.field == "xlog_seg_size");
        assert_eq!(
            seg_size.unwrap().refusal.unwrap().to_string(),
            "FATAL:  WAL segment size must be a power of two between 1 MB and 1 GB, but the \
             control file specifies 1 byte"
        );
    }

    #[test]
    fn the_catalog_version_of_another_release_contradicts_the_control_version() {
        let mut bytes = blank(of(Major::V15));
        bytes[8..12].copy_from_slice(&1201_u32.to_le_bytes());
        sign(of(Major::V12), &mut bytes);
        let (control, by, _) = decoded(ControlFile::read(&bytes, None));
        assert_eq!(by, DecidedBy::ControlVersion);
        let first = &control.impossible()[0];
        assert_eq!(
            (first.field, first.other_build),
            ("catalog_version_no", false)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_described(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            row in 0_usize..17,
            with_numbers: bool,
            hint in proptest::option::of(0_usize..17),
        ) {
            let mut bytes = bytes;
            if with_numbers && bytes.len() >= 16 {
                bytes[8..16].copy_from_slice(&blank(&VERSIONS[row])[8..16]);
            }
            let reading = ControlFile::read(&bytes, hint.map(|i| &VERSIONS[i]));
            let _ = reading.refusal(&VERSIONS[row]);
            if let ControlReading::Decoded { control, .. } = reading {
                let _ = control.impossible();
                let layout = control.layout();
                assert!(layout.blcksz.is_power_of_two() && layout.blcksz <= 32_768);
                assert!(layout.wal_segsz.is_power_of_two() && layout.wal_segsz >= 1 << 20);
            }
        }
    }
}
