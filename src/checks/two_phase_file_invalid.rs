//! State of a prepared transaction is damaged.

use crate::check::Examination;
use crate::finding::Findings;
use crate::recovery::gate::files;


use crate::finding::Severity;

check! {
    /// ## What it means
    /// A transaction was prepared for two-phase commit, and a checkpoint has moved its state to a
    /// file in `pg_twophase`. That file is damaged, so the transaction can neither be committed nor
    /// rolled back. From 12 on the server does not start: FATAL `invalid magic number stored in
    /// file "..."`, `calculated CRC checksum does not match value stored in file "..."`, `incorrect
    /// size of file "..."`, `corrupted two-phase state file for transaction ...`. Up to 11 it says
    /// WARNING `removing corrupt two-phase state file`, starts, and the transaction is gone as if
    /// it had been rolled back, although the other side may have committed.
    ///
    /// ## How it is decided
    /// Length, magic number, CRC and transaction number, as in `twophase.c: ReadTwoPhaseFile,
    /// ProcessTwoPhaseBuffer`. Files of transactions that `pg_xact` says have ended, and of those
    /// the checkpoint does not know yet, are removed by the server without a look into them, and
    /// are not reported; nor are, up to 11, those of transactions that end in the WAL to replay.
    ///
    /// ## What else may cause it
    /// Storage that confirmed writes it had not made when the machine crashed; a copy made from a
    /// running server; a disk that is failing. Someone may also have renamed a file.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. Take the file from a standby or a backup
    /// taken after the PREPARE: it never changes once it is written. Ask the transaction manager
    /// what became of the transaction on the other side.
    ///
    /// Only if nobody has the file and the transaction is known to be rolled back, move it away
    /// in a copy and start that. Do not do so otherwise: its rows then count as never written.
    "two-phase-file-invalid" Fatal Dir: "the state of a prepared transaction is damaged"
}

/// The state files of transactions that are still prepared.
pub fn run(examination: &Examination<'_>, findings: &mut Findings) {
    let (Some(layout), Some(run)) = (&examination.cluster.layout, examination.recovery) else {
        return;
    };
    let Some(point) = run.check_point else { return };
    for file in files::two_phase(examination.evidence, layout, point.next_full_xid, run.plan.as_ref()) {
        // Where the server goes on, the transaction is lost.
        let severity = match file.message {
            Some(_) => Severity::Fatal,
            None => Severity::Damage,
        };
        findings.push(super::bad_file(&CHECK, file).severity(severity));
    }
}
