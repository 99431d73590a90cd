//! What there is of databases and relations, as text and as JSON.

use super::json::escape_unsafe;
use super::printer::{Paint, Printer, clean};
use super::units::{count, plain_time, rfc_3339, size, thousands};
use crate::format::types::{Oid, TimestampTz};
use crate::ls::{
    Catalogs, Database, FIRST_NORMAL_OBJECT_ID, Files, Health, Inventory, Relation, Unclaimed,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use textwrap::core::display_width;

/// 2000-01-01 in seconds since 1970-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800;
/// Relations that are named as the last written ones.
const LAST_WRITTEN: usize = 5;

/// In which order relations are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// By schema and name.
    Name,
    /// The largest first, with indexes and TOAST tables.
    #[default]
    Size,
    /// The last written first.
    Time,
}

/// What is printed of the relations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// In columns.
    pub width: usize,
    /// On a terminal.
    pub colour: bool,
    /// In which order.
    pub order: Order,
    /// System catalogs, too.
    pub all: bool,
}

fn timestamp(mtime: i64) -> Option<TimestampTz> {
    let micros = mtime.checked_sub(POSTGRES_EPOCH)?.checked_mul(1_000_000)?;
    Some(TimestampTz(micros))
}

/// To the second, in UTC.
fn time_text(mtime: Option<i64>) -> Option<String> {
    let text = plain_time(timestamp(mtime?)?)?;
    text.get(..19).map(str::to_owned)
}

fn size_text(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        _ => size(bytes).replace('\u{a0}', " "),
    }
}

/// Columns as wide as they must be: numbers to the right, words to the left.
struct Table {
    heads: Vec<(&'static str, bool)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(heads: &[(&'static str, bool)]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
        }
    }

    /// The head and the rows, as lines; without columns that are empty in all rows.
    fn lines(&self) -> Vec<String> {
        let cell_width =
            |row: &Vec<String>, n: usize| row.get(n).map_or(0, |cell| display_width(&clean(cell)));
        let widths: Vec<usize> = self
            .heads
            .iter()
            .enumerate()
            .map(|(n, (head, _))| {
                let widest = self.rows.iter().map(|row| cell_width(row, n)).max();
                match widest {
                    Some(0) | None => 0,
                    Some(widest) => widest.max(head.len()),
                }
            })
            .collect();
        let line = |cells: Vec<&str>| {
            let mut line = String::new();
            for ((cell, width), (_, right)) in cells.into_iter().zip(&widths).zip(&self.heads) {
                if *width == 0 {
                    continue;
                }
                if !line.is_empty() {
                    line.push_str("  ");
                }
                let cell = clean(cell);
                let pad = " ".repeat(width.saturating_sub(display_width(&cell)));
                if *right {
                    line.push_str(&pad);
                    line.push_str(&cell);
                } else {
                    line.push_str(&cell);
                    line.push_str(&pad);
                }
            }
            line.trim_end().to_owned()
        };
        let head = line(self.heads.iter().map(|(head, _)| *head).collect());
        let rows = self.rows.iter();
        let rows = rows.map(|row| line(row.iter().map(String::as_str).collect()));
        std::iter::once(head).chain(rows).collect()
    }
}

fn some_count(number: u64) -> String {
    match number {
        0 => "-".to_owned(),
        _ => thousands(number),
    }
}

/// `schema.name`
fn full_name(relation: &Relation) -> String {
    let name = &relation.catalog.class.relname;
    match &relation.catalog.schema {
        Some(schema) => format!("{schema}.{name}"),
        None => name.clone(),
    }
}

/// Prints the databases, or the relations of one, for people.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_text<W: io::Write>(
    out: W,
    inventory: &Inventory,
    database: Option<&Database>,
    style: Style,
) -> io::Result<()> {
    let mut printer = Printer::new(out, style.width, style.colour);
    let version = inventory
        .version
        .map_or("unknown version".to_owned(), |v| v.major.to_string());
    let written = time_text(inventory.newest)
        .map_or_else(String::new, |time| format!(", the last written {time} UTC"));
    let head = format!(
        "PostgreSQL {version} · {} · {} in {}{written}",
        inventory.path,
        size(inventory.bytes),
        count(inventory.files, "file"),
    );
    printer.entry(0, 2, Paint::Plain, "", &head)?;
    if inventory.replayed > 0 {
        let text = format!(
            "Names and files as recovery leaves them, after {} of WAL.",
            count(inventory.replayed, "record")
        );
        printer.entry(0, 2, Paint::Plain, "", &text)?;
    }
    let advice = match database {
        None => databases(&mut printer, inventory)?,
        Some(database) => relations(&mut printer, database, style)?,
    };
    if !inventory.unknown.is_empty() {
        printer.heading("Not known")?;
        for text in &inventory.unknown {
            printer.entry(2, 4, Paint::Plain, "- ", text)?;
        }
    }
    let about: Vec<_> = inventory
        .problems
        .iter()
        .filter(|problem| {
            database.is_none_or(|d| {
                let rest = problem.path.strip_prefix(&d.path);
                rest.is_some_and(|rest| rest.starts_with('/'))
            })
        })
        .collect();
    if !about.is_empty() {
        printer.heading("Catalogs that cannot be read")?;
        for problem in about {
            printer.entry(
                2,
                4,
                Paint::Plain,
                &problem.path,
                &format!(": {}", problem.message),
            )?;
        }
    }
    printer.heading("How to read this")?;
    for text in advice {
        printer.entry(2, 4, Paint::Plain, "- ", text)?;
    }
    Ok(())
}

fn databases<W: io::Write>(
    printer: &mut Printer<W>,
    inventory: &Inventory,
) -> io::Result<Vec<&'static str>> {
    let mut table = Table::new(&[
        ("OID", true),
        ("DATABASE", false),
        ("SIZE", true),
        ("WHOLE", true),
        ("IN PART", true),
        ("MISSING", true),
        ("UNKNOWN", true),
        ("UNCLAIMED", true),
        ("PATH", false),
    ]);
    for database in &inventory.databases {
        let lost = matches!(database.catalogs, Catalogs::Lost(_));
        let relations = |number: u64| {
            if lost {
                "?".to_owned()
            } else {
                some_count(number)
            }
        };
        let unknown = database.count(Health::Unknown);
        table.rows.push(vec![
            match database.oid {
                0 => "-".to_owned(),
                oid => oid.to_string(),
            },
            database.display_name(),
            size_text(database.size),
            relations(database.whole()),
            relations(database.count(Health::InPart)),
            relations(database.count(Health::Missing)),
            match unknown {
                0 => String::new(),
                _ => thousands(unknown),
            },
            some_count(unclaimed(database).count() as u64),
            database.path.clone(),
        ]);
    }
    printer.heading("Databases")?;
    for line in table.lines() {
        printer.verbatim(2, &line)?;
    }
    let remarks = inventory.databases.iter().filter_map(|database| {
        let remark = remarks(database);
        (!remark.is_empty()).then_some((database, remark))
    });
    let mut first = true;
    for (database, remark) in remarks {
        if first {
            printer.blank()?;
            first = false;
        }
        let text = format!(": {}", remark.join("; "));
        printer.entry(2, 4, Paint::Plain, &database.display_name(), &text)?;
    }
    last_written(printer, &inventory.databases)?;
    let mut advice = vec![
        "WHOLE counts relations (tables, indexes, TOAST tables, sequences) of which all segments \
         are there, as far as sizes tell; whether their pages are good, pgautopsy check tells.",
        "UNCLAIMED are relation files that no committed row of pg_class names: left by a crash, \
         or of relations whose row is lost.",
        "pgautopsy ls PGDATA DATABASE lists the relations of one database.",
    ];
    let lost = inventory.databases.iter().any(|database| {
        database.catalogs != Catalogs::Whole
            || database.count(Health::Missing) + database.count(Health::InPart) > 0
    });
    if lost {
        advice.insert(
            0,
            "Something is missing: stop what deletes files, write nothing to this file system, and \
             copy all of it elsewhere before anything else.",
        );
    }
    Ok(advice)
}

/// What is to be known of a database besides its numbers.
fn remarks(database: &Database) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    match &database.catalogs {
        Catalogs::Whole => {}
        Catalogs::InPart(why) => {
            remarks.push(format!("{why}: unclaimed files may be of its relations"))
        }
        Catalogs::Lost(why) => remarks.push(format!("{why}: its relations are not known")),
    }
    remarks.extend(database.remark.map(str::to_owned));
    remarks
}

/// Files that stay unclaimed.
fn unclaimed(database: &Database) -> impl Iterator<Item = &Unclaimed> {
    database.unclaimed.iter().filter(|files| !files.removed)
}

fn last_written<W: io::Write>(printer: &mut Printer<W>, databases: &[Database]) -> io::Result<()> {
    let mut written: Vec<(i64, String)> = databases
        .iter()
        .flat_map(|database| {
            let name = database.display_name();
            let tables = groups(database, Style::default());
            let tables: Vec<(Option<i64>, String)> = tables
                .iter()
                .map(|group| (group.newest(), full_name(group.head)))
                .collect();
            let files = unclaimed(database)
                .filter(|files| files.files.size > 0)
                .map(|u| (u.files.newest, u.path.clone()));
            tables
                .into_iter()
                .chain(files)
                .filter_map(move |(newest, what)| Some((newest?, format!("{name}: {what}"))))
        })
        .collect();
    written.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    if written.is_empty() {
        return Ok(());
    }
    printer.heading("Last written, by the times of the files (copies need not keep them)")?;
    for (mtime, what) in written.iter().take(LAST_WRITTEN) {
        let time = time_text(Some(*mtime)).unwrap_or_else(|| mtime.to_string());
        printer.verbatim(2, &format!("{time}  {what}"))?;
    }
    Ok(())
}

/// A table and what belongs to it; or a relation whose table is not known.
struct Group<'a> {
    head: &'a Relation,
    members: Vec<&'a Relation>,
}

impl Group<'_> {
    fn all(&self) -> impl Iterator<Item = &Relation> {
        std::iter::once(self.head).chain(self.members.iter().copied())
    }

    fn size(&self) -> u64 {
        self.all().map(|relation| relation.files.size).sum()
    }

    fn newest(&self) -> Option<i64> {
        self.all()
            .filter_map(|relation| relation.files.newest)
            .max()
    }

    fn is_whole(&self) -> bool {
        self.all()
            .all(|relation| !matches!(relation.health, Health::Missing | Health::InPart))
    }
}

fn groups(database: &Database, style: Style) -> Vec<Group<'_>> {
    let heads: BTreeMap<Oid, usize> = database
        .relations
        .iter()
        .filter(|relation| relation.table.is_none())
        .enumerate()
        .map(|(at, relation)| (relation.catalog.class.oid, at))
        .collect();
    let mut groups: Vec<Group<'_>> = database
        .relations
        .iter()
        .filter(|relation| relation.table.is_none())
        .map(|head| Group {
            head,
            members: Vec::new(),
        })
        .collect();
    let mut alone = Vec::new();
    for relation in &database.relations {
        let Some(table) = relation.table else {
            continue;
        };
        match heads.get(&table).and_then(|at| groups.get_mut(*at)) {
            Some(group) => group.members.push(relation),
            None => alone.push(Group {
                head: relation,
                members: Vec::new(),
            }),
        }
    }
    groups.extend(alone);
    groups.retain(|group| style.all || !group.head.is_system() || !group.is_whole());
    // Composite types have no contents, and partitioned indexes those of their partitions.
    groups.retain(|group| match group.head.catalog.class.relkind {
        b'c' => false,
        b'I' => style.all,
        _ => true,
    });
    match style.order {
        Order::Name => {}
        Order::Size => groups.sort_by_key(|group| std::cmp::Reverse(group.size())),
        Order::Time => groups.sort_by_key(|group| std::cmp::Reverse(group.newest())),
    }
    groups
}

fn relations<W: io::Write>(
    printer: &mut Printer<W>,
    database: &Database,
    style: Style,
) -> io::Result<Vec<&'static str>> {
    let place = match &database.tablespace_name {
        Some(name) => format!("{}, tablespace {name}", database.path),
        None => database.path.clone(),
    };
    let what = match (&database.name, database.oid) {
        (Some(name), _) => format!("Database {name}"),
        (None, 0) => "Shared relations".to_owned(),
        (None, oid) => format!("Database {oid}"),
    };
    let size = size_text(database.size);
    printer.heading(&format!("{what} ({place}): {size}"))?;
    for remark in remarks(database) {
        printer.entry(2, 4, Paint::Yellow, &remark, "")?;
    }
    let groups = groups(database, style);
    let mut table = Table::new(&[
        ("SIZE", true),
        ("ROWS", true),
        ("AGE", true),
        ("HEALTH", false),
        ("FILE", true),
        ("RELATION", false),
    ]);
    let mut faults = Vec::new();
    for group in &groups {
        table.rows.push(row(group.head, false));
        faults.push(&group.head.faults);
        for relation in &group.members {
            if style.all || !is_dull(relation) {
                table.rows.push(row(relation, true));
                faults.push(&relation.faults);
            }
        }
    }
    if groups.is_empty() {
        if database.catalogs == Catalogs::Whole {
            let text = "No relations but system catalogs, which --all lists.";
            printer.entry(2, 4, Paint::Plain, "", text)?;
        }
    } else {
        let mut lines = table.lines().into_iter();
        // Without indentation: names need the room.
        if let Some(head) = lines.next() {
            printer.verbatim(0, &head)?;
        }
        for (line, faults) in lines.zip(faults) {
            printer.verbatim(0, &line)?;
            for fault in faults {
                printer.entry(4, 6, Paint::Yellow, "^ ", fault)?;
            }
        }
    }
    unclaimed_files(printer, database, style)?;
    let mut advice = vec![
        "ROWS is what VACUUM or ANALYZE estimated last. AGE is the number of transactions since \
         relfrozenxid. FILE is the number in the name of the file.",
        "whole: no segment is missing or short, as far as sizes and relpages tell; whether the \
         pages are good, pgautopsy check tells.",
    ];
    let elsewhere = |relation: &Relation| relation.tablespace.is_some();
    if groups.iter().any(|group| group.all().any(elsewhere)) {
        advice.push("in NAME: in that tablespace, which is not the database's own.");
    }
    if !style.all {
        advice.push(
            "--all lists system catalogs, empty TOAST tables and TOAST indexes, too; without it \
             they are listed when they are not whole.",
        );
    }
    Ok(advice)
}

/// A TOAST table without rows, and the index of any, of which nothing is missing.
fn is_dull(relation: &Relation) -> bool {
    let is_index = relation.catalog.kind() == "TOAST index";
    match relation.health {
        Health::Empty | Health::Reset => relation.catalog.toast_owner.is_some(),
        Health::Whole | Health::Replayed | Health::Temporary => is_index,
        Health::Missing | Health::InPart | Health::Unknown | Health::NoFile => false,
    }
}

fn row(relation: &Relation, is_member: bool) -> Vec<String> {
    let class = &relation.catalog.class;
    let has_rows = matches!(class.relkind, b'r' | b'm' | b't');
    let rows = (has_rows && (class.reltuples > 0.0 || class.relpages > 0))
        .then(|| thousands(class.reltuples.max(0.0) as u64));
    let mut name = if is_member {
        format!("  {}", class.relname)
    } else {
        full_name(relation)
    };
    if class.relkind != b'r' {
        name.push_str(&format!(" ({})", relation.catalog.kind()));
    }
    if let Some(tablespace) = &relation.tablespace {
        name.push_str(&format!(" in {tablespace}"));
    }
    let has_files = relation.health != Health::NoFile;
    vec![
        if has_files {
            size_text(relation.files.size)
        } else {
            String::new()
        },
        rows.unwrap_or_default(),
        relation
            .xid_age
            .map_or_else(String::new, |age| thousands(age.into())),
        relation.health.to_string(),
        relation
            .catalog
            .locator
            .map_or_else(String::new, |locator| locator.rel_number.to_string()),
        name,
    ]
}

fn unclaimed_files<W: io::Write>(
    printer: &mut Printer<W>,
    database: &Database,
    style: Style,
) -> io::Result<()> {
    let lost = database.catalogs != Catalogs::Whole;
    let is_system = |files: &Unclaimed| lost && files.locator.rel_number < FIRST_NORMAL_OBJECT_ID;
    let is_shown = |files: &&Unclaimed| style.all || !files.removed && !is_system(files);
    let shown: Vec<&Unclaimed> = database.unclaimed.iter().filter(is_shown).collect();
    let hidden = database.unclaimed.iter().filter(|files| !is_shown(files));
    let (removed, system): (Vec<_>, Vec<_>) = hidden.partition(|files| files.removed);
    if database.unclaimed.is_empty() {
        return Ok(());
    }
    printer.heading(match database.catalogs {
        Catalogs::Whole => "Files that no relation claims",
        Catalogs::InPart(_) => "Files whose relation is gone or not known",
        Catalogs::Lost(_) => "Files, whose relations are not known",
    })?;
    let mut table = Table::new(&[
        ("SIZE", true),
        ("FIRST PAGE", false),
        ("LAST WRITTEN (UTC)", false),
        ("FILE", false),
    ]);
    for files in shown {
        let forks = files.files.forks.len();
        let segments: usize = files.files.forks.iter().map(|f| f.segments.len()).sum();
        let mut path = files.path.clone();
        if segments > forks {
            path.push_str(&format!(" ({segments} files)"));
        }
        if files.removed {
            let by = if files.temporary {
                "the next start"
            } else {
                "replay"
            };
            path.push_str(&format!(" (removed by {by})"));
        }
        table.rows.push(vec![
            size_text(files.files.size),
            files.content.clone().unwrap_or_default(),
            time_text(files.files.newest).unwrap_or_default(),
            path,
        ]);
    }
    if !table.rows.is_empty() {
        for line in table.lines() {
            printer.verbatim(2, &line)?;
        }
    }
    for (hidden, what) in [
        (removed, "that the next start removes"),
        (system, "whose number is that of a system catalog"),
    ] {
        if !hidden.is_empty() {
            let relations = count(hidden.len() as u64, "relation");
            let text = format!("{relations} {what} (--all lists them)");
            printer.entry(2, 4, Paint::Plain, "", &text)?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct InventoryV1<'a> {
    schema: u32,
    data_directory: &'a str,
    version: Option<String>,
    files: u64,
    bytes: u64,
    last_written: Option<String>,
    records_replayed: u64,
    databases: Vec<DatabaseV1<'a>>,
    not_known: &'a [String],
    catalog_problems: Vec<ProblemV1<'a>>,
}

#[derive(Serialize)]
struct ProblemV1<'a> {
    path: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct DatabaseV1<'a> {
    oid: Oid,
    name: Option<&'a str>,
    tablespace: TablespaceV1<'a>,
    path: &'a str,
    bytes: u64,
    last_written: Option<String>,
    datfrozenxid_age: Option<u32>,
    catalogs: &'static str,
    remarks: Vec<String>,
    whole: u64,
    in_part: u64,
    missing: u64,
    unknown: u64,
    relations: Vec<RelationV1<'a>>,
    unclaimed: Vec<UnclaimedV1<'a>>,
}

#[derive(Serialize)]
struct TablespaceV1<'a> {
    oid: Oid,
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct RelationV1<'a> {
    oid: Oid,
    schema: Option<&'a str>,
    name: &'a str,
    kind: &'static str,
    system: bool,
    table_oid: Option<Oid>,
    filenode: Option<u32>,
    tablespace: Option<&'a str>,
    path: Option<&'a str>,
    health: &'static str,
    faults: &'a [String],
    bytes: u64,
    last_written: Option<String>,
    relpages: i32,
    reltuples: f32,
    relfrozenxid_age: Option<u32>,
    relminmxid_age: Option<u32>,
    forks: Vec<ForkV1<'a>>,
}

#[derive(Serialize)]
struct UnclaimedV1<'a> {
    filenode: u32,
    tablespace_oid: Oid,
    path: &'a str,
    bytes: u64,
    last_written: Option<String>,
    first_page: Option<&'a str>,
    temporary: bool,
    removed_by_start: bool,
    forks: Vec<ForkV1<'a>>,
}

#[derive(Serialize)]
struct ForkV1<'a> {
    fork: &'static str,
    path: &'a str,
    segments: Vec<SegmentV1>,
}

#[derive(Serialize)]
struct SegmentV1 {
    number: u32,
    bytes: u64,
    last_written: Option<String>,
}

fn time_v1(mtime: Option<i64>) -> Option<String> {
    rfc_3339(timestamp(mtime?)?)
}

fn forks_v1(files: &Files) -> Vec<ForkV1<'_>> {
    let forks = files.forks.iter();
    forks
        .map(|fork| ForkV1 {
            fork: fork.fork.name(),
            path: &fork.path,
            segments: fork
                .segments
                .iter()
                .map(|segment| SegmentV1 {
                    number: segment.number,
                    bytes: segment.size,
                    last_written: time_v1(segment.mtime),
                })
                .collect(),
        })
        .collect()
}

fn health_name(health: Health) -> &'static str {
    match health {
        Health::Missing => "missing",
        Health::InPart => "in_part",
        Health::Unknown => "unknown",
        Health::Reset => "unlogged_reset",
        Health::Temporary => "temporary",
        Health::Replayed => "made_by_replay",
        Health::Empty => "empty",
        Health::Whole => "whole",
        Health::NoFile => "no_file",
    }
}

fn relation_v1(relation: &Relation) -> RelationV1<'_> {
    let class = &relation.catalog.class;
    RelationV1 {
        oid: class.oid,
        schema: relation.catalog.schema.as_deref(),
        name: &class.relname,
        kind: relation.catalog.kind(),
        system: relation.is_system(),
        table_oid: relation.table,
        filenode: relation.catalog.locator.map(|locator| locator.rel_number),
        tablespace: relation.tablespace.as_deref(),
        path: relation.path.as_deref(),
        health: health_name(relation.health),
        faults: &relation.faults,
        bytes: relation.files.size,
        last_written: time_v1(relation.files.newest),
        relpages: class.relpages,
        reltuples: class.reltuples,
        relfrozenxid_age: relation.xid_age,
        relminmxid_age: relation.mxid_age,
        forks: forks_v1(&relation.files),
    }
}

fn database_v1(database: &Database) -> DatabaseV1<'_> {
    DatabaseV1 {
        oid: database.oid,
        name: database.name.as_deref(),
        tablespace: TablespaceV1 {
            oid: database.tablespace,
            name: database.tablespace_name.as_deref(),
        },
        path: &database.path,
        bytes: database.size,
        last_written: time_v1(database.newest),
        datfrozenxid_age: database.xid_age,
        catalogs: match database.catalogs {
            Catalogs::Whole => "whole",
            Catalogs::InPart(_) => "in_part",
            Catalogs::Lost(_) => "lost",
        },
        remarks: remarks(database),
        whole: database.whole(),
        in_part: database.count(Health::InPart),
        missing: database.count(Health::Missing),
        unknown: database.count(Health::Unknown),
        relations: database.relations.iter().map(relation_v1).collect(),
        unclaimed: database
            .unclaimed
            .iter()
            .map(|files| UnclaimedV1 {
                filenode: files.locator.rel_number,
                tablespace_oid: files.locator.spc_oid,
                path: &files.path,
                bytes: files.files.size,
                last_written: time_v1(files.files.newest),
                first_page: files.content.as_deref(),
                temporary: files.temporary,
                removed_by_start: files.removed,
                forks: forks_v1(&files.files),
            })
            .collect(),
    }
}

/// Prints it for programs: one object, schema 1; of one database, or of all.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_json<W: io::Write>(
    mut out: W,
    inventory: &Inventory,
    database: Option<&Database>,
) -> io::Result<()> {
    let databases = match database {
        Some(database) => vec![database_v1(database)],
        None => inventory.databases.iter().map(database_v1).collect(),
    };
    let object = InventoryV1 {
        schema: 1,
        data_directory: &inventory.path,
        version: inventory.version.map(|version| version.major.to_string()),
        files: inventory.files,
        bytes: inventory.bytes,
        last_written: time_v1(inventory.newest),
        records_replayed: inventory.replayed,
        databases,
        not_known: &inventory.unknown,
        catalog_problems: inventory
            .problems
            .iter()
            .map(|problem| ProblemV1 {
                path: &problem.path,
                message: &problem.message,
            })
            .collect(),
    };
    let mut text = serde_json::to_string_pretty(&object)?;
    text.push('\n');
    out.write_all(escape_unsafe(&text).as_bytes())
}
