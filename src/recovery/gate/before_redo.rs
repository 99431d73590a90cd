//! What a start meets between reading the checkpoint and redo.
//!
//! Sources: `xlog.c: StartupXLOG, CheckRequiredParameterValues`; `pgstat.c:
//! pgstat_reset_all`; `reinit.c: ResetUnloggedRelations`; `slot.c: StartupReplicationSlots`.

use super::{Gate, MissingPage, OnDisk, files, no_directory};
use crate::format::checkpoint::WalLevel;
use crate::format::slru::Slru;
use crate::format::version::Major;
use crate::recovery::start::DryRun;
use crate::verdict::Outcome;

impl Gate<'_> {
    /// The page of the commit log that is missing when the server asks what became of a
    /// prepared transaction (`twophase.c: ProcessTwoPhaseBuffer`), 10 and later.
    pub(super) fn prepared(&self, run: &DryRun) -> Option<MissingPage> {
        let next = run.check_point?.next_full_xid.xid();
        // From 15 on a crashed server knows by then that it recovers, and takes a missing file
        // for zeroes (slru.c: SlruPhysicalReadPage; xlogrecovery.c: InitWalRecovery).
        let forgives = run.outcome != Outcome::Clean && self.layout.since(Major::V15);
        let mut waiting = files::prepared(self.evidence)
            .filter(|xid| self.layout.since(Major::V10) && xid.precedes(next))
            .map(|xid| (xid, Slru::Xact.pageno(xid.0.into(), &self.layout)));
        let (xid, page) = waiting.find(|(_, page)| match self.on_disk(Slru::Xact, *page) {
            OnDisk::Page => false,
            OnDisk::ShortFile | OnDisk::Closed => true,
            OnDisk::Nothing => !forgives,
        })?;
        Some(self.missing_page(Slru::Xact, page, xid.0.into()))
    }

    /// The page that replay cannot read, since its file ends before it or is closed. Where the file is missing
    /// replay takes it for zeroes (`slru.c: SlruPhysicalReadPage`).
    pub(super) fn unreadable_for_redo(&self, run: &DryRun) -> Option<MissingPage> {
        let reads = &run.plan.as_ref()?.slru_reads;
        let failing = reads.iter().filter(|((slru, page), _)| {
            matches!(
                self.on_disk(*slru, *page),
                OnDisk::ShortFile | OnDisk::Closed
            )
        });
        let ((slru, page), read) = failing.min_by_key(|(_, read)| **read)?;
        Some(self.missing_page(*slru, *page, read.asked_for))
    }

    pub(super) fn before_redo(&self, run: &DryRun) -> Option<String> {
        let since = |major| self.layout.since(major);
        let version = self.layout.version;
        let crashed = run.outcome != Outcome::Clean;
        // The folder for the moment may be set to lie elsewhere.
        if crashed && since(Major::V9_3) && !since(Major::V15) {
            let moved =
                !self.settings.complete || self.settings.get("stats_temp_directory").is_some();
            if !moved && self.lacks("pg_stat_tmp") {
                return Some(no_directory("pg_stat_tmp"));
            }
            if self.lacks("pg_stat") {
                return Some(no_directory("pg_stat"));
            }
        }
        if let Some(message) = self.unremovable(run) {
            return Some(message);
        }
        // Up to 10 tablespaces are listed in any case.
        if since(Major::V9_1) && (crashed || !since(Major::V11)) && self.lacks("pg_tblspc") {
            return Some(no_directory("pg_tblspc"));
        }
        if since(Major::V9_4) && self.lacks("pg_replslot") {
            return Some(no_directory("pg_replslot"));
        }
        if since(Major::V9_4)
            && let Some(message) = self.slots()
        {
            return Some(message);
        }
        if since(Major::V9_5)
            && let Some(message) = files::origins(self.evidence, version).and_then(|f| f.message)
        {
            return Some(message);
        }
        if self.lacks("pg_twophase") {
            return Some(no_directory("pg_twophase"));
        }
        if let Some(point) = run.check_point
            && since(Major::V10)
        {
            let next = point.next_full_xid;
            if let Some(page) = self.prepared(run) {
                return Some(page.message);
            }
            let bad = files::two_phase(self.evidence, &self.layout, next, run.plan.as_ref());
            if let Some(message) = bad.into_iter().find_map(|file| file.message) {
                return Some(message);
            }
        }
        self.parameters(run)
    }

    fn slots(&self) -> Option<String> {
        let version = self.layout.version;
        let bad = files::slots(self.evidence, version);
        if let Some(message) = bad.into_iter().find_map(|file| file.message) {
            return Some(message);
        }
        if self.settings.get("wal_level") != Some("minimal") || !self.layout.since(Major::V10) {
            return None;
        }
        let slot = files::sound_slots(self.evidence, version)
            .into_iter()
            .next()?;
        let (kind, least) = if slot.database == 0 {
            ("physical", "replica")
        } else {
            ("logical", "logical")
        };
        let name = slot.name;
        Some(if self.layout.since(Major::V17) {
            format!(
                "FATAL: {kind} replication slot \"{name}\" exists, but \"wal_level\" < \"{least}\""
            )
        } else {
            format!("FATAL: {kind} replication slot \"{name}\" exists, but wal_level < {least}")
        })
    }

    /// Recovery from an archive needs WAL that was written for it, and a server that lets
    /// queries in needs room for as many transactions as the primary had.
    fn parameters(&self, run: &DryRun) -> Option<String> {
        let since = |major| self.layout.since(major);
        let control = self.cluster.sound_control()?;
        if !self.request.archive_recovery || !since(Major::V10) {
            return None;
        }
        let minimal = control.wal_level == WalLevel::Minimal
            || run
                .plan
                .as_ref()
                .is_some_and(|plan| plan.minimal_from.is_some());
        let serves_queries = self.settings.switch("hot_standby", true)?;
        if minimal && since(Major::V17) {
            return Some(
                "FATAL: WAL was generated with \"wal_level=minimal\", cannot continue recovering"
                    .to_owned(),
            );
        }
        if minimal && since(Major::V14) {
            return Some(
                "FATAL: WAL was generated with wal_level=minimal, cannot continue recovering"
                    .to_owned(),
            );
        }
        if !serves_queries {
            return None;
        }
        if minimal {
            return Some(
                "FATAL: hot standby is not possible because wal_level was not set to \"replica\" \
                 or higher on the master server"
                    .to_owned(),
            );
        }
        let needed = [
            ("max_connections", 100, Some(control.max_connections)),
            ("max_worker_processes", 8, control.max_worker_processes),
            ("max_wal_senders", 10, control.max_wal_senders),
            (
                "max_prepared_transactions",
                0,
                Some(control.max_prepared_xacts),
            ),
            (
                "max_locks_per_transaction",
                64,
                Some(control.max_locks_per_xact),
            ),
        ];
        needed.into_iter().find_map(|(name, usual, least)| {
            let (own, least) = (self.settings.number(name, usual)?, least?);
            (own < least).then(|| {
                if since(Major::V14) {
                    "FATAL: recovery aborted because of insufficient parameter settings".to_owned()
                } else {
                    format!(
                        "FATAL: hot standby is not possible because {name} = {own} is a lower \
                         setting than on the master server (its value was {least})"
                    )
                }
            })
        })
    }
}
