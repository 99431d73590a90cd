//! A segment before the last one is not full.

check! {
    /// ## What it means
    /// A large table or index is cut into files of 1 GB (131072 blocks of 8 kB), called
    /// segments. A segment before the last is not full, so the numbers of all blocks behind
    /// it lead nowhere. The server takes the end of the short segment for the end of the
    /// relation: sequential scans, `count(*)` and `pg_dump` silently stop there. Index scans
    /// that want a block further on fail: `could not open file "base/16384/16397.2" (target
    /// block 270000): previous segment is only 100 blocks`; older releases have this message
    /// without its second half, or read the later segment all the same.
    ///
    /// ## How it is decided
    /// Every segment but the last must have exactly the segment size that `pg_control` tells
    /// (`md.c: mdnblocks, _mdfd_getseg`). Trailing empty segments are normal. A finding
    /// `heals` when WAL replay truncates or drops the relation, or when it is unlogged or
    /// temporary and reset at start.
    ///
    /// ## What else may cause it
    /// A copy that was cut off or ran into a full disk; a file system that lost the file's
    /// end in a crash; `truncate` or `dd` used by hand; a sparse or incremental copy gone
    /// wrong; a segment of another relation or generation put in its place. A crash in the
    /// middle of TRUNCATE is finished by replay.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else, and keep writers off this table: new
    /// rows would be put into the short segment, over the place of the lost ones.
    ///
    /// Restore the segment from a backup or standby of the same moment, or all of the
    /// cluster. For an index, REINDEX loses nothing. Filling the segment up with zeroes to 1
    /// GB in a copy makes the later segments readable again, since zero blocks count as empty
    /// (`zero-page`); the rows of the lost blocks stay lost, and constraints must be checked
    /// after the dump.
    "relation-segment-short" Damage Dir: "a segment before the last one is not full"
}
