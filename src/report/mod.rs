//! Printers over finished data.

pub mod controldata;
