//! `PG_VERSION`: the major version, in PGDATA and in every database's folder.
//!
//! Source: `miscinit.c: ValidatePgVersion`, 9.0 to 19.
//!
//! ```text
//! 9.6\n     15\n
//! ```

use super::cursor::Malformed;
use super::version::Version;
use std::fmt;

/// The version that a `PG_VERSION` file names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PgVersion {
    /// One of the table.
    Known(&'static Version),
    /// Another one; its two numbers, or one and 0 from 10 on.
    Unknown(u32, u32),
}

impl PgVersion {
    /// Reads the first number, and the second of a version before 10, as the server does;
    /// what follows is not looked at.
    ///
    /// # Errors
    /// When the text does not start with a version.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let malformed = |at, why| Malformed {
            what: "PG_VERSION",
            at,
            why,
        };
        let text = bytes.trim_ascii_start();
        let start = bytes.len().saturating_sub(text.len());
        let (major, rest) =
            number(text).ok_or_else(|| malformed(start, "no version number stands here"))?;
        let minor = if major < 10 {
            let at = bytes.len().saturating_sub(rest.len());
            rest.strip_prefix(b".")
                .and_then(number)
                .ok_or_else(|| malformed(at, "the second number is missing"))?
                .0
        } else {
            0
        };
        let unknown = Self::Unknown(major, minor);
        Ok(Version::by_name(&unknown.to_string()).map_or(unknown, Self::Known))
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(version) => version.major.fmt(f),
            Self::Unknown(major, minor) if *major < 10 => write!(f, "{major}.{minor}"),
            Self::Unknown(major, _) => write!(f, "{major}"),
        }
    }
}

fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::VERSIONS;

    #[test]
    fn every_version_is_known() {
        for v in &VERSIONS {
            let text = format!("{}\n", v.major);
            assert_eq!(PgVersion::parse(text.as_bytes()), Ok(PgVersion::Known(v)));
        }
    }

    #[test]
    fn others_are_named_or_refused() {
        let shown = |text: &str| PgVersion::parse(text.as_bytes()).map(|v| v.to_string());
        assert_eq!(shown("20\n"), Ok("20".to_owned()));
        assert_eq!(shown("8.4\n"), Ok("8.4".to_owned()));
        assert_eq!(
            shown("15.7"),
            Ok("15".to_owned()),
            "the server, too, takes it so"
        );
        for (text, at) in [("", 0), ("\0\0\0", 0), ("\n9\n", 2), ("99999999999", 0)] {
            assert_eq!(shown(text).unwrap_err().at, at, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = PgVersion::parse(&bytes);
        }
    }
}
