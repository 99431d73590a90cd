//! Arguments, progress and exit status; everything else is in the library.
//!
//! stdout carries the report alone; progress, logging and errors go to stderr.

use crate::show::{Control, Page};
use crate::wal::{Dump, Filter, Found, Reachable, Verified};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use pgautopsy::check::{self, IoMode, Only, Options, Progress};
use pgautopsy::checks;
use pgautopsy::finding::Severity;
use pgautopsy::format::types::{RelFileLocator, TimestampTz, XLogRecPtr};
use pgautopsy::ls;
use pgautopsy::messages;
use pgautopsy::recovery::events::Wanted;
use pgautopsy::report::ls::{self as report_ls, Order};
use pgautopsy::report::messages::{self as report_messages, Finds};
use pgautopsy::report::{explain, json, slru as report_slru, text, units};
use pgautopsy::slru;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The command could not run; clap's own status for bad arguments too.
const CANNOT_RUN: u8 = 2;
/// A log tells of damage, and no evidence confirms it.
const UNCONFIRMED: u8 = 3;

const EXIT_STATUS: &str = "\
Exit status:
  0  everything was examined and nothing is damaged; what recovery heals is
     not damage
  1  something is damaged
  2  the command could not run: bad arguments, or no data directory
  3  part of the evidence could not be examined, and nothing worse was found";

const EXAMPLES: &str = "\
Examples:
  What is wrong, and what will the next start do?
      pgautopsy check /var/lib/postgresql/15/main
  Is a backup with its WAL archive good?
      pgautopsy check base.tar.gz --wal-archive /mnt/archive
  For a script: exit status, and facts as JSON
      pgautopsy check --format json --no-progress pgdata | jq .verdict
  What is left of which tables?
      pgautopsy ls /var/lib/postgresql/15/main common
  What does a code of the report mean?
      pgautopsy explain page-checksum-mismatch
  What does the server's log tell, and what is behind it?
      pgautopsy explain --log server.log /var/lib/postgresql/15/main";

const CHECK_EXAMPLES: &str = "\
Examples:
  pgautopsy check /var/lib/postgresql/15/main
  pgautopsy check backup.tar.zst --wal-archive /mnt/archive
  pgautopsy check --only checksums --threads 2 pgdata
  pgautopsy check --database common --relation public.ziplog pgdata
  pgautopsy check --format json pgdata | jq .verdict";

const DUMP_HELP: &str = "\
Examples:
  pgautopsy wal dump /var/lib/postgresql/15/main
  pgautopsy wal dump /mnt/archive --start 16/B374D848 --limit 100
  pgautopsy wal dump 0000000100000016000000B3 --rmgr Transaction
  pgautopsy wal dump pgdata --relation 1663/16397/1046635 --format json | jq .desc

Exit status:
  0  printed, damaged WAL too
  2  the command could not run: bad arguments, or no WAL";

const WINDOW_HELP: &str = "\
Examples:
  pgautopsy wal window /backups/base --wal-archive /mnt/archive
  pgautopsy wal window base.tar.gz --wal-archive /mnt/archive
  pgautopsy wal window --format json pgdata | jq '.timelines[].last_commit.time'

Exit status:
  0  some timeline can be reached
  1  none can: what is named cannot be recovered with this WAL
  2  the command could not run: bad arguments, or no data directory";

const EVENTS_HELP: &str = "\
Examples:
  Who truncated the table, and how to get back to before that?
      pgautopsy wal events /backups/base --wal-archive /mnt/archive
  Around one o'clock, in UTC or with another offset
      pgautopsy wal events pgdata --since '2026-11-20 12:30' --until '2026-11-20 14:30+01'
  For a program: the settings of every event that destroyed something
      pgautopsy wal events /mnt/archive --format json | jq '.events[].recovery'

Without a data directory or backup, names come from the WAL alone, and some are
missing. What transactions did that were rolled back is no event.

Exit status:
  0  printed, damaged WAL too
  2  the command could not run: bad arguments, or no WAL";

const VERIFY_HELP: &str = "\
Examples:
  pgautopsy wal verify /mnt/archive
  pgautopsy wal verify /var/lib/postgresql/15/main /mnt/archive --threads 2
  pgautopsy wal verify --format json /mnt/archive | jq .timelines

Exit status:
  0  sound: every record can be read, without a gap
  1  the WAL breaks off, segments are missing, of another cluster, or could not
     be examined
  2  the command could not run: bad arguments, or no WAL";

/// Tells from the files of a crashed PostgreSQL data directory what is damaged, what the next
/// start will do and lose, and what to do first
///
/// Reads PostgreSQL 9.0 to 19 without a server, and never writes to what it reads.
#[derive(Parser)]
#[command(
    name = "pgautopsy",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = format!("{EXAMPLES}\n\n{EXIT_STATUS}"),
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a data directory, or a tar of one, and report
    Check(Check),
    /// List databases, tables and indexes, and what of their files is left
    ///
    /// For what remains of a deletion that was stopped, or of a disk: pg_control, WAL, commit
    /// log or catalogs may be gone. Only catalogs and lists of files are read.
    Ls(Ls),
    /// Print pg_control, damaged or not, with pg_controldata's labels
    #[command(
        after_help = "Exit status:\n  0  as a server left it\n  1  damaged\n  2  it cannot be opened"
    )]
    Control {
        /// A data directory, a tar of one, or a pg_control file of any version
        #[arg(value_name = "PGDATA|FILE")]
        path: PathBuf,
    },
    /// Print one page with every byte accounted for
    Page {
        /// A file of a relation: its main fork or another, any segment
        file: PathBuf,
        /// The block, counted from 0 at the start of FILE on into later segments
        #[arg(long, value_name = "N")]
        block: u32,
    },
    /// List the segments of the commit log, the multixacts and their like, with statuses
    ///
    /// For each: which entries are needed once replay is done, the segments there are with
    /// their pages, those missing or too short, and in the commit log how transactions ended.
    Slru(SlruList),
    /// Print or verify WAL, or look for moments in it
    #[command(subcommand)]
    Wal(Wal),
    /// Say what a finding or a message of the server means, what decides its cause, what to do
    Explain(Explain),
    /// Print a shell's completion script
    #[command(
        after_help = "Example:\n  pgautopsy completions bash > ~/.local/share/bash-completion/completions/pgautopsy"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder, for those who package this
    #[command(hide = true)]
    Man {
        /// An existing folder
        folder: PathBuf,
    },
}

#[derive(Subcommand)]
enum Wal {
    /// Print records as pg_waldump of their version does, past damage to the end
    ///
    /// Where a record cannot be read, a line that begins with "#" says why in the server's
    /// words, and printing goes on at the next record that can be found. The last such line
    /// is the end of WAL. Times are in UTC.
    Dump(WalDump),
    /// Read all WAL of archives and data directories: what is good, missing, broken, foreign
    Verify(WalVerify),
    /// Tell from where to where recovery to a point in time can go, on each timeline
    ///
    /// It goes from where the data directory or base backup is consistent to where the WAL in
    /// it and in the archives can be read no further.
    Window(WalWindow),
    /// List what was truncated, dropped and deleted and when, and how to recover to before it
    ///
    /// Beside these: restore points, checkpoints, shutdowns, promotions, changed settings,
    /// prepared transactions, ends of backups. Times are in UTC.
    Events(WalEvents),
}

#[derive(Args)]
#[command(after_help = DUMP_HELP)]
struct WalDump {
    /// A data directory or a tar of one, a folder of WAL segments, or one segment
    #[arg(value_name = "PGDATA|DIR|SEGMENT")]
    path: PathBuf,
    /// Only records that start here or later, such as 16/B374D848
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    start: Option<XLogRecPtr>,
    /// Only records that start before this
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    end: Option<XLogRecPtr>,
    /// Only records of this resource manager, such as Heap2
    #[arg(long, value_name = "NAME")]
    rmgr: Option<String>,
    /// Only records about this relation: tablespace, database, file number
    #[arg(long, value_name = "T/D/R", value_parser = locator)]
    relation: Option<RelFileLocator>,
    /// Only records of this transaction
    #[arg(long, value_name = "XID")]
    xid: Option<u32>,
    /// Stop after this many records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// The timeline, and its ancestors up to where each was left [default: the newest]
    #[arg(long, value_name = "TLI")]
    timeline: Option<u32>,
    /// How records are printed
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = one_of(&DUMP_FORMATS))]
    format: Format,
}

#[derive(Args)]
#[command(after_help = VERIFY_HELP)]
struct WalVerify {
    /// Folders of WAL segments, segments, data directories; they count as one set
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Threads that read [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = one_of(&FORMATS))]
    format: Format,
}

#[derive(Args)]
#[command(after_help = WINDOW_HELP)]
struct WalWindow {
    /// A data directory or a base backup, or a tar of one
    #[arg(value_name = "PGDATA|BACKUP")]
    path: PathBuf,
    /// A folder with archived WAL; may be given more than once
    #[arg(long, value_name = "DIR")]
    wal_archive: Vec<PathBuf>,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = one_of(&FORMATS))]
    format: Format,
}

#[derive(Args)]
#[command(after_help = EVENTS_HELP)]
struct WalEvents {
    /// A data directory, a base backup or a tar of one, or a folder of WAL segments
    #[arg(value_name = "PGDATA|BACKUP|DIR")]
    path: PathBuf,
    /// A folder with archived WAL; may be given more than once
    #[arg(long, value_name = "DIR")]
    wal_archive: Vec<PathBuf>,
    /// Read from here on; what a transaction did before is not counted
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    start: Option<XLogRecPtr>,
    /// Read only records that start before this
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    end: Option<XLogRecPtr>,
    /// Only events at this time or later: 2026-11-20 12:24, in UTC, or with an offset
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<TimestampTz>,
    /// Only events at this time or earlier
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<TimestampTz>,
    /// List a DELETE or UPDATE of at least so many rows of one table in one transaction
    #[arg(long, value_name = "ROWS", default_value_t = 1000)]
    threshold: u64,
    /// The timeline, and its ancestors up to where each was left [default: the newest]
    #[arg(long, value_name = "TLI")]
    timeline: Option<u32>,
    /// How the result is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = one_of(&FORMATS))]
    format: Format,
}

fn time(text: &str) -> Result<TimestampTz, &'static str> {
    units::parse_time(text).ok_or("a time has the form 2026-11-20 12:24:08+00")
}

fn lsn(text: &str) -> Result<XLogRecPtr, &'static str> {
    XLogRecPtr::parse(text).ok_or("an LSN has the form 16/B374D848")
}

fn locator(text: &str) -> Result<RelFileLocator, &'static str> {
    let mut numbers = text.splitn(3, '/').map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(spc_oid)), Some(Ok(db_oid)), Some(Ok(rel_number))) => Ok(RelFileLocator {
            spc_oid,
            db_oid,
            rel_number,
        }),
        _ => Err("a relation has the form 1663/16397/1046635"),
    }
}

#[derive(Args)]
#[command(after_help = format!("{CHECK_EXAMPLES}\n\n{EXIT_STATUS}"))]
struct Check {
    /// The data directory, or a tar of one, plain or compressed
    #[arg(value_name = "PGDATA")]
    path: PathBuf,
    /// A folder with archived WAL, compressed or not, as pgBackRest, Barman, WAL-G or a plain
    /// archive_command lay it out; may be given more than once
    #[arg(long, value_name = "DIR")]
    wal_archive: Vec<PathBuf>,
    /// How the report is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = one_of(&FORMATS))]
    format: Format,
    /// Threads that read and check [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Only relations of this database, by name or OID
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Only this relation: NAME, SCHEMA.NAME or the number of its file
    #[arg(long, value_name = "NAME")]
    relation: Option<String>,
    /// Only some of the checks
    #[arg(long, value_name = "WHAT", default_value = "all", value_parser = one_of(&ONLY))]
    only: Only,
    /// How relation files are read
    #[arg(long, value_name = "HOW", default_value = "pread", value_parser = one_of(&IO_MODES))]
    io: IoMode,
    /// List findings from here up [default: abnormal for text, note for JSON]
    #[arg(long, value_name = "SEVERITY", value_parser = one_of(&SEVERITIES))]
    min_severity: Option<Severity>,
    /// Findings kept per check and relation or file; the rest are counted
    #[arg(long, value_name = "N", default_value_t = Options::default().max_findings)]
    max_findings: usize,
    /// Show no progress, even on a terminal
    #[arg(long)]
    no_progress: bool,
}

const LS_HELP: &str = "\
Examples:
  Which databases are there, and what is left of each?
      pgautopsy ls /var/lib/postgresql/15/main
  The tables of one, with their indexes, the largest first
      pgautopsy ls /var/lib/postgresql/15/main common
  What was written last?
      pgautopsy ls --sort time pgdata common
  For a program: tables of which everything is there
      pgautopsy ls --format json pgdata common |
        jq '.databases[].relations[] | select(.health == \"whole\") | .name'

Exit status:
  0  all that is listed is whole
  1  something of it is missing
  2  the command could not run: bad arguments, or no data directory
  3  part of it could not be told, and nothing worse was found";

#[derive(Args)]
#[command(after_help = LS_HELP)]
struct Ls {
    /// The data directory or what is left of it, or a tar of one, plain or compressed
    #[arg(value_name = "PGDATA")]
    path: PathBuf,
    /// The relations of this database, by name or OID; 0 for the shared ones
    #[arg(value_name = "DATABASE")]
    database: Option<String>,
    /// A folder with archived WAL, for a base backup; may be given more than once
    #[arg(long, value_name = "DIR")]
    wal_archive: Vec<PathBuf>,
    /// List system catalogs, too
    #[arg(long)]
    all: bool,
    /// In which order relations are listed
    #[arg(long, value_name = "ORDER", default_value = "size", value_parser = one_of(&ORDERS))]
    sort: Order,
    /// How the list is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = one_of(&FORMATS))]
    format: Format,
}

const SLRU_HELP: &str = "\
Examples:
  pgautopsy slru /var/lib/postgresql/15/main
  pgautopsy slru --format json base.tar.gz | jq '.slrus[0].segments[].statuses'

Exit status:
  0  all that is needed is there
  1  a segment, or pages of one, is missing
  2  the command could not run: bad arguments, or no data directory";

#[derive(Args)]
#[command(after_help = SLRU_HELP)]
struct SlruList {
    /// The data directory, or a tar of one, plain or compressed
    #[arg(value_name = "PGDATA")]
    path: PathBuf,
    /// How the list is printed
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = one_of(&FORMATS))]
    format: Format,
}

const ORDERS: [Choice<Order>; 3] = [
    ("size", Order::Size, "the largest first"),
    ("name", Order::Name, "by schema and name"),
    ("time", Order::Time, "the last written first"),
];

const EXPLAIN_HELP: &str = "\
Examples:
  pgautopsy explain page-checksum-mismatch
  pgautopsy explain \"ERROR:  could not access status of transaction 4294692688\"
  pgautopsy explain --log /var/log/postgresql/postgresql-15-main.log
  pgautopsy explain --log server.csv /var/lib/postgresql/15/main
  journalctl -u postgresql | pgautopsy explain --log -

Exit status:
  0  it was explained; with --log: nothing known and serious is in the log
  1  with --log and PGDATA: the directory is damaged as a message says
  2  the command could not run: nothing is known of that, or no such file
  3  with --log: serious messages, and no evidence that confirms them";

#[derive(Args)]
#[command(after_help = EXPLAIN_HELP)]
struct Explain {
    /// A code of the report, or a message of the server in quotation marks, as the log has it;
    /// without one, all codes are listed. With --log: the data directory, or a tar of one
    #[arg(value_name = "CODE|MESSAGE|PGDATA")]
    what: Option<OsString>,
    /// Look for known messages in a server log (stderr, csvlog or jsonlog; - is standard
    /// input), and answer them from PGDATA if it is given
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
}

/// Name, meaning, help.
type Choice<T> = (&'static str, T, &'static str);

const FORMATS: [Choice<Format>; 2] = [
    ("text", Format::Text, "for people"),
    ("json", Format::Json, "for programs: schema 1"),
];
const DUMP_FORMATS: [Choice<Format>; 2] = [
    ("text", Format::Text, "the lines of pg_waldump"),
    ("json", Format::Json, "for programs: one object a line"),
];
const ONLY: [Choice<Only>; 3] = [
    ("all", Only::All, "every check"),
    (
        "checksums",
        Only::Checksums,
        "page checksums alone, as pg_checksums does",
    ),
    ("wal", Only::Wal, "the control file and the WAL alone"),
];
const IO_MODES: [Choice<IoMode>; 2] = [
    (
        "pread",
        IoMode::Pread,
        "positioned reads, which survive bad sectors",
    ),
    (
        "mmap",
        IoMode::Mmap,
        "memory maps: for images known to be healthy; a read error ends the run",
    ),
];
const SEVERITIES: [Choice<Severity>; 4] = [
    (
        "note",
        Severity::Note,
        "worth knowing; healthy clusters have such things",
    ),
    (
        "abnormal",
        Severity::Abnormal,
        "no healthy cluster has it, but nothing is lost by it",
    ),
    (
        "damage",
        Severity::Damage,
        "data cannot be read, or is wrong",
    ),
    (
        "fatal",
        Severity::Fatal,
        "the server cannot start, or must not be started",
    ),
];

fn one_of<T: Copy + Send + Sync + 'static>(
    choices: &'static [Choice<T>],
) -> impl TypedValueParser<Value = T> {
    let values = choices
        .iter()
        .map(|(name, _, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(values).try_map(|name| {
        let choice = choices.iter().find(|(other, ..)| *other == name);
        choice
            .map(|(_, value, _)| *value)
            .ok_or("not one of the choices")
    })
}

/// Why a command ends without having done its work: one line that says what, where and what
/// to do.
struct Failure(String);

impl Failure {
    fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl From<io::Error> for Failure {
    /// Of printing: reading has its own errors.
    fn from(error: io::Error) -> Self {
        Self(format!("cannot write the output: {error}"))
    }
}

pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::builder()
        .with_env_var("PGAUTOPSY_LOG")
        .with_default_directive(LevelFilter::WARN.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let result = match &cli.command {
        Command::Check(arguments) => run_check(arguments),
        Command::Ls(arguments) => run_ls(arguments),
        Command::Control { path } => run_control(path),
        Command::Page { file, block } => run_page(file, *block),
        Command::Slru(arguments) => run_slru(arguments),
        Command::Explain(Explain { what, log: None }) => run_explain(what.as_deref()),
        Command::Explain(Explain {
            what,
            log: Some(log),
        }) => run_explain_log(log, what.as_deref().map(Path::new)),
        Command::Wal(Wal::Dump(arguments)) => run_wal_dump(arguments),
        Command::Wal(Wal::Verify(arguments)) => run_wal_verify(arguments),
        Command::Wal(Wal::Window(arguments)) => run_wal_window(arguments),
        Command::Wal(Wal::Events(arguments)) => run_wal_events(arguments),
        Command::Completions { shell } => run_completions(*shell),
        Command::Man { folder } => run_man(folder),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(Failure(reason)) => {
            let _ = writeln!(io::stderr(), "pgautopsy: {reason}");
            ExitCode::from(CANNOT_RUN)
        }
    }
}

fn run_check(arguments: &Check) -> Result<u8, Failure> {
    let options = Options {
        wal_archives: arguments.wal_archive.clone(),
        threads: arguments.threads.map(usize::from),
        io_mode: arguments.io,
        database: arguments.database.clone(),
        relation: arguments.relation.clone(),
        only: arguments.only,
        max_findings: arguments.max_findings,
    };
    let bar = Bar::new(!arguments.no_progress && io::stderr().is_terminal());
    let report = check::check(&arguments.path, &options, &bar);
    bar.clear();
    let report = report.map_err(Failure::new)?;
    print(|out| match arguments.format {
        Format::Text => {
            let style = text::Style {
                width: width(),
                colour: colour(),
                min_severity: arguments.min_severity.unwrap_or(Severity::Abnormal),
            };
            text::write(out, &report, style)
        }
        Format::Json => json::write(
            out,
            &report,
            arguments.min_severity.unwrap_or(Severity::Note),
        ),
    })?;
    Ok(report.exit_status())
}

/// Exits with 1 when something is missing, with 3 when that cannot be told.
fn run_ls(arguments: &Ls) -> Result<u8, Failure> {
    let inventory = ls::list(&arguments.path, &arguments.wal_archive).map_err(Failure::new)?;
    let database = match &arguments.database {
        None => None,
        Some(wanted) => Some(inventory.database(wanted).ok_or_else(|| {
            let known: Vec<String> = inventory
                .databases
                .iter()
                .map(|database| match &database.name {
                    Some(name) => format!("{name:?}"),
                    None => database.oid.to_string(),
                })
                .collect();
            let known = known.join(", ");
            Failure(format!(
                "there is no database {wanted:?}; there are {known}"
            ))
        })?),
    };
    print(|out| match arguments.format {
        Format::Text => {
            let style = report_ls::Style {
                width: width(),
                colour: colour(),
                order: arguments.sort,
                all: arguments.all,
            };
            report_ls::write_text(out, &inventory, database, style)
        }
        Format::Json => report_ls::write_json(out, &inventory, database),
    })?;
    Ok(inventory.exit_status(database))
}

/// Exits with 1 when the file is damaged.
fn run_control(path: &Path) -> Result<u8, Failure> {
    let control = Control::load(path).map_err(Failure)?;
    let mut good = true;
    print(|out| {
        good = control.print(out)?;
        Ok(())
    })?;
    Ok(u8::from(!good))
}

fn run_page(file: &Path, block: u32) -> Result<u8, Failure> {
    let page = Page::load(file, block).map_err(Failure)?;
    print(|out| page.print(out))?;
    Ok(0)
}

/// Exits with 1 when something that is needed is missing.
fn run_slru(arguments: &SlruList) -> Result<u8, Failure> {
    let slrus = slru::list(&arguments.path).map_err(Failure::new)?;
    print(|out| match arguments.format {
        Format::Text => report_slru::write_text(out, &slrus, width(), colour()),
        Format::Json => report_slru::write_json(out, &slrus),
    })?;
    Ok(u8::from(!slrus.is_whole()))
}

fn run_wal_dump(arguments: &WalDump) -> Result<u8, Failure> {
    let filter = Filter {
        start: arguments.start,
        end: arguments.end,
        rmgr: arguments.rmgr.clone(),
        relation: arguments.relation,
        xid: arguments.xid,
        limit: arguments.limit,
        json: matches!(arguments.format, Format::Json),
    };
    let dump = Dump::load(&arguments.path, arguments.timeline, filter).map_err(Failure)?;
    print(|out| dump.print(out))?;
    Ok(0)
}

/// Exits with 1 when the WAL is not sound.
fn run_wal_verify(arguments: &WalVerify) -> Result<u8, Failure> {
    let threads = usize::from(arguments.threads.unwrap_or(0));
    let verified = Verified::load(&arguments.paths, threads).map_err(Failure)?;
    print(|out| match arguments.format {
        Format::Text => verified.print_text(out, width(), colour()),
        Format::Json => verified.print_json(out),
    })?;
    Ok(u8::from(!verified.is_sound()))
}

/// Exits with 1 when no timeline can be reached.
fn run_wal_window(arguments: &WalWindow) -> Result<u8, Failure> {
    let reachable = Reachable::load(&arguments.path, &arguments.wal_archive).map_err(Failure)?;
    print(|out| match arguments.format {
        Format::Text => reachable.print_text(out, width(), colour()),
        Format::Json => reachable.print_json(out),
    })?;
    Ok(u8::from(!reachable.is_any()))
}

fn run_wal_events(arguments: &WalEvents) -> Result<u8, Failure> {
    let wanted = Wanted {
        start: arguments.start,
        end: arguments.end,
        since: arguments.since,
        until: arguments.until,
        threshold: arguments.threshold,
    };
    let archives = &arguments.wal_archive;
    let found =
        Found::load(&arguments.path, archives, arguments.timeline, wanted).map_err(Failure)?;
    print(|out| match arguments.format {
        Format::Text => found.print_text(out, width(), colour()),
        Format::Json => found.print_json(out),
    })?;
    Ok(0)
}

fn run_explain(what: Option<&OsStr>) -> Result<u8, Failure> {
    let Some(what) = what.map(OsStr::to_string_lossy) else {
        print(|out| explain::write_list(out, width(), colour()))?;
        return Ok(0);
    };
    if let Some(check) = checks::by_code(&what) {
        print(|out| explain::write(out, check, width(), colour()))?;
        return Ok(0);
    }
    if let Some(message) = messages::by_id(&what) {
        print(|out| report_messages::write(out, message, None, width(), colour()))?;
        return Ok(0);
    }
    let found = messages::log::read_pasted(&what);
    if found.families.is_empty() {
        return Err(unknown(&what));
    }
    print(|out| {
        let sightings = found.families.iter().flat_map(|family| &family.sightings);
        for (i, sighting) in sightings.enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            let recognised = &sighting.recognised;
            let message = recognised.message;
            report_messages::write(&mut *out, message, Some(recognised), width(), colour())?;
        }
        Ok(())
    })?;
    Ok(0)
}

/// What was asked is neither a code nor a message.
fn unknown(what: &str) -> Failure {
    if what.trim().contains([' ', '\n']) {
        let mut reason = format!("pgautopsy does not know the message {what:?}");
        let near = messages::nearest(what);
        if !near.is_empty() {
            reason.push_str("; the nearest it knows:");
        }
        for wording in near {
            reason.push_str("\n  ");
            reason.push_str(wording.text);
        }
        return Failure(reason);
    }
    let near: Vec<&str> = explain::similar(what)
        .iter()
        .map(|check| check.code)
        .collect();
    let hint = match near[..] {
        [] => "`pgautopsy explain` lists all codes".to_owned(),
        _ => format!("did you mean {}?", near.join(", ")),
    };
    Failure(format!("no check has the code {what:?}; {hint}"))
}

/// Exits with 1 when damage is confirmed, with 3 when it is told of and not confirmed.
fn run_explain_log(log: &Path, pgdata: Option<&Path>) -> Result<u8, Failure> {
    let cannot_read = |error| Failure(format!("cannot read the log {}: {error}", log.display()));
    let found = if log == Path::new("-") {
        messages::log::read(io::stdin().lock())
    } else {
        let file = File::open(log).map_err(cannot_read)?;
        messages::log::read(BufReader::with_capacity(1 << 18, file))
    }
    .map_err(cannot_read)?;
    let report = match pgdata {
        Some(path) => {
            // A message may be about any of the findings, not about the first of each kind.
            let options = Options {
                max_findings: 10_000,
                ..Options::default()
            };
            let bar = Bar::new(io::stderr().is_terminal());
            let report = check::check(path, &options, &bar);
            bar.clear();
            Some(report.map_err(Failure::new)?)
        }
        None => None,
    };
    let mut finds = Finds::Nothing;
    print(|out| {
        finds = report_messages::write_log(out, &found, report.as_ref(), width(), colour())?;
        Ok(())
    })?;
    Ok(match finds {
        Finds::Nothing => 0,
        Finds::Confirmed => 1,
        Finds::Unconfirmed => UNCONFIRMED,
    })
}

fn run_completions(shell: clap_complete::Shell) -> Result<u8, Failure> {
    print(|out| {
        // Into memory first: the generator panics when it cannot write.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "pgautopsy", &mut script);
        out.write_all(&script)
    })?;
    Ok(0)
}

fn run_man(folder: &Path) -> Result<u8, Failure> {
    clap_mangen::generate_to(Cli::command(), folder)
        .map_err(|error| Failure(format!("cannot write into {}: {error}", folder.display())))?;
    Ok(0)
}

/// Prints to stdout. A reader that has seen enough (`| head`) is no error.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// 80 columns, or those of the terminal up to 100: longer lines are hard to read.
fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout());
    terminal.map_or(80, |(width, _)| usize::from(width.0).clamp(40, 100))
}

/// On a terminal that has not been told otherwise (<https://no-color.org>).
fn colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal()
        && !set("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The progress of a run on stderr, or nothing.
struct Bar(ProgressBar);

impl Bar {
    fn new(visible: bool) -> Self {
        Self(if visible {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        })
    }

    fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn phase(&self, name: &str, total_bytes: Option<u64>) {
        let template = match total_bytes {
            Some(_) => "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}",
            None => "{spinner} {msg} {binary_bytes}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        match total_bytes {
            Some(total) => self.0.set_length(total),
            None => self.0.unset_length(),
        }
        self.0.set_message(name.to_owned());
        self.0.reset();
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn check_takes_its_options() {
        let words = "pgautopsy check d --wal-archive a --wal-archive b --format json --threads 2 \
                     --database x --relation s.t --io mmap --min-severity damage --no-progress \
                     --max-findings 5 --only wal";
        let Command::Check(check) = Cli::parse_from(words.split_whitespace()).command else {
            panic!("another command");
        };
        assert_eq!(check.wal_archive, [Path::new("a"), Path::new("b")]);
        assert!(matches!(check.format, Format::Json));
        assert_eq!((check.io, check.only), (IoMode::Mmap, Only::Wal));
        assert_eq!(check.min_severity, Some(Severity::Damage));
        assert_eq!((check.threads, check.max_findings), (Some(2), 5));
        assert!(Cli::try_parse_from(["pgautopsy", "check", "d", "--threads", "0"]).is_err());
    }
}
