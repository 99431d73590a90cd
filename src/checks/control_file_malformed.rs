//! Pg_control cannot be read as a control file.

check! {
    /// ## What it means
    /// `global/pg_control` is the 8192-byte file with which every start begins: it names the
    /// format version, the cluster's identity (system identifier), how the server stopped,
    /// and where the last checkpoint lies in the WAL (the write-ahead log from which a crash
    /// is repaired). Here it is absent, too short, or its bytes are no control file of any
    /// known version. No table is damaged by that alone, but the server cannot start, and
    /// nothing else in the directory says where recovery must begin.
    ///
    /// The server says `could not find the database system` when the file is absent, PANIC
    /// `could not read from control file` (12 and later `could not read file
    /// "global/pg_control"`) when it is too short, and FATAL `database files are incompatible
    /// with server` with `PG_CONTROL_VERSION 0` when it is all zero.
    ///
    /// ## How it is decided
    /// The file must hold the whole structure of its version, and its `pg_control_version`
    /// must be one that 9.0 to 19 write, in this byte order (`xlog.c: ReadControlFile`). When
    /// the number makes sense only with its bytes swapped, the directory comes from a machine
    /// of the other byte order.
    ///
    /// ## What else may cause it
    /// A copy or restore that was cut off, or left `global/pg_control` for last and never got
    /// there; a full disk; a file system repaired after a crash, which may leave files empty
    /// or zero; an encrypted or compressed file of a backup tool; a directory of another
    /// product.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, the WAL with it. Then look for this
    /// cluster's own `pg_control`: a standby or a backup is the way back, restored as a
    /// whole.
    ///
    /// Do not put in a `pg_control` of another day or cluster: with the wrong checkpoint the
    /// server replays from the wrong place and spoils good tables. `pg_resetwal`
    /// (`pg_resetxlog` up to 9.6) writes a new file from guesses and throws away all WAL:
    /// every change not yet in the tables is lost or half done. It is a last resort, on a
    /// second copy, only to dump what can be read and load it into a new cluster.
    "control-file-malformed" Fatal Ctl: "pg_control cannot be read as a control file"
}
