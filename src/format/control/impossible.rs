//! The values in a `pg_control` that cannot be.
//!
//! Sources: `xlog.c: ReadControlFile, StartupXLOG`, 9.0 to 19; 15 and later also
//! `xlogrecovery.c: InitWalRecovery`.

use super::{
    ControlFile, DbState, is_legal_blcksz, is_legal_relseg_size, is_legal_wal_segsz,
    is_legal_xlog_blcksz,
};
use crate::format::checkpoint::WalLevel;
use crate::format::refusal::{INITDB, Refusal};
use crate::format::types::XLogRecPtr;
use crate::format::version::{Layout, Major, VERSIONS};
use std::fmt;

/// `FLOATFORMAT_VALUE`: a number that shows which float format the machine has.
const FLOATFORMAT_VALUE: f64 = 1_234_567.0;

/// A bound of ours, far above any build's choice.
const MAX_SLRU_PAGES_PER_SEGMENT: u32 = 131_072;

impl ControlFile {
    /// The values that no cluster can have, and those that only a server built with other
    /// options accepts: first what the server refuses, in its order, then what it does not
    /// look at.
    #[must_use]
    pub fn impossible(&self) -> Vec<Impossible> {
        let mut list = Complaints(Vec::new());
        self.against_the_build(&mut list);
        self.against_recovery(&mut list);
        self.against_itself(&mut list);
        list.0
    }

    /// What `xlog.c: ReadControlFile` compares with the server's own build.
    fn against_the_build(&self, list: &mut Complaints) {
        let v = self.version;
        let usual = Layout::usual(v);
        list.build(
            ("pg_control_version", "PG_CONTROL_VERSION"),
            self.pg_control_version,
            v.control_version,
            false,
        );
        list.build(
            ("catalog_version_no", "CATALOG_VERSION_NO"),
            self.catalog_version_no,
            v.catalog_version,
            // A pre-release or a fork has one of its own, but not another release's.
            VERSIONS
                .iter()
                .all(|other| other.catalog_version != self.catalog_version_no),
        );
        list.build(
            ("maxAlign", "MAXALIGN"),
            self.max_align,
            8,
            self.max_align == 4,
        );
        if self.float_format.to_bits() != FLOATFORMAT_VALUE.to_bits() {
            list.0.push(Impossible {
                field: "floatFormat",
                found: self.float_format.to_string(),
                expected: FLOATFORMAT_VALUE.to_string(),
                other_build: false,
                refusal: Some(Refusal::incompatible(
                    "The database cluster appears to use a different floating-point number \
                     format than the server executable.",
                    INITDB,
                )),
            });
        }
        list.build(
            ("blcksz", "BLCKSZ"),
            self.blcksz,
            usual.blcksz,
            is_legal_blcksz(self.blcksz),
        );
        list.build(
            ("relseg_size", "RELSEG_SIZE"),
            self.relseg_size,
            usual.relseg_size,
            is_legal_relseg_size(v, self.relseg_size),
        );
        if let Some(pages) = self.slru_pages_per_segment {
            list.build(
                ("slru_pages_per_segment", "SLRU_PAGES_PER_SEGMENT"),
                pages,
                32,
                (1..=MAX_SLRU_PAGES_PER_SEGMENT).contains(&pages),
            );
        }
        list.build(
            ("xlog_blcksz", "XLOG_BLCKSZ"),
            self.xlog_blcksz,
            usual.xlog_blcksz,
            is_legal_xlog_blcksz(self.xlog_blcksz),
        );
        let wal_segsz_is_legal = is_legal_wal_segsz(v, self.xlog_seg_size);
        if !v.since(Major::V11) {
            list.build(
                ("xlog_seg_size", "XLOG_SEG_SIZE"),
                self.xlog_seg_size,
                usual.wal_segsz,
                wal_segsz_is_legal,
            );
        }
        list.build(
            ("nameDataLen", "NAMEDATALEN"),
            self.name_data_len,
            64,
            // `pg_config_manual.h`: a multiple of `sizeof(int)`.
            self.name_data_len != 0 && self.name_data_len & 3 == 0,
        );
        list.build(
            ("indexMaxKeys", "INDEX_MAX_KEYS"),
            self.index_max_keys,
            32,
            (1..=1600).contains(&self.index_max_keys),
        );
        // Both follow from BLCKSZ (`access/tuptoaster.h`, `storage/large_object.h`).
        let blcksz = self.layout().blcksz;
        let usual_blcksz = blcksz == usual.blcksz;
        if usual_blcksz {
            list.build(
                ("toast_max_chunk_size", "TOAST_MAX_CHUNK_SIZE"),
                self.toast_max_chunk_size,
                1996,
                false,
            );
        }
        if let Some(loblksize) = self.loblksize {
            list.build(("loblksize", "LOBLKSIZE"), loblksize, blcksz / 4, false);
        }
        list.by_value(
            "enableIntTimes",
            "HAVE_INT64_TIMESTAMP",
            self.enable_int_times,
        );
        list.by_value("float4ByVal", "USE_FLOAT4_BYVAL", self.float4_by_val);
        list.by_value("float8ByVal", "USE_FLOAT8_BYVAL", Some(self.float8_by_val));
        if v.since(Major::V11) && !wal_segsz_is_legal {
            let found = self.xlog_seg_size.cast_signed();
            let bytes = if found == 1 { "byte" } else { "bytes" };
            let mut refusal = Refusal::plain(
                // Raised as ERROR, which ends the postmaster as FATAL.
                "FATAL",
                format!(
                    "WAL segment size must be a power of two between 1 MB and 1 GB, but the \
                     control file specifies {found} {bytes}"
                ),
            );
            if v.since(Major::V17) {
                refusal.message =
                    format!("invalid WAL segment size in control file ({found} {bytes})");
                refusal.detail = Some(
                    "The WAL segment size must be a power of two between 1 MB and 1 GB.".to_owned(),
                );
            }
            list.0.push(Impossible {
                field: "xlog_seg_size",
                found: found.to_string(),
                expected: "a power of two between 1 MB and 1 GB".to_owned(),
                other_build: false,
                refusal: Some(refusal),
            });
        }
    }

    /// What `StartupXLOG` refuses. The last two it takes from the checkpoint record, of which
    /// `checkPointCopy` is a copy.
    fn against_recovery(&self, list: &mut Complaints) {
        let own_words = self.version.since(Major::V13);
        let words = |new: &str| {
            if own_words {
                new
            } else {
                "control file contains invalid data"
            }
            .to_owned()
        };
        let copy = &self.check_point_copy;
        if !self.is_past_page_header(self.check_point) {
            list.0.push(Impossible::refused(
                "checkPoint",
                self.check_point,
                "a place after a WAL page header",
                "FATAL",
                words("control file contains invalid checkpoint location"),
            ));
        }
        let state = match self.state {
            DbState::Startup => Some(0),
            DbState::Unknown(number) => Some(number),
            _ => None,
        };
        if let Some(number) = state {
            list.0.push(Impossible::refused(
                "state",
                number,
                "1 to 6",
                "FATAL",
                words("control file contains invalid database cluster state"),
            ));
        }
        if !copy.next_full_xid.xid().is_normal() {
            list.0.push(Impossible::refused(
                "checkPointCopy.nextXid",
                copy.next_full_xid,
                "3 or more",
                "PANIC",
                "invalid next transaction ID".to_owned(),
            ));
        }
        if copy.redo > self.check_point {
            list.0.push(Impossible::refused(
                "checkPointCopy.redo",
                copy.redo,
                "not after checkPoint",
                "PANIC",
                "invalid redo in checkpoint record".to_owned(),
            ));
        }
    }

    /// What contradicts other fields although no server looks.
    fn against_itself(&self, list: &mut Complaints) {
        let copy = &self.check_point_copy;
        let next_xid = copy.next_full_xid.xid();
        if !self.is_past_page_header(copy.redo) {
            list.unseen(
                "checkPointCopy.redo",
                copy.redo,
                "a place after a WAL page header",
            );
        }
        if let Some(prev) = self.prev_check_point
            && prev > self.check_point
        {
            list.unseen("prevCheckPoint", prev, "not after checkPoint");
        }
        if copy.this_time_line_id == 0 {
            list.unseen("checkPointCopy.ThisTimeLineID", 0, "1 or more");
        }
        if let Some(prev) = copy.prev_time_line_id
            && (prev == 0 || prev > copy.this_time_line_id)
        {
            list.unseen("checkPointCopy.PrevTimeLineID", prev, "1 to ThisTimeLineID");
        }
        if !copy.oldest_xid.is_normal() || next_xid.precedes(copy.oldest_xid) {
            list.unseen(
                "checkPointCopy.oldestXid",
                copy.oldest_xid,
                "3 or more, not after nextXid",
            );
        }
        if copy.oldest_active_xid.is_valid()
            && (!copy.oldest_active_xid.is_normal() || next_xid.precedes(copy.oldest_active_xid))
        {
            list.unseen(
                "checkPointCopy.oldestActiveXid",
                copy.oldest_active_xid,
                "0, or not after nextXid",
            );
        }
        if copy.next_multi == 0 {
            list.unseen("checkPointCopy.nextMulti", 0, "1 or more");
        }
        // `multixact.c: MultiXactIdPrecedes` compares in a circle without reserved numbers.
        if let Some(oldest) = copy.oldest_multi
            && (oldest == 0 || copy.next_multi.wrapping_sub(oldest) >= 1 << 31)
        {
            list.unseen(
                "checkPointCopy.oldestMulti",
                oldest,
                "1 or more, not after nextMulti",
            );
        }
        if let (Some(oldest), Some(newest)) = (copy.oldest_commit_ts_xid, copy.newest_commit_ts_xid)
            && oldest.is_valid() != newest.is_valid()
        {
            list.unseen(
                "checkPointCopy.oldestCommitTsXid",
                oldest,
                "0 exactly when newestCommitTsXid is 0",
            );
        }
        if let WalLevel::Unknown(number) = self.wal_level {
            list.unseen("wal_level", number, "a level of this version");
        }
        let highest = if self.version.since(Major::V19) { 3 } else { 1 };
        if let Some(number) = self.data_checksum_version
            && number > highest
        {
            list.unseen("data_checksum_version", number, "a number of this version");
        }
    }

    /// `access/xlog_internal.h: XRecOffIsValid`, for the start of a record.
    fn is_past_page_header(&self, lsn: XLogRecPtr) -> bool {
        let page = self.layout().xlog_blcksz;
        let at = lsn.low().checked_rem(page).unwrap_or(0);
        if self.version.since(Major::V9_3) {
            at >= 24
        } else {
            // A record's 32 bytes of header were never split.
            at >= 16 && page.saturating_sub(at) >= 32
        }
    }
}

/// A value that no cluster has, or no ordinary one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Impossible {
    /// The field in PostgreSQL's spelling.
    pub field: &'static str,
    /// The value there.
    pub found: String,
    /// What it should be.
    pub expected: String,
    /// A server built with other options, or of a pre-release, has this value: strange, not
    /// impossible.
    pub other_build: bool,
    /// What the server says of it; `None` when it does not look.
    pub refusal: Option<Refusal>,
}

impl Impossible {
    fn refused(
        field: &'static str,
        found: impl fmt::Display,
        expected: &str,
        severity: &'static str,
        message: String,
    ) -> Self {
        Self {
            field,
            found: found.to_string(),
            expected: expected.to_owned(),
            other_build: false,
            refusal: Some(Refusal::plain(severity, message)),
        }
    }
}

const RECOMPILE: &str = "It looks like you need to recompile or initdb.";

/// The list being gathered.
struct Complaints(Vec<Impossible>);

impl Complaints {
    /// A number that must be the server's own.
    fn build(&mut self, (field, name): (&'static str, &str), found: u32, own: u32, legal: bool) {
        if found == own {
            return;
        }
        let hint = match name {
            "PG_CONTROL_VERSION" | "CATALOG_VERSION_NO" | "MAXALIGN" => INITDB,
            _ => RECOMPILE,
        };
        self.0.push(Impossible {
            field,
            found: found.to_string(),
            expected: own.to_string(),
            other_build: legal,
            refusal: Some(Refusal::compiled(name, found, own, hint)),
        });
    }

    /// A build option that every ordinary 64-bit server has.
    fn by_value(&mut self, field: &'static str, name: &str, found: Option<bool>) {
        if found == Some(false) {
            self.0.push(Impossible {
                field,
                found: "false".to_owned(),
                expected: "true".to_owned(),
                other_build: true,
                refusal: Some(Refusal::incompatible(
                    &format!(
                        "The database cluster was initialized without {name} but the server was \
                         compiled with {name}."
                    ),
                    RECOMPILE,
                )),
            });
        }
    }

    fn unseen(&mut self, field: &'static str, found: impl fmt::Display, expected: &str) {
        self.0.push(Impossible {
            field,
            found: found.to_string(),
            expected: expected.to_owned(),
            other_build: false,
            refusal: None,
        });
    }
}
