//! The version table: one row per major version, newest first.

use super::types::Oid;
use std::fmt;

/// A major version as `PG_VERSION_NUM / 100`: 900 for 9.0, 1500 for 15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Major(pub u16);

impl Major {
    /// PostgreSQL 9.0.
    pub const V9_0: Self = Self(900);
    /// PostgreSQL 9.1.
    pub const V9_1: Self = Self(901);
    /// PostgreSQL 9.2.
    pub const V9_2: Self = Self(902);
    /// PostgreSQL 9.3.
    pub const V9_3: Self = Self(903);
    /// PostgreSQL 9.4.
    pub const V9_4: Self = Self(904);
    /// PostgreSQL 9.5.
    pub const V9_5: Self = Self(905);
    /// PostgreSQL 9.6.
    pub const V9_6: Self = Self(906);
    /// PostgreSQL 10.
    pub const V10: Self = Self(1000);
    /// PostgreSQL 11.
    pub const V11: Self = Self(1100);
    /// PostgreSQL 12.
    pub const V12: Self = Self(1200);
    /// PostgreSQL 13.
    pub const V13: Self = Self(1300);
    /// PostgreSQL 14.
    pub const V14: Self = Self(1400);
    /// PostgreSQL 15.
    pub const V15: Self = Self(1500);
    /// PostgreSQL 16.
    pub const V16: Self = Self(1600);
    /// PostgreSQL 17.
    pub const V17: Self = Self(1700);
    /// PostgreSQL 18.
    pub const V18: Self = Self(1800);
    /// PostgreSQL 19.
    pub const V19: Self = Self(1900);
}

impl fmt::Display for Major {
    /// As `PG_VERSION` spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (major, minor) if major < 10 => write!(f, "{major}.{minor}"),
            (major, _) => write!(f, "{major}"),
        }
    }
}

impl fmt::Debug for Major {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The numbers that tell one major version's files from another's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// The major version.
    pub major: Major,
    /// `PG_CONTROL_VERSION`; shared by 9.0 and 9.1, 9.4 and 9.5, and 13 to 16.
    pub control_version: u32,
    /// `CATALOG_VERSION_NO` of the release.
    pub catalog_version: u32,
    /// `XLOG_PAGE_MAGIC`; 19 changed it between beta 2 and beta 3.
    pub wal_magics: &'static [u16],
    /// Offset of `ControlFileData.crc`, which checks the field list of `format::control`.
    pub control_crc_at: usize,
}

const fn row(
    major: Major,
    control_version: u32,
    catalog_version: u32,
    wal_magics: &'static [u16],
    control_crc_at: usize,
) -> Version {
    Version {
        major,
        control_version,
        catalog_version,
        wal_magics,
        control_crc_at,
    }
}

/// Every supported version, newest first. Sources: `catalog/catversion.h`,
/// `catalog/pg_control.h`, `access/xlog_internal.h` of each.
pub static VERSIONS: [Version; 17] = [
    row(Major::V19, 1902, 202_606_281, &[0xD120, 0xD121], 304),
    row(Major::V18, 1800, 202_506_291, &[0xD118], 292),
    row(Major::V17, 1700, 202_406_281, &[0xD116], 288),
    row(Major::V16, 1300, 202_307_071, &[0xD113], 288),
    row(Major::V15, 1300, 202_209_061, &[0xD110], 288),
    row(Major::V14, 1300, 202_107_181, &[0xD10D], 288),
    row(Major::V13, 1300, 202_007_201, &[0xD106], 288),
    row(Major::V12, 1201, 201_909_212, &[0xD101], 288),
    row(Major::V11, 1100, 201_809_051, &[0xD098], 280),
    row(Major::V10, 1002, 201_707_211, &[0xD097], 288),
    row(Major::V9_6, 960, 201_608_131, &[0xD093], 256),
    row(Major::V9_5, 942, 201_510_051, &[0xD087], 256),
    row(Major::V9_4, 942, 201_409_291, &[0xD07E], 240),
    row(Major::V9_3, 937, 201_306_121, &[0xD075], 228),
    row(Major::V9_2, 922, 201_204_301, &[0xD071], 200),
    row(Major::V9_1, 903, 201_105_231, &[0xD066], 184),
    row(Major::V9_0, 903, 201_008_051, &[0xD064], 184),
];

impl Version {
    /// The row of a major version.
    #[must_use]
    pub fn of(major: Major) -> Option<&'static Self> {
        VERSIONS.iter().find(|v| v.major == major)
    }

    /// The version a WAL page's magic belongs to.
    #[must_use]
    pub fn by_wal_magic(magic: u16) -> Option<&'static Self> {
        VERSIONS.iter().find(|v| v.wal_magics.contains(&magic))
    }

    /// The version that `pg_control` names; both numbers are needed, as several majors
    /// share a control version.
    #[must_use]
    pub fn by_control(control_version: u32, catalog_version: u32) -> Option<&'static Self> {
        VERSIONS
            .iter()
            .find(|v| v.control_version == control_version && v.catalog_version == catalog_version)
    }

    /// The version that a `PG_VERSION` file names.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        VERSIONS.iter().find(|v| v.major.to_string() == name)
    }

    /// Whether the version is at least `major`.
    #[must_use]
    pub fn since(&self, major: Major) -> bool {
        self.major >= major
    }

    /// `pg_wal` from 10, `pg_xlog` before.
    #[must_use]
    pub fn wal_dir(&self) -> &'static str {
        if self.since(Major::V10) {
            "pg_wal"
        } else {
            "pg_xlog"
        }
    }

    /// `pg_xact` from 10, `pg_clog` before.
    #[must_use]
    pub fn xact_dir(&self) -> &'static str {
        if self.since(Major::V10) {
            "pg_xact"
        } else {
            "pg_clog"
        }
    }

    /// `PG_9.6_201608131`: the folder a tablespace keeps for one version
    /// (`TABLESPACE_VERSION_DIRECTORY`).
    #[must_use]
    pub fn tablespace_dir(&self) -> String {
        format!("PG_{}_{}", self.major, self.catalog_version)
    }
}

/// What a parser must know of the cluster; small enough to pass by value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The version's row.
    pub version: &'static Version,
    /// `BLCKSZ`.
    pub blcksz: u32,
    /// `XLOG_BLCKSZ`.
    pub xlog_blcksz: u32,
    /// `wal_segment_size` in bytes.
    pub wal_segsz: u32,
    /// `RELSEG_SIZE` in blocks.
    pub relseg_size: u32,
    /// Whether times are whole microseconds (`HAVE_INT64_TIMESTAMP`); up to 9.6 they may be
    /// seconds in floating point.
    pub integer_datetimes: bool,
}

impl Layout {
    /// The sizes of an ordinary build.
    #[must_use]
    pub fn usual(version: &'static Version) -> Self {
        Self {
            version,
            blcksz: 8192,
            xlog_blcksz: 8192,
            wal_segsz: 16 << 20,
            relseg_size: 131_072,
            integer_datetimes: true,
        }
    }

    /// Whether the version is at least `major`.
    #[inline]
    #[must_use]
    pub fn since(&self, major: Major) -> bool {
        self.version.since(major)
    }
}

/// First object identifier of users' objects (`FirstNormalObjectId`).
pub const FIRST_NORMAL_OBJECT_ID: Oid = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_newest_first_and_distinct() {
        assert_eq!(VERSIONS[0].major, Major::V19, "row 0 is the newest version");
        for pair in VERSIONS.windows(2) {
            assert!(pair[0].major > pair[1].major);
            assert!(pair[0].catalog_version > pair[1].catalog_version);
            assert!(pair[0].wal_magics[0] > pair[1].wal_magics[0]);
        }
    }

    #[test]
    fn names_are_those_of_pg_version_files() {
        let names: Vec<String> = VERSIONS.iter().map(|v| v.major.to_string()).collect();
        assert_eq!(names.first().map(String::as_str), Some("19"));
        assert_eq!(names.last().map(String::as_str), Some("9.0"));
        assert!(
            VERSIONS
                .iter()
                .all(|v| Version::by_name(&v.major.to_string()) == Some(v))
        );
    }
}
