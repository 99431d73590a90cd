//! The server's own messages: what they mean, which checks decide what is behind them, and
//! what of a server log is one of them.
//!
//! [`MESSAGES`] is the one table. A [`Message`] is a family: all wordings of one statement
//! from 9.0 to 19, kept as PostgreSQL's format strings ([`pattern`] says how they match).
//! [`log`] finds them in server logs, [`answer`] holds them against the report of a directory.
//! Translated messages are not recognised.

pub mod answer;
pub mod log;
pub mod pattern;
mod table;

use crate::checks::{Check, by_code};
use crate::format::version::Major;
use pattern::Pattern;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

pub use table::MESSAGES;

/// What follows when the server says it; the worse, the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Consequence {
    /// Nothing: healthy servers say it.
    Normal,
    /// Recovery ends there, which is right if writing ended there.
    EndOfWal,
    /// The server goes on, but something was wrong.
    GoesOn,
    /// A query, or VACUUM, ends with it.
    QueryFails,
    /// The server goes on, and data may be lost without another word.
    SilentLoss,
    /// The server does not start.
    StartFails,
}

impl Consequence {
    /// Whether it tells of damage, or may.
    #[must_use]
    pub fn is_serious(self) -> bool {
        self >= Self::GoesOn
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::EndOfWal => "recovery ends there: normal where writing ended, else silent loss",
            Self::GoesOn => "the server goes on",
            Self::QueryFails => "the query fails",
            Self::SilentLoss => "the server goes on, and data may be silently lost",
            Self::StartFails => "the start fails",
        })
    }
}

/// What a placeholder of a wording stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Transaction.
    Xid,
    /// Multixact.
    MultiXact,
    /// Relation by name or, as most messages have it, by the path of its file.
    Relation,
    /// File or directory.
    File,
    /// File; the folder stands in the wording and is put before the name.
    FileIn(&'static str),
    /// Block of a relation.
    Block,
    /// WAL position.
    Lsn,
    /// WAL segment file.
    Segment,
    /// Anything else, with its name; nothing is looked up by it.
    Other(&'static str),
}

impl Kind {
    /// What to call a value.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Xid => "transaction",
            Self::MultiXact => "multixact",
            Self::Relation => "relation",
            Self::File | Self::FileIn(_) => "file",
            Self::Block => "block",
            Self::Lsn => "LSN",
            Self::Segment => "WAL segment",
            Self::Other(name) => name,
        }
    }
}

/// A value read out of a message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// As the message has it, without quotes.
    pub text: String,
}

/// One wording of a message.
#[derive(PartialEq, Eq, Debug)]
pub struct Wording {
    /// PostgreSQL's format string.
    pub text: &'static str,
    /// What its placeholders stand for, in order.
    pub values: &'static [Kind],
    /// First major version with it.
    pub from: Major,
    /// Last one.
    pub to: Major,
}

/// A family of messages: one statement in all its wordings.
#[derive(PartialEq, Eq, Debug)]
pub struct Message {
    /// Stable name, in kebab case.
    pub id: &'static str,
    /// Its wordings, those of its DETAIL too.
    pub wordings: &'static [Wording],
    /// The severity the server gives it: `ERROR`, `LOG, then PANIC`.
    pub level: &'static str,
    /// What follows.
    pub consequence: Consequence,
    /// What it means.
    pub meaning: &'static str,
    /// Codes of the checks that decide its cause.
    pub checks: &'static [&'static str],
    /// What to do first.
    pub advice: &'static str,
    /// What not to do; empty for [`Consequence::Normal`].
    pub avoid: &'static str,
    /// PostgreSQL's file and function, as of the newest version.
    pub source: &'static str,
}

impl Message {
    /// The checks that decide its cause.
    pub fn deciding_checks(&self) -> impl Iterator<Item = &'static Check> {
        self.checks.iter().filter_map(|code| by_code(code))
    }
}

/// A message that was recognised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recognised {
    /// Its family.
    pub message: &'static Message,
    /// The wording that matched.
    pub wording: &'static Wording,
    /// The text that matched.
    pub text: String,
    /// The values in it, and in the DETAIL that came with it.
    pub values: Vec<Value>,
}

struct Compiled {
    message: &'static Message,
    wording: &'static Wording,
    pattern: Pattern,
}

/// The patterns by the byte that they begin with; `None` for those that begin with a value.
static PATTERNS: LazyLock<BTreeMap<Option<u8>, Vec<Compiled>>> = LazyLock::new(|| {
    let mut all: BTreeMap<Option<u8>, Vec<Compiled>> = BTreeMap::new();
    for message in MESSAGES {
        for wording in message.wordings {
            let pattern = Pattern::new(wording.text);
            all.entry(pattern.first_byte()).or_default().push(Compiled {
                message,
                wording,
                pattern,
            });
        }
    }
    all
});

/// Recognises the text of a message, without what stands before it in a log. Of several
/// wordings that match, the one with the most literal text is meant:
/// `invalid page in block %u of relation %s; zeroing out page` before
/// `invalid page in block %u of relation %s`.
#[must_use]
pub fn recognise(text: &str) -> Option<Recognised> {
    let text = text.trim_end();
    let first = text.bytes().next()?;
    let candidates = [Some(first), None]
        .into_iter()
        .filter_map(|byte| PATTERNS.get(&byte))
        .flatten();
    let (compiled, texts) = candidates
        .filter_map(|compiled| Some((compiled, compiled.pattern.matches(text)?)))
        .max_by_key(|(compiled, _)| compiled.pattern.literal_len())?;
    let values = compiled.wording.values.iter().zip(texts);
    Some(Recognised {
        message: compiled.message,
        wording: compiled.wording,
        text: text.to_owned(),
        values: values
            .map(|(kind, text)| Value {
                kind: *kind,
                text: match kind {
                    Kind::FileIn(folder) => format!("{folder}{text}"),
                    _ => text.trim_matches('"').to_owned(),
                },
            })
            .collect(),
    })
}

/// The family of a name.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Message> {
    MESSAGES.iter().find(|message| message.id == id)
}

/// Wordings that a text may have meant, the nearest first, one of each family.
#[must_use]
pub fn nearest(text: &str) -> Vec<&'static Wording> {
    /// More would only make a hopeless comparison slow.
    const LONGEST: usize = 300;
    let text: String = text.trim().chars().take(LONGEST).collect();
    let mut near: Vec<(f64, &'static Wording)> = MESSAGES
        .iter()
        .filter_map(|message| {
            let scores = message
                .wordings
                .iter()
                .map(|wording| (strsim::sorensen_dice(&text, wording.text), wording));
            scores.max_by(|a, b| a.0.total_cmp(&b.0))
        })
        .filter(|(score, _)| *score > 0.5)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.text.cmp(b.1.text)));
    near.into_iter()
        .take(5)
        .map(|(_, wording)| wording)
        .collect()
}
