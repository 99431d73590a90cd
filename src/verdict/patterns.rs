//! What may lie behind the findings: a cause that an operator can act on, with its evidence.
//!
//! A damaged page tells little by itself. Several tell more: where zeroes begin and end, that
//! each is wrong in one bit, that all of them are older than they may be. One line each.

use crate::check::Examination;
use crate::checks::{
    Check, clog_contradicts_wal, clog_segment_foreign, clog_segment_missing, clog_segment_zeroed,
    lost_write, multixact_segment_missing, page_checksum_mismatch, page_lsn_beyond_wal,
    relation_file_missing, relation_segment_missing, required_file_missing,
    tablespace_link_dangling, timeline_not_ancestor, xmax_out_of_range, xmin_out_of_range,
    zero_page,
};
use crate::finding::{Confidence, Findings, Group, GroupKey, Place};
use crate::format::backup_label::BackupLabel;
use crate::format::cause::Cause;
use crate::format::slru::XidStatus;
use crate::format::types::{BlockNumber, ForkNumber, TransactionId, XLogRecPtr};
use crate::format::wal::WalGeometry;
use crate::pgdata::FileKind;
use crate::recovery::reader::{Position, WalContext, WalReader};
use crate::report::units::{block_ranges, count, size, thousands};
use crate::scan::Replay;
use crate::scan::forks::ForkFiles;
use crate::scan::tally::{ForkTally, Lack};
use roaring::RoaringBitmap;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $title:literal,)+) => {
        /// What happened, in the words of those who deal with storage.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum PatternKind {
            $($(#[$doc])* $kind,)+
        }

        impl PatternKind {
            /// All of them, in the order in which they are told.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// In a word or two.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)+
                }
            }
        }
    };
}

kinds! {
    /// Files were removed, or never copied.
    FilesGone: "files gone",
    /// The files are not of the cluster that `pg_control` describes, or are encrypted.
    OtherCluster: "another cluster's files",
    /// WAL of another history than that of the files.
    OtherTimeline: "another timeline",
    /// Files of several times.
    MixedTimes: "files of several times",
    /// The WAL that the newest pages were written by is not there.
    WalLost: "WAL lost",
    /// Commit log files made by hand, or lost.
    ClogMadeUp: "commit log made up",
    /// Ranges of zeroes.
    ZeroedRange: "zeroed range",
    /// Content that is not PostgreSQL's.
    ForeignData: "foreign data",
    /// Pages in the place of others.
    MisdirectedWrite: "misdirected write",
    /// Writes that were confirmed and are not there.
    LostWrite: "lost write",
    /// Pages of two times.
    TornPage: "torn page",
    /// Single bits.
    FlippedBit: "flipped bit",
}

/// One cause that findings share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// What happened.
    pub kind: PatternKind,
    /// How sure that is.
    pub confidence: Confidence,
    /// The evidence, and what it points to.
    pub summary: String,
    /// Where: files with byte ranges, or blocks.
    pub places: Vec<String>,
}

/// Places named in a line.
const MAX_NAMED: usize = 3;
/// Places kept of a pattern.
const MAX_PLACES: usize = 64;

/// The causes that show.
#[must_use]
pub fn patterns(examination: &Examination<'_>, findings: &Findings) -> Vec<Pattern> {
    let seen = Seen {
        examination,
        findings,
    };
    let mut patterns: Vec<Pattern> = [
        seen.files_gone(),
        seen.other_cluster(),
        seen.other_timeline(),
        seen.older_pages(),
        seen.wal_lost(),
        seen.clog_made_up(),
        seen.clog_contradicted(),
        seen.zeroed_range(),
        seen.foreign_data(),
        seen.misdirected_write(),
        seen.torn_page(),
        seen.flipped_bit(),
    ]
    .into_iter()
    .flatten()
    .collect();
    patterns.sort_by_key(|pattern| pattern.kind);
    patterns
}

struct Seen<'s, 'e> {
    examination: &'s Examination<'e>,
    findings: &'s Findings,
}

/// A block with the cause of its damage.
struct Explained<'e> {
    fork: &'e ForkFiles,
    counts: &'e ForkTally,
    blkno: BlockNumber,
    cause: Cause,
    confidence: Confidence,
}

/// Bytes of a file, from and to.
type Ranges = BTreeMap<String, Vec<(u64, u64)>>;

impl<'e> Seen<'_, 'e> {
    /// Groups of lasting damage of a check.
    fn damage(&self, check: &Check) -> impl Iterator<Item = (&GroupKey, &Group)> {
        let code = check.code;
        let groups = self.findings.groups();
        groups.filter(move |(key, _)| key.code == code && key.is_lasting_damage())
    }

    /// The damaged blocks of which one can tell why.
    fn explained(&self) -> impl Iterator<Item = Explained<'e>> {
        let Examination { tally, forks, .. } = *self.examination;
        let all = tally.into_iter().flat_map(|tally| &tally.forks);
        all.filter_map(|(number, counts)| Some((forks.get(*number)?, counts)))
            .flat_map(|(fork, counts)| {
                counts.causes.iter().filter_map(move |(blkno, why)| {
                    let why = (*why)?;
                    Some(Explained {
                        fork,
                        counts,
                        blkno: *blkno,
                        cause: why.cause,
                        confidence: why.confidence,
                    })
                })
            })
    }

    /// Those that are most likely other blocks, and which.
    fn misplaced(&self) -> impl Iterator<Item = (Explained<'e>, BlockNumber)> {
        self.explained().filter_map(|block| match block.cause {
            Cause::OtherBlock { blkno, .. } | Cause::RowsOfBlock(blkno)
                if block.confidence >= Confidence::Likely =>
            {
                Some((block, blkno))
            }
            _ => None,
        })
    }

    fn block_name(&self, fork: &ForkFiles, blkno: BlockNumber) -> String {
        format!("block {blkno} of {}", self.fork_name(fork))
    }

    /// The relations and files of findings, each once.
    fn places_of(&self, groups: &[(&GroupKey, &Group)]) -> Vec<String> {
        let names: BTreeSet<String> = groups
            .iter()
            .filter_map(|(key, group)| {
                let name = match &key.place {
                    Place::Fork(locator, ForkNumber::Main) => {
                        self.examination.names.name(*locator).qualified()
                    }
                    _ => None,
                };
                let path = || Some(group.kept.first()?.location.path.to_string());
                name.or_else(path)
            })
            .collect();
        names.into_iter().collect()
    }

    /// The blocks of each fork, ranges folded.
    fn block_names(&self, blocks: &[(&ForkFiles, BlockNumber)]) -> Vec<String> {
        let mut forks: BTreeMap<&str, (&ForkFiles, RoaringBitmap)> = BTreeMap::new();
        for (fork, blkno) in blocks {
            let (_, blocks) = forks
                .entry(&fork.path)
                .or_insert_with(|| (fork, RoaringBitmap::new()));
            blocks.insert(*blkno);
        }
        let names = forks.into_values().map(|(fork, blocks)| {
            let noun = if blocks.len() == 1 { "block" } else { "blocks" };
            let ranges = block_ranges(&blocks, MAX_NAMED);
            format!("{noun}\u{a0}{ranges} of {}", self.fork_name(fork))
        });
        names.collect()
    }

    fn fork_name(&self, fork: &ForkFiles) -> String {
        let name = self.examination.names.name(fork.locator).qualified();
        let name = name.filter(|_| fork.fork == ForkNumber::Main);
        name.unwrap_or_else(|| fork.path.to_string())
    }

    /// An `rm -rf` that was stopped, a copy that was, a volume that is not mounted.
    fn files_gone(&self) -> Option<Pattern> {
        let groups: Vec<_> = self.damage(&relation_file_missing::CHECK).collect();
        let relations: BTreeSet<_> = groups
            .iter()
            .filter_map(|(key, _)| match &key.place {
                Place::Fork(locator, _) => Some(*locator),
                Place::File(_) => None,
            })
            .collect();
        let databases: BTreeSet<_> = relations.iter().map(|locator| locator.db_oid).collect();
        let others = [
            &required_file_missing::CHECK,
            &relation_segment_missing::CHECK,
            &clog_segment_missing::CHECK,
            &multixact_segment_missing::CHECK,
            &tablespace_link_dangling::CHECK,
        ];
        let mut files: Vec<String> = others
            .into_iter()
            .flat_map(|check| self.damage(check))
            .flat_map(|(_, group)| &group.kept)
            .map(|finding| finding.location.path.to_string())
            .collect();
        files.sort();
        files.dedup();
        if relations.len() + files.len() < 3 || relations.is_empty() && files.len() < 5 {
            return None;
        }
        let mut places = self.places_of(&groups);
        let mut what = Vec::new();
        if !relations.is_empty() {
            what.push(format!(
                "{} of {} {} no file ({})",
                count(relations.len() as u64, "relation"),
                count(databases.len() as u64, "database"),
                agree(relations.len(), "has", "have"),
                named(&places)
            ));
        }
        if !files.is_empty() {
            let noun = if relations.is_empty() {
                "file"
            } else {
                "other file"
            };
            what.push(format!(
                "{} {} missing ({})",
                count(files.len() as u64, noun),
                agree(files.len(), "is", "are"),
                named(&files)
            ));
        }
        places.append(&mut files);
        let summary = format!(
            "{}: removed (rm -rf?), not all copied, or a volume is not mounted; pgautopsy ls \
             tells what is left",
            what.join(", ")
        );
        Some(pattern(
            PatternKind::FilesGone,
            Confidence::Likely,
            summary,
            places,
        ))
    }

    /// Nearly all pages fail their checksum.
    fn other_cluster(&self) -> Option<Pattern> {
        let wrong: u64 = self
            .damage(&page_checksum_mismatch::CHECK)
            .map(|(_, group)| group.total)
            .sum();
        let tally = self.examination.tally?;
        let filled = |counts: &ForkTally| counts.blocks.saturating_sub(counts.zero.len());
        let all: u64 = tally.forks.values().map(filled).sum();
        if wrong < 100 || wrong.saturating_mul(10) < all.saturating_mul(9) {
            return None;
        }
        let summary = format!(
            "{} of {} pages fail their checksum, more than any accident damages: the files are \
             encrypted, pg_control is not theirs, or something made it say that pages have \
             checksums",
            thousands(wrong),
            thousands(all)
        );
        Some(pattern(
            PatternKind::OtherCluster,
            Confidence::Likely,
            summary,
            Vec::new(),
        ))
    }

    /// WAL of another history: two servers that went on from the same point.
    fn other_timeline(&self) -> Option<Pattern> {
        self.damage(&timeline_not_ancestor::CHECK).next()?;
        let summary = "the files were written on after the point where the timeline to be \
                       followed branched off: a former primary (pg_rewind or a new copy of the \
                       present one), or the wrong recovery_target_timeline";
        Some(pattern(
            PatternKind::OtherTimeline,
            Confidence::Likely,
            summary.to_owned(),
            Vec::new(),
        ))
    }

    /// Pages older than a checkpoint allows: of many relations, or of few.
    fn older_pages(&self) -> Option<Pattern> {
        // What belongs elsewhere tells nothing of the writes here.
        let misplaced: BTreeSet<_> = self
            .misplaced()
            .map(|(block, _)| (block.fork.locator, block.blkno))
            .collect();
        let mut groups = Vec::new();
        let mut pages = 0;
        for (key, group) in self.damage(&lost_write::CHECK) {
            let Place::Fork(locator, _) = key.place else {
                continue;
            };
            let blocks = group.blocks.iter();
            let old = blocks.filter(|blkno| !misplaced.contains(&(locator, *blkno)));
            let old = old.count();
            if old > 0 {
                groups.push((key, group));
                pages += old;
            }
        }
        if groups.is_empty() {
            return None;
        }
        let places = self.places_of(&groups);
        let extent = format!(
            "{} of {} ({})",
            count(pages as u64, "page"),
            count(groups.len() as u64, "relation"),
            named(&places)
        );
        Some(if groups.len() >= 5 {
            let summary = format!(
                "{extent} are older than the last checkpoint allows, so the files are of \
                 several times: a copy of a running server without backup mode, backup_label \
                 removed, or snapshots of volumes taken one after the other"
            );
            pattern(PatternKind::MixedTimes, Confidence::Likely, summary, places)
        } else {
            let summary = format!(
                "{extent} {} older than the last checkpoint allows: the storage confirmed \
                 writes and lost them, or the files are an older copy",
                agree(pages, "is", "are")
            );
            pattern(PatternKind::LostWrite, Confidence::Likely, summary, places)
        })
    }

    /// Pages from a future that the WAL does not know.
    fn wal_lost(&self) -> Option<Pattern> {
        let groups: Vec<_> = self.damage(&page_lsn_beyond_wal::CHECK).collect();
        // A single page may be a flipped bit.
        if groups.iter().map(|(_, group)| group.total).sum::<u64>() < 2 {
            return None;
        }
        let pages: u64 = groups.iter().map(|(_, group)| group.total).sum();
        let places = self.places_of(&groups);
        let extent = format!(
            "{} of {} ({}) are newer than the end of WAL",
            count(pages, "page"),
            count(groups.len() as u64, "relation"),
            named(&places)
        );
        let (cause, confidence) = if let Some(file) = self.backup_beyond_wal() {
            let cause = format!(
                "by {file} a base backup ended later; if this is that backup, backup_label was \
                 removed or its WAL is not here, else the newest WAL is missing"
            );
            (cause, Confidence::Likely)
        } else if self.was_reset() == Some(true) {
            let tool = super::reset_tool(self.examination);
            (
                format!("{tool} was run, and threw the WAL away that wrote them"),
                Confidence::Likely,
            )
        } else if self.examination.beyond.is_some() {
            let cause = "the WAL that wrote them lies behind a break, see Loss";
            (cause.to_owned(), Confidence::Likely)
        } else {
            let cause = "the newest WAL is missing, backup_label was removed, or the disk lost \
                         WAL that it had confirmed";
            (cause.to_owned(), Confidence::Possible)
        };
        Some(pattern(
            PatternKind::WalLost,
            confidence,
            format!("{extent}: {cause}"),
            places,
        ))
    }

    /// A backup history file whose backup ends behind the WAL.
    fn backup_beyond_wal(&self) -> Option<String> {
        let Examination {
            evidence, recovery, ..
        } = *self.examination;
        let end = recovery?.end_of_wal?;
        evidence
            .iter()
            .filter(|(_, entry)| matches!(entry.kind, FileKind::BackupHistory { .. }))
            .find(|(id, _)| {
                let text = evidence.file(*id).and_then(|file| file.read_all(1 << 16));
                let label = text
                    .ok()
                    .and_then(|text| BackupLabel::parse_history(&text).ok());
                let stop = label.and_then(|label| label.stop_wal_location);
                stop.is_some_and(|(stop, _)| stop > end)
            })
            .map(|(id, _)| evidence.place(id))
    }

    /// Whether the oldest WAL begins with the checkpoint that `pg_resetwal` writes, which has
    /// no record before it (`pg_resetwal.c: WriteEmptyXLOG`).
    fn was_reset(&self) -> Option<bool> {
        let Examination { wal, recovery, .. } = *self.examination;
        let (wal, run) = (wal?, recovery?);
        let geometry = WalGeometry::of(wal.layout());
        let context = WalContext {
            layout: *wal.layout(),
            system_identifier: None,
            timelines: run.timelines.clone(),
        };
        let (_, segno, _) = wal.segments().min_by_key(|(_, segno, _)| *segno)?;
        let mut reader = WalReader::new(&context, wal, Position::at(XLogRecPtr::INVALID));
        let start = reader.find_first_in_segment(segno).ok()??;
        reader.seek(Position::at(start));
        let record = reader.read().ok()?;
        // initdb's first record has none before it either.
        Some(record.header.xl_prev == XLogRecPtr::INVALID && geometry.segment_of(start) > 1)
    }

    /// Commit log segments of zeroes that cannot be.
    fn clog_made_up(&self) -> Option<Pattern> {
        let checks = [&clog_segment_zeroed::CHECK, &clog_segment_foreign::CHECK];
        let groups: Vec<_> = checks.iter().flat_map(|check| self.damage(check)).collect();
        if groups.is_empty() {
            return None;
        }
        let places = self.places_of(&groups);
        let tally = self.examination.tally?;
        let rows: u64 = tally
            .lacks
            .iter()
            .filter(|((lack, _), _)| {
                matches!(
                    lack,
                    Lack::UnhintedOnZeroClogPage(_) | Lack::ForeignClogPage(_)
                )
            })
            .map(|(_, need)| need.tuples)
            .sum();
        let lost = if rows > 0 {
            let vanish = agree(rows as usize, "vanishes", "vanish");
            format!("; {} {vanish} without an error", count(rows, "row"))
        } else {
            String::new()
        };
        let made = groups
            .iter()
            .any(|(key, _)| key.code == clog_segment_foreign::CHECK.code);
        let why = if made {
            "for transactions that never were: made with dd"
        } else {
            "where rows say that transactions committed: made with dd, or a lost write"
        };
        let is = agree(places.len(), "is", "are");
        let summary = format!("{} {is} all zero, {why}{lost}", named(&places));
        Some(pattern(
            PatternKind::ClogMadeUp,
            Confidence::Likely,
            summary,
            places,
        ))
    }

    /// Commit log pages that WAL contradicts: older ones lack commits, and no more.
    fn clog_contradicted(&self) -> Option<Pattern> {
        let groups: Vec<_> = self.damage(&clog_contradicts_wal::CHECK).collect();
        if groups.is_empty() {
            return None;
        }
        let places = self.places_of(&groups);
        let xacts = self.examination.xacts?;
        let denied = || clog_contradicts_wal::denied(self.examination);
        let xids: u64 = denied().map(|(_, _, ends)| ends.xids.len()).sum();
        let (ends, files) = (count(xids, "transaction"), named(&places));
        let is_older = denied().all(|(page, committed, ends)| {
            committed && ends.status != XidStatus::Aborted && !xacts.is_zero_clog_page(page)
        });
        let (kind, summary) = if is_older {
            let summary = format!(
                "the ends of {ends}, which a checkpoint has seen to disk, are not in {files}: the \
                 storage confirmed writes and lost them, or the files are an older copy"
            );
            (PatternKind::LostWrite, summary)
        } else {
            let summary = format!(
                "WAL contradicts {files} on the ends of {ends}: made with dd, of another cluster, \
                 or a lost write"
            );
            (PatternKind::ClogMadeUp, summary)
        };
        Some(pattern(kind, Confidence::Likely, summary, places))
    }

    /// Zeroes where pages have data: sectors of pages, with the pages of zeroes beside them.
    fn zeroed_range(&self) -> Option<Pattern> {
        let layout = self.examination.scan?.layout;
        let blcksz = u64::from(layout.blcksz);
        let last_sector = u16::try_from(blcksz / 512 - 1).unwrap_or(u16::MAX);
        let mut ranges = Ranges::new();
        let mut add = |fork: &ForkFiles, blkno: BlockNumber, from: u64, to: u64| {
            let block = fork.location(blkno, &layout);
            let start = block.byte_offset.unwrap_or(0);
            let file = ranges.entry(block.path.to_string());
            file.or_default().push((start + from, start + to));
        };
        let mut add_neighbours = |fork: &ForkFiles, counts: &ForkTally, blkno, back: bool| {
            let mut next = Some(blkno);
            loop {
                next = match back {
                    true => next.and_then(|n: BlockNumber| n.checked_sub(1)),
                    false => next.and_then(|n: BlockNumber| n.checked_add(1)),
                };
                match next.filter(|next| counts.zero.contains(*next)) {
                    Some(zero) => add(fork, zero, 0, blcksz),
                    None => return,
                }
            }
        };
        let mut confidence = Confidence::Possible;
        let mut sectors = Vec::new();
        for block in self.explained() {
            let Cause::ZeroSectors { first, last } = block.cause else {
                continue;
            };
            confidence = confidence.max(block.confidence);
            if first == 0 {
                add_neighbours(block.fork, block.counts, block.blkno, true);
            }
            if last == last_sector {
                add_neighbours(block.fork, block.counts, block.blkno, false);
            }
            sectors.push((block.fork, block.blkno, first, last));
        }
        for (fork, blkno, first, last) in sectors {
            add(
                fork,
                blkno,
                u64::from(first) * 512,
                (u64::from(last) + 1) * 512,
            );
        }
        for (key, group) in self.damage(&zero_page::CHECK) {
            let Place::Fork(locator, fork) = key.place else {
                continue;
            };
            let files = self.examination.forks.iter();
            let mut files = files.filter(|files| files.locator == locator && files.fork == fork);
            if let Some(files) = files.next() {
                for blkno in &group.blocks {
                    add(files, blkno, 0, blcksz);
                }
                confidence = confidence.max(Confidence::Likely);
            }
        }
        joined(&mut ranges);
        let all = || ranges.values().flatten();
        let total: u64 = all().map(|(from, to)| to - from).sum();
        if total == 0 {
            return None;
        }
        let borders = all().flat_map(|(from, to)| [*from, *to]);
        let unit = borders.fold(1_u64 << 20, |unit, border| {
            unit.min(1 << border.trailing_zeros().min(20))
        });
        let places: Vec<String> = ranges
            .iter()
            .flat_map(|(path, ranges)| {
                let range = move |(from, to): &(u64, u64)| {
                    format!("{path} bytes {from}-{}", to.saturating_sub(1))
                };
                ranges.iter().map(range)
            })
            .collect();
        let points_to = if unit.is_multiple_of(blcksz) {
            "as pages do: the server (zero_damaged_pages = on), the file system or the storage"
        } else {
            "within pages: not the server, but the disk, its cache or the file system"
        };
        let number = all().count();
        let summary = format!(
            "{} of zeroes, {} in {} ({}); {} on multiples of {}, {points_to}",
            count(number as u64, "range"),
            size(total),
            count(ranges.len() as u64, "file"),
            named(&places),
            agree(number, "it begins and ends", "all begin and end"),
            if unit < 1024 {
                format!("{unit}\u{a0}bytes")
            } else {
                format!("{}\u{a0}kB", unit / 1024)
            },
        );
        Some(pattern(
            PatternKind::ZeroedRange,
            confidence,
            summary,
            places,
        ))
    }

    /// Content of others in relations.
    fn foreign_data(&self) -> Option<Pattern> {
        let mut kinds = BTreeSet::new();
        let mut blocks = Vec::new();
        for block in self.explained() {
            kinds.insert(match block.cause {
                Cause::TextSectors { .. } => "text".to_owned(),
                Cause::Foreign(what) => what.to_string(),
                Cause::Uniform(byte) => format!("0x{byte:02X} throughout"),
                _ => continue,
            });
            blocks.push((block.fork, block.blkno));
        }
        let places = self.block_names(&blocks);
        let kinds: Vec<String> = kinds.into_iter().collect();
        let hold = agree(blocks.len(), "holds", "hold");
        (!blocks.is_empty()).then(|| {
            let summary = format!(
                "{} {hold} {}: another file's data was written there; look for the writer (a \
                 second mount, the file system, the storage, a copying tool)",
                named(&places),
                kinds.join(", ")
            );
            let kind = PatternKind::ForeignData;
            pattern(kind, Confidence::Certain, summary, places)
        })
    }

    /// Pages that say themselves that they belong elsewhere.
    fn misdirected_write(&self) -> Option<Pattern> {
        let mut places = Vec::new();
        let mut best = Confidence::Possible;
        for (block, other) in self.misplaced() {
            best = best.max(block.confidence);
            let here = self.block_name(block.fork, block.blkno);
            places.push(format!("{here} holds block {other}"));
        }
        for block in self.explained() {
            if let Cause::PageOf(kind) = block.cause {
                best = best.max(block.confidence);
                let here = self.block_name(block.fork, block.blkno);
                places.push(format!("{here} holds a {kind} page"));
            }
        }
        (!places.is_empty()).then(|| {
            let summary = format!(
                "{}: the storage or a copying tool put {} in the wrong place, and what belongs \
                 there is lost",
                named(&places),
                agree(places.len(), "it", "them")
            );
            pattern(PatternKind::MisdirectedWrite, best, summary, places)
        })
    }

    /// Pages of two times that replay does not mend.
    fn torn_page(&self) -> Option<Pattern> {
        let torn = self
            .explained()
            .filter(|block| matches!(block.cause, Cause::Torn { .. }));
        let blocks: Vec<_> = torn.map(|block| (block.fork, block.blkno)).collect();
        let places = self.block_names(&blocks);
        let replay = self.examination.scan?.replay;
        (!blocks.is_empty()).then(|| {
            let why = if matches!(replay, Replay::Unknown) {
                "as in a base backup or a crash: replay mends that, but the WAL for it is not \
                 here or cannot be read"
            } else {
                "and no full-page image in the WAL mends that: full_page_writes = off, or a copy \
                 made while the server wrote"
            };
            let were = agree(blocks.len(), "was", "were");
            let summary = format!("{} {were} written in part, {why}", named(&places));
            pattern(PatternKind::TornPage, Confidence::Likely, summary, places)
        })
    }

    /// Pages and transaction numbers that are right but for one bit.
    fn flipped_bit(&self) -> Option<Pattern> {
        let mut places = Vec::new();
        for block in self.explained() {
            let (byte, bit) = match block.cause {
                Cause::Bit { byte, bit, .. } | Cause::HeaderBit { byte, bit } => (byte, bit),
                Cause::ChecksumBit { bit } => (8 + u16::from(bit / 8), bit % 8),
                _ => continue,
            };
            if block.confidence >= Confidence::Likely {
                let block = self.block_name(block.fork, block.blkno);
                places.push(format!("bit {bit} of byte {byte} of {block}"));
            }
        }
        let pages = places.len();
        places.extend(self.flipped_xids());
        if places.is_empty() {
            return None;
        }
        let mut what = Vec::new();
        if pages > 0 {
            what.push(count(pages as u64, "page"));
        }
        if places.len() > pages {
            let numbers = (places.len() - pages) as u64;
            what.push(count(numbers, "transaction number"));
        }
        let summary = format!(
            "{} {} wrong in one bit ({}): look at the memory first (ECC and machine check \
             logs, a memory test), then at controller and cables",
            what.join(" and "),
            agree(places.len(), "is", "are"),
            named(&places)
        );
        Some(pattern(
            PatternKind::FlippedBit,
            Confidence::Likely,
            summary,
            places,
        ))
    }

    /// Transaction numbers that one bit makes valid, where chance alone would seldom do so.
    fn flipped_xids(&self) -> Vec<String> {
        let Some(horizons) = self.examination.horizons else {
            return Vec::new();
        };
        let next = horizons.next_xid.xid().0;
        // Lost WAL or a lost write leaves numbers that are nearly valid. Of all others one in
        // 32 comes that near by one bit where this many are valid.
        const NEARBY: u32 = 1 << 22;
        if next.wrapping_sub(horizons.oldest_xid.0) > NEARBY {
            return Vec::new();
        }
        let checks = [
            (&xmin_out_of_range::CHECK, "xmin"),
            (&xmax_out_of_range::CHECK, "xmax"),
        ];
        let mut places = Vec::new();
        for (check, field) in checks {
            for (_, group) in self.damage(check) {
                // Several on one page are something else.
                if group.total > 2 {
                    continue;
                }
                for finding in &group.kept {
                    let xid = finding
                        .found
                        .as_deref()
                        .and_then(|xid| xid.parse::<u32>().ok());
                    let flipped = xid.is_some_and(|xid| {
                        let past = xid.wrapping_sub(next);
                        let before = horizons.oldest_xid.0.wrapping_sub(xid);
                        past.min(before) > NEARBY
                            && (0..32)
                                .any(|bit| horizons.xid_is_valid(TransactionId(xid ^ 1 << bit)))
                    });
                    if let (true, Some((locator, _, _)), Some(blkno)) =
                        (flipped, finding.location.relation, finding.location.block)
                    {
                        let name = self.examination.names.name(locator).qualified();
                        let name = name.unwrap_or_else(|| finding.location.path.to_string());
                        let offnum = finding.location.offset_number.unwrap_or(0);
                        places.push(format!("{field} of row ({blkno},{offnum}) of {name}"));
                    }
                }
            }
        }
        places
    }
}

fn pattern(
    kind: PatternKind,
    confidence: Confidence,
    summary: String,
    mut places: Vec<String>,
) -> Pattern {
    places.truncate(MAX_PLACES);
    Pattern {
        kind,
        confidence,
        summary,
        places,
    }
}

/// The word that goes with so many.
fn agree(number: usize, one: &'static str, more: &'static str) -> &'static str {
    if number == 1 { one } else { more }
}

/// The first few of the places, and how many more.
fn named(places: &[String]) -> String {
    let mut text = places
        .iter()
        .take(MAX_NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more) = places.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {} more", thousands(more as u64)));
    }
    text
}

/// Joins ranges that touch or overlap.
fn joined(ranges: &mut Ranges) {
    for ranges in ranges.values_mut() {
        ranges.sort_unstable();
        let mut whole: Vec<(u64, u64)> = Vec::new();
        for (from, to) in ranges.drain(..) {
            match whole.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => whole.push((from, to)),
            }
        }
        *ranges = whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined() {
        let mut ranges =
            Ranges::from([("f".to_owned(), vec![(8, 16), (0, 8), (20, 24), (21, 22)])]);
        joined(&mut ranges);
        assert_eq!(ranges["f"], [(0, 16), (20, 24)]);
    }

    #[test]
    fn few_places_are_named() {
        let places: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        assert_eq!(named(&places[..2]), "a, b");
        assert_eq!(named(&places), "a, b, c and 2 more");
    }
}
