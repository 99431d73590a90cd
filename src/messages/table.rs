//! The table of messages, in the order of a start and then of daily life.
//!
//! Wordings were taken from PostgreSQL's sources and servers of 9.0 to 19; a later minor
//! release may have the next major's wording too.

use super::Consequence::{EndOfWal, GoesOn, Normal, QueryFails, SilentLoss, StartFails};
use super::Kind::{self, Block, File, FileIn, Lsn, MultiXact, Other, Relation, Segment, Xid};
use super::{Message, Wording};
use crate::format::version::Major;

/// Majors as in [`Major`]: 900 is 9.0, 1500 is 15.
const fn w(text: &'static str, values: &'static [Kind], from: u16, to: u16) -> Wording {
    let (from, to) = (Major(from), Major(to));
    Wording {
        text,
        values,
        from,
        to,
    }
}

const TLI: Kind = Other("timeline");
const OFFSET: Kind = Other("byte");
const ERRNO: Kind = Other("reason");
const FOUND: Kind = Other("found");
const EXPECTED: Kind = Other("expected");
const LOG_ID: Kind = Other("log file");
const SEG: Kind = Other("segment");
const INDEX: Kind = Relation;

const COPY: &str = "Copy the directory as it is before anything else, and work on the copy.";
const COPY_CHECK: &str = "Copy the directory as it is before anything else, then run \
    `pgautopsy check` on it.";
const WAL_ADVICE: &str = "Copy the directory before the next start, then run `pgautopsy check`: \
    it looks for valid WAL behind the place. If there is some, get the missing or damaged \
    segment from the archive or a standby.";
const NO_RESETWAL: &str = "Do not run pg_resetwal (pg_resetxlog up to 9.6): it discards the WAL \
    without replaying it, which loses or halves the last changes, and nothing says so later.";
const NO_RESTART: &str = "Do not start the server again before there is a copy: the end of \
    recovery overwrites the WAL behind this place. Do not run pg_resetwal.";
const NO_DD: &str = "Do not make the file with dd: zeroes mean \"aborted\" or \"not there\" and \
    turn an error into rows that are silently missing. Do not run pg_resetwal: it brings no \
    status back.";
const NO_ZERO: &str = "Do not set zero_damaged_pages and do not run VACUUM FULL or CLUSTER on it: \
    they throw away what could still be read. Do not write over the block with dd.";
const NO_DELETE: &str = "Do not run VACUUM FULL, do not delete rows by guess, and do not run \
    pg_resetwal: none of it brings anything back.";
const NO_LABEL: &str = "Do not remove backup_label, whatever the HINT says, if the directory is a \
    backup: the server then starts from a later checkpoint and the cluster is corrupt without \
    a word. Do not run pg_resetwal.";

/// Every message, the most basic first.
pub static MESSAGES: &[Message] = &[
    Message {
        id: "data-directory-invalid",
        wordings: &[
            w(
                "\"%s\" is not a valid data directory",
                &[Other("directory")],
                900,
                1900,
            ),
            w("File \"%s\" is missing.", &[File], 900, 1900),
            w(
                "File \"%s\" does not contain valid data.",
                &[File],
                900,
                1900,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "PG_VERSION is missing or holds no version number. In a database's own folder \
            (base/OID) the server starts, but nobody can connect to that database.",
        checks: &["version-file-invalid", "required-file-missing"],
        advice: "See whether the path is right and the file system is mounted; then look for \
            what else is missing with `pgautopsy check`.",
        avoid: "Do not write the file by hand and start: where one file is gone, others may be. \
            Do not run initdb there, nor pg_resetwal.",
        source: "miscinit.c: ValidatePgVersion",
    },
    Message {
        id: "server-incompatible",
        wordings: &[
            w(
                "database files are incompatible with server",
                &[],
                900,
                1900,
            ),
            w(
                "The data directory was initialized by PostgreSQL version %s, which is not \
                 compatible with this version %s.",
                &[Other("directory"), Other("server")],
                900,
                1900,
            ),
            w(
                "The database cluster was initialized with %s, but the server was compiled with \
                 %s.",
                &[Other("directory"), Other("server")],
                900,
                1900,
            ),
            w(
                "The database cluster was initialized with %s but the server was compiled \
                 without %s.",
                &[Other("directory"), Other("server lacks")],
                900,
                1800,
            ),
            w(
                "The database cluster was initialized without %s but the server was compiled \
                 with %s.",
                &[Other("directory lacks"), Other("server")],
                900,
                1800,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "PG_VERSION or pg_control name another version or build than this server. \
            Either the wrong server was started, or pg_control is damaged.",
        checks: &[
            "control-file-wrong-version",
            "control-file-impossible-value",
            "control-file-malformed",
            "version-file-invalid",
        ],
        advice: "Start the server of the version in PG_VERSION. If that says the same, run \
            `pgautopsy control` on the directory.",
        avoid: "Do not run pg_resetwal or pg_upgrade to get past it: pg_resetwal would write a \
            guessed pg_control and drop the WAL.",
        source: "miscinit.c: ValidatePgVersion; xlog.c: ReadControlFile",
    },
    Message {
        id: "lock-file-in-use",
        wordings: &[
            w("lock file \"%s\" already exists", &[File], 900, 1900),
            w("lock file \"%s\" is empty", &[File], 903, 1900),
            w(
                "bogus data in lock file \"%s\": \"%s\"",
                &[File, FOUND],
                900,
                1900,
            ),
            w(
                "pre-existing shared memory block (key %u, ID %u) is still in use",
                &[Other("key"), Other("ID")],
                900,
                1900,
            ),
            w(
                "pre-existing shared memory block is still in use",
                &[],
                900,
                1900,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "postmaster.pid is there: another server runs on this directory, or one that \
            was killed left the file or its child processes behind.",
        checks: &["lock-file-empty"],
        advice: "Look for postgres processes and end them by `pg_ctl stop`; look on every \
            machine that can mount the directory.",
        avoid: "Do not delete postmaster.pid while any process of the old server lives, here or \
            on another machine: two servers on one directory destroy it.",
        source: "miscinit.c: CreateLockFile",
    },
    Message {
        id: "control-file-unreadable",
        wordings: &[
            w(
                "could not open file \"global/pg_control\": %m",
                &[ERRNO],
                1200,
                1900,
            ),
            w(
                "could not open control file \"%s\": %m",
                &[File, ERRNO],
                900,
                1100,
            ),
            w(
                "could not read file \"global/pg_control\": %m",
                &[ERRNO],
                1200,
                1900,
            ),
            w(
                "could not read file \"global/pg_control\": read %d of %d",
                &[FOUND, EXPECTED],
                1200,
                1900,
            ),
            w("could not read from control file: %m", &[ERRNO], 900, 1100),
            w(
                "could not read from control file: read %d bytes, expected %d",
                &[FOUND, EXPECTED],
                903,
                1100,
            ),
        ],
        level: "PANIC",
        consequence: StartFails,
        meaning: "global/pg_control is missing, too short or on a bad sector. It names the \
            checkpoint from which recovery starts; without it the server knows nothing.",
        checks: &["control-file-malformed", "required-file-missing"],
        advice: "Copy the directory as it is. There is no second copy of pg_control in it: take \
            a standby, or restore a backup with its WAL.",
        avoid: NO_RESETWAL,
        source: "xlog.c: ReadControlFile",
    },
    Message {
        id: "control-file-checksum",
        wordings: &[w("incorrect checksum in control file", &[], 900, 1900)],
        level: "FATAL",
        consequence: StartFails,
        meaning: "At least one byte of global/pg_control is not what the server wrote. Tables \
            and WAL may be in perfect order.",
        checks: &["control-file-crc-mismatch", "control-file-malformed"],
        advice: "Copy the directory as it is; then a standby, or a backup with its WAL. \
            `pgautopsy control` shows which value looks wrong.",
        avoid: NO_RESETWAL,
        source: "xlog.c: ReadControlFile",
    },
    Message {
        id: "control-file-invalid-data",
        wordings: &[
            w("control file contains invalid data", &[], 900, 1200),
            w(
                "control file contains invalid checkpoint location",
                &[],
                1300,
                1900,
            ),
            w(
                "control file contains invalid database cluster state",
                &[],
                1300,
                1900,
            ),
            w(
                "WAL segment size must be a power of two between 1 MB and 1 GB, but the control \
                 file specifies %d byte",
                &[FOUND],
                1100,
                1600,
            ),
            w(
                "WAL segment size must be a power of two between 1 MB and 1 GB, but the control \
                 file specifies %d bytes",
                &[FOUND],
                1100,
                1600,
            ),
            w(
                "invalid WAL segment size in control file (%d byte)",
                &[FOUND],
                1700,
                1900,
            ),
            w(
                "invalid WAL segment size in control file (%d bytes)",
                &[FOUND],
                1700,
                1900,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "pg_control has the right CRC and yet a value that cannot be. A tool or a \
            program wrote it so.",
        checks: &[
            "control-file-impossible-value",
            "control-file-disagrees-with-wal",
        ],
        advice: COPY_CHECK,
        avoid: NO_RESETWAL,
        source: "xlog.c: ReadControlFile, StartupXLOG",
    },
    Message {
        id: "wal-directory-missing",
        wordings: &[w(
            "required WAL directory \"%s\" does not exist",
            &[File],
            900,
            1900,
        )],
        level: "FATAL",
        consequence: StartFails,
        meaning: "pg_wal (pg_xlog up to 9.6) is missing, or its symbolic link leads nowhere.",
        checks: &["required-file-missing"],
        advice: "Mount the file system the link points to, or put the WAL back where it was.",
        avoid: "Do not make an empty directory and run pg_resetwal: all changes since the last \
            checkpoint would be gone.",
        source: "xlog.c: ValidateXLOGDirectoryStructure",
    },
    Message {
        id: "directory-unreadable",
        wordings: &[w(
            "could not open directory \"%s\": %m",
            &[File, ERRNO],
            900,
            1900,
        )],
        level: "FATAL or PANIC at start, ERROR or LOG later",
        consequence: StartFails,
        meaning: "A directory of the cluster is missing or cannot be entered. The server makes \
            none of them anew; empty ones are often lost by copying tools.",
        checks: &["required-file-missing", "tablespace-link-dangling"],
        advice: "See what else is missing with `pgautopsy check`: it knows which directories \
            may be made empty and which held data.",
        avoid: "Do not make pg_xact, pg_multixact, pg_twophase or a tablespace empty by hand: \
            their contents were data. Do not run pg_resetwal.",
        source: "fd.c: ReadDirExtended",
    },
    Message {
        id: "interrupted-in-recovery",
        wordings: &[
            w(
                "database system was interrupted while in recovery at %s",
                &[Other("time")],
                900,
                1900,
            ),
            w(
                "database system was interrupted while in recovery at log time %s",
                &[Other("time")],
                900,
                1900,
            ),
        ],
        level: "LOG",
        consequence: GoesOn,
        meaning: "The last start crashed or was stopped while it replayed WAL. Once may be \
            chance; if it comes again, replay fails at the same damaged place each time.",
        checks: &[
            "wal-record-damaged",
            "page-header-invalid",
            "page-checksum-mismatch",
            "relation-segment-missing",
        ],
        advice: "Read in the log why the start before this one ended.",
        avoid: "Do not start it again and again, and do not run pg_resetwal to stop it.",
        source: "xlog.c: StartupXLOG",
    },
    Message {
        id: "database-interrupted",
        wordings: &[
            w(
                "database system was interrupted; last known up at %s",
                &[Other("time")],
                900,
                1900,
            ),
            w(
                "database system was not properly shut down; automatic recovery in progress",
                &[],
                900,
                1900,
            ),
        ],
        level: "LOG",
        consequence: Normal,
        meaning: "The server was not stopped cleanly, and replays its WAL now. Every start after \
            a crash says so.",
        checks: &[],
        advice: "Nothing, if \"ready to accept connections\" follows and nothing else is wrong.",
        avoid: "",
        source: "xlog.c: StartupXLOG; xlogrecovery.c: InitWalRecovery",
    },
    Message {
        id: "database-shut-down",
        wordings: &[
            w(
                "database system was shut down at %s",
                &[Other("time")],
                900,
                1900,
            ),
            w(
                "database system was shut down in recovery at %s",
                &[Other("time")],
                900,
                1900,
            ),
        ],
        level: "LOG",
        consequence: Normal,
        meaning: "The server was stopped cleanly before. pg_resetwal leaves this state too.",
        checks: &[],
        advice: "Nothing.",
        avoid: "",
        source: "xlog.c: StartupXLOG",
    },
    Message {
        id: "checkpoint-record-invalid",
        wordings: &[
            w("invalid checkpoint location", &[], 1600, 1900),
            w(
                "invalid primary checkpoint link in control file",
                &[],
                900,
                1500,
            ),
            w(
                "invalid secondary checkpoint link in control file",
                &[],
                900,
                1000,
            ),
            w(
                "invalid checkpoint link in backup_label file",
                &[],
                900,
                1500,
            ),
            w("invalid checkpoint record", &[], 900, 1900),
            w("invalid primary checkpoint record", &[], 900, 1500),
            w("invalid secondary checkpoint record", &[], 900, 1000),
            w(
                "invalid resource manager ID in checkpoint record",
                &[],
                900,
                1900,
            ),
            w(
                "invalid resource manager ID in primary checkpoint record",
                &[],
                900,
                1500,
            ),
            w(
                "invalid resource manager ID in secondary checkpoint record",
                &[],
                900,
                1000,
            ),
            w("invalid xl_info in checkpoint record", &[], 900, 1900),
            w(
                "invalid xl_info in primary checkpoint record",
                &[],
                900,
                1500,
            ),
            w(
                "invalid xl_info in secondary checkpoint record",
                &[],
                900,
                1000,
            ),
            w("invalid length of checkpoint record", &[], 900, 1900),
            w(
                "invalid length of primary checkpoint record",
                &[],
                900,
                1500,
            ),
            w(
                "invalid length of secondary checkpoint record",
                &[],
                900,
                1000,
            ),
        ],
        level: "LOG, then PANIC or FATAL",
        consequence: StartFails,
        meaning: "What pg_control or backup_label name as the checkpoint is no readable \
            checkpoint record: its WAL segment is missing, damaged or another one.",
        checks: &[
            "checkpoint-record-unreadable",
            "control-file-disagrees-with-wal",
            "wal-segment-missing",
            "backup-label-invalid",
        ],
        advice: "Copy the directory, then bring the segment back from the archive, a standby or \
            the file system's lost+found.",
        avoid: NO_RESETWAL,
        source: "xlogrecovery.c: ReadCheckpointRecord",
    },
    Message {
        id: "checkpoint-not-found",
        wordings: &[
            w("could not locate a valid checkpoint record", &[], 900, 1600),
            w(
                "could not locate a valid checkpoint record at %X/%X",
                &[Lsn],
                1700,
                1900,
            ),
        ],
        level: "PANIC",
        consequence: StartFails,
        meaning: "Recovery has no place to start from: the checkpoint record that pg_control \
            names cannot be read.",
        checks: &[
            "checkpoint-record-unreadable",
            "control-file-disagrees-with-wal",
            "wal-segment-missing",
            "wal-segment-foreign",
        ],
        advice: "Copy the directory. Bring back the WAL segment with the checkpoint from the \
            archive or a standby; `pgautopsy check` names it.",
        avoid: NO_RESETWAL,
        source: "xlogrecovery.c: InitWalRecovery",
    },
    Message {
        id: "required-checkpoint-not-found",
        wordings: &[
            w(
                "could not locate required checkpoint record",
                &[],
                900,
                1600,
            ),
            w(
                "could not locate required checkpoint record at %X/%X",
                &[Lsn],
                1700,
                1900,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "backup_label names a checkpoint whose WAL is not here: a backup was restored \
            without the WAL it needs, or a server crashed in an exclusive backup.",
        checks: &[
            "checkpoint-record-unreadable",
            "backup-label-invalid",
            "wal-segment-missing",
        ],
        advice: "If it is a backup, set restore_command and recovery.signal and give it its \
            archive; `pgautopsy check --wal-archive DIR` tells whether that is enough.",
        avoid: NO_LABEL,
        source: "xlogrecovery.c: InitWalRecovery",
    },
    Message {
        id: "previous-checkpoint-used",
        wordings: &[w(
            "using previous checkpoint record at %X/%X",
            &[Lsn],
            900,
            1000,
        )],
        level: "LOG",
        consequence: GoesOn,
        meaning: "The last checkpoint's record is unreadable, and recovery starts at the one \
            before it (up to 10). WAL around the last one is damaged or missing.",
        checks: &[
            "checkpoint-record-unreadable",
            "wal-record-damaged",
            "wal-segment-missing",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlog.c: StartupXLOG",
    },
    Message {
        id: "redo-location-not-found",
        wordings: &[
            w(
                "could not find redo location referenced by checkpoint record",
                &[],
                900,
                1600,
            ),
            w(
                "could not find redo location %X/%X referenced by checkpoint record at %X/%X",
                &[Lsn, Other("checkpoint")],
                1400,
                1900,
            ),
            w(
                "unexpected record type found at redo point %X/%X",
                &[Lsn],
                1700,
                1900,
            ),
        ],
        level: "FATAL with backup_label, else PANIC",
        consequence: StartFails,
        meaning: "The checkpoint is readable, but not the older WAL where replay must begin: \
            its segment is missing or damaged.",
        checks: &[
            "wal-segment-missing",
            "wal-record-damaged",
            "checkpoint-record-unreadable",
            "backup-label-invalid",
        ],
        advice: "Copy the directory. Bring back the segment with the redo location from the \
            archive, a standby or the backup's WAL.",
        avoid: NO_LABEL,
        source: "xlogrecovery.c: InitWalRecovery",
    },
    Message {
        id: "backup-label-refused",
        wordings: &[
            w("invalid data in file \"%s\"", &[File], 900, 1900),
            w(
                "backup_label contains data inconsistent with control file",
                &[],
                902,
                1900,
            ),
            w(
                "Timeline ID parsed is %u, but expected %u",
                &[FOUND, EXPECTED],
                1100,
                1100,
            ),
            w(
                "Timeline ID parsed is %u, but expected %u.",
                &[FOUND, EXPECTED],
                1200,
                1900,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "backup_label (or tablespace_map) is garbled, or does not belong to this \
            pg_control: pieces of different backups were mixed, or a file was edited.",
        checks: &[
            "backup-label-invalid",
            "tablespace-map-invalid",
            "control-file-disagrees-with-wal",
        ],
        advice: "Restore the backup again, with the backup_label and pg_control that belong to \
            it.",
        avoid: NO_LABEL,
        source: "xlogrecovery.c: read_backup_label, InitWalRecovery",
    },
    Message {
        id: "incremental-backup",
        wordings: &[w(
            "this is an incremental backup, not a data directory",
            &[],
            1700,
            1900,
        )],
        level: "FATAL",
        consequence: StartFails,
        meaning: "The directory is an incremental backup: its relation files hold changed \
            blocks alone.",
        checks: &["backup-label-invalid"],
        advice: "Run pg_combinebackup with the full backup and every incremental one up to it.",
        avoid: NO_LABEL,
        source: "xlogrecovery.c: read_backup_label",
    },
    Message {
        id: "recovery-conf-refused",
        wordings: &[w(
            "using recovery command file \"%s\" is not supported",
            &[File],
            1200,
            1900,
        )],
        level: "FATAL",
        consequence: StartFails,
        meaning: "recovery.conf is there, which a server from 12 on refuses. Nothing is damaged.",
        checks: &[],
        advice: "Move its settings into postgresql.conf, make recovery.signal or \
            standby.signal, and rename recovery.conf.",
        avoid: "Do not just delete it: without a signal file the server would end recovery at \
            once and branch off a timeline. Do not run pg_resetwal.",
        source: "xlogrecovery.c: validateRecoveryParameters",
    },
    Message {
        id: "wal-ends-too-early",
        wordings: &[
            w("WAL ends before end of online backup", &[], 901, 1900),
            w("WAL ends before consistent recovery point", &[], 900, 1900),
            w(
                "requested recovery stop point is before consistent recovery point",
                &[],
                900,
                1900,
            ),
            w(
                "recovery ended before configured recovery target was reached",
                &[],
                1300,
                1900,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "All WAL that was found is replayed, and it is not enough: pages of the backup \
            or standby are newer than that, or the target lies beyond it.",
        checks: &[
            "wal-segment-missing",
            "wal-record-damaged",
            "timeline-history-missing",
            "timeline-not-ancestor",
            "backup-label-invalid",
        ],
        advice: "Give it the rest of the WAL, up to the end of the backup; check the archive \
            with `pgautopsy check --wal-archive DIR`.",
        avoid: NO_LABEL,
        source: "xlog.c: StartupXLOG; xlogrecovery.c: PerformWalRecovery",
    },
    Message {
        id: "restore-command-missing",
        wordings: &[
            w(
                "must specify \"restore_command\" when standby mode is not enabled",
                &[],
                1700,
                1900,
            ),
            w(
                "must specify restore_command when standby mode is not enabled",
                &[],
                1200,
                1600,
            ),
            w(
                "recovery command file \"%s\" must specify restore_command when standby mode is \
                 not enabled",
                &[File],
                900,
                1100,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "recovery.signal (up to 11 recovery.conf) asks for recovery from an archive, and \
            no setting says how to fetch WAL from it. Nothing is damaged.",
        checks: &[],
        advice: "Set restore_command to what fetches WAL from the archive; or, if no recovery was \
            meant, move recovery.signal (up to 11 recovery.conf) away.",
        avoid: NO_LABEL,
        source: "xlogrecovery.c: validateRecoveryParameters",
    },
    Message {
        id: "tablespace-link-failed",
        wordings: &[w(
            "could not create symbolic link \"%s\": %m",
            &[File, ERRNO],
            900,
            1900,
        )],
        level: "FATAL, or ERROR",
        consequence: StartFails,
        meaning: "The server makes the links to tablespaces anew, as tablespace_map or the WAL \
            says, and could not.",
        checks: &["tablespace-map-invalid", "tablespace-link-dangling"],
        advice: "Look at tablespace_map: each line is the number of a tablespace, a blank and a \
            path.",
        avoid: NO_LABEL,
        source: "xlogrecovery.c: InitWalRecovery; tablespace.c: create_tablespace_directories",
    },
    Message {
        id: "checkpoint-request-failed",
        wordings: &[w("checkpoint request failed", &[], 1500, 1900)],
        level: "FATAL, or ERROR",
        consequence: StartFails,
        meaning: "Redo was done, but the checkpoint behind it failed; the line before tells why: \
            a folder is missing, a disk is full, or a page is ahead of the WAL.",
        checks: &["required-file-missing", "page-lsn-beyond-wal"],
        advice: "Find the reason in the lines before it in the server's log.",
        avoid: "Do not run pg_resetwal: the WAL was replayed, and nothing of it is lost yet.",
        source: "checkpointer.c: RequestCheckpoint",
    },
    Message {
        id: "timeline-not-child",
        wordings: &[
            w(
                "requested timeline %u is not a child of this server's history",
                &[TLI],
                903,
                1900,
            ),
            w(
                "requested timeline %u is not a child of database system timeline %u",
                &[TLI, Other("own timeline")],
                900,
                902,
            ),
            w(
                "requested timeline %u is not in this server's history",
                &[TLI],
                903,
                1900,
            ),
            w(
                "requested timeline %u does not contain minimum recovery point %X/%X on timeline \
                 %u",
                &[TLI, Lsn, Other("own timeline")],
                903,
                1900,
            ),
            w(
                "recovery target timeline %u does not exist",
                &[TLI],
                900,
                1900,
            ),
            w(
                "Latest checkpoint is at %X/%X on timeline %u, but in the history of the \
                 requested timeline, the server forked off from that timeline at %X/%X.",
                &[Lsn, Other("own timeline"), Other("fork")],
                903,
                1700,
            ),
            w(
                "Latest checkpoint in file \"%s\" is at %X/%X on timeline %u, but in the history \
                 of the requested timeline, the server forked off from that timeline at %X/%X.",
                &[File, Lsn, Other("own timeline"), Other("fork")],
                1800,
                1900,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "The timeline to be recovered branched off before the point this directory has \
            reached, or its history file is missing: the directory is ahead of it.",
        checks: &[
            "timeline-not-ancestor",
            "timeline-history-missing",
            "history-file-invalid",
        ],
        advice: "An old primary rejoins with pg_rewind; a backup needs a target timeline that \
            contains it, and the .history files from the archive.",
        avoid: "Do not delete .history files to make it start, and do not run pg_resetwal: the \
            histories then part for good.",
        source: "xlogrecovery.c: InitWalRecovery, validateRecoveryParameters",
    },
    Message {
        id: "new-timeline-refused",
        wordings: &[
            w(
                "new timeline %u is not a child of database system timeline %u",
                &[TLI, Other("own timeline")],
                901,
                1900,
            ),
            w(
                "new timeline %u forked off current database system timeline %u before current \
                 recovery point %X/%X",
                &[TLI, Other("own timeline"), Lsn],
                903,
                1900,
            ),
        ],
        level: "LOG",
        consequence: GoesOn,
        meaning: "A standby sees that the primary went to another timeline before the point it \
            has replayed itself. It cannot follow, and waits for ever.",
        checks: &["timeline-not-ancestor", "timeline-history-missing"],
        advice: "Run pg_rewind on the standby, or build it anew.",
        avoid: "Do not delete .history files, and do not run pg_resetwal.",
        source: "xlogrecovery.c: rescanLatestTimeLine",
    },
    Message {
        id: "history-file-garbled",
        wordings: &[
            w("syntax error in history file: %s", &[FOUND], 900, 1900),
            w("invalid data in history file: %s", &[FOUND], 900, 1900),
            w("invalid data in history file \"%s\"", &[File], 900, 1900),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "A timeline history file is garbled.",
        checks: &["history-file-invalid", "timeline-not-ancestor"],
        advice: "Bring the file back from the archive or another server of the cluster: it \
            never changes once written.",
        avoid: "Do not delete or rewrite it by guess, and do not run pg_resetwal.",
        source: "timeline.c: readTimeLineHistory",
    },
    Message {
        id: "checkpoint-contradicts",
        wordings: &[
            w("invalid next transaction ID", &[], 900, 1900),
            w("invalid redo in checkpoint record", &[], 900, 1900),
            w("invalid redo record in shutdown checkpoint", &[], 900, 1900),
            w(
                "unexpected timeline ID %u (after %u) in checkpoint record",
                &[TLI, EXPECTED],
                900,
                1900,
            ),
            w(
                "unexpected timeline ID %u (should be %u) in checkpoint record",
                &[TLI, EXPECTED],
                900,
                1400,
            ),
            w(
                "unexpected timeline ID %u (should be %u) in online checkpoint record",
                &[TLI, EXPECTED],
                1500,
                1900,
            ),
            w(
                "unexpected timeline ID %u (should be %u) in shutdown checkpoint record",
                &[TLI, EXPECTED],
                1500,
                1900,
            ),
            w(
                "unexpected timeline ID %u (should be %u) in end-of-recovery record",
                &[TLI, EXPECTED],
                1500,
                1900,
            ),
            w(
                "unexpected previous timeline ID %u (current timeline ID %u) in checkpoint record",
                &[TLI, EXPECTED],
                903,
                1900,
            ),
            w(
                "unexpected timeline ID %u in checkpoint record, before reaching minimum \
                 recovery point %X/%X on timeline %u",
                &[TLI, Lsn, EXPECTED],
                903,
                1900,
            ),
        ],
        level: "PANIC",
        consequence: StartFails,
        meaning: "A checkpoint record has a right CRC and says what cannot be: WAL of different \
            histories was mixed, or a tool wrote the record.",
        checks: &[
            "control-file-disagrees-with-wal",
            "checkpoint-record-unreadable",
            "timeline-not-ancestor",
            "wal-segment-foreign",
        ],
        advice: COPY_CHECK,
        avoid: NO_RESETWAL,
        source: "xlogrecovery.c: InitWalRecovery, checkTimeLineSwitch; xlog.c: xlog_redo",
    },
    Message {
        id: "wal-page-invalid",
        wordings: &[
            w(
                "invalid magic number %04X in log file %u, segment %u, offset %u",
                &[FOUND, LOG_ID, SEG, OFFSET],
                900,
                902,
            ),
            w(
                "invalid magic number %04X in log segment %s, offset %u",
                &[FOUND, Segment, OFFSET],
                903,
                1500,
            ),
            w(
                "invalid magic number %04X in WAL segment %s, LSN %X/%X, offset %u",
                &[FOUND, Segment, Lsn, OFFSET],
                1600,
                1900,
            ),
            w(
                "invalid info bits %04X in log file %u, segment %u, offset %u",
                &[FOUND, LOG_ID, SEG, OFFSET],
                900,
                902,
            ),
            w(
                "invalid info bits %04X in log segment %s, offset %u",
                &[FOUND, Segment, OFFSET],
                903,
                1500,
            ),
            w(
                "invalid info bits %04X in WAL segment %s, LSN %X/%X, offset %u",
                &[FOUND, Segment, Lsn, OFFSET],
                1600,
                1900,
            ),
        ],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: EndOfWal,
        meaning: "A page of WAL does not begin as one. Zeroes (0000) after the last record are \
            the usual end; anything else was overwritten or comes from another version.",
        checks: &[
            "wal-record-damaged",
            "wal-segment-malformed",
            "wal-segment-missing",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlogreader.c: XLogReaderValidatePageHeader",
    },
    Message {
        id: "wal-page-address",
        wordings: &[
            w(
                "unexpected pageaddr %X/%X in log file %u, segment %u, offset %u",
                &[Other("page address"), LOG_ID, SEG, OFFSET],
                900,
                902,
            ),
            w(
                "unexpected pageaddr %X/%X in log segment %s, offset %u",
                &[Other("page address"), Segment, OFFSET],
                903,
                1500,
            ),
            w(
                "unexpected pageaddr %X/%X in WAL segment %s, LSN %X/%X, offset %u",
                &[Other("page address"), Segment, Lsn, OFFSET],
                1600,
                1900,
            ),
        ],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: EndOfWal,
        meaning: "A page of WAL belongs elsewhere. A recycled segment that was not written yet \
            looks so, and then writing ended there; else the file has a wrong name.",
        checks: &[
            "wal-record-damaged",
            "wal-segment-misnamed",
            "wal-segment-missing",
            "wal-segment-recycled",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlogreader.c: XLogReaderValidatePageHeader",
    },
    Message {
        id: "wal-page-timeline",
        wordings: &[
            w(
                "unexpected timeline ID %u in log file %u, segment %u, offset %u",
                &[TLI, LOG_ID, SEG, OFFSET],
                900,
                902,
            ),
            w(
                "unexpected timeline ID %u in log segment %s, offset %u",
                &[TLI, Segment, OFFSET],
                903,
                1500,
            ),
            w(
                "unexpected timeline ID %u in WAL segment %s, LSN %X/%X, offset %u",
                &[TLI, Segment, Lsn, OFFSET],
                1600,
                1900,
            ),
            w(
                "out-of-sequence timeline ID %u (after %u) in log file %u, segment %u, offset %u",
                &[TLI, EXPECTED, LOG_ID, SEG, OFFSET],
                900,
                902,
            ),
            w(
                "out-of-sequence timeline ID %u (after %u) in log segment %s, offset %u",
                &[TLI, EXPECTED, Segment, OFFSET],
                903,
                1500,
            ),
            w(
                "out-of-sequence timeline ID %u (after %u) in WAL segment %s, LSN %X/%X, offset \
                 %u",
                &[TLI, EXPECTED, Segment, Lsn, OFFSET],
                1600,
                1900,
            ),
        ],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: EndOfWal,
        meaning: "A page of WAL is of a timeline that does not belong to this history: a \
            segment of another branch lies in pg_wal or in the archive.",
        checks: &[
            "timeline-not-ancestor",
            "timeline-history-missing",
            "wal-segment-foreign",
            "wal-record-damaged",
        ],
        advice: "Copy the directory, then compare the segments and .history files with the \
            archive: two servers may have archived into one place.",
        avoid: NO_RESTART,
        source: "xlogreader.c: XLogReaderValidatePageHeader; xlogrecovery.c: ReadRecord",
    },
    Message {
        id: "wal-foreign",
        wordings: &[
            w("WAL file is from different database system", &[], 900, 902),
            w(
                "WAL file database system identifier is %s, pg_control database system \
                 identifier is %s.",
                &[FOUND, EXPECTED],
                900,
                902,
            ),
            w("Incorrect XLOG_SEG_SIZE in page header.", &[], 900, 902),
            w("Incorrect XLOG_BLCKSZ in page header.", &[], 900, 902),
            w(
                "WAL file is from different database system: WAL file database system identifier \
                 is %s, pg_control database system identifier is %s.",
                &[FOUND, EXPECTED],
                903,
                904,
            ),
            w(
                "WAL file is from different database system: WAL file database system identifier \
                 is %s, pg_control database system identifier is %s",
                &[FOUND, EXPECTED],
                905,
                1900,
            ),
            w(
                "WAL file is from different database system: Incorrect XLOG_SEG_SIZE in page \
                 header.",
                &[],
                903,
                904,
            ),
            w(
                "WAL file is from different database system: incorrect XLOG_SEG_SIZE in page \
                 header",
                &[],
                905,
                1000,
            ),
            w(
                "WAL file is from different database system: incorrect segment size in page \
                 header",
                &[],
                1100,
                1900,
            ),
            w(
                "WAL file is from different database system: Incorrect XLOG_BLCKSZ in page \
                 header.",
                &[],
                903,
                904,
            ),
            w(
                "WAL file is from different database system: incorrect XLOG_BLCKSZ in page header",
                &[],
                905,
                1900,
            ),
        ],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: SilentLoss,
        meaning: "A WAL segment was written by another cluster: the archive or pg_wal holds \
            files of two of them. The right segment is missing, and recovery ends there.",
        checks: &[
            "wal-segment-foreign",
            "wal-segment-missing",
            "wal-segment-malformed",
        ],
        advice: "Copy the directory, then find the cluster's own segment of that name.",
        avoid: NO_RESTART,
        source: "xlogreader.c: XLogReaderValidatePageHeader",
    },
    Message {
        id: "wal-read-failed",
        wordings: &[
            w(
                "could not read from log file %u, segment %u, offset %u: %m",
                &[LOG_ID, SEG, OFFSET, ERRNO],
                900,
                902,
            ),
            w(
                "could not read from log segment %s, offset %u: %m",
                &[Segment, OFFSET, ERRNO],
                903,
                1500,
            ),
            w(
                "could not read from log segment %s, offset %u: read %d of %d",
                &[Segment, OFFSET, FOUND, EXPECTED],
                1100,
                1500,
            ),
            w(
                "could not read from log segment %s, offset %u, length %u: %m",
                &[Segment, OFFSET, EXPECTED, ERRNO],
                903,
                1200,
            ),
            w(
                "could not read from WAL segment %s, LSN %X/%X, offset %u: %m",
                &[Segment, Lsn, OFFSET, ERRNO],
                1600,
                1900,
            ),
            w(
                "could not read from WAL segment %s, LSN %X/%X, offset %u: read %d of %d",
                &[Segment, Lsn, OFFSET, FOUND, EXPECTED],
                1600,
                1900,
            ),
            w(
                "could not read from WAL segment %s, offset %d: %m",
                &[Segment, OFFSET, ERRNO],
                1600,
                1900,
            ),
            w(
                "could not read from WAL segment %s, offset %d: read %d of %d",
                &[Segment, OFFSET, FOUND, EXPECTED],
                1600,
                1900,
            ),
        ],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: SilentLoss,
        meaning: "A WAL segment is shorter than it must be, or lies on a bad sector. A segment \
            is never short on a healthy server.",
        checks: &[
            "wal-segment-malformed",
            "wal-record-damaged",
            "wal-segment-missing",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlogrecovery.c: XLogPageRead",
    },
    Message {
        id: "wal-end",
        wordings: &[
            w("record with zero length at %X/%X", &[Lsn], 900, 904),
            w("invalid record length at %X/%X", &[Lsn], 900, 905),
            w(
                "invalid record length at %X/%X: wanted %u, got %u",
                &[Lsn, EXPECTED, FOUND],
                906,
                1500,
            ),
            w(
                "invalid record length at %X/%X: expected at least %u, got %u",
                &[Lsn, EXPECTED, FOUND],
                1600,
                1900,
            ),
        ],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: EndOfWal,
        meaning: "There is no further record. With length 0 this is how recovery ends after \
            every crash; the same is said when a record in the middle was overwritten by zeroes.",
        checks: &[
            "wal-record-damaged",
            "wal-segment-missing",
            "checkpoint-record-unreadable",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlogreader.c: ValidXLogRecordHeader",
    },
    Message {
        id: "wal-record-checksum",
        wordings: &[w(
            "incorrect resource manager data checksum in record at %X/%X",
            &[Lsn],
            900,
            1900,
        )],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: EndOfWal,
        meaning: "A WAL record's bytes do not match its CRC. At the very end it is a write that \
            the crash cut off; in the middle it is damage, and all behind it is dropped.",
        checks: &[
            "wal-record-damaged",
            "checkpoint-record-unreadable",
            "wal-segment-missing",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlogreader.c: ValidXLogRecord",
    },
    Message {
        id: "wal-record-prev-link",
        wordings: &[w(
            "record with incorrect prev-link %X/%X at %X/%X",
            &[Other("prev-link"), Lsn],
            900,
            1900,
        )],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: EndOfWal,
        meaning: "The record does not follow the one before it: older contents of a recycled \
            segment, which is the end of WAL, or a segment or page of another time.",
        checks: &[
            "wal-record-damaged",
            "wal-segment-missing",
            "wal-segment-misnamed",
            "checkpoint-record-unreadable",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlogreader.c: ValidXLogRecordHeader",
    },
    Message {
        id: "wal-contrecord",
        wordings: &[
            w("contrecord is requested by %X/%X", &[Lsn], 900, 1900),
            w(
                "there is no contrecord flag in log file %u, segment %u, offset %u",
                &[LOG_ID, SEG, OFFSET],
                900,
                902,
            ),
            w("there is no contrecord flag at %X/%X", &[Lsn], 903, 1900),
            w(
                "invalid contrecord length %u in log file %u, segment %u, offset %u",
                &[FOUND, LOG_ID, SEG, OFFSET],
                900,
                902,
            ),
            w(
                "invalid contrecord length %u at %X/%X",
                &[FOUND, Lsn],
                903,
                1300,
            ),
            w(
                "invalid contrecord length %u (expected %d) at %X/%X",
                &[FOUND, EXPECTED, Lsn],
                1400,
                1900,
            ),
        ],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: EndOfWal,
        meaning: "A record begins on one WAL page and does not go on as it should on the next. \
            At the end the crash cut it off; else the next page or segment is not the right one.",
        checks: &[
            "wal-record-damaged",
            "wal-segment-missing",
            "checkpoint-record-unreadable",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlogreader.c: XLogDecodeNextRecord",
    },
    Message {
        id: "wal-record-malformed",
        wordings: &[
            w(
                "invalid resource manager ID %u at %X/%X",
                &[FOUND, Lsn],
                900,
                1900,
            ),
            w("invalid record offset at %X/%X", &[Lsn], 900, 1500),
            w(
                "invalid record offset at %X/%X: expected at least %u, got %u",
                &[Lsn, EXPECTED, FOUND],
                1600,
                1900,
            ),
            w(
                "record length %u at %X/%X too long",
                &[FOUND, Lsn],
                900,
                1600,
            ),
            w("invalid xlog switch record at %X/%X", &[Lsn], 900, 904),
            w("incorrect hole size in record at %X/%X", &[Lsn], 900, 904),
            w(
                "incorrect total length in record at %X/%X",
                &[Lsn],
                900,
                904,
            ),
            w(
                "invalid backup block size in record at %X/%X",
                &[Lsn],
                903,
                904,
            ),
            w("record with invalid length at %X/%X", &[Lsn], 905, 1900),
            w(
                "out-of-order block_id %u at %X/%X",
                &[FOUND, Lsn],
                905,
                1900,
            ),
            w("invalid block_id %u at %X/%X", &[FOUND, Lsn], 905, 1900),
            w("invalid fork number %u at %X/%X", &[FOUND, Lsn], 905, 1900),
            w(
                "BKPBLOCK_HAS_DATA set, but no data included at %X/%X",
                &[Lsn],
                905,
                1900,
            ),
            w(
                "BKPBLOCK_HAS_DATA not set, but data length is %u at %X/%X",
                &[FOUND, Lsn],
                905,
                1900,
            ),
            w(
                "BKPBLOCK_SAME_REL set but no previous rel at %X/%X",
                &[Lsn],
                905,
                1900,
            ),
            w(
                "BKPIMAGE_HAS_HOLE set, but hole offset %u length %u block image length %u at \
                 %X/%X",
                &[
                    Other("hole offset"),
                    Other("hole length"),
                    Other("image length"),
                    Lsn,
                ],
                905,
                1900,
            ),
            w(
                "BKPIMAGE_HAS_HOLE not set, but hole offset %u length %u at %X/%X",
                &[Other("hole offset"), Other("hole length"), Lsn],
                905,
                1900,
            ),
            w(
                "BKPIMAGE_IS_COMPRESSED set, but block image length %u at %X/%X",
                &[Other("image length"), Lsn],
                905,
                1400,
            ),
            w(
                "BKPIMAGE_COMPRESSED set, but block image length %u at %X/%X",
                &[Other("image length"), Lsn],
                1500,
                1900,
            ),
            w(
                "neither BKPIMAGE_HAS_HOLE nor BKPIMAGE_IS_COMPRESSED set, but block image \
                 length is %u at %X/%X",
                &[Other("image length"), Lsn],
                905,
                1400,
            ),
            w(
                "neither BKPIMAGE_HAS_HOLE nor BKPIMAGE_COMPRESSED set, but block image length \
                 is %u at %X/%X",
                &[Other("image length"), Lsn],
                1500,
                1900,
            ),
        ],
        level: "LOG, at the checkpoint or redo record PANIC",
        consequence: EndOfWal,
        meaning: "A WAL record's header or block list does not add up. At the very end these \
            are leftovers or a torn write; in the middle it is damage, and all behind is dropped.",
        checks: &[
            "wal-record-damaged",
            "checkpoint-record-unreadable",
            "wal-segment-missing",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlogreader.c: ValidXLogRecordHeader, DecodeXLogRecord",
    },
    Message {
        id: "redo-starts",
        wordings: &[w("redo starts at %X/%X", &[Lsn], 900, 1900)],
        level: "LOG",
        consequence: Normal,
        meaning: "Replay begins with the record there.",
        checks: &[],
        advice: "Nothing.",
        avoid: "",
        source: "xlogrecovery.c: PerformWalRecovery",
    },
    Message {
        id: "redo-done",
        wordings: &[
            w("redo done at %X/%X", &[Lsn], 900, 1300),
            w(
                "redo done at %X/%X system usage: %s",
                &[Lsn, Other("usage")],
                1400,
                1900,
            ),
        ],
        level: "LOG",
        consequence: Normal,
        meaning: "Replay ended; the last record replayed begins there. Whether WAL behind it was \
            lost, the line before tells only to those who know: see what `pgautopsy check` says.",
        checks: &[],
        advice: "Compare the position with the last one the server is known to have reached.",
        avoid: "",
        source: "xlogrecovery.c: PerformWalRecovery",
    },
    Message {
        id: "redo-not-required",
        wordings: &[w("redo is not required", &[], 900, 1900)],
        level: "LOG",
        consequence: Normal,
        meaning: "There is nothing to replay: no readable record follows the checkpoint. After \
            a crash under load that would be odd.",
        checks: &[],
        advice: "Nothing, if the server was idle since the last checkpoint.",
        avoid: "",
        source: "xlogrecovery.c: PerformWalRecovery",
    },
    Message {
        id: "consistent-state",
        wordings: &[w(
            "consistent recovery state reached at %X/%X",
            &[Lsn],
            900,
            1900,
        )],
        level: "LOG",
        consequence: Normal,
        meaning: "All pages are as old as the WAL replayed so far, or older.",
        checks: &[],
        advice: "Nothing.",
        avoid: "",
        source: "xlogrecovery.c: CheckRecoveryConsistency",
    },
    Message {
        id: "last-completed-transaction",
        wordings: &[w(
            "last completed transaction was at log time %s",
            &[Other("time")],
            900,
            1900,
        )],
        level: "LOG",
        consequence: Normal,
        meaning: "Time of the last commit or abort that was replayed: what the applications \
            committed later is not there.",
        checks: &[],
        advice: "Compare it with the time of the crash.",
        avoid: "",
        source: "xlogrecovery.c: PerformWalRecovery",
    },
    Message {
        id: "ready",
        wordings: &[
            w(
                "database system is ready to accept connections",
                &[],
                900,
                1900,
            ),
            w(
                "database system is ready to accept read only connections",
                &[],
                900,
                1400,
            ),
            w(
                "database system is ready to accept read-only connections",
                &[],
                1500,
                1900,
            ),
        ],
        level: "LOG",
        consequence: Normal,
        meaning: "The server runs. It does not mean that nothing is damaged or lost: tables are \
            not looked at when it starts.",
        checks: &[],
        advice: "Nothing.",
        avoid: "",
        source: "postmaster.c: process_pm_pmsignal",
    },
    Message {
        id: "redo-context",
        wordings: &[
            w("xlog redo %s", &[Other("record")], 900, 905),
            w(
                "xlog redo at %X/%X for %s",
                &[Lsn, Other("record")],
                906,
                906,
            ),
            w(
                "WAL redo at %X/%X for %s",
                &[Lsn, Other("record")],
                1000,
                1900,
            ),
        ],
        level: "CONTEXT",
        consequence: Normal,
        meaning: "Names the WAL record that was being replayed; what went wrong stands in the \
            message before it.",
        checks: &[],
        advice: "Look up the message before it.",
        avoid: "",
        source: "xlogrecovery.c: rm_redo_error_callback",
    },
    Message {
        id: "image-not-restored",
        wordings: &[
            w(
                "invalid compressed image at %X/%X, block %d",
                &[Lsn, Other("block id")],
                905,
                1400,
            ),
            w("failed to restore block image", &[], 905, 1400),
            w(
                "could not decompress image at %X/%X, block %d",
                &[Lsn, Other("block id")],
                1500,
                1900,
            ),
            w(
                "could not restore image at %X/%X with invalid block %d specified",
                &[Lsn, Other("block id")],
                1500,
                1900,
            ),
            w(
                "could not restore image at %X/%X with invalid state, block %d",
                &[Lsn, Other("block id")],
                1500,
                1900,
            ),
            w(
                "could not restore image at %X/%X compressed with %s not supported by build, \
                 block %d",
                &[Lsn, Other("method"), Other("block id")],
                1500,
                1900,
            ),
            w(
                "could not restore image at %X/%X compressed with unknown method, block %d",
                &[Lsn, Other("block id")],
                1500,
                1900,
            ),
        ],
        level: "FATAL or PANIC",
        consequence: StartFails,
        meaning: "A full-page image in a valid WAL record cannot be unpacked: this server was \
            built without the compression, or memory was bad when it was written.",
        checks: &["wal-record-damaged"],
        advice: "Use a server built with the compression the message names. Else go to a \
            standby or backup.",
        avoid: NO_RESETWAL,
        source: "xlogreader.c: RestoreBlockImage",
    },
    Message {
        id: "invalid-page-reference",
        wordings: &[
            w(
                "page %u of relation %s does not exist",
                &[Block, Relation],
                900,
                1900,
            ),
            w(
                "page %u of relation %s is uninitialized",
                &[Block, Relation],
                900,
                1900,
            ),
            w(
                "page %u of relation %s did not exist",
                &[Block, Relation],
                900,
                901,
            ),
            w(
                "page %u of relation %s was uninitialized",
                &[Block, Relation],
                900,
                901,
            ),
            w("WAL contains references to invalid pages", &[], 900, 1900),
        ],
        level: "WARNING, then PANIC",
        consequence: StartFails,
        meaning: "Replay must change a page that is not there or all zero, and nothing in the \
            WAL drops the relation later: a file is missing or too short.",
        checks: &[
            "relation-segment-missing",
            "relation-segment-short",
            "required-file-missing",
            "tablespace-link-dangling",
            "zero-page",
        ],
        advice: "Copy the directory. Bring the relation's file back from a backup or standby, \
            or a tablespace that is not mounted.",
        avoid: "Do not set ignore_invalid_pages except in a copy, to dump what is left; do not \
            run pg_resetwal; do not make the file with dd.",
        source: "xlogutils.c: report_invalid_page, XLogCheckInvalidPages",
    },
    Message {
        id: "replay-failed",
        wordings: &[
            w("invalid lp", &[], 905, 1900),
            w("failed to add tuple", &[], 905, 1900),
            w("invalid max offset number", &[], 905, 1900),
            w("heap_delete_redo: invalid lp", &[], 900, 904),
            w("heap_inplace_redo: invalid lp", &[], 900, 904),
            w("heap_lock_redo: invalid lp", &[], 900, 904),
            w("heap_update_redo: invalid lp", &[], 900, 904),
            w("heap_xlog_lock_updated: invalid lp", &[], 903, 904),
            w("heap_insert_redo: failed to add tuple", &[], 900, 904),
            w("heap_update_redo: failed to add tuple", &[], 900, 904),
            w("heap_multi_insert_redo: failed to add tuple", &[], 902, 904),
            w("heap_insert_redo: invalid max offset number", &[], 900, 904),
            w("heap_update_redo: invalid max offset number", &[], 900, 904),
            w(
                "heap_multi_insert_redo: invalid max offset number",
                &[],
                902,
                904,
            ),
            w("_bt_restore_page: cannot add item to page", &[], 900, 1900),
            w("btree_insert_redo: failed to add item", &[], 900, 1100),
            w("btree_xlog_insert: failed to add item", &[], 1200, 1200),
            w("failed to add new item", &[], 1300, 1900),
            w(
                "failed to add high key to left page after split",
                &[],
                900,
                1900,
            ),
            w(
                "failed to add new item to left page after split",
                &[],
                900,
                1900,
            ),
            w(
                "failed to add old item to left page after split",
                &[],
                904,
                1900,
            ),
            w("seq_redo: failed to add item to page", &[], 900, 1900),
            w(
                "brin_xlog_insert_update: failed to add tuple",
                &[],
                905,
                1900,
            ),
            w(
                "brin_xlog_insert_update: invalid max offset number",
                &[],
                905,
                1900,
            ),
            w("hash_xlog_insert: failed to add item", &[], 1000, 1900),
        ],
        level: "PANIC",
        consequence: StartFails,
        meaning: "Replay came to a page that is not in the state the WAL record expects: the \
            page is older, newer or damaged. CONTEXT names record and block.",
        checks: &[
            "line-pointer-invalid",
            "page-header-invalid",
            "page-checksum-mismatch",
            "page-lsn-beyond-wal",
            "wal-segment-missing",
        ],
        advice: "Copy the directory. Restore the file that CONTEXT names from the last backup \
            and let replay go over it, in a copy; or go to a standby.",
        avoid: NO_RESETWAL,
        source: "heapam_xlog.c, nbtxlog.c: the redo functions",
    },
    Message {
        id: "min-recovery-point-beyond",
        wordings: &[w(
            "xlog min recovery request %X/%X is past current point %X/%X",
            &[Lsn, Other("current point")],
            900,
            1900,
        )],
        level: "WARNING",
        consequence: GoesOn,
        meaning: "A page was written by WAL that lies beyond what was replayed: the WAL is \
            shorter than the files, or the page's LSN is damaged.",
        checks: &[
            "page-lsn-beyond-wal",
            "wal-segment-missing",
            "wal-record-damaged",
        ],
        advice: WAL_ADVICE,
        avoid: NO_RESTART,
        source: "xlog.c: UpdateMinRecoveryPoint",
    },
    Message {
        id: "slru-read-as-zeroes",
        wordings: &[w(
            "file \"%s\" doesn't exist, reading as zeroes",
            &[File],
            900,
            1900,
        )],
        level: "LOG",
        consequence: SilentLoss,
        meaning: "Replay needed a commit log or multixact file that is not there, and went on \
            with zeroes: every transaction in it that the WAL does not tell counts as aborted.",
        checks: &[
            "clog-segment-missing",
            "clog-segment-zeroed",
            "multixact-segment-missing",
        ],
        advice: "Stop the server, keep its directory, and bring the file back from a backup or \
            standby into a copy made before this start.",
        avoid: "Do not go on with this cluster: VACUUM makes the loss final. Do not make the \
            file with dd, do not run pg_resetwal.",
        source: "slru.c: SlruPhysicalReadPage",
    },
    Message {
        id: "standby-settings",
        wordings: &[
            w(
                "recovery aborted because of insufficient parameter settings",
                &[],
                1400,
                1900,
            ),
            w(
                "hot standby is not possible because of insufficient parameter settings",
                &[],
                1400,
                1900,
            ),
            w(
                "hot standby is not possible because %s = %d is a lower setting than on the \
                 master server (its value was %d)",
                &[Other("parameter"), FOUND, EXPECTED],
                900,
                1300,
            ),
            w(
                "hot standby is not possible because wal_level was not set to \"%s\" on the \
                 master server",
                &[EXPECTED],
                900,
                903,
            ),
            w(
                "hot standby is not possible because wal_level was not set to \"%s\" or higher \
                 on the master server",
                &[EXPECTED],
                904,
                1300,
            ),
        ],
        level: "FATAL; from 14 on WARNING first",
        consequence: StartFails,
        meaning: "max_connections or a like setting is lower than where the WAL was written. \
            Nothing is damaged.",
        checks: &[],
        advice: "Raise the setting to the primary's value and start again.",
        avoid: "Do not run pg_resetwal for it.",
        source: "xlogrecovery.c: RecoveryRequiresIntParameter",
    },
    Message {
        id: "wal-level-minimal",
        wordings: &[
            w(
                "WAL was generated with \"wal_level=minimal\", cannot continue recovering",
                &[],
                1700,
                1900,
            ),
            w(
                "WAL was generated with wal_level=minimal, cannot continue recovering",
                &[],
                1400,
                1600,
            ),
            w(
                "WAL was generated with wal_level=minimal, data may be missing",
                &[],
                900,
                1300,
            ),
        ],
        level: "FATAL; WARNING up to 13",
        consequence: StartFails,
        meaning: "For a while the primary ran with wal_level=minimal: what was loaded in that \
            time is not in the WAL. Up to 13 replay goes on without it.",
        checks: &[],
        advice: "Use a backup taken after that time.",
        avoid: "Do not promote the server up to 13 that said so: tables may be incomplete.",
        source: "xlog.c: CheckRequiredParameterValues",
    },
    Message {
        id: "slot-file-damaged",
        wordings: &[
            w(
                "replication slot file \"%s\" has wrong magic %u instead of %u",
                &[File, FOUND, EXPECTED],
                904,
                904,
            ),
            w(
                "replication slot file \"%s\" has wrong magic number: %u instead of %u",
                &[File, FOUND, EXPECTED],
                905,
                1900,
            ),
            w(
                "replication slot file \"%s\" has unsupported version %u",
                &[File, FOUND],
                904,
                1900,
            ),
            w(
                "replication slot file \"%s\" has corrupted length %u",
                &[File, FOUND],
                904,
                1900,
            ),
            w(
                "replication slot file %s: checksum mismatch, is %u, should be %u",
                &[File, FOUND, EXPECTED],
                904,
                904,
            ),
            w(
                "checksum mismatch for replication slot file \"%s\": is %u, should be %u",
                &[File, FOUND, EXPECTED],
                905,
                1900,
            ),
        ],
        level: "PANIC",
        consequence: StartFails,
        meaning: "The state of a replication slot is damaged. No table is concerned, but the \
            server does not start with it.",
        checks: &["replication-slot-invalid"],
        advice: "In a copy, move the slot's folder out of pg_replslot; its consumer must be \
            built anew.",
        avoid: "Do not run pg_resetwal for it.",
        source: "slot.c: RestoreSlotFromDisk",
    },
    Message {
        id: "state-file-short",
        wordings: &[
            w(
                "could not read file \"%s\": read %d of %d",
                &[File, FOUND, EXPECTED],
                1200,
                1900,
            ),
            w(
                "could not read file \"%s\", read %d of %u: %m",
                &[File, FOUND, EXPECTED, ERRNO],
                904,
                1100,
            ),
        ],
        level: "PANIC",
        consequence: StartFails,
        meaning: "A file that the server reads whole when it starts is shorter than it should \
            be: the state of a replication slot, or the progress of subscriptions.",
        checks: &["replication-slot-invalid", "replication-origin-invalid"],
        advice: "In a copy, move the slot's folder out of pg_replslot; its consumer must be \
            built anew. Take pg_logical/replorigin_checkpoint from a copy of the same \
            checkpoint.",
        avoid: "Do not run pg_resetwal for it.",
        source: "slot.c: RestoreSlotFromDisk; origin.c: StartupReplicationOrigin",
    },
    Message {
        id: "slot-needs-wal-level",
        wordings: &[
            w(
                "%s replication slot \"%s\" exists, but \"wal_level\" < \"%s\"",
                &[Other("kind"), Other("slot"), EXPECTED],
                1700,
                1900,
            ),
            w(
                "%s replication slot \"%s\" exists, but wal_level < %s",
                &[Other("kind"), Other("slot"), EXPECTED],
                1000,
                1600,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "A replication slot was left from a time when wal_level was higher. Nothing is \
            damaged.",
        checks: &[],
        advice: "Set wal_level back, start, drop the slot if nobody needs it, and only then lower \
            wal_level.",
        avoid: "Do not delete the slot's folder while a consumer still counts on it.",
        source: "slot.c: RestoreSlotFromDisk",
    },
    Message {
        id: "replication-origin-damaged",
        wordings: &[
            w(
                "replication checkpoint has wrong magic %u instead of %u",
                &[FOUND, EXPECTED],
                905,
                1900,
            ),
            w(
                "replication slot checkpoint has wrong checksum %u, expected %u",
                &[FOUND, EXPECTED],
                905,
                1900,
            ),
        ],
        level: "PANIC",
        consequence: StartFails,
        meaning: "pg_logical/replorigin_checkpoint is damaged: how far subscriptions have come \
            is lost. No table is concerned.",
        checks: &["replication-origin-invalid"],
        advice: "Take the file from a copy of the same checkpoint; without one, subscriptions \
            must be synchronised anew.",
        avoid: "Do not run pg_resetwal for it.",
        source: "origin.c: StartupReplicationOrigin",
    },
    Message {
        id: "two-phase-file-damaged",
        wordings: &[
            w(
                "corrupted two-phase state file for transaction %u",
                &[Xid],
                1200,
                1800,
            ),
            w(
                "corrupted two-phase state file for transaction %u of epoch %u",
                &[Xid, Other("epoch")],
                1900,
                1900,
            ),
            w(
                "calculated CRC checksum does not match value stored in file \"%s\"",
                &[File],
                1200,
                1900,
            ),
            w(
                "invalid magic number stored in file \"%s\"",
                &[File],
                1200,
                1900,
            ),
            w("invalid size stored in file \"%s\"", &[File], 1200, 1900),
            w(
                "incorrect alignment of CRC offset for file \"%s\"",
                &[File],
                1200,
                1900,
            ),
            w(
                "incorrect size of file \"%s\": %d byte",
                &[File, FOUND],
                1200,
                1900,
            ),
            w(
                "incorrect size of file \"%s\": %d bytes",
                &[File, FOUND],
                1200,
                1900,
            ),
            w(
                "two-phase state file for transaction %u is corrupt",
                &[Xid],
                900,
                905,
            ),
        ],
        level: "ERROR, which ends the start as FATAL",
        consequence: StartFails,
        meaning: "The state of a prepared transaction in pg_twophase is damaged: it can neither \
            be committed nor rolled back.",
        checks: &["two-phase-file-invalid"],
        advice: "Copy the directory; bring the file back from a backup or standby.",
        avoid: "Do not delete the file: its transaction then counts as aborted although the \
            other side may have committed. Do not run pg_resetwal.",
        source: "twophase.c: ReadTwoPhaseFile, ProcessTwoPhaseBuffer",
    },
    Message {
        id: "two-phase-file-removed",
        wordings: &[
            w(
                "removing corrupt two-phase state file \"%s\"",
                &[File],
                900,
                906,
            ),
            w(
                "removing corrupt two-phase state file for transaction %u",
                &[Xid],
                1000,
                1100,
            ),
            w(
                "removing corrupt two-phase state from memory for transaction %u",
                &[Xid],
                1000,
                1100,
            ),
        ],
        level: "WARNING",
        consequence: SilentLoss,
        meaning: "The state of a prepared transaction was damaged, and the server deleted it: \
            the transaction counts as aborted now.",
        checks: &["two-phase-file-invalid"],
        advice: "Look up in the transaction manager what that transaction was to do.",
        avoid: "Do not tell the other side to commit before that is clear.",
        source: "twophase.c: PrescanPreparedTransactions",
    },
    Message {
        id: "startup-process-failed",
        wordings: &[
            w(
                "startup process (PID %d) exited with exit code %d",
                &[Other("PID"), FOUND],
                900,
                1900,
            ),
            w(
                "startup process (PID %d) was terminated by signal %d: %s",
                &[Other("PID"), FOUND, ERRNO],
                900,
                1900,
            ),
            w(
                "startup process (PID %d) was terminated by signal %d",
                &[Other("PID"), FOUND],
                900,
                1100,
            ),
            w(
                "aborting startup due to startup process failure",
                &[],
                900,
                1800,
            ),
            w(
                "shutting down due to startup process failure",
                &[],
                1400,
                1900,
            ),
        ],
        level: "LOG",
        consequence: StartFails,
        meaning: "The process that replays WAL ended: the message before it says why.",
        checks: &[
            "checkpoint-record-unreadable",
            "wal-record-damaged",
            "required-file-missing",
        ],
        advice: "Look up the FATAL or PANIC message before it.",
        avoid: "Do not run pg_resetwal to get past it.",
        source: "postmaster.c: process_pm_child_exit",
    },
    Message {
        id: "page-checksum",
        wordings: &[
            w(
                "page verification failed, calculated checksum %u but expected %u",
                &[FOUND, EXPECTED],
                903,
                1900,
            ),
            w(
                "page verification failed, calculated checksum %u but expected %u, buffer will be \
                 zeroed",
                &[FOUND, EXPECTED],
                1900,
                1900,
            ),
        ],
        level: "WARNING, then ERROR",
        consequence: QueryFails,
        meaning: "A page was read whose contents do not match its checksum: it changed after \
            the server wrote it. The next message names the block.",
        checks: &["page-checksum-mismatch", "page-header-invalid"],
        advice: COPY,
        avoid: "Do not set ignore_checksum_failure or zero_damaged_pages except in a copy, and \
            do not switch checksums off to be rid of it.",
        source: "bufpage.c: PageIsVerified",
    },
    Message {
        id: "page-invalid",
        wordings: &[
            w(
                "invalid page header in block %u of relation %s",
                &[Block, Relation],
                900,
                902,
            ),
            w(
                "invalid page in block %u of relation %s",
                &[Block, Relation],
                903,
                1800,
            ),
            w(
                "invalid page in block %u of relation \"%s\"",
                &[Block, Relation],
                1800,
                1900,
            ),
            w(
                "%u invalid pages among blocks %u..%u of relation \"%s\"",
                &[
                    Other("pages"),
                    Other("from block"),
                    Other("to block"),
                    Relation,
                ],
                1800,
                1900,
            ),
            w("Block %u held first invalid page.", &[Block], 1800, 1800),
            w(
                "Block %u held the first invalid page.",
                &[Block],
                1800,
                1900,
            ),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "A block is not a page: its header is wrong or its checksum does not match. \
            Every query that reads the block fails; the rest of the table can be read.",
        checks: &["page-header-invalid", "page-checksum-mismatch"],
        advice: "Copy the directory, then run `pgautopsy check` to see how many blocks are so \
            and what overwrote them. Restore the table from a backup, or dump around them.",
        avoid: NO_ZERO,
        source: "bufmgr.c: buffer_readv_report",
    },
    Message {
        id: "page-zeroed",
        wordings: &[
            w(
                "invalid page header in block %u of relation %s; zeroing out page",
                &[Block, Relation],
                900,
                902,
            ),
            w(
                "invalid page in block %u of relation %s; zeroing out page",
                &[Block, Relation],
                903,
                1800,
            ),
            w(
                "invalid page in block %u of relation \"%s\"; zeroing out page",
                &[Block, Relation],
                1800,
                1900,
            ),
            w(
                "zeroing out %u invalid pages among blocks %u..%u of relation \"%s\"",
                &[
                    Other("pages"),
                    Other("from block"),
                    Other("to block"),
                    Relation,
                ],
                1800,
                1900,
            ),
            w(
                "zeroing %u page(s) and ignoring %u checksum failure(s) among blocks %u..%u of \
                 relation \"%s\"",
                &[
                    Other("pages"),
                    Other("ignored"),
                    Other("from block"),
                    Other("to block"),
                    Relation,
                ],
                1800,
                1900,
            ),
            w("Block %u held first zeroed page.", &[Block], 1800, 1800),
            w("Block %u held the first zeroed page.", &[Block], 1800, 1900),
        ],
        level: "WARNING",
        consequence: SilentLoss,
        meaning: "With zero_damaged_pages a block that is no page was taken for empty: its rows \
            are left out, and gone for good once the block is written.",
        checks: &["page-header-invalid", "page-checksum-mismatch", "zero-page"],
        advice: "Take zero_damaged_pages out of the settings, and keep a copy of the file from \
            before.",
        avoid: NO_ZERO,
        source: "bufmgr.c: buffer_readv_report",
    },
    Message {
        id: "checksum-failure-ignored",
        wordings: &[
            w(
                "ignoring checksum failure in block %u of relation \"%s\"",
                &[Block, Relation],
                1800,
                1900,
            ),
            w(
                "ignoring %u checksum failures among blocks %u..%u of relation \"%s\"",
                &[
                    Other("pages"),
                    Other("from block"),
                    Other("to block"),
                    Relation,
                ],
                1800,
                1900,
            ),
            w("Block %u held first ignored page.", &[Block], 1800, 1800),
            w(
                "Block %u held the first ignored page.",
                &[Block],
                1800,
                1900,
            ),
        ],
        level: "WARNING",
        consequence: SilentLoss,
        meaning: "With ignore_checksum_failure a damaged block was used as it is: wrong data \
            may come out of it and be written back with a good checksum.",
        checks: &["page-checksum-mismatch"],
        advice: "Take ignore_checksum_failure out of the settings, and keep a copy of the file \
            from before.",
        avoid: "Do not let it run so: the checksums are the only trace of the damage.",
        source: "bufmgr.c: buffer_readv_report",
    },
    Message {
        id: "page-layout-corrupt",
        wordings: &[
            w(
                "corrupted page pointers: lower = %u, upper = %u, special = %u",
                &[Other("lower"), Other("upper"), Other("special")],
                900,
                1900,
            ),
            w("corrupted item pointer: %u", &[FOUND], 900, 1100),
            w(
                "corrupted item pointer: offset = %u, size = %u",
                &[Other("offset"), Other("size")],
                900,
                1100,
            ),
            w(
                "corrupted item pointer: offset = %u, length = %u",
                &[Other("offset"), Other("size")],
                905,
                1100,
            ),
            w("corrupted line pointer: %u", &[FOUND], 1200, 1900),
            w(
                "corrupted line pointer: offset = %u, size = %u",
                &[Other("offset"), Other("size")],
                1200,
                1900,
            ),
            w(
                "corrupted item lengths: total %u, available space %u",
                &[FOUND, Other("available")],
                900,
                1900,
            ),
        ],
        level: "PANIC when pruning or inserting, else ERROR",
        consequence: QueryFails,
        meaning: "A page's line pointers do not fit its space. The server finds it when it \
            changes the page; a PANIC then throws out every session.",
        checks: &[
            "line-pointer-invalid",
            "page-header-invalid",
            "page-header-irregular",
        ],
        advice: "Stop the server, copy the directory, and find the block with `pgautopsy check`: \
            the message names none.",
        avoid: NO_ZERO,
        source: "bufpage.c: PageAddItemExtended, PageRepairFragmentation",
    },
    Message {
        id: "block-read-failed",
        wordings: &[
            w(
                "could not read block %u in file \"%s\": %m",
                &[Block, File, ERRNO],
                900,
                1600,
            ),
            w(
                "could not read block %u in file \"%s\": read only %d of %d bytes",
                &[Block, File, FOUND, EXPECTED],
                900,
                1600,
            ),
            w(
                "could not read blocks %u..%u in file \"%s\": %m",
                &[Block, Other("to block"), File, ERRNO],
                1700,
                1900,
            ),
            w(
                "could not read blocks %u..%u in file \"%s\": read only %u of %u bytes",
                &[Block, Other("to block"), File, FOUND, EXPECTED],
                1700,
                1900,
            ),
            w(
                "could not start reading blocks %u..%u in file \"%s\": %m",
                &[Block, Other("to block"), File, ERRNO],
                1800,
                1900,
            ),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "A block that an index or the table's size asks for lies beyond the end of the \
            file, or on a bad sector.",
        checks: &[
            "last-block-short",
            "relation-segment-short",
            "relation-segment-missing",
        ],
        advice: "Copy the directory with a tool that goes on at bad sectors, and look at the \
            kernel's log for the disk.",
        avoid: "Do not fill the file up with dd: zeroes there count as empty pages, and the rows \
            are gone without an error. Do not run pg_resetwal.",
        source: "md.c: mdreadv, md_readv_report",
    },
    Message {
        id: "segment-unavailable",
        wordings: &[
            w(
                "could not open file \"%s\" (target block %u): %m",
                &[File, Block, ERRNO],
                900,
                1900,
            ),
            w(
                "could not open file \"%s\" (target block %u): previous segment is only %u blocks",
                &[File, Block, FOUND],
                906,
                1900,
            ),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "A block is asked for in a further file of the relation, and that file is \
            missing or the one before it is short: the table was cut, or an index points too far.",
        checks: &[
            "relation-segment-missing",
            "relation-segment-short",
            "last-block-short",
        ],
        advice: COPY_CHECK,
        avoid: "Do not make the file with dd or touch: the rows would be gone without an error. \
            Do not run pg_resetwal.",
        source: "md.c: _mdfd_getseg",
    },
    Message {
        id: "file-unavailable",
        wordings: &[
            w("could not open file \"%s\": %m", &[File, ERRNO], 900, 1900),
            w(
                "could not open file \"%s\" (log file %u, segment %u): %m",
                &[File, LOG_ID, SEG, ERRNO],
                900,
                902,
            ),
        ],
        level: "ERROR; FATAL or PANIC for the server's own files",
        consequence: QueryFails,
        meaning: "A file of the cluster cannot be opened: it was deleted, its tablespace is not \
            mounted, or its permissions are wrong.",
        checks: &[
            "file-access-denied",
            "required-file-missing",
            "relation-segment-missing",
            "tablespace-link-dangling",
            "relation-map-invalid",
            "clog-segment-missing",
            "multixact-segment-missing",
            "wal-segment-missing",
            "version-file-invalid",
        ],
        advice: "See whether the file is there, who owns it, and whether the file system is \
            mounted; else bring it back from a backup or standby.",
        avoid: "Do not make an empty file in its place: what it held is then gone without an \
            error. Do not run pg_resetwal.",
        source: "md.c: mdopenfork, and others",
    },
    Message {
        id: "file-not-created",
        wordings: &[w(
            "could not create file \"%s\": %m",
            &[File, ERRNO],
            900,
            1900,
        )],
        level: "ERROR; FATAL in recovery",
        consequence: StartFails,
        meaning: "Recovery opens each relation that it comes to, and makes its file if there is \
            none. `File exists` means that there is one and that it cannot be opened: its owner \
            or permissions are wrong. Else the folder cannot be written, or the disk is full.",
        checks: &["file-access-denied"],
        advice: "Look at owner and permissions of the file and its folder: both must belong to \
            the user of the data directory and be open to him for reading and writing.",
        avoid: "Do not remove the file: what the WAL does not make anew of it is lost then. Do \
            not run pg_resetwal.",
        source: "md.c: mdcreate",
    },
    Message {
        id: "file-not-removed",
        wordings: &[w(
            "could not remove file \"%s\": %m",
            &[File, ERRNO],
            900,
            1900,
        )],
        level: "LOG, WARNING or ERROR; FATAL in recovery",
        consequence: StartFails,
        meaning: "After a crash the server removes the files of unlogged relations and makes them \
            anew (11 and later end the start where that fails); replay removes those of relations \
            that were dropped. The folder cannot be changed by the server's user, or the file \
            system is read-only.",
        checks: &["file-access-denied"],
        advice: "Look at owner and permissions of the folder, and whether the file system was \
            remounted read-only after an error: then see to the disk first.",
        avoid: "Do not remove files by hand.",
        source: "reinit.c: ResetUnloggedRelationsInDbspaceDir; md.c: mdunlinkfork",
    },
    Message {
        id: "lock-file-unavailable",
        wordings: &[
            w(
                "could not open lock file \"%s\": %m",
                &[File, ERRNO],
                900,
                1900,
            ),
            w(
                "could not create lock file \"%s\": %m",
                &[File, ERRNO],
                900,
                1900,
            ),
            w(
                "could not read lock file \"%s\": %m",
                &[File, ERRNO],
                900,
                1900,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "The server cannot read the `postmaster.pid` that lies there, or make one: the \
            file or the data directory belongs to somebody else, is read-only, or the disk is full.",
        checks: &["file-access-denied", "data-directory-permissions"],
        advice: "See that no server runs on the directory, then set owner and permissions of the \
            file and the directory right.",
        avoid: "Do not remove `postmaster.pid` while a server runs: a second one on the same \
            files destroys them.",
        source: "miscinit.c: CreateLockFile",
    },
    Message {
        id: "data-beyond-eof",
        wordings: &[
            w(
                "unexpected data beyond EOF in block %u of relation %s",
                &[Block, Relation],
                900,
                1800,
            ),
            w(
                "unexpected data beyond EOF in block %u of relation \"%s\"",
                &[Block, Relation],
                1800,
                1900,
            ),
            w(
                "page %u of relation \"%s\" should be empty but is not",
                &[Block, Relation],
                900,
                1900,
            ),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "The server was about to add a block and found one there: the file's length \
            changed behind its back, by the kernel, the file system or a second server.",
        checks: &["relation-segment-short", "page-lsn-beyond-wal"],
        advice: "Make sure that no second server runs on the directory, stop this one, and copy \
            it.",
        avoid: "Do not go on writing to the table: the block may hold committed rows.",
        source: "bufmgr.c: ExtendBufferedRelShared; hio.c: RelationGetBufferForTuple",
    },
    Message {
        id: "transaction-status-unreadable",
        wordings: &[
            w(
                "could not access status of transaction %u",
                &[Xid],
                900,
                1800,
            ),
            w("Could not open file \"%s\": %m.", &[File, ERRNO], 900, 1800),
            w(
                "Could not seek in file \"%s\" to offset %u: %m.",
                &[File, OFFSET, ERRNO],
                900,
                1800,
            ),
            w(
                "Could not read from file \"%s\" at offset %u: %m.",
                &[File, OFFSET, ERRNO],
                900,
                1800,
            ),
            w(
                "Could not read from file \"%s\" at offset %u: read too few bytes.",
                &[File, OFFSET],
                1300,
                1800,
            ),
            w(
                "could not open file \"pg_xact/%s\": %m",
                &[FileIn("pg_xact/"), ERRNO],
                1900,
                1900,
            ),
            w(
                "could not open file \"pg_subtrans/%s\": %m",
                &[FileIn("pg_subtrans/"), ERRNO],
                1900,
                1900,
            ),
            w(
                "could not open file \"pg_multixact/%s\": %m",
                &[FileIn("pg_multixact/"), ERRNO],
                1900,
                1900,
            ),
            w(
                "could not open file \"pg_commit_ts/%s\": %m",
                &[FileIn("pg_commit_ts/"), ERRNO],
                1900,
                1900,
            ),
            w(
                "could not seek in file \"%s\" to offset %d: %m",
                &[File, OFFSET, ERRNO],
                1900,
                1900,
            ),
            w(
                "could not read from file \"%s\" at offset %d: %m",
                &[File, OFFSET, ERRNO],
                1900,
                1900,
            ),
            w(
                "could not read from file \"%s\" at offset %d: read too few bytes",
                &[File, OFFSET],
                1900,
                1900,
            ),
            w(
                "Could not access commit status of transaction %u.",
                &[Xid],
                1900,
                1900,
            ),
            w(
                "Could not access subtransaction status of transaction %u.",
                &[Xid],
                1900,
                1900,
            ),
            w(
                "Could not access commit timestamp of transaction %u.",
                &[Xid],
                1900,
                1900,
            ),
            w(
                "Could not access offset of multixact %u.",
                &[MultiXact],
                1900,
                1900,
            ),
            w(
                "Could not access member of multixact %u at offset %u.",
                &[MultiXact, Other("member")],
                1900,
                1900,
            ),
            w(
                "Could not access multixact member at offset %u.",
                &[Other("member")],
                1900,
                1900,
            ),
        ],
        level: "ERROR; FATAL at start",
        consequence: QueryFails,
        meaning: "A row names a transaction (or multixact) whose status cannot be looked up. \
            Either the commit log file is missing, or the row is damaged and the number is \
            garbage: then there never was such a file.",
        checks: &[
            "xmin-out-of-range",
            "xmax-out-of-range",
            "multixact-out-of-range",
            "clog-segment-missing",
            "clog-segment-short",
            "clog-segment-foreign",
            "multixact-segment-missing",
            "multixact-segment-short",
        ],
        advice: "Copy the directory, then let `pgautopsy check` decide which of the two it is. \
            A missing file comes from a backup or standby; a damaged row is left out of a dump.",
        avoid: NO_DD,
        source: "slru.c: SlruReportIOError",
    },
    Message {
        id: "multixact-impossible",
        wordings: &[
            w(
                "MultiXactId %u has not been created yet -- apparent wraparound",
                &[MultiXact],
                903,
                1900,
            ),
            w(
                "MultiXactId %u does no longer exist -- apparent wraparound",
                &[MultiXact],
                903,
                1900,
            ),
            w(
                "MultiXact %u has invalid next offset",
                &[MultiXact],
                1400,
                1900,
            ),
            w("MultiXact %u has invalid offset", &[MultiXact], 1900, 1900),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "A row's xmax names a multixact that cannot be: the row is damaged, or \
            pg_multixact was reset or lost.",
        checks: &[
            "multixact-out-of-range",
            "multixact-segment-missing",
            "multixact-segment-short",
            "multixact-member-invalid",
            "multixact-offset-invalid",
            "xmax-out-of-range",
        ],
        advice: COPY_CHECK,
        avoid: NO_DD,
        source: "multixact.c: GetMultiXactIdMembers",
    },
    Message {
        id: "flush-not-satisfied",
        wordings: &[w(
            "xlog flush request %X/%X is not satisfied --- flushed only to %X/%X",
            &[Lsn, Other("flushed to")],
            900,
            1900,
        )],
        level: "ERROR; PANIC in a critical section",
        consequence: QueryFails,
        meaning: "A page's LSN lies beyond the end of the WAL: WAL was reset or lost, \
            backup_label was removed, or the page is damaged. Such pages cannot be written, and \
            checkpoints fail.",
        checks: &[
            "page-lsn-beyond-wal",
            "control-file-disagrees-with-wal",
            "wal-segment-missing",
        ],
        advice: "Copy the directory. `pgautopsy check` counts such pages: many mean lost WAL or \
            a bad restore, one means a damaged page.",
        avoid: "Do not move the WAL position on with pg_resetwal -l to silence it: the pages \
            stay inconsistent.",
        source: "xlog.c: XLogFlush",
    },
    Message {
        id: "tuple-from-before-horizon",
        wordings: &[
            w(
                "found xmin %u from before relfrozenxid %u",
                &[Xid, Other("relfrozenxid")],
                903,
                1900,
            ),
            w(
                "found xmax %u from before relfrozenxid %u",
                &[Xid, Other("relfrozenxid")],
                903,
                1900,
            ),
            w(
                "found update xid %u from before relfrozenxid %u",
                &[Xid, Other("relfrozenxid")],
                903,
                1500,
            ),
            w(
                "found update xid %u from before xid cutoff %u",
                &[Xid, Other("cutoff")],
                903,
                1500,
            ),
            w(
                "found multixact %u from before relminmxid %u",
                &[MultiXact, Other("relminmxid")],
                903,
                1900,
            ),
            w(
                "multixact %u contains update XID %u from before relfrozenxid %u",
                &[MultiXact, Xid, Other("relfrozenxid")],
                1600,
                1900,
            ),
            w("uncommitted xmin %u needs to be frozen", &[Xid], 1600, 1900),
            w(
                "uncommitted xmin %u from before xid cutoff %u needs to be frozen",
                &[Xid, Other("cutoff")],
                903,
                1500,
            ),
            w("cannot freeze committed xmax %u", &[Xid], 903, 1900),
            w("cannot freeze committed update xid %u", &[Xid], 903, 1500),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "VACUUM met a row older than the table's horizon, or one it may not freeze: \
            the row is damaged, or its commit log was changed. VACUUM of the table fails from \
            now on, and wraparound comes nearer.",
        checks: &[
            "xmin-out-of-range",
            "xmax-out-of-range",
            "multixact-out-of-range",
            "multixact-member-invalid",
            "clog-segment-zeroed",
            "tuple-header-invalid",
        ],
        advice: "Copy the directory, find the rows with `pgautopsy check`, and dump the table \
            before anything is repaired (pg_surgery, from 14 on).",
        avoid: "Do not set relfrozenxid in pg_class by hand. Do not run pg_resetwal -x.",
        source: "heapam.c: heap_prepare_freeze_tuple, FreezeMultiXactId",
    },
    Message {
        id: "toast-chunk-wrong",
        wordings: &[
            w(
                "missing chunk number %d for toast value %u in %s",
                &[Other("chunk"), Other("value"), Relation],
                900,
                1900,
            ),
            w(
                "unexpected chunk number %d (expected %d) for toast value %u in %s",
                &[FOUND, EXPECTED, Other("value"), Relation],
                900,
                1900,
            ),
            w(
                "unexpected chunk number %d (out of range %d..%d) for toast value %u in %s",
                &[FOUND, Other("from"), Other("to"), Other("value"), Relation],
                900,
                1900,
            ),
            w(
                "unexpected chunk size %d (expected %d) in chunk %d of %d for toast value %u in %s",
                &[
                    FOUND,
                    EXPECTED,
                    Other("chunk"),
                    Other("chunks"),
                    Other("value"),
                    Relation,
                ],
                900,
                1900,
            ),
            w(
                "unexpected chunk size %d (expected %d) in chunk %d of %d for toast value %u in \
                 %s when fetching slice",
                &[
                    FOUND,
                    EXPECTED,
                    Other("chunk"),
                    Other("chunks"),
                    Other("value"),
                    Relation,
                ],
                900,
                1200,
            ),
            w(
                "unexpected chunk size %d (expected %d) in final chunk %d for toast value %u in %s",
                &[FOUND, EXPECTED, Other("chunk"), Other("value"), Relation],
                900,
                1200,
            ),
            w(
                "unexpected chunk size %d (expected %d) in final chunk %d for toast value %u in \
                 %s when fetching slice",
                &[FOUND, EXPECTED, Other("chunk"), Other("value"), Relation],
                900,
                1200,
            ),
            w(
                "found toasted toast chunk for toast value %u in %s",
                &[Other("value"), Relation],
                900,
                1900,
            ),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "The pieces of a long value in a TOAST table are missing or wrong: the TOAST \
            table or its index is damaged, its rows count as aborted, or the row that points \
            there is damaged.",
        checks: &[
            "xmin-out-of-range",
            "xmax-out-of-range",
            "page-header-invalid",
            "page-checksum-mismatch",
            "tuple-header-invalid",
            "tuple-data-invalid",
            "toast-chunk-invalid",
            "clog-segment-zeroed",
            "relation-segment-short",
        ],
        advice: "Copy the directory. If pgautopsy finds the TOAST table whole, REINDEX it in the \
            copy; else find the rows concerned and dump the others.",
        avoid: NO_DELETE,
        source: "heaptoast.c: heap_fetch_toast_slice",
    },
    Message {
        id: "compressed-data-corrupt",
        wordings: &[
            w("compressed data is corrupt", &[], 900, 904),
            w("compressed data is corrupted", &[], 905, 1300),
            w("compressed pglz data is corrupt", &[], 1400, 1900),
            w("compressed lz4 data is corrupt", &[], 1400, 1900),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "A compressed value does not unpack: bytes of the row or of its TOAST chunks \
            were overwritten.",
        checks: &[
            "compressed-data-invalid",
            "page-checksum-mismatch",
            "page-header-invalid",
            "tuple-header-invalid",
        ],
        advice: "Copy the directory, find the row by ctid, and dump the others.",
        avoid: NO_DELETE,
        source: "toast_compression.c: pglz_decompress_datum, lz4_decompress_datum",
    },
    Message {
        id: "index-page-corrupt",
        wordings: &[
            w(
                "index \"%s\" contains unexpected zero page at block %u",
                &[INDEX, Block],
                900,
                1900,
            ),
            w(
                "index \"%s\" contains corrupted page at block %u",
                &[INDEX, Block],
                900,
                1900,
            ),
            w("index \"%s\" is not a btree", &[INDEX], 900, 1900),
            w("index \"%s\" is not a hash index", &[INDEX], 900, 1900),
            w("index \"%s\" is not an SP-GiST index", &[INDEX], 902, 1900),
            w("index \"%s\" has wrong hash version", &[INDEX], 900, 1900),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "A page of an index is no page of that kind of index: zeroed, overwritten, or \
            another file's. The table itself may be whole.",
        checks: &[
            "page-special-invalid",
            "zero-page",
            "page-header-invalid",
            "page-checksum-mismatch",
        ],
        advice: "Copy the directory and check the table; if it is whole, REINDEX the index.",
        avoid: "Do not REINDEX before the table and the commit log are known to be whole: the \
            new index would leave out what cannot be seen. Do not run pg_resetwal.",
        source: "nbtpage.c: _bt_checkpage, and its kin",
    },
    Message {
        id: "index-points-wrong",
        wordings: &[
            w(
                "heap tid from index tuple (%u,%u) points past end of heap page line pointer \
                 array at offset %u of block %u in index \"%s\"",
                &[
                    Other("heap block"),
                    Other("heap item"),
                    Other("item"),
                    Block,
                    INDEX,
                ],
                1500,
                1900,
            ),
            w(
                "heap tid from index tuple (%u,%u) points to heap-only tuple at offset %u of \
                 block %u in index \"%s\"",
                &[
                    Other("heap block"),
                    Other("heap item"),
                    Other("item"),
                    Block,
                    INDEX,
                ],
                1500,
                1900,
            ),
            w(
                "heap tid from index tuple (%u,%u) points to unused heap page item at offset %u \
                 of block %u in index \"%s\"",
                &[
                    Other("heap block"),
                    Other("heap item"),
                    Other("item"),
                    Block,
                    INDEX,
                ],
                1500,
                1900,
            ),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "Index and table disagree: the index has an entry for a row that is not there. \
            One of the two is older than the other, as after lost WAL or a bad restore.",
        checks: &[
            "line-pointer-invalid",
            "page-lsn-beyond-wal",
            "wal-segment-missing",
            "wal-record-damaged",
        ],
        advice: "Copy the directory and find out which is the older one before a REINDEX.",
        avoid: "Do not take a REINDEX for the cure of everything: if the table is the older \
            one, rows are missing. Do not run pg_resetwal.",
        source: "heapam.c: index_delete_check_htid",
    },
    Message {
        id: "btree-structure",
        wordings: &[
            w(
                "could not find left sibling of block %u in index \"%s\"",
                &[Block, INDEX],
                900,
                1900,
            ),
            w(
                "failed to re-find parent key in index \"%s\" for deletion target page %u",
                &[INDEX, Block],
                900,
                1900,
            ),
            w(
                "failed to re-find parent key in index \"%s\" for split pages %u/%u",
                &[INDEX, Block, Other("right block")],
                900,
                1900,
            ),
            w(
                "right sibling's left-link doesn't match: block %u links to %u instead of \
                 expected %u in index \"%s\"",
                &[Block, FOUND, EXPECTED, INDEX],
                900,
                1900,
            ),
            w(
                "left link changed unexpectedly in block %u of index \"%s\"",
                &[Block, INDEX],
                900,
                1300,
            ),
            w("fell off the end of index \"%s\"", &[INDEX], 900, 1900),
            w(
                "no live root page found in index \"%s\"",
                &[INDEX],
                900,
                1900,
            ),
            w(
                "failed to re-find tuple within index \"%s\"",
                &[INDEX],
                900,
                1900,
            ),
        ],
        level: "ERROR",
        consequence: QueryFails,
        meaning: "The pages of a btree do not fit together: some are older than others, as \
            after lost WAL, a bad restore or writes that never reached the disk.",
        checks: &[
            "page-special-invalid",
            "page-lsn-beyond-wal",
            "wal-segment-missing",
            "wal-record-damaged",
        ],
        advice: "Copy the directory. What befell the index befell tables too: check all of it, \
            then REINDEX.",
        avoid: "Do not REINDEX this one and call it done. Do not run pg_resetwal.",
        source: "nbtsearch.c, nbtpage.c, nbtinsert.c",
    },
    Message {
        id: "relation-map-unusable",
        wordings: &[
            w(
                "relation mapping file \"%s\" contains invalid data",
                &[File],
                900,
                1900,
            ),
            w(
                "relation mapping file \"%s\" contains incorrect checksum",
                &[File],
                900,
                1900,
            ),
            w(
                "could not open relation mapping file \"%s\": %m",
                &[File, ERRNO],
                900,
                1100,
            ),
            w(
                "could not read relation mapping file \"%s\": %m",
                &[File, ERRNO],
                900,
                1100,
            ),
        ],
        level: "FATAL",
        consequence: StartFails,
        meaning: "pg_filenode.map, which says where the system catalogs lie, is damaged. With \
            the one in global/ nobody can connect and the server crashes again and again; with \
            the one of a database, nobody can connect to it.",
        checks: &["relation-map-invalid", "required-file-missing"],
        advice: "Copy the directory. Bring the file back from a standby or a backup no older \
            than the last VACUUM FULL of a catalog.",
        avoid: "Do not copy it from another database or cluster. Do not run pg_resetwal.",
        source: "relmapper.c: read_relmap_file",
    },
    Message {
        id: "catalog-row-missing",
        wordings: &[
            w(
                "cache lookup failed for %s %u",
                &[Other("object"), Other("OID")],
                900,
                1900,
            ),
            w(
                "cache lookup failed for attribute %d of relation %u",
                &[Other("attribute"), Other("OID")],
                900,
                1900,
            ),
            w(
                "catalog is missing %d attribute(s) for relid %u",
                &[FOUND, Other("OID")],
                900,
                1300,
            ),
            w(
                "pg_attribute catalog is missing %d attribute(s) for relation OID %u",
                &[FOUND, Other("OID")],
                1400,
                1900,
            ),
            w(
                "could not open relation with OID %u",
                &[Other("OID")],
                900,
                1900,
            ),
        ],
        level: "ERROR; FATAL while connecting",
        consequence: QueryFails,
        meaning: "A row of a system catalog is not found. Rarely a harmless race with DROP; if \
            it comes again, a catalog or its index is damaged, or its rows count as aborted.",
        checks: &[
            "catalog-unreadable",
            "clog-segment-missing",
            "clog-segment-zeroed",
            "clog-segment-foreign",
            "xmin-out-of-range",
            "page-header-invalid",
            "page-checksum-mismatch",
            "wal-segment-missing",
        ],
        advice: "Copy the directory and run `pgautopsy check`. If the catalogs are whole, \
            REINDEX SYSTEM in the copy (ignore_system_indexes lets one connect).",
        avoid: "Do not insert or delete rows of catalogs by hand. Do not run pg_resetwal.",
        source: "relcache.c: RelationBuildTupleDesc, and many others",
    },
    Message {
        id: "visibility-map-wrong",
        wordings: &[
            w(
                "page is not marked all-visible but visibility map bit is set in relation \"%s\" \
                 page %u",
                &[Relation, Block],
                902,
                1800,
            ),
            w(
                "page containing dead tuples is marked as all-visible in relation \"%s\" page %u",
                &[Relation, Block],
                900,
                1400,
            ),
            w(
                "page containing LP_DEAD items is marked as all-visible in relation \"%s\" page \
                 %u",
                &[Relation, Block],
                1500,
                1800,
            ),
            w(
                "page is not marked all-visible but visibility map bit is set",
                &[],
                1900,
                1900,
            ),
            w(
                "dead line pointer found on page marked all-visible",
                &[],
                1900,
                1900,
            ),
            w(
                "tuple not visible to all transactions found on page marked all-visible",
                &[],
                1900,
                1900,
            ),
        ],
        level: "WARNING",
        consequence: GoesOn,
        meaning: "VACUUM found that visibility map and table disagree, and mended it. Until \
            then index-only scans may have returned deleted rows; one of the two was older.",
        checks: &[
            "visibility-map-disagrees-with-heap",
            "page-lsn-beyond-wal",
            "wal-segment-missing",
            "wal-record-damaged",
        ],
        advice: "Find out what made it so: lost WAL, a bad restore, or a bug of an old minor \
            release.",
        avoid: "Do not ignore it if it comes for many tables.",
        source: "pruneheap.c: heap_page_prune_and_freeze; vacuumlazy.c up to 18",
    },
];
