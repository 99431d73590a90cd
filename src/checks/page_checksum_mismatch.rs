//! A page whose checksum does not fit its content.

check! {
    /// ## What it means
    /// The checksum stored in the page header (`pd_checksum`) is not the one that the page's
    /// bytes and its block number give. The server refuses to read such a page.
    ///
    /// ## How it is decided
    /// Only where `pg_control` says that the cluster has data checksums. Every page of every
    /// fork that is not all zeros is computed as the server computes it
    /// (`checksum_impl.h: pg_checksum_page`). A page that WAL replay rebuilds from a full-page
    /// image is reported as healed.
    ///
    /// ## What else may cause it
    /// - a copy taken while the server was writing, without `pg_backup_start` and the WAL that
    ///   belongs to it
    /// - a page written to the wrong place: then its checksum fits another block number
    /// - checksums enabled by editing `pg_control` and not by `pg_checksums --enable`
    ///
    /// ## What to do
    /// Copy the data directory first. Restore the block or the table from a backup. Where there
    /// is none, `ignore_checksum_failure` lets a copy of the cluster read what is left of the
    /// page; it may return wrong rows without a word.
    "page-checksum-mismatch" Damage Page: "page checksum does not match"
}
