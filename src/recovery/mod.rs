//! The dry run of the next start: where redo begins, how far the WAL can be read, and what
//! replay will do to the files.

pub mod plan;
pub mod reader;
pub mod source;
pub mod start;
pub mod stop;
pub mod survey;
pub mod timeline;
pub mod walk;
