//! Rows of the system catalogs that name databases, tablespaces, schemas and relations, and tell
//! what lies in tables.
//!
//! Sources: `catalog/pg_class.h`, `pg_attribute.h`, `pg_database.h`, `pg_namespace.h`, `pg_tablespace.h`, 9.0
//! to 19. The columns read here are of fixed width and never null, so they lie where a C
//! structure has them.
//!
//! ```text
//! tuple header | null bitmap | padding | oid (up to 11) | t_hoff: columns
//!                                                         from 12 on oid is the first
//! pg_class     relname:64 relnamespace reltype reloftype relowner relam relfilenode
//!              reltablespace relpages reltuples ... relkind:1 ... relfrozenxid relminmxid
//! pg_database  datname:64 datdba encoding ... dattablespace
//! pg_namespace nspname:64 nspowner        pg_tablespace spcname:64 spcowner
//! pg_enum      enumtypid ...
//! pg_attribute attrelid attname:64 atttypid ... attlen:2 attnum:2 ... attbyval:1 ...
//! ```

use super::cursor::{Cursor, Malformed};
use super::heap::{HEAP_HASOID, HeapTupleHeader};
use super::page::u32_at;
use super::tuple::{Compression, VARHDRSZ};
use super::types::{MultiXactId, Oid, RelFileNumber, TransactionId};
use super::version::{Layout, Major};

/// `DatabaseRelationId`.
pub const DATABASE_RELATION_ID: Oid = 1262;
/// `TableSpaceRelationId`.
pub const TABLESPACE_RELATION_ID: Oid = 1213;
/// `RelationRelationId`: `pg_class`.
pub const RELATION_RELATION_ID: Oid = 1259;
/// `AttributeRelationId`: `pg_attribute`.
pub const ATTRIBUTE_RELATION_ID: Oid = 1249;
/// `TypeRelationId`: `pg_type`.
pub const TYPE_RELATION_ID: Oid = 1247;
/// `NamespaceRelationId`.
pub const NAMESPACE_RELATION_ID: Oid = 2615;
/// `IndexRelationId`: `pg_index`.
pub const INDEX_RELATION_ID: Oid = 2610;
/// `EnumRelationId`: `pg_enum`.
pub const ENUM_RELATION_ID: Oid = 3501;
/// `AuthIdRelationId`: `pg_authid`.
pub const AUTH_ID_RELATION_ID: Oid = 1260;
/// `ProcedureRelationId`: `pg_proc`.
pub const PROCEDURE_RELATION_ID: Oid = 1255;
/// `AccessMethodRelationId`: `pg_am`.
pub const ACCESS_METHOD_RELATION_ID: Oid = 2601;
/// `AttrDefaultRelationId`: `pg_attrdef`.
pub const ATTR_DEFAULT_RELATION_ID: Oid = 2604;
/// `ConstraintRelationId`: `pg_constraint`.
pub const CONSTRAINT_RELATION_ID: Oid = 2606;
/// `InheritsRelationId`: `pg_inherits`.
pub const INHERITS_RELATION_ID: Oid = 2611;
/// `LargeObjectRelationId`: `pg_largeobject`.
pub const LARGE_OBJECT_RELATION_ID: Oid = 2613;
/// `LargeObjectMetadataRelationId`: `pg_largeobject_metadata`.
pub const LARGE_OBJECT_METADATA_RELATION_ID: Oid = 2995;
/// `OperatorClassRelationId`: `pg_opclass`.
pub const OPERATOR_CLASS_RELATION_ID: Oid = 2616;
/// `RewriteRelationId`: `pg_rewrite`.
pub const REWRITE_RELATION_ID: Oid = 2618;
/// `SequenceRelationId`: `pg_sequence`, 10 and later.
pub const SEQUENCE_RELATION_ID: Oid = 2224;
/// `CollationRelationId`: `pg_collation`, 9.1 and later.
pub const COLLATION_RELATION_ID: Oid = 3456;
/// `HEAP_TABLE_AM_OID`, 12 and later.
pub const HEAP_TABLE_AM_OID: Oid = 2;
/// `PG_TOAST_NAMESPACE`.
pub const PG_TOAST_NAMESPACE: Oid = 99;

/// `DATCONNLIMIT_INVALID_DB`: the `datconnlimit` of a database whose removal has begun.
pub const DATCONNLIMIT_INVALID_DB: i32 = -2;

/// `NAMEDATALEN`.
const NAMEDATALEN: usize = 64;

/// A row of `pg_class`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PgClass {
    /// Its object identifier.
    pub oid: Oid,
    /// `relname`; bytes that are not UTF-8 are replaced, as databases have encodings of
    /// their own.
    pub relname: String,
    /// `relnamespace`.
    pub relnamespace: Oid,
    /// `reltype`: the type of its rows; 0 without one.
    pub reltype: Oid,
    /// `relowner`.
    pub relowner: Oid,
    /// `relam`; up to 11 that of indexes alone.
    pub relam: Oid,
    /// `relfilenode`; 0 when the relation map knows, or there is no file.
    pub relfilenode: RelFileNumber,
    /// `reltablespace`; 0 for the database's own.
    pub reltablespace: Oid,
    /// `relpages`, an estimate.
    pub relpages: i32,
    /// `reltuples`, an estimate.
    pub reltuples: f32,
    /// `reltoastrelid`; 0 without a TOAST table.
    pub reltoastrelid: Oid,
    /// `relisshared`: the files lie in `global/`.
    pub relisshared: bool,
    /// `relpersistence`: `p`, `u` or `t`; in 9.0 made from `relistemp`.
    pub relpersistence: u8,
    /// `relkind`.
    pub relkind: u8,
    /// `relnatts`: columns, dropped ones included.
    pub relnatts: u16,
    /// `relchecks`: its CHECK constraints.
    pub relchecks: u16,
    /// `relfrozenxid`.
    pub relfrozenxid: TransactionId,
    /// `relminmxid`, 9.3 and later.
    pub relminmxid: Option<MultiXactId>,
}

/// A row of `pg_database`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PgDatabase {
    /// Its object identifier.
    pub oid: Oid,
    /// `datname`; bytes that are not UTF-8 are replaced.
    pub datname: String,
    /// `datdba`: its owner.
    pub datdba: Oid,
    /// `encoding`, a number of `mb/pg_wchar.h: pg_enc`.
    pub encoding: i32,
    /// `datistemplate`.
    pub datistemplate: bool,
    /// `datallowconn`.
    pub datallowconn: bool,
    /// `datconnlimit`; -2 in a database whose `DROP DATABASE` was interrupted.
    pub datconnlimit: i32,
    /// `datfrozenxid`.
    pub datfrozenxid: TransactionId,
    /// `datminmxid`, 9.3 and later.
    pub datminmxid: Option<MultiXactId>,
    /// `dattablespace`.
    pub dattablespace: Oid,
}

/// A row of `pg_attribute`, as far as it tells how columns lie in a tuple.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PgAttribute {
    /// `attrelid`.
    pub attrelid: Oid,
    /// `attname`; bytes that are not UTF-8 are replaced.
    pub attname: Box<str>,
    /// `atttypid`; 0 in a dropped column.
    pub atttypid: Oid,
    /// `attlen`: bytes, -1 for a varlena, -2 for a C string.
    pub attlen: i16,
    /// `attnum`: columns from 1, system columns below 0.
    pub attnum: i16,
    /// `attbyval`.
    pub attbyval: bool,
    /// `attalign`: `c`, `s`, `i` or `d`.
    pub attalign: u8,
    /// `attstorage`: `p`, `e`, `m` or `x`.
    pub attstorage: u8,
    /// `attcompression`, 14 and later: `p`, `l`, or 0 for the default.
    pub attcompression: u8,
    /// `atthasdef`: there is a default, or an expression to generate it, in `pg_attrdef`.
    pub atthasdef: bool,
    /// `attisdropped`.
    pub attisdropped: bool,
    /// `attcollation`, 9.1 and later; 0 without one.
    pub attcollation: Oid,
}

/// A row of `pg_namespace` or `pg_tablespace`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PgNamed {
    /// Its object identifier.
    pub oid: Oid,
    /// `nspname` or `spcname`; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// `nspowner` or `spcowner`.
    pub owner: Oid,
}

/// The row's object identifier, and the columns behind it.
fn columns<'a>(
    layout: &Layout,
    what: &'static str,
    header: &HeapTupleHeader,
    tuple: &'a [u8],
) -> Result<(Oid, Cursor<'a>), Malformed> {
    let hoff = usize::from(header.t_hoff);
    let short = Malformed {
        what,
        at: hoff,
        why: "ends too early",
    };
    let mut c = Cursor::new(what, tuple.get(hoff..).ok_or(short)?);
    let oid = if layout.since(Major::V12) {
        c.u32()?
    } else if header.has(HEAP_HASOID) {
        hoff.checked_sub(4)
            .and_then(|at| u32_at(tuple, at))
            .ok_or(short)?
    } else {
        0
    };
    if oid == 0 {
        return Err(Malformed {
            what,
            at: hoff,
            why: "has no object identifier",
        });
    }
    Ok((oid, c))
}

/// A column of type `name`.
fn name(c: &mut Cursor<'_>) -> Result<String, Malformed> {
    let bytes = c.bytes(NAMEDATALEN)?;
    let len = bytes.iter().position(|b| *b == 0);
    match len.and_then(|len| bytes.get(..len)) {
        None => Err(c.malformed("a name without an end")),
        Some([]) => Err(c.malformed("an empty name")),
        Some(name) => Ok(String::from_utf8_lossy(name).into_owned()),
    }
}

impl PgClass {
    /// Reads a tuple of `pg_class`.
    ///
    /// # Errors
    /// When it is too short, or has no name or no object identifier.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let since = |major| layout.since(major);
        let (oid, mut c) = columns(layout, "pg_class row", header, tuple)?;
        let relname = name(&mut c)?;
        let relnamespace = c.u32()?;
        let reltype = c.u32()?;
        let _reloftype = c.u32()?;
        let relowner = c.u32()?;
        let relam = c.u32()?;
        let relfilenode = c.u32()?;
        let reltablespace = c.u32()?;
        let relpages = c.i32()?;
        let reltuples = f32::from_bits(c.u32()?);
        if since(Major::V9_2) {
            let _relallvisible = c.i32()?;
        }
        if since(Major::V18) {
            let _relallfrozen = c.i32()?;
        }
        let reltoastrelid = c.u32()?;
        if !since(Major::V9_4) {
            let _reltoastidxid = c.u32()?;
        }
        let _relhasindex = c.bool()?;
        let relisshared = c.bool()?;
        let relpersistence = if since(Major::V9_1) {
            c.u8()?
        } else {
            let relistemp = c.bool()?;
            if relistemp { b't' } else { b'p' }
        };
        let relkind = c.u8()?;
        let relnatts = c.u16()?;
        let relchecks = c.u16()?;
        if !since(Major::V12) {
            let _relhasoids = c.bool()?;
        }
        if !since(Major::V11) {
            let _relhaspkey = c.bool()?;
        }
        if !since(Major::V9_1) {
            let _relhasexclusion = c.bool()?;
        }
        let _relhasrules = c.bool()?;
        let _relhastriggers = c.bool()?;
        let _relhassubclass = c.bool()?;
        if since(Major::V9_5) {
            let _relrowsecurity = c.bool()?;
            let _relforcerowsecurity = c.bool()?;
        }
        if since(Major::V9_3) {
            let _relispopulated = c.bool()?;
        }
        if since(Major::V9_4) {
            let _relreplident = c.u8()?;
        }
        if since(Major::V10) {
            let _relispartition = c.bool()?;
        }
        if since(Major::V11) {
            let _relrewrite = c.u32()?;
        }
        let relfrozenxid = TransactionId(c.u32()?);
        let relminmxid = since(Major::V9_3).then(|| c.u32()).transpose()?;
        Ok(Self {
            oid,
            relname,
            relnamespace,
            reltype,
            relowner,
            relam,
            relfilenode,
            reltablespace,
            relpages,
            reltuples,
            reltoastrelid,
            relisshared,
            relpersistence,
            relkind,
            relnatts,
            relchecks,
            relfrozenxid,
            relminmxid,
        })
    }

    /// Whether relations of this kind have files (`RELKIND_HAS_STORAGE`). Views and composite
    /// types of old versions carry a `relfilenode` all the same.
    #[must_use]
    pub fn has_storage(&self) -> bool {
        matches!(self.relkind, b'r' | b'i' | b'S' | b't' | b'm')
    }

    /// `relkind` as a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.relkind {
            b'r' => "table",
            b'i' => "index",
            b'S' => "sequence",
            b't' => "TOAST table",
            b'v' => "view",
            b'm' => "materialized view",
            b'c' => "composite type",
            b'f' => "foreign table",
            b'p' => "partitioned table",
            b'I' => "partitioned index",
            b'g' => "property graph",
            _ => "relation of unknown kind",
        }
    }
}

impl PgDatabase {
    /// Reads a tuple of `pg_database`.
    ///
    /// # Errors
    /// When it is too short, or has no name or no object identifier.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let since = |major| layout.since(major);
        let (oid, mut c) = columns(layout, "pg_database row", header, tuple)?;
        let datname = name(&mut c)?;
        let datdba = c.u32()?;
        let encoding = c.i32()?;
        if since(Major::V15) {
            let _datlocprovider = c.u8()?;
        } else {
            // `datcollate` and `datctype` became text.
            c.skip(NAMEDATALEN)?;
            c.skip(NAMEDATALEN)?;
        }
        let datistemplate = c.bool()?;
        let datallowconn = c.bool()?;
        if since(Major::V17) {
            let _dathasloginevt = c.bool()?;
        }
        let datconnlimit = c.i32()?;
        if !since(Major::V15) {
            let _datlastsysoid = c.u32()?;
        }
        let datfrozenxid = TransactionId(c.u32()?);
        let datminmxid = since(Major::V9_3).then(|| c.u32()).transpose()?;
        let dattablespace = c.u32()?;
        Ok(Self {
            oid,
            datname,
            datdba,
            encoding,
            datistemplate,
            datallowconn,
            datconnlimit,
            datfrozenxid,
            datminmxid,
            dattablespace,
        })
    }
}

impl PgAttribute {
    /// Reads a tuple of `pg_attribute`, whose rows have no object identifier.
    ///
    /// # Errors
    /// When it is too short, or has no name or no relation.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let since = |major| layout.since(major);
        let hoff = usize::from(header.t_hoff);
        let mut c = Cursor::new("pg_attribute row", tuple.get(hoff..).unwrap_or_default());
        let attrelid = c.u32()?;
        if attrelid == 0 {
            return Err(c.malformed("has no relation"));
        }
        let attname = name(&mut c)?.into_boxed_str();
        let atttypid = c.u32()?;
        if !since(Major::V16) {
            let _attstattarget = c.i32()?;
        }
        let attlen = c.u16()?.cast_signed();
        let attnum = c.u16()?.cast_signed();
        if !since(Major::V16) {
            let _attndims = c.i32()?;
        }
        if !since(Major::V18) {
            let _attcacheoff = c.i32()?;
        }
        let _atttypmod = c.i32()?;
        if since(Major::V16) {
            let _attndims = c.u16()?;
        }
        let attbyval = c.bool()?;
        let (attalign, attstorage, attcompression) = if since(Major::V14) {
            (c.u8()?, c.u8()?, c.u8()?)
        } else {
            let attstorage = c.u8()?;
            (c.u8()?, attstorage, 0)
        };
        let _attnotnull = c.bool()?;
        let atthasdef = c.bool()?;
        if since(Major::V11) {
            let _atthasmissing = c.bool()?;
        }
        if since(Major::V10) {
            let _attidentity = c.u8()?;
        }
        if since(Major::V12) {
            let _attgenerated = c.u8()?;
        }
        let attisdropped = c.bool()?;
        let _attislocal = c.bool()?;
        if since(Major::V16) {
            let _attinhcount = c.u16()?;
        } else {
            let _attinhcount = c.i32()?;
        }
        if since(Major::V16) && !since(Major::V17) {
            let _attstattarget = c.u16()?;
        }
        let attcollation = if since(Major::V9_1) { c.u32()? } else { 0 };
        Ok(Self {
            attrelid,
            attname,
            atttypid,
            attlen,
            attnum,
            attbyval,
            attalign,
            attstorage,
            attcompression,
            atthasdef,
            attisdropped,
            attcollation,
        })
    }
}

impl PgNamed {
    /// Reads a tuple of `pg_namespace` or `pg_tablespace`.
    ///
    /// # Errors
    /// When it is too short, or has no name or no object identifier.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let (oid, mut c) = columns(layout, "catalog row", header, tuple)?;
        Ok(Self {
            oid,
            name: name(&mut c)?,
            owner: c.u32()?,
        })
    }
}

/// A row of `pg_type`, as far as it tells what values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PgType {
    /// Object identifier.
    pub oid: Oid,
    /// `typowner`.
    pub typowner: Oid,
    /// `typtype`: `d` for a domain, `e` for an enum, `c` for a composite type.
    pub typtype: u8,
    /// `typrelid`: of a composite type the relation with its columns.
    pub typrelid: Oid,
    /// `typelem`: of an array the type of its elements.
    pub typelem: Oid,
    /// `typarray`: the type of its arrays.
    pub typarray: Oid,
    /// `typinput`: the function that makes a value of a text.
    pub typinput: Oid,
    /// `typoutput`: the function that makes a text of a value.
    pub typoutput: Oid,
    /// `typbasetype`: the type that a domain is over, which may be another domain.
    pub typbasetype: Oid,
    /// `typcollation`, 9.1 and later; 0 without one.
    pub typcollation: Oid,
}

impl PgType {
    /// Reads a tuple.
    ///
    /// # Errors
    /// When it is too short, or has no name or no object identifier.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let (oid, mut c) = columns(layout, "pg_type row", header, tuple)?;
        let _typname = name(&mut c)?;
        let _typnamespace = c.u32()?;
        let typowner = c.u32()?;
        let _typlen = c.u16()?;
        let _typbyval = c.u8()?;
        let typtype = c.u8()?;
        // typcategory, typispreferred, typisdefined, typdelim
        c.skip(4)?;
        let typrelid = c.u32()?;
        if layout.since(Major::V14) {
            let _typsubscript = c.u32()?;
        }
        let typelem = c.u32()?;
        let typarray = c.u32()?;
        let typinput = c.u32()?;
        let typoutput = c.u32()?;
        // Five functions, from typreceive to typanalyze; typalign, typstorage, typnotnull.
        c.skip(5 * 4 + 3)?;
        let typbasetype = c.u32()?;
        let _typtypmod = c.i32()?;
        let _typndims = c.i32()?;
        let typcollation = if layout.since(Major::V9_1) {
            c.u32()?
        } else {
            0
        };
        Ok(Self {
            oid,
            typowner,
            typtype,
            typrelid,
            typelem,
            typarray,
            typinput,
            typoutput,
            typbasetype,
            typcollation,
        })
    }
}

/// A row of `pg_enum`: a label of an enum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PgEnum {
    /// Object identifier, which is what values are.
    pub oid: Oid,
    /// `enumtypid`: its type.
    pub enumtypid: Oid,
}

impl PgEnum {
    /// Reads a tuple.
    ///
    /// # Errors
    /// When it is too short, or has no object identifier.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let (oid, mut c) = columns(layout, "pg_enum row", header, tuple)?;
        Ok(Self {
            oid,
            enumtypid: c.u32()?,
        })
    }
}

/// The object identifier of a row of any catalog whose rows have one.
///
/// # Errors
/// When there is none.
pub fn parse_oid(
    layout: &Layout,
    header: &HeapTupleHeader,
    tuple: &[u8],
) -> Result<Oid, Malformed> {
    columns(layout, "catalog row", header, tuple).map(|(oid, _)| oid)
}

/// A row of `pg_attrdef`: the default of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PgAttrdef {
    /// Object identifier.
    pub oid: Oid,
    /// `adrelid`: its relation.
    pub adrelid: Oid,
    /// `adnum`: its column.
    pub adnum: i16,
}

impl PgAttrdef {
    /// Reads a tuple.
    ///
    /// # Errors
    /// When it is too short, or has no object identifier.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let (oid, mut c) = columns(layout, "pg_attrdef row", header, tuple)?;
        Ok(Self {
            oid,
            adrelid: c.u32()?,
            adnum: c.u16()?.cast_signed(),
        })
    }
}

/// A row of `pg_constraint`, as far as it tells what it is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PgConstraint {
    /// Object identifier.
    pub oid: Oid,
    /// `contype`: `c` for a CHECK constraint.
    pub contype: u8,
    /// `conrelid`: its relation; 0 for a constraint of a domain.
    pub conrelid: Oid,
}

impl PgConstraint {
    /// Reads a tuple.
    ///
    /// # Errors
    /// When it is too short, or has no name or no object identifier.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let (oid, mut c) = columns(layout, "pg_constraint row", header, tuple)?;
        let _conname = name(&mut c)?;
        let _connamespace = c.u32()?;
        let contype = c.u8()?;
        let _condeferrable = c.bool()?;
        let _condeferred = c.bool()?;
        if layout.since(Major::V18) {
            let _conenforced = c.bool()?;
        }
        if layout.since(Major::V9_1) {
            let _convalidated = c.bool()?;
        }
        Ok(Self {
            oid,
            contype,
            conrelid: c.u32()?,
        })
    }
}

/// A row of `pg_rewrite`: a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PgRewrite {
    /// Object identifier.
    pub oid: Oid,
    /// `ev_class`: its relation.
    pub ev_class: Oid,
    /// `ev_type`: `1` for SELECT, which is what makes a view.
    pub ev_type: u8,
}

impl PgRewrite {
    /// Reads a tuple.
    ///
    /// # Errors
    /// When it is too short, or has no name or no object identifier.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let (oid, mut c) = columns(layout, "pg_rewrite row", header, tuple)?;
        let _rulename = name(&mut c)?;
        let ev_class = c.u32()?;
        if !layout.since(Major::V9_4) {
            let _ev_attr = c.u16()?;
        }
        Ok(Self {
            oid,
            ev_class,
            ev_type: c.u8()?,
        })
    }
}

/// A row of `pg_sequence`, which has no object identifier of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PgSequence {
    /// `seqrelid`: the sequence.
    pub seqrelid: Oid,
    /// `seqincrement`.
    pub seqincrement: i64,
    /// `seqmax`.
    pub seqmax: i64,
    /// `seqmin`.
    pub seqmin: i64,
    /// `seqcache`.
    pub seqcache: i64,
}

impl PgSequence {
    /// Reads a tuple.
    ///
    /// # Errors
    /// When it is too short.
    pub fn parse(_: &Layout, header: &HeapTupleHeader, tuple: &[u8]) -> Result<Self, Malformed> {
        let data = tuple.get(usize::from(header.t_hoff)..);
        let mut c = Cursor::new("pg_sequence row", data.unwrap_or_default());
        let seqrelid = c.u32()?;
        let _seqtypid = c.u32()?;
        let _seqstart = c.i64()?;
        Ok(Self {
            seqrelid,
            seqincrement: c.i64()?,
            seqmax: c.i64()?,
            seqmin: c.i64()?,
            seqcache: c.i64()?,
        })
    }
}

/// A row of `pg_largeobject`: a page of a large object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PgLargeobject {
    /// `loid`: the object.
    pub loid: Oid,
    /// `pageno`, from 0.
    pub pageno: i32,
    /// Bytes of `data`; `None` where they would be out of line, as they never are, or go on behind
    /// the end of the tuple.
    pub size: Option<u32>,
}

impl PgLargeobject {
    /// Reads a tuple.
    ///
    /// # Errors
    /// When it is too short.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let data = tuple.get(usize::from(header.t_hoff)..).unwrap_or_default();
        let mut c = Cursor::new("pg_largeobject row", data);
        let (loid, pageno) = (c.u32()?, c.i32()?);
        let varlena = data.get(8..).unwrap_or_default();
        let is_whole = |stored: u32| usize::try_from(stored).is_ok_and(|n| n <= varlena.len());
        let long = || u32_at(varlena, 0).map(|header| header >> 2);
        let (stored, size) = match c.u8()? {
            1 => (None, None),
            short if short & 1 == 1 => {
                let stored = u32::from(short >> 1);
                (Some(stored), Some(stored.saturating_sub(1)))
            }
            // With a header of four bytes, which lies at one of these places.
            first if first & 3 == 2 => {
                (long(), Compression::of(varlena).map(|raw| raw.size(layout)))
            }
            _ => (long(), long().map(|stored| stored.saturating_sub(VARHDRSZ))),
        };
        let size = size.filter(|_| stored.is_some_and(is_whole));
        Ok(Self { loid, pageno, size })
    }
}

/// A row of `pg_inherits`, which has no object identifier: a child, or a partition, and its parent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PgInherits {
    /// `inhrelid`: the child.
    pub inhrelid: Oid,
    /// `inhparent`.
    pub inhparent: Oid,
}

impl PgInherits {
    /// Reads a tuple.
    ///
    /// # Errors
    /// When it is too short.
    pub fn parse(_: &Layout, header: &HeapTupleHeader, tuple: &[u8]) -> Result<Self, Malformed> {
        let data = tuple.get(usize::from(header.t_hoff)..);
        let mut c = Cursor::new("pg_inherits row", data.unwrap_or_default());
        Ok(Self {
            inhrelid: c.u32()?,
            inhparent: c.u32()?,
        })
    }
}

/// A row of `pg_index`, which has no object identifier of its own in any version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PgIndex {
    /// `indexrelid`: the index.
    pub indexrelid: Oid,
    /// `indrelid`: its table.
    pub indrelid: Oid,
    /// `indisready`: every change of the table goes into it.
    pub indisready: bool,
}

impl PgIndex {
    /// Reads a tuple.
    #[must_use]
    pub fn parse(layout: &Layout, header: &HeapTupleHeader, tuple: &[u8]) -> Option<Self> {
        let data = tuple.get(usize::from(header.t_hoff)..)?;
        let (indexrelid, indrelid) = (u32_at(data, 0)?, u32_at(data, 4)?);
        // indnatts; indnkeyatts from 11 on; six flags, from 9.1 on indisexclusion and from 15 on
        // indnullsnotdistinct, too.
        let flags: usize = if layout.since(Major::V11) { 12 } else { 10 };
        let later = [Major::V9_1, Major::V15];
        let before = 6_usize.saturating_add(later.into_iter().filter(|v| layout.since(*v)).count());
        (indexrelid != 0 && indrelid != 0).then_some(Self {
            indexrelid,
            indrelid,
            indisready: data
                .get(flags.saturating_add(before))
                .is_some_and(|flag| *flag == 1),
        })
    }
}

/// A row of `pg_index` with what its columns are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexKeys {
    /// The row.
    pub index: PgIndex,
    /// `indkey`: the columns of the table; 0 for an expression, below 0 for a system column.
    pub indkey: Box<[i16]>,
    /// `indcollation`, 9.1 and later; 0 for a key without one.
    pub indcollation: Box<[Oid]>,
    /// `indclass`: the operator classes of the keys.
    pub indclass: Box<[Oid]>,
}

impl IndexKeys {
    /// Reads a tuple.
    ///
    /// # Errors
    /// When it is too short, leads to nothing, or has vectors that are none.
    pub fn parse(
        layout: &Layout,
        header: &HeapTupleHeader,
        tuple: &[u8],
    ) -> Result<Self, Malformed> {
        let hoff = usize::from(header.t_hoff);
        let mut c = Cursor::new("pg_index row", tuple.get(hoff..).unwrap_or_default());
        let Some(index) = PgIndex::parse(layout, header, tuple) else {
            return Err(c.malformed("ends too early, or has no relation"));
        };
        // indexrelid, indrelid, indnatts; then as in PgIndex, with indisready, indislive,
        // indisreplident at the end, and the vectors behind.
        let later = [Major::V9_1, Major::V9_3, Major::V9_4, Major::V15];
        let flags = 7_usize.saturating_add(later.into_iter().filter(|v| layout.since(*v)).count());
        let numbers: usize = if layout.since(Major::V11) { 12 } else { 10 };
        c.skip(numbers.saturating_add(flags))?;
        let indkey = vector(&mut c, INT2OID, Cursor::u16)?;
        let indcollation = if layout.since(Major::V9_1) {
            vector(&mut c, OIDOID, Cursor::u32)?
        } else {
            Box::default()
        };
        Ok(Self {
            index,
            indkey: indkey.iter().map(|attnum| attnum.cast_signed()).collect(),
            indcollation,
            indclass: vector(&mut c, OIDOID, Cursor::u32)?,
        })
    }
}

/// `INT2OID`.
const INT2OID: Oid = 21;
/// `OIDOID`.
const OIDOID: Oid = 26;
/// `INDEX_MAX_KEYS`.
const INDEX_MAX_KEYS: u32 = 32;

/// An `int2vector` or `oidvector` of an index: an array of one dimension from 0 that is never
/// compressed, nor has a short header.
fn vector<'a, T>(
    c: &mut Cursor<'a>,
    elemtype: Oid,
    one: fn(&mut Cursor<'a>) -> Result<T, Malformed>,
) -> Result<Box<[T]>, Malformed> {
    let _vl_len = c.u32()?;
    let (ndim, dataoffset, of) = (c.u32()?, c.u32()?, c.u32()?);
    let (dim1, lbound1) = (c.u32()?, c.u32()?);
    if (ndim, dataoffset, of, lbound1) != (1, 0, elemtype, 0) || dim1 > INDEX_MAX_KEYS {
        return Err(c.malformed("a vector that is none"));
    }
    (0..dim1).map(|_| one(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::{VERSIONS, Version};
    use proptest::prelude::*;

    fn layout(major: Major) -> Layout {
        Layout::usual(Version::of(major).unwrap())
    }

    /// A tuple without nulls: header, up to 11 an oid, then `columns`.
    fn tuple(layout: &Layout, oid: u32, columns: &[u8]) -> (HeapTupleHeader, Vec<u8>) {
        let mut bytes = vec![0; 32];
        if layout.since(Major::V12) {
            bytes.truncate(24);
            bytes.extend(oid.to_le_bytes());
        } else {
            bytes[20] = 0x08;
            bytes[28..32].copy_from_slice(&oid.to_le_bytes());
        }
        bytes[22] = if layout.since(Major::V12) { 24 } else { 32 };
        bytes.extend(columns);
        (HeapTupleHeader::parse(&bytes).unwrap(), bytes)
    }

    fn named(name: &str, len: usize) -> Vec<u8> {
        let mut bytes = name.as_bytes().to_vec();
        bytes.resize(len, 0);
        bytes
    }

    /// Offsets of relkind, relfrozenxid and the row's end as compilers have them, without
    /// the oid that 12 and later put first.
    const PG_CLASS: [(Major, usize, usize, usize); 9] = [
        (Major::V9_0, 111, 124, 128),
        (Major::V9_1, 111, 124, 128),
        (Major::V9_2, 115, 128, 132),
        (Major::V9_3, 115, 128, 136),
        (Major::V9_4, 111, 124, 132),
        (Major::V9_6, 111, 128, 136),
        (Major::V11, 111, 132, 140),
        (Major::V12, 111, 128, 136),
        (Major::V19, 115, 132, 140),
    ];

    #[test]
    fn pg_class_fields_lie_where_compilers_put_them() {
        for (major, relkind, relfrozenxid, end) in PG_CLASS {
            let layout = layout(major);
            let mut columns = named("ziplog", end);
            columns[64..68].copy_from_slice(&2200_u32.to_le_bytes());
            columns[84..88].copy_from_slice(&16_500_u32.to_le_bytes());
            columns[relkind] = b'm';
            columns[relfrozenxid..relfrozenxid + 4].copy_from_slice(&731_u32.to_le_bytes());
            let (header, bytes) = tuple(&layout, 16_491, &columns);
            let row = PgClass::parse(&layout, &header, &bytes).unwrap();
            assert_eq!((row.oid, row.relname.as_str()), (16_491, "ziplog"));
            assert_eq!((row.relnamespace, row.relfilenode), (2200, 16_500));
            assert_eq!(row.relfrozenxid, TransactionId(731), "{major}");
            assert_eq!(row.kind(), "materialized view", "{major}");
            assert!(PgClass::parse(&layout, &header, &bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn pg_database_fields_lie_where_compilers_put_them() {
        for (major, dattablespace) in [
            (Major::V9_0, 216),
            (Major::V9_3, 220),
            (Major::V12, 220),
            (Major::V15, 88),
            (Major::V17, 88),
        ] {
            let layout = layout(major);
            let mut columns = named("app", dattablespace + 4);
            columns[dattablespace..].copy_from_slice(&1663_u32.to_le_bytes());
            let (header, bytes) = tuple(&layout, 16_386, &columns);
            let row = PgDatabase::parse(&layout, &header, &bytes).unwrap();
            assert_eq!((row.oid, row.datname.as_str()), (16_386, "app"));
            assert_eq!(row.dattablespace, 1663, "{major}");
            assert!(PgDatabase::parse(&layout, &header, &bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn pg_type_fields_lie_where_compilers_put_them() {
        for (major, typbasetype) in [
            (Major::V9_0, 124),
            (Major::V12, 124),
            (Major::V14, 128),
            (Major::V19, 128),
        ] {
            let layout = layout(major);
            // typtypmod, typndims, and from 9.1 on typcollation.
            let behind = if major > Major::V9_0 { 12 } else { 8 };
            let mut columns = named("postcode", typbasetype + 4 + behind);
            columns[75] = b'd';
            columns[typbasetype..typbasetype + 4].copy_from_slice(&25_u32.to_le_bytes());
            // Seven functions and three letters lie between.
            let typarray = typbasetype - 36;
            columns[typarray..typarray + 4].copy_from_slice(&16_399_u32.to_le_bytes());
            let (header, bytes) = tuple(&layout, 16_400, &columns);
            let row = PgType::parse(&layout, &header, &bytes).unwrap();
            assert_eq!((row.oid, row.typtype, row.typbasetype), (16_400, b'd', 25));
            assert_eq!(row.typarray, 16_399);
            assert!(PgType::parse(&layout, &header, &bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn labels_of_enums() {
        for major in [Major::V9_0, Major::V9_1, Major::V12] {
            let layout = layout(major);
            let (header, bytes) = tuple(&layout, 16_500, &16_400_u32.to_le_bytes());
            let row = PgEnum::parse(&layout, &header, &bytes).unwrap();
            assert_eq!((row.oid, row.enumtypid), (16_500, 16_400));
            assert!(PgEnum::parse(&layout, &header, &bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn columns_of_indexes() {
        let vector = |elemtype: u32, values: &[&[u8]]| {
            let head = [0, 1, 0, elemtype, values.len() as u32, 0];
            let mut bytes: Vec<u8> = head.iter().flat_map(|n| n.to_le_bytes()).collect();
            bytes.extend(values.concat());
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        for (major, at) in [
            (Major::V9_0, 20),
            (Major::V9_1, 20),
            (Major::V9_4, 20),
            (Major::V11, 24),
            (Major::V15, 24),
        ] {
            let layout = layout(major);
            let mut columns = vec![0; at];
            columns[..8].copy_from_slice(&[1, 64, 0, 0, 2, 64, 0, 0]);
            columns.extend(vector(21, &[&[3, 0], &[0xFE, 0xFF], &[0, 0]]));
            if major > Major::V9_0 {
                columns.extend(vector(26, &[&[100, 0, 0, 0]]));
            }
            columns.extend(vector(26, &[&[0xCA, 7, 0, 0]]));
            let mut bytes = vec![0; 24];
            bytes[22] = 24;
            bytes.extend(&columns);
            let header = HeapTupleHeader::parse(&bytes).unwrap();
            let row = IndexKeys::parse(&layout, &header, &bytes).unwrap();
            assert_eq!((row.index.indexrelid, row.index.indrelid), (16_385, 16_386));
            assert_eq!(*row.indkey, [3, -2, 0], "{major}");
            assert_eq!(row.indcollation.len(), usize::from(major > Major::V9_0));
            assert_eq!(*row.indclass, [1994]);
            assert!(IndexKeys::parse(&layout, &header, &bytes[..bytes.len() - 1]).is_err());
            bytes[24 + at + 12] = 22;
            assert!(IndexKeys::parse(&layout, &header, &bytes).is_err());
        }
    }

    #[test]
    fn pages_of_large_objects() {
        let layout = layout(Major::V15);
        let size = |data: &[u8]| {
            let mut bytes = vec![0; 24];
            bytes[22] = 24;
            bytes.extend([1, 64, 0, 0, 7, 0, 0, 0]);
            bytes.extend(data);
            let header = HeapTupleHeader::parse(&bytes).unwrap();
            let row = PgLargeobject::parse(&layout, &header, &bytes).unwrap();
            assert_eq!((row.loid, row.pageno), (16_385, 7));
            row.size
        };
        assert_eq!(size(&[2 * 5 + 1, 1, 2, 3, 4]), Some(4));
        assert_eq!(size(&[4 * 8, 0, 0, 0, 1, 2, 3, 4]), Some(4));
        assert_eq!(size(&[4 * 8 + 2, 0, 0, 0, 1, 8, 0, 0x40]), Some(2049));
        assert_eq!(size(&[1, 18]), None);
        assert_eq!(size(&[4 * 8]), None);
    }

    #[test]
    fn rows_without_name_or_oid_are_refused() {
        let layout = layout(Major::V11);
        let parse = |oid, columns: &[u8]| {
            let (header, bytes) = tuple(&layout, oid, columns);
            PgNamed::parse(&layout, &header, &bytes).map_err(|m| m.why)
        };
        assert_eq!(parse(2200, &named("public", 68)).unwrap().name, "public");
        assert_eq!(parse(2200, &[0; 68]), Err("an empty name"));
        assert_eq!(parse(2200, &[b'a'; 68]), Err("a name without an end"));
        assert_eq!(parse(0, &named("a", 68)), Err("has no object identifier"));
        assert!(parse(2200, &named("public", 63)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 23..300), row in 0_usize..17,
        ) {
            let layout = Layout::usual(&VERSIONS[row]);
            let header = HeapTupleHeader::parse(&bytes).unwrap();
            let _ = PgClass::parse(&layout, &header, &bytes);
            let _ = PgDatabase::parse(&layout, &header, &bytes);
            let _ = PgAttribute::parse(&layout, &header, &bytes);
            let _ = PgNamed::parse(&layout, &header, &bytes);
            let _ = PgType::parse(&layout, &header, &bytes);
            let _ = PgEnum::parse(&layout, &header, &bytes);
            let _ = PgAttrdef::parse(&layout, &header, &bytes);
            let _ = PgConstraint::parse(&layout, &header, &bytes);
            let _ = PgRewrite::parse(&layout, &header, &bytes);
            let _ = PgInherits::parse(&layout, &header, &bytes);
            let _ = PgSequence::parse(&layout, &header, &bytes);
            let _ = PgLargeobject::parse(&layout, &header, &bytes);
            let _ = IndexKeys::parse(&layout, &header, &bytes);
        }
    }
}
