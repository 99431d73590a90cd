//! The settings that the next start reads, as far as files of the data directory tell them.
//! Nothing of them is ever run.
//!
//! Sources: `guc-file.l`, `guc.c: ProcessConfigFile`; up to 11 also `xlog.c:
//! readRecoveryCommandFile`.

use crate::format::types::TimeLineID;
use crate::format::version::{Major, Version};
use crate::pgdata::Evidence;
use std::collections::BTreeMap;

/// More than any configuration file has.
const LARGEST: usize = 1 << 20;

/// `recovery_target_timeline`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TargetTimeline {
    /// That of `pg_control`: `current`, and up to 11 the usual.
    #[default]
    Current,
    /// The newest: `latest`, and from 12 on the usual.
    Latest,
    /// A number.
    Number(TimeLineID),
}

/// The last value of each setting, by its name in lower case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
    /// Whether no other file can change them: `postgresql.conf` is there and includes none.
    pub complete: bool,
    recovery_conf: bool,
}

/// Settings of a recovery that an operator must see before a start.
const OF_RECOVERY: [&str; 14] = [
    "restore_command",
    "primary_conninfo",
    "primary_slot_name",
    "standby_mode",
    "recovery_target",
    "recovery_target_action",
    "recovery_target_inclusive",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_timeline",
    "recovery_target_xid",
    "archive_cleanup_command",
    "recovery_end_command",
];

impl Settings {
    /// Reads `postgresql.conf` and `postgresql.auto.conf`, and `recovery.conf` where the
    /// version reads it.
    #[must_use]
    pub fn read(evidence: &Evidence, version: Option<&Version>) -> Self {
        let mut settings = Self::default();
        let since_12 = version.is_some_and(|version| version.since(Major::V12));
        for path in ["postgresql.conf", "postgresql.auto.conf", "recovery.conf"] {
            let of_recovery = path == "recovery.conf";
            if of_recovery && since_12 {
                continue;
            }
            let text = evidence.by_path(path).and_then(|id| {
                let bytes = evidence.file(id).and_then(|file| file.read_all(LARGEST));
                Some(String::from_utf8_lossy(&bytes.ok()?).into_owned())
            });
            if path == "postgresql.conf" {
                settings.complete = text.is_some();
            }
            settings.recovery_conf |= of_recovery && text.is_some();
            settings.take(text.as_deref().unwrap_or_default());
        }
        let includes = ["include", "include_dir", "include_if_exists"];
        settings.complete &= includes.iter().all(|name| settings.get(name).is_none());
        settings
    }

    fn take(&mut self, text: &str) {
        for line in text.lines() {
            if let Some((name, value)) = assignment(line) {
                self.values.insert(name, value);
            }
        }
    }

    /// The value of a setting, when it has one that is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.values.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// A number, or its usual value; `None` when nobody can tell.
    #[must_use]
    pub fn number(&self, name: &str, usual: i32) -> Option<i32> {
        match self.get(name) {
            Some(value) => value.parse().ok(),
            None => self.complete.then_some(usual),
        }
    }

    /// A switch, or its usual value; `None` when nobody can tell.
    #[must_use]
    pub fn switch(&self, name: &str, usual: bool) -> Option<bool> {
        match self.get(name) {
            Some(value) => is_on(value),
            None => self.complete.then_some(usual),
        }
    }

    /// `recovery_target_timeline`, as the version takes it.
    #[must_use]
    pub fn target_timeline(&self, version: &Version) -> TargetTimeline {
        match self.get("recovery_target_timeline") {
            Some("latest") => TargetTimeline::Latest,
            None if version.since(Major::V12) => TargetTimeline::Latest,
            Some(number) => number
                .parse()
                .map_or(TargetTimeline::Current, TargetTimeline::Number),
            None => TargetTimeline::Current,
        }
    }

    /// Whether settings of a recovery stand in a file of their own, `recovery.conf`.
    #[must_use]
    pub fn of_recovery_alone(&self) -> bool {
        self.recovery_conf
    }

    /// The settings of a recovery that have a value.
    pub fn of_recovery(&self) -> impl Iterator<Item = (&str, &str)> {
        OF_RECOVERY
            .iter()
            .filter_map(|name| Some((*name, self.get(name)?)))
    }

    /// The folder that `restore_command` copies from: what stands before `%f`.
    #[must_use]
    pub fn archive_directory(&self) -> Option<&str> {
        let command = self.get("restore_command")?;
        let (before, _) = command.split_once("/%f")?;
        let from = before.rfind(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | '<'));
        let folder = &before[from.map_or(0, |at| at + 1)..];
        // A quoted folder may have blanks in it.
        let quoted = before.rfind(['"', '\'']).map(|at| &before[at + 1..]);
        let folder = match quoted {
            Some(quoted) if quoted.starts_with('/') => quoted,
            _ => folder,
        };
        // Of another host, or of a store, nothing can be read.
        let local = folder.starts_with('/') && !folder.contains(['%', '$', '`', ':']);
        local.then_some(folder)
    }
}

/// `name = value`, `name value`, `name = 'va''lue' # comment`.
fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    let value = match rest.strip_prefix('\'') {
        Some(quoted) => unquote(quoted),
        None => rest
            .split(|c: char| c == '#' || c.is_whitespace())
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    Some((name.to_ascii_lowercase(), value))
}

/// Up to the closing quote; a quote is doubled or behind a backslash.
fn unquote(quoted: &str) -> String {
    let mut value = String::new();
    let mut chars = quoted.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.peek() == Some(&'\'') => {
                chars.next();
                value.push('\'');
            }
            '\'' => break,
            '\\' => value.extend(chars.next()),
            _ => value.push(c),
        }
    }
    value
}

/// `bool.c: parse_bool`, which takes any beginning that is not ambiguous.
fn is_on(value: &str) -> Option<bool> {
    let value = value.to_ascii_lowercase();
    let begins = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    if value == "1" || begins("true", 1) || begins("yes", 1) || begins("on", 2) {
        Some(true)
    } else if value == "0" || begins("false", 1) || begins("no", 1) || begins("off", 2) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        let mut settings = Settings {
            complete: true,
            ..Settings::default()
        };
        settings.take(text);
        settings
    }

    #[test]
    fn the_last_of_several_settings_counts() {
        let settings = settings(
            "# restore_command = 'no'\nrestore_command = 'cp a'  # old\n\
             Restore_Command 'cp b'\nrestore_commands = x\nport=1 # two\nempty = ''\n\
             hot_standby = OF\nquotes = 'it''s \\'so\\''\n",
        );
        assert_eq!(settings.get("restore_command"), Some("cp b"));
        assert_eq!(settings.get("empty"), None);
        assert_eq!(settings.get("quotes"), Some("it's 'so'"));
        assert_eq!(settings.number("port", 5432), Some(1));
        assert_eq!(settings.number("max_connections", 100), Some(100));
        assert_eq!(settings.switch("hot_standby", true), Some(false));
    }

    #[test]
    fn the_folder_before_the_file_name_is_the_archive() {
        let of = |command: &str| {
            let settings = settings(&format!("restore_command = '{command}'"));
            settings.archive_directory().map(str::to_owned)
        };
        assert_eq!(of("cp /mnt/archive/%f %p").as_deref(), Some("/mnt/archive"));
        assert_eq!(of("gunzip < /a/%f.gz > %p").as_deref(), Some("/a"));
        assert_eq!(of("gunzip -c </a/%f.gz >%p").as_deref(), Some("/a"));
        let blanks = of("test -f \"/my wal/%f\" && cp \"/my wal/%f\" \"%p\"");
        assert_eq!(blanks.as_deref(), Some("/my wal"));
        assert_eq!(of("scp host:/a/%f %p"), None);
        assert_eq!(of("pgbackrest archive-get %f %p"), None);
    }
}
