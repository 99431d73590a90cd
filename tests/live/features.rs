//! No false alarm on what the server's features leave in files: a bit of each kind of table, column, index and transaction.

use crate::server::{Cluster, Server};
use crate::tool::check;

/// Statements of every major, each in a transaction of its own.
const STATEMENTS: &[&str] = &[
    // HOT chains, deleted and updated rows, rows of rolled back transactions.
    "CREATE TABLE hot (id int PRIMARY KEY, v int, pad text) WITH (fillfactor = 60)",
    "INSERT INTO hot SELECT i, 0, repeat('h', 50) FROM generate_series(1, 2000) i",
    "UPDATE hot SET v = v + 1 WHERE id % 3 = 0",
    "UPDATE hot SET v = v + 1 WHERE id % 3 = 0",
    "DELETE FROM hot WHERE id % 7 = 0",
    "BEGIN; UPDATE hot SET v = -1, id = -id; ROLLBACK",
    "BEGIN; INSERT INTO hot SELECT i, 0, 'never' FROM generate_series(5000, 6000) i; ROLLBACK",
    // Every page's rows updated to another page, rolled back, and frozen.
    "CREATE TABLE rolled (id int, pad text)",
    "INSERT INTO rolled SELECT i, repeat('r', 100) FROM generate_series(1, 1000) i",
    "BEGIN; UPDATE rolled SET pad = repeat('s', 100); ROLLBACK",
    "CREATE TABLE rolled_frozen AS SELECT * FROM rolled",
    "BEGIN; UPDATE rolled_frozen SET pad = repeat('s', 100); ROLLBACK",
    "VACUUM (FREEZE) rolled_frozen",
    // Subtransactions, more than a backend caches.
    "CREATE TABLE sub (id int PRIMARY KEY, v text)",
    "DO $$ BEGIN FOR i IN 1..200 LOOP
         BEGIN INSERT INTO sub VALUES (i, 'in'); IF i % 5 = 0 THEN RAISE 'out'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END;
     END LOOP; END $$",
    "BEGIN; SAVEPOINT a; UPDATE sub SET v = 'a'; SAVEPOINT b; DELETE FROM sub WHERE id < 50; ROLLBACK TO b; RELEASE a; COMMIT",
    // Multixacts: lockers of one row in subtransactions of one session, and an updater among them.
    "CREATE TABLE parent (id int PRIMARY KEY, v int)",
    "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent)",
    "INSERT INTO parent SELECT i, 0 FROM generate_series(1, 500) i",
    "INSERT INTO child SELECT i, 1 + i % 500 FROM generate_series(1, 2000) i",
    "BEGIN; SELECT count(*) FROM (SELECT * FROM parent FOR KEY SHARE) p; SAVEPOINT a;
     SELECT count(*) FROM (SELECT * FROM parent FOR SHARE) p; SAVEPOINT b; UPDATE parent SET v = v + 1 WHERE id % 2 = 0;
     ROLLBACK TO b; UPDATE parent SET v = v + 1 WHERE id % 3 = 0; COMMIT",
    "BEGIN; SELECT count(*) FROM (SELECT * FROM parent FOR UPDATE) p; SAVEPOINT a;
     DELETE FROM parent WHERE id > 600; SELECT count(*) FROM (SELECT * FROM parent FOR NO KEY UPDATE) p; ROLLBACK",
    // Prepared transactions: one ended, one left.
    "CREATE TABLE prepared (id int, v text)",
    "BEGIN; INSERT INTO prepared VALUES (1, 'ended'); UPDATE hot SET v = 99 WHERE id = 1; PREPARE TRANSACTION 'ended'",
    "COMMIT PREPARED 'ended'",
    "BEGIN; INSERT INTO prepared VALUES (2, 'dropped'); PREPARE TRANSACTION 'dropped'",
    "ROLLBACK PREPARED 'dropped'",
    "BEGIN; INSERT INTO prepared VALUES (3, 'left'); UPDATE parent SET v = -3 WHERE id = 3; PREPARE TRANSACTION 'left'",
    // TOAST of every storage; values updated, deleted, and of rolled back rows.
    "CREATE TABLE toasted (id int PRIMARY KEY, plain text, external text, extended text, main text, bytes bytea)",
    "ALTER TABLE toasted ALTER plain SET STORAGE PLAIN, ALTER external SET STORAGE EXTERNAL, ALTER main SET STORAGE MAIN",
    "INSERT INTO toasted SELECT i, repeat('p', 100), repeat(md5(i::text), 40 * i), repeat(md5(i::text), 400 * i),
         repeat(md5(i::text), 60), decode(repeat(md5(i::text), 300), 'hex') FROM generate_series(1, 60) i",
    "INSERT INTO toasted SELECT 1000 + i, NULL, '', NULL, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 150) j),
         NULL FROM generate_series(1, 20) i",
    "UPDATE toasted SET external = external || 'more' WHERE id % 4 = 0",
    "UPDATE toasted SET plain = 'kept values' WHERE id % 5 = 0",
    "DELETE FROM toasted WHERE id % 6 = 0",
    "BEGIN; UPDATE toasted SET extended = repeat(md5('never'), 3000); ROLLBACK",
    "VACUUM toasted",
    "INSERT INTO toasted SELECT 2000 + i, NULL, repeat(md5((2 * i)::text), 90), NULL, NULL, NULL FROM generate_series(1, 60) i",
    // Tables written anew, and files cut.
    "CREATE TABLE anew AS SELECT * FROM toasted",
    "CREATE INDEX anew_id ON anew (id)",
    "UPDATE anew SET id = id + 1",
    "VACUUM FULL anew",
    "CLUSTER anew USING anew_id",
    "REINDEX TABLE anew",
    "CREATE TABLE emptied AS SELECT * FROM hot",
    "TRUNCATE emptied",
    "INSERT INTO emptied SELECT * FROM hot LIMIT 10",
    "BEGIN; TRUNCATE emptied; INSERT INTO emptied SELECT * FROM hot; ROLLBACK",
    "BEGIN; CREATE TABLE made (id int); INSERT INTO made SELECT generate_series(1, 1000); TRUNCATE made; INSERT INTO made VALUES (1); COMMIT",
    "CREATE TABLE shrunk AS SELECT * FROM hot",
    "CREATE INDEX ON shrunk (id)",
    "DELETE FROM shrunk WHERE id > 100",
    "VACUUM shrunk",
    // Columns dropped, added with and without a default, of many types, and null.
    "CREATE TABLE columns (a int, b text, c int)",
    "INSERT INTO columns SELECT i, 'b' || i, i FROM generate_series(1, 300) i",
    "ALTER TABLE columns DROP COLUMN b",
    "ALTER TABLE columns ADD COLUMN d text DEFAULT 'a default that no row holds', ADD COLUMN e int",
    "INSERT INTO columns SELECT i, i, NULL, i FROM generate_series(301, 400) i",
    "UPDATE columns SET e = 1 WHERE a % 10 = 0",
    "ALTER TABLE columns ALTER c TYPE bigint",
    "CREATE TYPE mood AS ENUM ('sad', 'ok')",
    "CREATE TABLE moods (id int, m mood, ms mood[], pad text)",
    "INSERT INTO moods SELECT i, 'ok', '{sad,ok}', repeat('m', 100) FROM generate_series(1, 200) i",
    "ALTER TYPE mood ADD VALUE 'happy'",
    "ALTER TYPE mood ADD VALUE 'dull' BEFORE 'ok'",
    "UPDATE moods SET m = 'dull', ms = '{happy,NULL,dull}' WHERE id % 3 = 0",
    "ALTER TYPE mood RENAME VALUE 'sad' TO 'gloomy'",
    "BEGIN; CREATE TYPE fleeting AS ENUM ('x'); CREATE TABLE fleet (f fleeting); INSERT INTO fleet VALUES ('x'); ROLLBACK",
    "CREATE TYPE gone AS ENUM ('x', 'y')",
    "CREATE TABLE once (id int, g gone, t text)",
    "INSERT INTO once SELECT i, 'y', 'kept' FROM generate_series(1, 50) i",
    "ALTER TABLE once ALTER g TYPE text",
    "DROP TYPE gone",
    "CREATE DOMAIN temper AS mood CHECK (value <> 'gloomy')",
    "CREATE TABLE tempers AS SELECT 'happy'::temper AS t, ARRAY['ok'::mood] AS m FROM generate_series(1, 20)",
    "BEGIN; ALTER TABLE tempers ADD COLUMN n mood DEFAULT 'happy'; INSERT INTO tempers VALUES ('ok', '{}', 'gloomy'); COMMIT",
    // Values that are compressed where they stand.
    "CREATE TABLE packed (id int, t text, j jsonb, a int[], ta text[], n numeric, v tsvector, b varbit, js json)",
    "INSERT INTO packed SELECT i, repeat('täxt €  \u{1F600}', 100 + i), (SELECT jsonb_object_agg('key' || k, repeat('v', k)) FROM generate_series(1, 60) k),
         array_fill(i, ARRAY[700 + i]), array_fill(repeat('é', i % 9), ARRAY[500 + i]), 10::numeric ^ (3000 + i) FROM generate_series(1, 60) i",
    "INSERT INTO packed (id, v, b, js) SELECT 100 + i, to_tsvector('simple', (SELECT string_agg('word' || k || ' word', ' ') FROM generate_series(1, 200 + i) k)),
         repeat('01', 9000 + i)::varbit, ('[\"' || repeat('ü', 2000 + i) || '\"]')::json FROM generate_series(1, 60) i",
    "INSERT INTO packed (id, t) SELECT 200 + i, (SELECT string_agg(md5((k % (i + 3))::text), '') FROM generate_series(1, 100) k) FROM generate_series(1, 60) i",
    "CREATE TYPE pair AS (x int, y text)",
    "CREATE TABLE pairs (id int, p pair, ps pair[], late int)",
    "INSERT INTO pairs SELECT i, (i, repeat('y', i))::pair, ARRAY[(i, NULL)::pair, NULL, (NULL, 'z')::pair] FROM generate_series(1, 200) i",
    "ALTER TYPE pair ADD ATTRIBUTE m mood, ADD ATTRIBUTE t timestamp",
    "INSERT INTO pairs SELECT i, (i, 'y', 'happy', now())::pair, ARRAY[ROW(i, repeat('w', i), 'dull', NULL)::pair] FROM generate_series(201, 260) i",
    "ALTER TYPE pair DROP ATTRIBUTE t",
    "ALTER TYPE pair RENAME ATTRIBUTE y TO body",
    "INSERT INTO pairs SELECT i, ROW(i, repeat('long', 800), 'ok')::pair, NULL FROM generate_series(261, 270) i",
    "ALTER TYPE pair DROP ATTRIBUTE m",
    "CREATE TYPE nest AS (p pair, ps pair[], j jsonb, d date)",
    "CREATE TABLE nests AS SELECT ROW((i, 'in')::pair, ARRAY[(i, 'x')::pair], '{\"a\": [1, 2]}', '2000-01-01')::nest AS n, ROW(i, 'h')::pair AS p FROM generate_series(1, 50) i",
    "CREATE TABLE of_pair OF pair",
    "INSERT INTO of_pair SELECT i, 'typed' FROM generate_series(1, 50) i",
    "CREATE TABLE of_rows AS SELECT o AS o, h AS h FROM of_pair o, hot h LIMIT 20",
    "DO $$ DECLARE p pair; BEGIN p.x := 7; p.body := repeat('plpgsql', 100); INSERT INTO pairs VALUES (999, p, ARRAY[p, p]); END $$",
    "INSERT INTO pairs SELECT 1000, json_populate_record(NULL::pair, '{\"x\": 5, \"body\": \"json\"}')",
    "UPDATE pairs SET p.x = 8 WHERE id % 4 = 0",
    "CREATE DOMAIN positive AS int CHECK (value > 0)",
    "CREATE TABLE types (b bool, c \"char\", bp char(10), vc varchar(20), n name, t text, by bytea, i2 int2, i4 int4, i8 int8, f4 float4,
         f8 float8, nu numeric, nu2 numeric(30, 10), mo money, d date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval,
         ip inet, ci cidr, ma macaddr, bi bit(13), vb varbit, u uuid, j json, jb jsonb, x xml, ia int[], ta text[], na numeric[],
         m2 int[][], tv tsvector, tq tsquery, r int4range, tr tstzrange, p point, po polygon, pa path, m mood, co pair, dm positive,
         o oid, rc regclass, cs pair[])",
    "INSERT INTO types VALUES (true, 'x', 'ten', 'twenty', 'name', 'täxt €  \u{1F600}', '\\x00ff', -1, 1, -1, 'NaN', '-Infinity', 'NaN', 123456789.0123456789,
         '-12.34', 'infinity', '24:00', '23:59:60+15:59', '-infinity', '4713-01-01 BC', '-178000000 years', '::1/64', '10/8', '08:00:2b:01:02:03',
         B'1010101010101', B'', '00000000-0000-0000-0000-000000000000', '{\"a\": [1, null]}', '{\"a\": [1, null, true, \"x\", {\"b\": 1e100}]}', NULL,
         '{}', '{NULL,a,\"b c\"}', '{1e-1000,NaN,0}', '{{1,2},{3,4}}', 'a:1A b', 'a & !b', 'empty', '[2000-01-01,)', '(1,2)', '((0,0),(1,1))',
         '[(0,0),(1,1)]', 'ok', '(1,\"a b\")', 1, 1, 'pg_class', '{\"(1,x)\",\"(2,)\"}')",
    "INSERT INTO types (nu, nu2, d, ts, iv, j, jb, ia, ta, vb, tv) SELECT (10::numeric ^ (i % 60) - i) / 7, -i, date '4713-01-01 BC' + i * 9999,
         timestamp '2000-01-01' + i * interval '1 year 3 days', i * interval '1 month -3 seconds', ('[' || i || ']')::json, to_jsonb(repeat('j', i)),
         array_fill(i, ARRAY[i % 9, 2], ARRAY[-3, 7]), array_fill('t'::text, ARRAY[i % 5]), repeat('01', i)::varbit, to_tsvector('simple', repeat('word' || i || ' ', i))
         FROM generate_series(1, 250) i",
    "INSERT INTO types (nu, ts, tstz, d) VALUES (0, 'infinity', '294276-12-31 23:59:59.999999+00', '5874897-12-31'), (-0.0, '4713-01-01 BC', 'infinity', '-infinity')",
    "INSERT INTO types DEFAULT VALUES",
    // Partitions, inheritance, views, large objects, sequences, statistics, triggers.
    "CREATE TABLE part (id int, v text) PARTITION BY RANGE (id)",
    "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100)",
    "CREATE TABLE part_2 (v text, gone int, id int)",
    "ALTER TABLE part_2 DROP COLUMN gone",
    "ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM (100) TO (200)",
    "INSERT INTO part SELECT i, 'part' || i FROM generate_series(0, 199) i",
    "CREATE TABLE heir (extra int) INHERITS (hot)",
    "INSERT INTO heir SELECT i, i, 'heir', i FROM generate_series(3000, 3100) i",
    "ALTER TABLE hot ADD COLUMN late int",
    "CREATE MATERIALIZED VIEW mat AS SELECT * FROM parent",
    "REFRESH MATERIALIZED VIEW mat",
    "SELECT lo_from_bytea(0, decode(repeat(md5(i::text), 200), 'hex')) FROM generate_series(1, 5) i",
    "CREATE SEQUENCE seq INCREMENT -3 CYCLE MINVALUE -10 MAXVALUE 10",
    "SELECT nextval('seq') FROM generate_series(1, 20)",
    "CREATE TABLE ident (id int GENERATED BY DEFAULT AS IDENTITY, v text)",
    "INSERT INTO ident (v) SELECT 'x' FROM generate_series(1, 50)",
    "CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, v text)",
    "INSERT INTO unlogged SELECT i, repeat('u', 3000) FROM generate_series(1, 100) i",
    "CREATE UNLOGGED TABLE logged (id int PRIMARY KEY, v text)",
    "INSERT INTO logged SELECT i, repeat('u', 3000) FROM generate_series(1, 100) i",
    "ALTER TABLE logged SET LOGGED",
    // Indexes of every method, with rows that are no more.
    "CREATE TABLE indexed (id int, t text, a int[], p point, r int4range)",
    "INSERT INTO indexed SELECT i, md5(i::text), ARRAY[i % 50, i % 7], point(i, -i), int4range(i, i + 10) FROM generate_series(1, 3000) i",
    "CREATE INDEX ON indexed (id)",
    "CREATE INDEX ON indexed ((id % 10))",
    "CREATE INDEX ON indexed USING hash (t)",
    "CREATE INDEX ON indexed USING gin (a)",
    "CREATE INDEX ON indexed USING gist (p)",
    "CREATE INDEX ON indexed USING gist (r)",
    "CREATE INDEX ON indexed USING spgist (p)",
    "CREATE INDEX ON indexed USING brin (id)",
    "DELETE FROM indexed WHERE id > 1500",
    "VACUUM indexed",
    "INSERT INTO indexed SELECT i, md5(i::text), ARRAY[i], point(i, i), NULL FROM generate_series(1501, 1800) i",
    // An index that was never made ready: it tells of rows that are no more.
    "CREATE TABLE unready AS SELECT i % 500 AS id, repeat('n', 50) AS pad FROM generate_series(1, 1000) i",
    "ANALYZE",
    "CHECKPOINT",
    "UPDATE hot SET v = v + 1 WHERE id % 11 = 0",
    "VACUUM (FREEZE) child",
    "DELETE FROM child WHERE id > 1000",
    "VACUUM child",
    "INSERT INTO child SELECT i, 1 FROM generate_series(5000, 5200) i",
];

/// What only later majors know.
const LATER: &[(u32, &str)] = &[
    (
        11,
        "CREATE TABLE fast (id int); INSERT INTO fast SELECT generate_series(1, 500); ALTER TABLE fast ADD COLUMN v text DEFAULT 'fast', ADD COLUMN n numeric DEFAULT 1.5",
    ),
    (
        11,
        "CREATE DOMAIN even AS pair CHECK ((value).x % 2 = 0)",
    ),
    (
        11,
        "CREATE TABLE evens AS SELECT ROW(i * 2, 'even')::even AS e, ARRAY[ROW(i * 2, 'even')::even] AS es FROM generate_series(1, 50) i",
    ),
    (
        11,
        "DO $$ DECLARE v even; BEGIN v := ROW(2, 'x'); v.x := 4; INSERT INTO evens VALUES (v, NULL); UPDATE evens SET e.x = 6 WHERE (e).x < 20; END $$",
    ),
    (
        11,
        "INSERT INTO fast VALUES (501, NULL, NULL); UPDATE fast SET v = 'set' WHERE id < 10",
    ),
    (
        12,
        "CREATE TABLE stored (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text); INSERT INTO stored (a, c) SELECT i, 'c' FROM generate_series(1, 300) i",
    ),
    (
        12,
        "CREATE TABLE paths AS SELECT unnest(ARRAY['$', '$.a', 'strict $.a.b[*]', '$[1, 2 to last, 3 to 4].*', '$.**{2 to 5}', '$.**', '$.\"ü€\".type().size()',
             '$.a ? (@.b > 1 && (@.c == \"x\" || !(@.d < 1.5e10)))', '$ ? ((@.a starts with \"y\") is unknown)', '$.a ? (exists (@.b ? (@ == null)))',
             '-$.a + 2 * 3 / 4 % 5 - +$.b', '$.abs().floor().ceiling().double().keyvalue()', '$ ? (@ like_regex \"^ab.c\" flag \"i\")', '$var.a == true', '1', '\"täxt\"',
             '$[last - 1]', '$[$.a, 7]'])::jsonpath AS p",
    ),
    (
        13,
        "CREATE TABLE paths_of_13 AS SELECT unnest(ARRAY['$.datetime()', '$.a.datetime(\"YYYY\") ? (@ < \"2000\".datetime())'])::jsonpath AS p",
    ),
    (
        17,
        "CREATE TABLE paths_of_17 AS SELECT unnest(ARRAY['$.bigint()', '$.boolean()', '$.date()', '$.decimal()', '$.decimal(5)', '$.decimal(5, 2)', '$.integer()', '$.number()',
             '$.string()', '$.time()', '$.time(3)', '$.time_tz()', '$.timestamp()', '$.timestamp(2).string()', '$.timestamp_tz(1)'])::jsonpath AS p",
    ),
    (
        14,
        "CREATE TABLE multis AS SELECT i, (SELECT range_agg(int4range(k * 3, k * 3 + 1 + k % 2)) FROM generate_series(0, i) k) AS m4,
             (SELECT range_agg(numrange(k, k + 0.5 ^ (k % 30 + 1))) FROM generate_series(0, i) k) AS mn, (SELECT range_agg(int8range(k * 3, k * 3 + 1)) FROM generate_series(-i, i) k) AS m8,
             (SELECT range_agg(daterange(date '2000-01-01' + k * 3, date '2000-01-02' + k * 3)) FROM generate_series(0, i) k) AS md,
             (SELECT range_agg(tsrange(timestamp '2000-01-01' + k * interval '3 days', timestamp '2000-01-02' + k * interval '3 days')) FROM generate_series(0, i) k) AS mts,
             (SELECT range_agg(tstzrange(NULL, timestamptz '2000-01-02' + k * interval '3 days')) FROM generate_series(0, i) k) AS mtz FROM generate_series(0, 80) i",
    ),
    (
        14,
        "INSERT INTO multis VALUES (-1, '{}', '{}', '{(,)}', '{(,2000-01-01),[2001-01-01,)}', '{(,infinity)}', '{[-infinity,2000-01-01)}'), (-2, '{(,1),[5,6),[7,)}', '{(1,2),[1e400,)}', NULL, NULL, NULL, NULL)",
    ),
    (
        14,
        "CREATE TABLE multi_arrays AS SELECT ARRAY[m4, '{}', m4] AS a, ARRAY[mn] AS n FROM multis",
    ),
    (
        14,
        "CREATE TABLE multi (r int4multirange, a xid8); INSERT INTO multi VALUES ('{[1,2),[5,9)}', '7'), ('{}', '0')",
    ),
    (
        14,
        "INSERT INTO types (nu) VALUES ('Infinity'), ('-Infinity')",
    ),
    (
        17,
        "INSERT INTO types (iv) VALUES ('infinity'), ('-infinity')",
    ),
    (
        18,
        "CREATE TABLE virtual (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL, c text); INSERT INTO virtual (a, c) SELECT i, 'c' FROM generate_series(1, 300) i",
    ),
];

/// Clean, killed with transactions open, recovered, and clean again.
pub fn features_are_healthy(server: Server) {
    let mut cluster = Cluster::init(
        server,
        &["autovacuum = off", "max_prepared_transactions = 10"],
    );
    cluster.start();
    for statement in STATEMENTS {
        cluster.sql(statement);
    }
    for (since, statement) in LATER {
        if server.major >= *since {
            cluster.sql(statement);
        }
    }
    let failed = cluster.try_sql("CREATE UNIQUE INDEX CONCURRENTLY unready_id ON unready (id)");
    assert!(failed.contains("could not create unique index"), "{failed}");
    for statement in ["DELETE FROM unready WHERE ctid > '(2,0)'", "VACUUM unready"] {
        cluster.sql(statement);
    }
    cluster.kill();
    check(&cluster).expect_healthy();
    cluster.start();
    cluster.sql("COMMIT PREPARED 'left'");
    cluster.sql("VACUUM");
    cluster.stop();
    check(&cluster).expect_healthy();
}
