//! The established facts: identity and counters, the SLRUs, what became of transactions.

pub mod catalog;
pub mod replay;
pub mod slru;
pub mod xact;
