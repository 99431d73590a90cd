//! WAL pages, records and what the records say, in the three eras of the format:
//! 9.0-9.2, 9.3-9.4 and 9.5 on.

pub mod page;
pub mod position;
pub mod record;

pub use page::{WalLongHeader, WalPageHeader};
pub use position::WalGeometry;
pub use record::{BlockImage, BlockRef, Compression, Record, RecordHeader};
