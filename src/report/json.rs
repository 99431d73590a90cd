//! The report as JSON, schema 1: a contract with everything that reads it.
//!
//! The types here are the wire format and nothing else. Names and meanings stay; keys may be
//! added. LSNs are `"16/B374D848"`, times RFC 3339 in UTC, numbers that may pass 2^53 strings,
//! and what is not known is `null`.

use super::timelines::TimelineV1;
use super::units::{block_ranges, rfc_3339};
use super::{
    ClusterSummary, DatabaseSummary, NotExamined, RelationSummary, Report, StopKind, WalSummary,
    explain,
};
use crate::finding::{Confidence, Finding, Group, GroupKey, Place, Recovery, Severity};
use crate::format::types::{FullTransactionId, RelFileLocator, XLogRecPtr};
use crate::recovery::copies::OtherCopy;
use crate::report::printer;
use crate::verdict::patterns::{Pattern, PatternKind};
use crate::verdict::{Loss, LostRecords, Outcome, Startup, Status, Verdict};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io;

/// Prints the report as one JSON object and a line end. Findings below `min_severity` are
/// counted in `summary` and not listed.
///
/// # Errors
/// When `out` cannot be written.
pub fn write<W: io::Write>(mut out: W, report: &Report, min_severity: Severity) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(&ReportV1::new(report, min_severity))?;
    text.push('\n');
    out.write_all(escape_unsafe(&text).as_bytes())
}

/// JSON itself demands escapes below U+0020 only; a terminal obeys other characters too.
pub(super) fn escape_unsafe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && printer::is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

#[derive(Serialize)]
struct ReportV1<'a> {
    schema: u32,
    tool: Tool,
    evidence: Evidence<'a>,
    cluster: Option<Cluster<'a>>,
    wal: Option<Wal<'a>>,
    verdict: VerdictV1<'a>,
    findings: Vec<FindingV1<'a>>,
    groups: Vec<GroupV1<'a>>,
    relations: Vec<RelationV1<'a>>,
    databases: Vec<DatabaseSummary>,
    summary: Summary<'a>,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Evidence<'a> {
    data_directory: &'a str,
    wal_directories: &'a [String],
    files: u64,
    bytes: u64,
    blocks: u64,
    wal_bytes: u64,
    tuples: u64,
    limited_to: &'a [String],
    not_examined: &'a [NotExamined],
}

#[derive(Serialize)]
struct Xid {
    epoch: u32,
    xid: u32,
}

#[derive(Serialize)]
struct Cluster<'a> {
    major: &'a str,
    system_identifier: String,
    state: &'a str,
    checkpoint_lsn: String,
    redo_lsn: String,
    timeline: u32,
    next_xid: Xid,
    oldest_xid: u32,
    next_multixact: u32,
    oldest_multixact: Option<u32>,
    block_size: u32,
    wal_segment_size: u32,
    data_checksums: Option<bool>,
    control_crc_ok: bool,
}

#[derive(Serialize)]
struct Wal<'a> {
    first_lsn: Option<String>,
    redo_lsn: Option<String>,
    end_lsn: Option<String>,
    last_record_lsn: Option<String>,
    stop_reason: Option<&'a str>,
    stop_kind: StopKind,
    beyond: Option<Beyond>,
    records: u64,
    redo_bytes: u64,
    redo_segments: u64,
    #[serde(serialize_with = "in_order")]
    by_rmgr: &'a [(String, u64)],
    commits: u64,
    first_commit: Option<String>,
    last_commit: Option<String>,
    next_xid: Xid,
    timelines: Vec<TimelineV1>,
}

/// Valid records past the place where the server stops reading.
#[derive(Serialize)]
struct Beyond {
    from_lsn: String,
    to_lsn: Option<String>,
    commits: u64,
}

#[derive(Serialize)]
struct VerdictV1<'a> {
    status: Status,
    headline: &'a str,
    startup: Option<StartupV1<'a>>,
    loss: Vec<LossV1<'a>>,
    pg_resetwal: Option<LossV1<'a>>,
    patterns: Vec<PatternV1<'a>>,
    next_steps: &'a [String],
}

#[derive(Serialize)]
struct PatternV1<'a> {
    kind: PatternKind,
    confidence: Confidence,
    summary: &'a str,
    places: &'a [String],
}

#[derive(Serialize)]
struct StartupV1<'a> {
    outcome: Outcome,
    message: Option<&'a str>,
    redo_start: Option<String>,
    redo_done: Option<String>,
    end_of_wal: Option<String>,
    timeline: Option<u32>,
    last_completed_transaction: Option<String>,
    silent_loss: bool,
    waits_for: Option<&'a str>,
    #[serde(serialize_with = "in_order")]
    settings: &'a [(String, String)],
    conditions: &'a [String],
}

#[derive(Serialize)]
struct LostRecordsV1 {
    filenode: String,
    database: Option<String>,
    name: Option<String>,
    records: u64,
}

#[derive(Serialize)]
struct LossV1<'a> {
    cause: &'a str,
    from_lsn: Option<String>,
    to_lsn: Option<String>,
    commits: u64,
    first_commit: Option<String>,
    last_commit: Option<String>,
    relations: Vec<LostRecordsV1>,
    other_copies: Vec<OtherCopyV1<'a>>,
}

/// A file that holds some of what is lost.
#[derive(Serialize)]
struct OtherCopyV1<'a> {
    path: &'a str,
    segment: String,
    from_lsn: String,
    to_lsn: String,
    whole: bool,
    compressed: bool,
}

#[derive(Serialize)]
struct FindingV1<'a> {
    code: &'static str,
    severity: Severity,
    confidence: Confidence,
    recovery: Recovery,
    path: &'a str,
    fork: Option<&'static str>,
    segment: Option<u32>,
    block: Option<u32>,
    offset_number: Option<u16>,
    byte_offset: Option<u64>,
    lsn: Option<String>,
    relation: Option<RelationNameV1<'a>>,
    message: &'a str,
    found: Option<&'a str>,
    expected: Option<&'a str>,
    server_error: Option<&'a str>,
    remedy: Option<String>,
}

#[derive(Serialize)]
struct RelationNameV1<'a> {
    database: Option<&'a str>,
    schema: Option<&'a str>,
    name: Option<&'a str>,
    kind: Option<&'static str>,
    oid: Option<u32>,
    filenode: u32,
}

/// All findings of one code on one fork or file, with every block, listed or not.
#[derive(Serialize)]
struct GroupV1<'a> {
    code: &'static str,
    severity: Severity,
    recovery: Recovery,
    path: Option<&'a str>,
    fork: Option<&'static str>,
    relation: Option<RelationNameV1<'a>>,
    findings: u64,
    blocks: String,
}

#[derive(Serialize)]
struct RelationV1<'a> {
    #[serde(flatten)]
    name: RelationNameV1<'a>,
    tablespace: u32,
    path: &'a str,
    blocks: u32,
    tuples: u64,
    rows: u64,
    unreadable_tuples: u64,
    unreadable_blocks: u64,
    healed_blocks: u64,
    lost_blocks: u64,
    estimated_lost_rows: u64,
    wal_blocks: u64,
    damage: &'a BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Summary<'a> {
    by_severity: BTreeMap<Severity, u64>,
    by_code: BTreeMap<&'a str, u64>,
    suppressed: BTreeMap<&'a str, u64>,
}

impl<'a> ReportV1<'a> {
    fn new(report: &'a Report, min_severity: Severity) -> Self {
        let relations: HashMap<RelFileLocator, &RelationSummary> =
            report.relations.iter().map(|r| (r.locator, r)).collect();
        let name = |locator| RelationNameV1::new(locator, relations.get(&locator).copied());
        let findings: Vec<FindingV1<'_>> = report
            .findings
            .sorted()
            .into_iter()
            .filter(|finding| finding.severity >= min_severity)
            .map(|finding| {
                let relation = finding.location.relation.map(|(locator, ..)| name(locator));
                FindingV1::new(finding, relation)
            })
            .collect();
        let groups = report.findings.groups().map(|(key, group)| {
            let path = group.kept.first().map(|first| &*first.location.path);
            let relation = match key.place {
                Place::Fork(locator, _) => Some(name(locator)),
                Place::File(_) => None,
            };
            GroupV1::new(key, group, path, relation)
        });
        Self {
            schema: 1,
            tool: Tool {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
            },
            evidence: Evidence {
                data_directory: &report.examined.data_directory,
                wal_directories: &report.examined.wal_directories,
                files: report.examined.files,
                bytes: report.examined.bytes,
                blocks: report.examined.blocks,
                wal_bytes: report.examined.wal_bytes,
                tuples: report.examined.tuples,
                limited_to: &report.examined.limited_to,
                not_examined: &report.examined.not_examined,
            },
            cluster: report.cluster.as_ref().map(Cluster::new),
            wal: report
                .wal
                .as_ref()
                .map(|wal| Wal::new(wal, &report.verdict)),
            verdict: VerdictV1::new(&report.verdict),
            summary: Summary::new(report, &findings),
            findings,
            groups: groups.collect(),
            relations: report.relations.iter().map(RelationV1::new).collect(),
            databases: report.databases(),
        }
    }
}

impl<'a> Cluster<'a> {
    fn new(cluster: &'a ClusterSummary) -> Self {
        Self {
            major: &cluster.major,
            system_identifier: cluster.system_identifier.to_string(),
            state: &cluster.state,
            checkpoint_lsn: cluster.checkpoint_lsn.to_string(),
            redo_lsn: cluster.redo_lsn.to_string(),
            timeline: cluster.timeline,
            next_xid: xid(cluster.next_xid),
            oldest_xid: cluster.oldest_xid.0,
            next_multixact: cluster.next_multixact,
            oldest_multixact: cluster.oldest_multixact,
            block_size: cluster.block_size,
            wal_segment_size: cluster.wal_segment_size,
            data_checksums: cluster.data_checksums,
            control_crc_ok: cluster.control_crc_ok,
        }
    }
}

impl<'a> Wal<'a> {
    fn new(wal: &'a WalSummary, verdict: &Verdict) -> Self {
        Self {
            first_lsn: lsn(wal.first_lsn),
            redo_lsn: lsn(wal.redo_lsn),
            end_lsn: lsn(wal.end_lsn),
            last_record_lsn: lsn(wal.last_record_lsn),
            stop_reason: wal.stop_reason.as_deref(),
            stop_kind: wal.stop_kind,
            beyond: Beyond::new(wal, verdict),
            records: wal.records,
            redo_bytes: wal.redo_bytes,
            redo_segments: wal.redo_segments,
            by_rmgr: &wal.by_rmgr,
            commits: wal.commits,
            first_commit: wal.first_commit.and_then(rfc_3339),
            last_commit: wal.last_commit.and_then(rfc_3339),
            next_xid: xid(wal.next_xid),
            timelines: wal.timelines.iter().map(TimelineV1::new).collect(),
        }
    }
}

impl Beyond {
    fn new(wal: &WalSummary, verdict: &Verdict) -> Option<Self> {
        if wal.stop_kind == StopKind::EndOfWal {
            return None;
        }
        let past: Vec<&Loss> = verdict
            .loss
            .iter()
            .filter(|loss| loss.from_lsn.is_some() && loss.from_lsn >= wal.end_lsn)
            .collect();
        Some(Self {
            from_lsn: lsn(past.iter().filter_map(|loss| loss.from_lsn).min())?,
            to_lsn: lsn(past.iter().filter_map(|loss| loss.to_lsn).max()),
            commits: past.iter().map(|loss| loss.commits).sum(),
        })
    }
}

impl<'a> VerdictV1<'a> {
    fn new(verdict: &'a Verdict) -> Self {
        Self {
            status: verdict.status,
            headline: &verdict.headline,
            startup: verdict.startup.as_ref().map(StartupV1::new),
            loss: verdict.loss.iter().map(LossV1::new).collect(),
            pg_resetwal: verdict.pg_resetwal.as_ref().map(LossV1::new),
            patterns: verdict.patterns.iter().map(PatternV1::new).collect(),
            next_steps: &verdict.next_steps,
        }
    }
}

impl<'a> PatternV1<'a> {
    fn new(pattern: &'a Pattern) -> Self {
        Self {
            kind: pattern.kind,
            confidence: pattern.confidence,
            summary: &pattern.summary,
            places: &pattern.places,
        }
    }
}

impl<'a> StartupV1<'a> {
    fn new(startup: &'a Startup) -> Self {
        Self {
            outcome: startup.outcome,
            message: startup.message.as_deref(),
            redo_start: lsn(startup.redo_start),
            redo_done: lsn(startup.redo_done),
            end_of_wal: lsn(startup.end_of_wal),
            timeline: startup.timeline,
            last_completed_transaction: startup.last_completed_transaction.and_then(rfc_3339),
            silent_loss: startup.silent_loss,
            waits_for: startup.waits_for.as_deref(),
            settings: &startup.settings,
            conditions: &startup.conditions,
        }
    }
}

impl<'a> LossV1<'a> {
    fn new(loss: &'a Loss) -> Self {
        Self {
            cause: &loss.cause,
            from_lsn: lsn(loss.from_lsn),
            to_lsn: lsn(loss.to_lsn),
            commits: loss.commits,
            first_commit: loss.first_commit.and_then(rfc_3339),
            last_commit: loss.last_commit.and_then(rfc_3339),
            relations: loss.relations.iter().map(LostRecordsV1::new).collect(),
            other_copies: loss.other_copies.iter().map(OtherCopyV1::new).collect(),
        }
    }
}

impl<'a> OtherCopyV1<'a> {
    fn new(copy: &'a OtherCopy) -> Self {
        Self {
            path: &copy.place,
            segment: copy.segment.to_string(),
            from_lsn: copy.from.to_string(),
            to_lsn: copy.to.to_string(),
            whole: copy.whole,
            compressed: copy.compressed,
        }
    }
}

impl LostRecordsV1 {
    fn new(lost: &LostRecords) -> Self {
        let RelFileLocator {
            spc_oid,
            db_oid,
            rel_number,
        } = lost.locator;
        Self {
            filenode: format!("{spc_oid}/{db_oid}/{rel_number}"),
            database: lost.name.database.clone(),
            name: lost.name.in_database(),
            records: lost.records,
        }
    }
}

impl<'a> FindingV1<'a> {
    fn new(finding: &'a Finding, relation: Option<RelationNameV1<'a>>) -> Self {
        let place = &finding.location;
        Self {
            code: finding.check.code,
            severity: finding.severity,
            confidence: finding.confidence,
            recovery: finding.recovery,
            path: &place.path,
            fork: place.relation.map(|(_, fork, _)| fork.name()),
            segment: place.relation.map(|(_, _, segment)| segment),
            block: place.block,
            offset_number: place.offset_number,
            byte_offset: place.byte_offset,
            lsn: lsn(place.lsn),
            relation,
            message: &finding.message,
            found: finding.found.as_deref(),
            expected: finding.expected.as_deref(),
            server_error: finding.server_error.as_deref(),
            remedy: finding
                .remedy
                .clone()
                .or_else(|| explain::remedy(finding.check)),
        }
    }
}

impl<'a> RelationNameV1<'a> {
    fn new(locator: RelFileLocator, relation: Option<&'a RelationSummary>) -> Self {
        let name = relation.map(|relation| &relation.name);
        Self {
            database: name.and_then(|name| name.database.as_deref()),
            schema: name.and_then(|name| name.schema.as_deref()),
            name: name.and_then(|name| name.name.as_deref()),
            kind: name.and_then(|name| name.kind),
            oid: name.and_then(|name| name.oid),
            filenode: locator.rel_number,
        }
    }
}

impl<'a> GroupV1<'a> {
    fn new(
        key: &'a GroupKey,
        group: &Group,
        first_path: Option<&'a str>,
        relation: Option<RelationNameV1<'a>>,
    ) -> Self {
        let (path, fork) = match &key.place {
            Place::Fork(_, fork) => (first_path, Some(fork.name())),
            Place::File(path) => (Some(&**path), None),
        };
        Self {
            code: key.code,
            severity: key.severity,
            recovery: key.recovery,
            path,
            fork,
            relation,
            findings: group.total,
            blocks: block_ranges(&group.blocks, usize::MAX),
        }
    }
}

impl<'a> RelationV1<'a> {
    fn new(relation: &'a RelationSummary) -> Self {
        Self {
            name: RelationNameV1::new(relation.locator, Some(relation)),
            tablespace: relation.locator.spc_oid,
            path: &relation.path,
            blocks: relation.blocks,
            tuples: relation.tuples,
            rows: relation.rows,
            unreadable_tuples: relation.unreadable_tuples,
            unreadable_blocks: relation.unreadable_blocks,
            healed_blocks: relation.healed_blocks,
            lost_blocks: relation.lost_blocks,
            estimated_lost_rows: relation.estimated_lost_rows(),
            wal_blocks: relation.wal_blocks,
            damage: &relation.damage,
        }
    }
}

impl<'a> Summary<'a> {
    fn new(report: &'a Report, listed: &[FindingV1<'_>]) -> Self {
        let mut by_severity = BTreeMap::new();
        let mut by_code = BTreeMap::new();
        for (key, group) in report.findings.groups() {
            *by_severity.entry(key.severity).or_default() += group.total;
            *by_code.entry(key.code).or_default() += group.total;
        }
        let mut suppressed: BTreeMap<&str, u64> = by_code.clone();
        for finding in listed {
            suppressed.entry(finding.code).and_modify(|n| *n -= 1);
        }
        suppressed.retain(|_, count| *count > 0);
        Self {
            by_severity,
            by_code,
            suppressed,
        }
    }
}

fn lsn(lsn: Option<XLogRecPtr>) -> Option<String> {
    lsn.map(|lsn| lsn.to_string())
}

fn xid(xid: FullTransactionId) -> Xid {
    Xid {
        epoch: xid.epoch(),
        xid: xid.xid().0,
    }
}

/// As an object that keeps the order of resource manager ids.
fn in_order<S: Serializer, V: Serialize>(
    pairs: &&[(String, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (name, value) in *pairs {
        map.serialize_entry(name, value)?;
    }
    map.end()
}
