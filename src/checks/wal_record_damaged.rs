//! WAL breaks off although valid WAL follows.

check! {
    /// ## What it means
    /// The WAL (the write-ahead log from which a crash is repaired) breaks off at a record
    /// that cannot be read, yet further on valid WAL of this cluster follows. So this is not
    /// where writing ended: it is damage in the middle. The server cannot tell the two apart.
    /// It logs one line at LOG, such as `incorrect resource manager data checksum in record
    /// at 0/34C4A90`, `record with incorrect prev-link ...`, `unexpected pageaddr ...` or
    /// `invalid record length at ...` (up to 9.4 `record with zero length at ...`), says that
    /// it is ready, and all transactions behind that point are lost. Measured on 15: 20000 of
    /// 110003 committed rows were left, with no error.
    ///
    /// ## How it is decided
    /// All checks of `xlogreader.c: ValidXLogRecord, XLogReaderValidatePageHeader` (up to 9.2
    /// `xlog.c: ReadRecord, RecordIsValid`) are done in the server's order. Past the first
    /// failure the report searches for pages whose address fits their place and for records
    /// whose CRC and back link (`xl_prev`) fit each other. Old content of a recycled file has
    /// other addresses, and does not count. What the later WAL holds (commits, times,
    /// relations) is the loss.
    ///
    /// ## What else may cause it
    /// A failing disk, controller or memory; a segment copied while it was being written; a
    /// file of the same name from a sibling cluster or another timeline; a storage that
    /// confirmed writes and lost them, later ones having reached the disk before earlier
    /// ones.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and do not start the server: it
    /// writes its new WAL over the rest of the log from this very point, and then the lost
    /// transactions are beyond rescue.
    ///
    /// Look for a sound copy of the segment: WAL archive, `pg_wal` of a standby,
    /// `pg_receivewal`, a backup tool's store. Put it into a copy of the directory and check
    /// again; if the break is gone, start that. A standby that already has replayed it should
    /// be promoted instead. `pg_resetwal` (`pg_resetxlog` up to 9.6) does not skip the
    /// record: it discards all WAL, also what comes before.
    "wal-record-damaged" Damage Wal: "WAL breaks off although valid WAL follows"
}
