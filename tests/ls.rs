//! `pgautopsy ls` on every bundled directory, against what the recovered server said, and on
//! directories of which parts were deleted.
#![allow(missing_docs)]

mod support;

use pgautopsy::format::Oid;
use pgautopsy::ls::{Catalogs, Database, Health, Inventory, Relation, list};
use pgautopsy::report::ls::{Order, Style, write_json, write_text};
use rayon::prelude::*;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use support::{csv, packed, testdata, unpack};

fn read(path: &Path) -> Inventory {
    list(path, &[]).unwrap()
}

fn database<'a>(inventory: &'a Inventory, name: &str) -> &'a Database {
    inventory
        .database(name)
        .unwrap_or_else(|| panic!("no database {name}"))
}

fn relation<'a>(database: &'a Database, name: &str) -> &'a Relation {
    let mut relations = database.relations.iter();
    relations
        .find(|relation| relation.catalog.class.relname == name)
        .unwrap_or_else(|| panic!("no relation {name}"))
}

/// A number of a CSV file; an empty field is 0.
fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn agrees_with_the_server(name: &str, inventory: &Inventory) -> Vec<String> {
    let mut all = Vec::new();
    for row in csv(name, "relations.csv") {
        let known = inventory.database(&row["database"]);
        let relations = known.into_iter().chain(inventory.database("0"));
        let oid: Oid = row["oid"].parse().unwrap();
        let found = relations
            .flat_map(|database| &database.relations)
            .find(|relation| relation.catalog.class.oid == oid);
        let place = format!("{name}: {}.{}", row["database"], row["relname"]);
        let Some(found) = found else {
            all.push(format!("{place} is not listed"));
            continue;
        };
        let class = &found.catalog.class;
        if class.relname != row["relname"]
            || found.catalog.schema.as_deref() != Some(&row["nspname"])
            || found.path.as_deref().unwrap_or("") != row["path"]
        {
            all.push(format!("{place}: {} at {:?}", class.relname, found.path));
        }
        let expected = match (class.relkind, class.relpersistence) {
            (b'r' | b'i' | b'S' | b't' | b'm', b'p' | b'u') => true,
            (b'r' | b'i' | b'S' | b't' | b'm', _) => continue,
            _ => false,
        };
        let fine = matches!(
            found.health,
            Health::Whole | Health::Empty | Health::Reset | Health::Replayed
        );
        if fine != expected || !found.faults.is_empty() {
            all.push(format!("{place}: {} {:?}", found.health, found.faults));
        }
        // Indexes stand with their tables.
        if class.relkind == b'i' && found.table.is_none() {
            all.push(format!("{place}: an index without a table"));
        }
        if name.ends_with("clean") && number(&row["size_main"]) > 0 {
            let sizes = ["size_main", "size_fsm", "size_vm", "size_init"];
            let expected: u64 = sizes
                .iter()
                .map(|column| number(row.get(*column).map_or("", String::as_str)))
                .sum();
            if found.files.size != expected {
                all.push(format!(
                    "{place}: {} bytes, not {expected}",
                    found.files.size
                ));
            }
        }
    }
    for database in &inventory.databases {
        if database.catalogs != Catalogs::Whole {
            all.push(format!(
                "{name}: {:?} {:?}",
                database.path, database.catalogs
            ));
        }
    }
    all.extend(
        inventory
            .unknown
            .iter()
            .map(|text| format!("{name}: {text}")),
    );
    all.extend(inventory.problems.iter().map(|p| format!("{name}: {p:?}")));
    all
}

#[test]
fn names_paths_and_sizes_are_those_of_the_server() {
    let each = |name: &String| {
        if name.ends_with("basebackup") {
            return unpacked_agrees(name);
        }
        let inventory = read(&packed(name));
        let mut all = agrees_with_the_server(name, &inventory);
        if inventory.exit_status(None) != 0 {
            all.push(format!(
                "{name}: exit status {}",
                inventory.exit_status(None)
            ));
        }
        let orphan = inventory
            .databases
            .iter()
            .any(|database| database.unclaimed.iter().any(|files| !files.removed));
        if name.ends_with("crash") && !orphan {
            all.push(format!("{name}: the file of orphan_t is not told of"));
        }
        all
    };
    let all: Vec<String> = support::bundled().par_iter().flat_map(each).collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

fn unpacked_agrees(name: &str) -> Vec<String> {
    let dir = unpack(name);
    let backup = name.ends_with("basebackup");
    let archives: Vec<PathBuf> = backup
        .then(|| dir.path().join("archive"))
        .into_iter()
        .collect();
    let pgdata = if name.ends_with("targz") {
        "tar"
    } else {
        "pgdata"
    };
    let inventory = list(&dir.path().join(pgdata), &archives).unwrap();
    agrees_with_the_server(name, &inventory)
}

#[test]
#[ignore = "needs the whole set beside the repository"]
fn the_whole_set_agrees_with_the_server() {
    let names = support::all_shared();
    let all: Vec<String> = names
        .par_iter()
        .flat_map(|name| unpacked_agrees(name))
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// Files are removed from a directory, and it is listed again.
struct Dir(tempfile::TempDir);

impl Dir {
    fn of(name: &str) -> Self {
        Self(unpack(name))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("pgdata")
    }

    fn remove(&self, path: &str) {
        let path = self.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    fn resize(&self, path: &str, size: u64) {
        let path = self.path().join(path);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        file.unwrap().set_len(size).unwrap();
    }
}

const FIXTURES: [&str; 5] = ["9.0-clean", "9.4-clean", "12-clean", "15-clean", "19-clean"];
const BLCKSZ: u64 = 8192;
const SEGMENT: u64 = 131_072 * BLCKSZ;

#[test]
fn what_a_deletion_left_is_told_relation_by_relation() {
    for name in FIXTURES {
        let dir = Dir::of(name);
        let before = read(&dir.path());
        let app = database(&before, "app");
        let path = |name: &str| relation(app, name).path.clone().unwrap();
        let [gone, cut, holed, torn, rest] =
            ["ziplog", "accounts", "toasty", "wide_t", "frozen_t"].map(path);
        dir.remove(&gone);
        dir.resize(&cut, 3 * BLCKSZ);
        // Sparse files: segments 1 and 3 of 5 are missing, 2 is short.
        dir.resize(&holed, SEGMENT);
        dir.resize(&format!("{holed}.2"), 7 * BLCKSZ);
        dir.resize(&format!("{holed}.4"), BLCKSZ);
        let torn_size = fs::metadata(dir.path().join(&torn)).unwrap().len();
        dir.resize(&torn, torn_size - 100);
        dir.resize(&format!("{rest}_fsm"), BLCKSZ);
        dir.remove(&rest);
        for file in [
            format!("{gone}_vm"),
            format!("{gone}_fsm"),
            format!("{rest}_vm"),
        ] {
            let _ = fs::remove_file(dir.path().join(file));
        }

        let after = read(&dir.path());
        let app = database(&after, "app");
        let state = |name: &str| {
            let relation = relation(app, name);
            (relation.health, relation.faults.join("; "))
        };
        assert_eq!(state("ziplog"), (Health::Missing, String::new()), "{name}");
        let (health, fault) = state("accounts");
        assert_eq!(health, Health::InPart, "{name}: {fault}");
        assert!(
            fault.starts_with("3 blocks, and it had about "),
            "{name}: {fault}"
        );
        assert_eq!(
            state("toasty"),
            (
                Health::InPart,
                "segment 1 of 5 is missing; segment 2 of 5 has 7 of 131072 blocks; segment 3 of 5 \
                 is missing"
                    .to_owned()
            ),
            "{name}"
        );
        let cut_off = format!("block {} is cut off", torn_size / BLCKSZ - 1);
        assert_eq!(state("wide_t"), (Health::InPart, cut_off), "{name}");
        assert_eq!(
            state("frozen_t"),
            (
                Health::Missing,
                "only its free space map is left".to_owned()
            ),
            "{name}"
        );
        assert_eq!(
            (app.count(Health::InPart), app.count(Health::Missing)),
            (3, 2),
            "{name}"
        );
        assert_eq!(after.exit_status(None), 1);
        assert_eq!(after.exit_status(after.database("postgres")), 0);
        let json = json(&after);
        let databases = json["databases"].as_array().unwrap();
        let app = databases.iter().find(|d| d["name"] == "app").unwrap();
        assert_eq!(
            (app["in_part"].as_u64(), app["missing"].as_u64()),
            (Some(3), Some(2))
        );
    }
}

fn json(inventory: &Inventory) -> Value {
    let mut out = Vec::new();
    write_json(&mut out, inventory, None).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn text(inventory: &Inventory, database: Option<&Database>, all: bool) -> String {
    let mut out = Vec::new();
    let style = Style {
        width: 80,
        colour: false,
        order: Order::Name,
        all,
    };
    write_text(&mut out, inventory, database, style).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_database_without_its_pg_class_is_listed_by_file() {
    for name in FIXTURES {
        let dir = Dir::of(name);
        let before = read(&dir.path());
        let app = database(&before, "app");
        let ziplog = relation(app, "ziplog").path.clone().unwrap();
        dir.remove(relation(app, "pg_class").path.as_deref().unwrap());
        let after = read(&dir.path());
        let app = database(&after, "app");
        let why = "its pg_class cannot be found or read".to_owned();
        assert_eq!(app.catalogs, Catalogs::Lost(why), "{name}");
        let file = app
            .unclaimed
            .iter()
            .find(|files| files.path == ziplog)
            .unwrap();
        assert_eq!(file.content.as_deref(), Some("heap"), "{name}");
        assert_eq!(after.exit_status(None), 1);
        let text = text(&after, Some(app), false);
        assert!(
            text.contains("Files, whose relations are not known"),
            "{text}"
        );
        assert!(text.contains(&ziplog), "{text}");
        assert_eq!(
            database(&after, "postgres").catalogs,
            Catalogs::Whole,
            "{name}"
        );
    }
}

#[test]
fn what_is_lost_of_the_cluster_hides_no_relation() {
    for name in FIXTURES {
        let dir = Dir::of(name);
        let before = read(&dir.path());
        let version = before.version.unwrap();
        let (wal, clog) = (version.wal_dir(), version.xact_dir());
        let names = |inventory: &Inventory| -> Vec<(String, Health)> {
            let app = database(inventory, "app").relations.iter();
            // Those whose creation was rolled back are not decided without the commit log.
            app.filter(|relation| relation.health != Health::Unknown)
                .map(|r| (r.catalog.class.relname.clone(), r.health))
                .collect()
        };
        let expected = names(&before);
        dir.remove("global/pg_control");
        let after = read(&dir.path());
        assert_eq!(names(&after), expected, "{name}");
        assert!(
            after.unknown[0].starts_with("global/pg_control is missing"),
            "{name}"
        );
        assert_eq!(after.exit_status(None), 3, "{name}");
        for gone in [wal, clog, "PG_VERSION"] {
            dir.remove(gone);
            let after = read(&dir.path());
            assert_eq!(names(&after), expected, "{name} without {gone}");
        }
        // Without pg_database nobody knows the names of databases; the relations have theirs.
        dir.remove("global");
        let app = database(&before, "app").oid.to_string();
        let after = read(&dir.path());
        let nameless = database(&after, &app);
        assert_eq!(nameless.name, None, "{name}");
        let found = nameless.relations.iter();
        let found: Vec<(String, Health)> = found
            .filter(|relation| relation.health != Health::Unknown)
            .map(|r| (r.catalog.class.relname.clone(), r.health))
            .collect();
        assert_eq!(found, expected, "{name} without global");
        // And without any folder of it, its file list alone is gone.
        dir.remove(&format!("base/{app}"));
        assert!(
            read(&dir.path())
                .database(&app)
                .is_none_or(|d| d.relations.is_empty())
        );
    }
}

#[test]
fn a_database_without_its_folder_is_told_of() {
    let dir = Dir::of("15-clean");
    let app = database(&read(&dir.path()), "app").oid;
    dir.remove(&format!("base/{app}"));
    let after = read(&dir.path());
    let lost = Catalogs::Lost("its folder is missing".to_owned());
    assert_eq!(database(&after, "app").catalogs, lost);
    let text = text(&after, None, false);
    assert!(
        text.contains("app: its folder is missing: its relations are not known"),
        "{text}"
    );
    assert!(
        text.contains("copy all of it elsewhere before anything else"),
        "{text}"
    );
}

fn golden(name: &str, actual: &str) {
    let path = testdata().join("golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{}: BLESS=1 rewrites it", path.display());
}

/// The list of a directory by a path that is the same everywhere.
fn placed(name: &str) -> Inventory {
    let mut inventory = read(&packed(name));
    inventory.path = "pgdata".to_owned();
    inventory
}

#[test]
fn databases_and_relations_as_text() {
    let inventory = placed("15-crash");
    let app = database(&inventory, "app");
    let databases = text(&inventory, None, false);
    let relations = text(&inventory, Some(app), false);
    golden("ls.txt", &databases);
    golden("ls-database.txt", &relations);
    let shared = text(&inventory, inventory.database("0"), true);
    assert!(shared.contains("pg_catalog.pg_database"), "{shared}");
    for line in databases.lines().chain(relations.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
