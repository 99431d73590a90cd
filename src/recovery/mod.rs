//! The dry run of the next start: where redo begins, how far the WAL can be read, and what
//! replay will do to the files.
//!
//! ```text
//! source   the segment files of the evidence     timeline  which of them recovery follows
//! reader   records in order, as far as the server would read    stop  why not further
//! walk     the reader on many segments at once   plan      what their records will do
//! start    where it begins and what comes of it  survey    the WAL that no start needs
//! beyond   the WAL that it does not reach        gate   what else stops it
//! dump     all records, past damage             verify    all segments of an archive
//! denied   ends of transactions that the commit log does not know
//! availability  which segments there are, by timeline    copies  what several files of one hold
//! settings what configuration files ask for
//! events   what an operator looks for in them   window    to where recovery can go
//! ```

pub mod availability;
pub mod beyond;
pub mod copies;
pub mod denied;
pub mod dump;
pub mod events;
pub mod gate;
pub mod plan;
pub mod reader;
pub mod settings;
pub mod source;
pub mod start;
pub mod stop;
pub mod survey;
pub mod timeline;
pub mod verify;
pub mod walk;
pub mod window;
