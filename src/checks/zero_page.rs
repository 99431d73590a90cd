//! A block inside a relation is all zero.

check! {
    /// ## What it means
    /// A block inside a table or index is zero throughout. In most cases that is in order: a
    /// table grows by empty blocks first, and a crash may come before they are filled. Scans
    /// skip such a block as empty, and later it is used (VACUUM up to 11 warns `relation
    /// "..." page N is uninitialized --- fixing`, later ones are silent). But rows that once
    /// were there vanish without any error too, since a checksum is not kept for a zero page.
    ///
    /// In an index it is an error as soon as a search gets there: `index "..." contains
    /// unexpected zero page at block N`, with the hint to REINDEX. And if the WAL to be
    /// replayed changes such a block without making it anew, replay warns `page N of relation
    /// ... is uninitialized` and ends in PANIC `WAL contains references to invalid pages`.
    ///
    /// ## How it is decided
    /// All 8192 bytes are zero (`bufpage.c: PageIsVerified` accepts that in every version).
    /// It is a note; it becomes abnormal when the visibility map, the file `_vm` beside the
    /// table, says that all rows in this block are visible to everyone: the server never sets
    /// that for a block without a header, so rows were there.
    ///
    /// ## What else may cause it
    /// `zero_damaged_pages = on` at some earlier time, which throws damaged pages away for
    /// good; a disk or SSD that lost a write or was trimmed; a sparse copy, a file system or
    /// virtual disk after a power failure; a restore of changed blocks only that left holes.
    ///
    /// ## What to do
    /// Copy the directory as it is before anything else. For a plain note nothing more is
    /// needed.
    ///
    /// If it is abnormal, count the rows of this table against a backup, a standby or a
    /// foreign key, and take the block from there: nothing of it is left here. Look where the
    /// zero blocks begin and end: ranges that are a multiple of the disk's or the storage's
    /// unit point to the hardware. For an index, REINDEX loses nothing.
    "zero-page" Note Page: "a block inside a relation is all zero"
}
