//! Printers over finished data, generic over `Write`.

pub mod page;
