//! Commit log segment lies outside the live range.

check! {
    /// ## What it means
    /// A file of the commit log (`pg_clog` up to 9.6, `pg_xact` later) lies outside the range
    /// of transactions that exist in this cluster. It belongs to no transaction, so by itself
    /// it does no harm, but it tells of something: mostly someone made it with `dd`, full of
    /// zeroes, to get rid of `could not access status of transaction ...`. Zero means in
    /// progress, which counts as aborted. So a row with a damaged header, which gave an error
    /// before, now silently vanishes, and the first scan marks it as aborted in the table.
    ///
    /// ## How it is decided
    /// None of the segment's 1048576 transactions lies between `oldestXid` and the next XID
    /// after replay. The server makes a page only when its first transaction begins (`clog.c:
    /// ExtendCLOG`), and removes whole segments before the oldest (`clog.c: TruncateCLOG`),
    /// so it has no use for such a file. The report says whether it is zero throughout.
    ///
    /// ## What else may cause it
    /// Files copied in from another cluster, or from an older state of this one; `pg_control`
    /// that is older than the files, or `pg_resetwal` (`pg_resetxlog` up to 9.6) with a lower
    /// next XID: then the files are right and the counter is wrong; a crash between the end
    /// of a VACUUM and the removal of old segments, for files just behind the oldest XID.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, the made-up files with it: their
    /// names tell which transaction numbers were asked for.
    ///
    /// Then, in the copy, move files that are all zero out of the directory: this loses
    /// nothing, since no transaction ever was in them, and the rows give an error again
    /// instead of vanishing. See `xmin-out-of-range` for these rows. If the server has run
    /// with the files, rows may be marked as aborted by now; only a backup or an earlier copy
    /// has them unmarked. Files with content should stay until it is clear whether
    /// `pg_control` is the right one.
    "clog-segment-foreign" Abnormal Clog: "commit log segment lies outside the live range"
}
