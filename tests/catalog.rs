//! Names of databases and relations, read from the files of every fixture, against what the
//! recovered server said.
#![allow(missing_docs)]

use pgautopsy::cluster::catalog::{
    Catalog, CatalogProblem, CatalogRedo, CatalogRelation, Committed,
};
use pgautopsy::cluster::xact::{XactCache, XactLog, XactStatus};
use pgautopsy::format::backup_label::BackupLabel;
use pgautopsy::format::control::{ControlFile, ControlReading};
use pgautopsy::format::history::{Switchpoint, TimeLineHistory};
use pgautopsy::format::names::relation_path;
use pgautopsy::format::{ForkNumber, Oid, TransactionId, XLogRecPtr};
use pgautopsy::pgdata::{Evidence, IoMode};
use pgautopsy::recovery::plan::{Counters, Plan};
use pgautopsy::recovery::reader::{Position, WalContext};
use pgautopsy::recovery::source::EvidenceWal;
use pgautopsy::recovery::timeline::Timelines;
use pgautopsy::recovery::walk::walk;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

mod support;

struct AfterReplay<'a> {
    log: XactLog<'a>,
    cache: XactCache,
}

impl Committed for AfterReplay<'_> {
    fn committed(&mut self, xid: TransactionId) -> bool {
        self.log.status(&mut self.cache, xid) == XactStatus::Committed
    }
}

/// A fixture unpacked, read.
struct Read {
    catalog: Catalog,
    problems: Vec<CatalogProblem>,
    version: &'static pgautopsy::format::Version,
}

fn whole_file(evidence: &Evidence, path: &str) -> Option<Vec<u8>> {
    let file = evidence.file(evidence.by_path(path)?).unwrap();
    Some(file.read_all(1 << 20).unwrap())
}

fn read(name: &str, edit: impl FnOnce(&Path)) -> Read {
    let dir = support::unpack(name);
    edit(dir.path());
    let archive = dir.path().join("archive");
    let is_backup = name.ends_with("basebackup");
    let archives: Vec<_> = is_backup.then_some(archive).into_iter().collect();
    let pgdata = if name.ends_with("targz") {
        "tar"
    } else {
        "pgdata"
    };
    let evidence = Evidence::open(&dir.path().join(pgdata), &archives, IoMode::default()).unwrap();

    let control = whole_file(&evidence, "global/pg_control").unwrap();
    let ControlReading::Decoded { control, .. } = ControlFile::read(&control, None) else {
        panic!("{name}: pg_control");
    };
    let layout = control.layout();
    let point = &control.check_point_copy;
    let label = whole_file(&evidence, "backup_label").map(|l| BackupLabel::parse(&l).unwrap());
    let start = label.map_or(point.redo, |label| label.start_wal_location);
    let tli = point.this_time_line_id;
    let history = format!("{}/{tli:08X}.history", layout.version.wal_dir());
    let timelines = match whole_file(&evidence, &history) {
        Some(bytes) => {
            let history = TimeLineHistory::parse(layout.version, tli, &bytes);
            let ancestors: Vec<_> = history
                .entries
                .iter()
                .map(|entry| {
                    let lsn = match entry.switchpoint {
                        Some(Switchpoint::Lsn(lsn)) => Some(lsn),
                        _ => None,
                    };
                    (entry.tli, lsn)
                })
                .collect();
            Timelines::new(tli, &ancestors)
        }
        None => Timelines::single(tli),
    };
    let context = WalContext {
        layout,
        system_identifier: Some(control.system_identifier),
        timelines,
    };
    let source = EvidenceWal::new(&evidence, &layout, is_backup);
    let counters = Counters::of(point);
    let mut plan = Plan::new(layout, counters);
    let log = support::truth(name, "recovery.log");
    let end = log.split("redo done at ").nth(1).map(|rest| {
        let last = rest.split_whitespace().next().unwrap();
        XLogRecPtr(XLogRecPtr::parse(last).unwrap().0 + 1)
    });
    if end.is_some() {
        let new_plan = || Plan::new(layout, Counters::default());
        let walked = walk(
            &context,
            &source,
            Position::at(start),
            end,
            &new_plan,
            &mut |piece, _| plan.absorb(piece),
        );
        assert!(walked.stop.is_none(), "{name}: {:?}", walked.stop);
    }
    let redo = end.map(|_| CatalogRedo {
        context: &context,
        source: &source,
        start: Position::at(start),
        end,
        relation_maps: &plan.relation_maps,
        created: &plan.created,
    });
    let mut xacts = AfterReplay {
        log: XactLog::open(&evidence, &layout, Some(&plan)),
        cache: XactCache::default(),
    };
    let mut problems = Vec::new();
    let catalog = Catalog::read(&evidence, &layout, redo.as_ref(), &mut xacts, &mut problems);
    Read {
        catalog,
        problems,
        version: layout.version,
    }
}

/// The rows of a CSV file of the truth, by column name.
/// Compares everything the truth tells; returns what differs.
fn differences(name: &str, read: &Read) -> Vec<String> {
    let catalog = &read.catalog;
    let mut all = Vec::new();
    let mut differ = |what: String, found: String, expected: &str| {
        if found != expected {
            all.push(format!("{name}: {what}: {found}, expected {expected}"));
        }
    };
    let databases = support::csv(name, "databases.csv");
    let oids: BTreeSet<Oid> = databases
        .iter()
        .map(|d| d["oid"].parse().unwrap())
        .collect();
    let found: BTreeSet<Oid> = catalog.databases.keys().copied().collect();
    differ(
        "databases".into(),
        format!("{found:?}"),
        &format!("{oids:?}"),
    );
    let flag = |flag: bool| if flag { "t" } else { "f" }.to_owned();
    for row in &databases {
        let Some(database) = catalog.databases.get(&row["oid"].parse().unwrap()) else {
            continue;
        };
        let what = |column: &str| format!("database {} {column}", row["oid"]);
        differ(what("datname"), database.datname.clone(), &row["datname"]);
        let spc = database.dattablespace;
        differ(
            what("dattablespace"),
            spc.to_string(),
            &row["dattablespace"],
        );
        let spcname = catalog.tablespaces.get(&spc).cloned().unwrap_or_default();
        differ(what("spcname"), spcname, &row["spcname"]);
        differ(
            what("datallowconn"),
            flag(database.datallowconn),
            &row["datallowconn"],
        );
        differ(
            what("datistemplate"),
            flag(database.datistemplate),
            &row["datistemplate"],
        );
        let xid = database.datfrozenxid.to_string();
        differ(what("datfrozenxid"), xid, &row["datfrozenxid"]);
        if let (Some(multi), Some(expected)) = (database.datminmxid, row.get("datminmxid")) {
            differ(what("datminmxid"), multi.to_string(), expected);
        }
    }

    let by_name: BTreeMap<&str, Oid> = catalog
        .databases
        .values()
        .map(|d| (d.datname.as_str(), d.oid))
        .collect();
    let relations = support::csv(name, "relations.csv");
    let mut seen = BTreeSet::new();
    let mut owners = BTreeMap::new();
    for row in &relations {
        let oid: Oid = row["oid"].parse().unwrap();
        let Some(&db) = by_name.get(row["database"].as_str()) else {
            continue;
        };
        let place = format!("{} {oid} {}", row["database"], row["relname"]);
        let own = catalog.relations.get(&(db, oid));
        let Some(relation) = own.or_else(|| catalog.relations.get(&(0, oid))) else {
            differ(place, "missing".into(), "a relation");
            continue;
        };
        seen.insert((relation.database, oid));
        let class = &relation.class;
        let what = |column: &str| format!("{place} {column}");
        differ(what("relname"), class.relname.clone(), &row["relname"]);
        let schema = relation.schema.as_deref().unwrap_or("?").to_owned();
        differ(what("nspname"), schema, &row["nspname"]);
        differ(
            what("relkind"),
            char::from(class.relkind).into(),
            &row["relkind"],
        );
        differ(
            what("relfilenode"),
            class.relfilenode.to_string(),
            &row["relfilenode"],
        );
        differ(
            what("reltablespace"),
            class.reltablespace.to_string(),
            &row["reltablespace"],
        );
        // Statistics of shared relations are those of the database read first.
        if relation.database != 0 {
            differ(
                what("relpages"),
                class.relpages.to_string(),
                &row["relpages"],
            );
            differ(
                what("relfrozenxid"),
                class.relfrozenxid.to_string(),
                &row["relfrozenxid"],
            );
            let tuples: f32 = row["reltuples"].parse().unwrap();
            differ(
                what("reltuples"),
                class.reltuples.to_string(),
                &tuples.to_string(),
            );
            if let (Some(multi), Some(expected)) = (class.relminmxid, row.get("relminmxid")) {
                differ(what("relminmxid"), multi.to_string(), expected);
            }
        }
        if let Some(expected) = row.get("relpersistence") {
            differ(
                what("relpersistence"),
                char::from(class.relpersistence).into(),
                expected,
            );
        }
        let path = relation
            .locator
            .map(|locator| relation_path(read.version, locator, ForkNumber::Main, 0));
        differ(what("path"), path.unwrap_or_default(), &row["path"]);
        let number = relation.locator.map(|l| l.rel_number.to_string());
        let none = ["0", ""].contains(&row["filenode"].as_str());
        let expected = if none { "" } else { &row["filenode"] };
        differ(what("filenode"), number.unwrap_or_default(), expected);
        if let Some(locator) = relation.locator {
            let named = catalog.name(locator);
            differ(
                what("name()"),
                named.name.unwrap_or_default(),
                &row["relname"],
            );
            let database = if relation.database == 0 {
                ""
            } else {
                &row["database"]
            };
            differ(
                what("name() database"),
                named.database.unwrap_or_default(),
                database,
            );
        }
        let toast: Oid = row["reltoastrelid"].parse().unwrap();
        if toast != 0 {
            owners.insert((relation.database, toast), oid);
        }
    }
    for (key, owner) in owners {
        let owner_of = |r: &CatalogRelation| r.toast_owner.unwrap_or(0).to_string();
        let found = catalog
            .relations
            .get(&key)
            .map_or("missing".into(), owner_of);
        differ(
            format!("owner of TOAST table {key:?}"),
            found,
            &owner.to_string(),
        );
    }
    let columns = support::csv(name, "columns.csv");
    for of_table in columns.chunk_by(|a, b| {
        ["database", "nspname", "relname"]
            .iter()
            .all(|column| a[*column] == b[*column])
    }) {
        let first = &of_table[0];
        let place = format!(
            "{} {}.{}",
            first["database"], first["nspname"], first["relname"]
        );
        let Some(&db) = by_name.get(first["database"].as_str()) else {
            continue;
        };
        let found = catalog.relations.values().find(|relation| {
            relation.database == db
                && relation.class.relname == first["relname"]
                && relation.schema.as_deref() == Some(&first["nspname"])
        });
        let Some(relation) = found else {
            differ(place, "missing".into(), "a relation");
            continue;
        };
        let desc = relation.tuple_desc.as_deref();
        if !matches!(relation.class.relkind, b'r' | b'm') {
            differ(place, desc.is_some().to_string(), "false");
            continue;
        }
        let found: Vec<String> = (1..)
            .map_while(|attnum| Some((desc?.attribute(attnum)?, desc?.name(attnum)?, attnum)))
            .map(|(attribute, attname, attnum)| {
                let align = match attribute.align {
                    1 => 'c',
                    2 => 's',
                    4 => 'i',
                    _ => 'd',
                };
                let dropped = flag(attribute.attisdropped);
                format!("{attnum} {attname} {} {align} {dropped}", attribute.attlen)
            })
            .collect();
        let expected: Vec<String> = of_table
            .iter()
            .map(|row| {
                ["attnum", "attname", "attlen", "attalign", "attisdropped"]
                    .map(|column| row[column].as_str())
                    .join(" ")
            })
            .collect();
        differ(place, found.join(", "), &expected.join(", "));
    }
    assert!(
        columns.len() > 100,
        "{name}: only {} columns",
        columns.len()
    );
    // All relations of this database are in the truth.
    let app = by_name.get("app").copied().unwrap_or(0);
    for (key, relation) in &catalog.relations {
        if (key.0 == app || key.0 == 0) && !seen.contains(key) {
            differ(
                format!("{key:?} {}", relation.class.relname),
                "there".into(),
                "none",
            );
        }
    }
    assert!(
        relations.len() > 300,
        "{name}: only {} relations",
        relations.len()
    );
    all
}

fn check<'a>(names: impl IntoIterator<Item = &'a str>) {
    let mut all = Vec::new();
    let mut fixtures = 0;
    for name in names {
        let read = read(name, |_| {});
        all.extend(differences(name, &read));
        all.extend(read.problems.iter().map(|p| format!("{name}: {p:?}")));
        fixtures += 1;
    }
    assert!(fixtures > 0);
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn names_after_a_crash() {
    check(support::of_kind("crash"));
}

#[test]
fn names_after_a_clean_stop() {
    check(support::of_kind("clean"));
}

#[test]
fn names_in_torn_directories() {
    check(support::of_kind("torn"));
}

#[test]
fn names_on_a_third_timeline() {
    check(support::of_kind("promoted"));
}

#[test]
fn names_in_backups() {
    check(support::of_kind("basebackup"));
}

#[test]
#[ignore = "reads the whole set of fixtures beside the repository"]
fn names_in_all_fixtures() {
    check(support::all_shared().iter().map(String::as_str));
}

/// Names found, as database and relation.
fn names(read: &Read) -> BTreeSet<(Oid, String)> {
    let relations = read.catalog.relations.values();
    relations
        .map(|r| (r.database, r.class.relname.clone()))
        .collect()
}

#[test]
fn a_lost_relation_map_is_told_and_made_up_for() {
    let whole = read("15-clean", |_| {});
    let without = read("15-clean", |dir| {
        std::fs::remove_file(dir.join("pgdata/base/5/pg_filenode.map")).unwrap();
        let global = dir.join("pgdata/global/pg_filenode.map");
        let mut bytes = std::fs::read(&global).unwrap();
        bytes[100] ^= 1;
        std::fs::write(&global, bytes).unwrap();
    });
    assert_eq!(names(&without), names(&whole));
    let told: Vec<_> = without
        .problems
        .iter()
        .map(|p| (p.path.as_str(), p.message.split(';').next().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("global/pg_filenode.map", "its checksum is wrong"),
            ("base/5/pg_filenode.map", "there is none"),
        ]
    );
}

#[test]
fn damaged_catalog_pages_cost_their_own_names_only() {
    let whole = read("15-clean", |_| {});
    let damaged = read("15-clean", |dir| {
        let class = dir.join("pgdata/base/5/1259");
        let mut bytes = std::fs::read(&class).unwrap();
        bytes[8192..16384].fill(0xFF);
        // A torn last block.
        bytes.truncate(bytes.len() - 100);
        std::fs::write(&class, bytes).unwrap();
        // Garbage all over, with page headers left as they are.
        let class = dir.join("pgdata/base/1/1259");
        let mut bytes = std::fs::read(&class).unwrap();
        let mut seed = 1_u32;
        for (at, byte) in bytes.iter_mut().enumerate() {
            if at % 8192 >= 24 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (seed >> 24) as u8;
            }
        }
        std::fs::write(&class, bytes).unwrap();
    });
    let of_5 = |read: &Read| names(read).into_iter().filter(|n| n.0 == 5).count();
    assert!(of_5(&damaged) > of_5(&whole) / 2);
    assert!(of_5(&damaged) < of_5(&whole));
    assert!(
        names(&damaged).is_subset(&names(&whole)),
        "nothing is made up"
    );
    let told = |path: &str, text: &str| {
        let mut problems = damaged.problems.iter();
        problems.any(|p| p.path == path && p.message.contains(text))
    };
    assert!(told("base/5/1259", "block 1: an invalid page"));
    assert!(told("base/1/1259", "does not tell of pg_class itself"));
}

#[test]
fn tables_of_which_a_column_is_lost_have_no_layout() {
    let layouts = |read: &Read| {
        let relations = read.catalog.relations.values();
        let known = relations.filter(|r| r.database == 5 && r.tuple_desc.is_some());
        known.map(|r| r.class.oid).collect::<BTreeSet<_>>()
    };
    let whole = read("15-clean", |_| {});
    let damaged = read("15-clean", |dir| {
        let attribute = dir.join("pgdata/base/5/1249");
        let mut bytes = std::fs::read(&attribute).unwrap();
        bytes[8192..16384].fill(0xFF);
        std::fs::write(&attribute, bytes).unwrap();
    });
    let (whole, left) = (layouts(&whole), layouts(&damaged));
    assert!(left.is_subset(&whole) && left.len() < whole.len() && left.len() > whole.len() / 2);
    assert!(damaged.problems.iter().any(|p| p.path == "base/5/1249"));
}
