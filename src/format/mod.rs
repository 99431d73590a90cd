//! Pure parsers over `&[u8]`, one file per on-disk structure.
//!
//! Nothing here reads files, judges what it found, panics, loops without a bound, or
//! allocates by a number read from disk. Bytes that cannot be the structure give
//! [`Malformed`]; unknown enum values and flags are kept and shown as such.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::as_conversions
    )
)]

pub mod backup_label;
pub mod catalog;
pub mod cause;
pub mod chain;
pub mod checkpoint;
pub mod checksum;
pub mod compressed;
pub mod control;
pub mod crc;
pub mod cursor;
pub mod datum;
pub mod foreign;
pub mod fsm;
pub mod heap;
pub mod history;
pub mod index;
pub mod lz4;
pub mod names;
pub mod page;
pub mod pglz;
pub mod pgversion;
pub mod refusal;
pub mod relmap;
pub mod replorigin;
pub mod slot;
pub mod slru;
pub mod toast;
pub mod tuple;
pub mod twophase;
pub mod types;
pub mod version;
pub mod vm;
pub mod wal;

pub use cursor::{Cursor, Malformed};
pub use types::*;
pub use version::{Layout, Major, VERSIONS, Version};
