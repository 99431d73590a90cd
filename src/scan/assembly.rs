//! Puts values together that are stored out of line, as their chunks are met, to tell whether
//! they inflate.
//!
//! The chunks of a value nearly always lie one behind the other, so that nothing is kept of
//! them but how far the stream was followed. Those that come too early wait for their turn.

use crate::format::compressed::{CompressionFault, Inflation};
use crate::format::toast::{Chunk, max_chunk_size};
use crate::format::tuple::Compression;
use crate::format::types::Oid;
use crate::format::version::Layout;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Values that one thread may have begun.
const BEGUN: usize = 4 << 10;
/// Bytes that may wait with one thread.
const WAITING: usize = 1 << 20;
/// How much more of both all threads have together.
const THREADS: usize = 64;
/// What a chunk takes beside its bytes, roughly.
const CHUNK_COST: usize = 64;

/// A value: the number of its TOAST table's fork, and its `chunk_id`.
pub type Key = (usize, Oid);

/// A value of which no more chunks come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assembled {
    /// Bytes stored.
    pub size: u32,
    /// Its header, if it is compressed; nothing when it is too short for one.
    pub header: Option<Compression>,
    /// Why it does not inflate.
    pub fault: Option<CompressionFault>,
}

/// The first chunks of a value.
#[derive(Clone, Debug)]
struct Begun {
    /// The chunk whose turn it is.
    next: u32,
    size: u32,
    header: Option<Compression>,
    inflation: Result<Inflation, Option<CompressionFault>>,
}

impl Begun {
    fn new(data: &[u8], layout: &Layout) -> Self {
        let header = data.first_chunk().map(|bytes| Compression::from(*bytes));
        let inflation = header
            .ok_or(None)
            .and_then(|header| Inflation::new(header, layout).map_err(Some));
        let mut begun = Self {
            next: 0,
            size: 0,
            header,
            inflation,
        };
        begun.feed(data.get(4..).unwrap_or_default(), data.len());
        begun
    }

    /// Takes the data of the next chunk, of which there are `size` bytes.
    fn feed(&mut self, data: &[u8], size: usize) {
        self.next = self.next.saturating_add(1);
        self.size = self
            .size
            .saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
        if let Ok(inflation) = &mut self.inflation {
            inflation.feed(data);
        }
    }

    /// Whether it cannot be a compressed value.
    fn is_broken(&self) -> bool {
        self.inflation.as_ref().map_or(true, Inflation::is_broken)
    }

    fn assembled(self) -> Assembled {
        Assembled {
            size: self.size,
            header: self.header,
            fault: self.inflation.map_or_else(|fault| fault, |i| i.fault()),
        }
    }
}

/// A chunk that waits; nothing of it when its value is broken anyway.
#[derive(Clone, Debug)]
struct Waiting {
    size: usize,
    bytes: Vec<u8>,
}

/// Values of which not all chunks have come.
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    begun: FxHashMap<Key, Begun>,
    waiting: BTreeMap<(Key, u32), Waiting>,
    /// What those cost.
    held: usize,
    /// Whether broken values are followed to their end, too.
    is_thorough: bool,
}

impl Assembly {
    /// One that tells exactly why a value is broken.
    #[must_use]
    pub fn thorough() -> Self {
        Self {
            is_thorough: true,
            ..Self::default()
        }
    }

    /// Takes a chunk. Gives its value, if it was the last one that lacked.
    #[inline]
    pub fn add(
        &mut self,
        key: Key,
        chunk: Chunk,
        data: &[u8],
        layout: &Layout,
    ) -> Option<Assembled> {
        let is_last = chunk.size < max_chunk_size(layout);
        if chunk.chunk_seq == 0 {
            let begun = Begun::new(data, layout);
            if is_last {
                return Some(begun.assembled());
            }
            self.begun.insert(key, begun);
            return self.advance(key, layout);
        }
        let begun = self.begun.get_mut(&key);
        let is_followed = self.is_thorough || begun.as_ref().is_none_or(|b| !b.is_broken());
        let followed = if is_followed { data } else { &[] };
        match begun {
            Some(begun) if begun.next == chunk.chunk_seq => {
                begun.feed(followed, data.len());
                if is_last {
                    return self.begun.remove(&key).map(Begun::assembled);
                }
                self.advance(key, layout)
            }
            // It was there already.
            Some(begun) if begun.next > chunk.chunk_seq => None,
            _ => {
                let waiting = Waiting {
                    size: data.len(),
                    bytes: followed.to_vec(),
                };
                self.wait((key, chunk.chunk_seq), waiting);
                None
            }
        }
    }

    fn wait(&mut self, place: (Key, u32), waiting: Waiting) {
        if let Entry::Vacant(entry) = self.waiting.entry(place) {
            self.held += waiting.bytes.len() + CHUNK_COST;
            entry.insert(waiting);
        }
    }

    /// Takes chunks of a value whose turn it is now.
    fn advance(&mut self, key: Key, layout: &Layout) -> Option<Assembled> {
        if self.waiting.is_empty() {
            return None;
        }
        let begun = self.begun.get_mut(&key)?;
        loop {
            let Waiting { size, bytes } = self.waiting.remove(&(key, begun.next))?;
            self.held -= bytes.len() + CHUNK_COST;
            begun.feed(&bytes, size);
            if size < max_chunk_size(layout) as usize {
                return self.begun.remove(&key).map(Begun::assembled);
            }
        }
    }

    /// Takes over what another has; hands out the values that this makes whole.
    pub fn absorb(&mut self, other: Self, layout: &Layout, mut whole: impl FnMut(Key, Assembled)) {
        let begun = other.begun.keys().copied();
        let waiting = other.waiting.keys().map(|(key, _)| *key);
        let mut keys: Vec<Key> = begun.chain(waiting).collect();
        keys.dedup();
        for (key, begun) in other.begun {
            self.begun.entry(key).or_insert(begun);
        }
        for (place, waiting) in other.waiting {
            self.wait(place, waiting);
        }
        for key in keys {
            if let Some(assembled) = self.advance(key, layout) {
                whole(key, assembled);
            }
        }
    }

    /// Hands out the values as they are; some end with a full chunk. What still waits is lost.
    pub fn end(&mut self, mut whole: impl FnMut(Key, Assembled)) {
        for (key, begun) in self.begun.drain() {
            whole(key, begun.assembled());
        }
        self.waiting.clear();
        self.held = 0;
    }

    /// Whether it has as much as one thread should.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.begun.len() > BEGUN || self.held > WAITING
    }

    /// Whether it has as much as all threads may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.begun.len() > BEGUN * THREADS || self.held > WAITING * THREADS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::version::{Major, Version};
    use proptest::prelude::*;

    const VALUE: Key = (3, 16_500);

    /// Words that repeat, as they are compressed and put into chunks.
    fn chunks(words: &[u8], method: u32, layout: &Layout) -> Vec<(Chunk, Vec<u8>)> {
        let raw: Vec<u8> = words.iter().flat_map(|w| [*w, w / 2, w / 3, 7]).collect();
        let info = u32::try_from(raw.len()).unwrap() | method << 30;
        let mut stored = info.to_le_bytes().to_vec();
        match method {
            0 => {
                // Literals alone.
                for eight in raw.chunks(8) {
                    stored.push(0);
                    stored.extend(eight);
                }
            }
            _ => stored.extend(lz4_flex::block::compress(&raw)),
        }
        let max = max_chunk_size(layout) as usize;
        let chunk = |(chunk_seq, data): (u32, &[u8])| {
            let size = u32::try_from(data.len()).unwrap();
            let chunk_id = VALUE.1;
            (
                Chunk {
                    chunk_id,
                    chunk_seq,
                    size,
                },
                data.to_vec(),
            )
        };
        (0..).zip(stored.chunks(max)).map(chunk).collect()
    }

    proptest! {
        /// The order of chunks and the threads that meet them make no difference.
        #[test]
        fn any_order_on_any_threads(
            words in proptest::collection::vec(any::<u8>(), 1..20_000),
            method in 0..2_u32,
            damage in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
            order in proptest::collection::vec((any::<u16>(), 0..3_usize, 0..9_u8), 64),
            is_thorough: bool,
        ) {
            let layout = Layout::usual(Version::of(Major::V15).unwrap());
            let mut chunks = chunks(&words, method, &layout);
            if let Some((at, bits)) = damage {
                let at = at.index(chunks.len());
                if let Some(byte) = chunks[at].1.last_mut() {
                    *byte ^= bits;
                }
            }
            let stored: Vec<u8> = chunks.iter().flat_map(|(_, data)| data.clone()).collect();
            let mut inflation = Inflation::new(
                Compression::from(*stored.first_chunk().unwrap()), &layout,
            ).ok();
            if let Some(inflation) = &mut inflation {
                inflation.feed(&stored[4..]);
            }
            let new = || Assembly { is_thorough, ..Assembly::default() };
            let mut threads = [new(), new(), new()];
            let mut shared = new();
            let mut whole = Vec::new();
            let mut order: Vec<_> = chunks.iter().zip(&order).collect();
            order.sort_by_key(|(_, (place, ..))| *place);
            for ((chunk, data), (_, thread, shares)) in order {
                whole.extend(threads[*thread].add(VALUE, *chunk, data, &layout));
                if *shares == 0 {
                    let mine = std::mem::replace(&mut threads[*thread], new());
                    shared.absorb(mine, &layout, |_, value| whole.push(value));
                }
            }
            for thread in threads {
                shared.absorb(thread, &layout, |_, value| whole.push(value));
            }
            prop_assert_eq!(shared.held, 0);
            shared.end(|_, value| whole.push(value));
            prop_assert_eq!(whole.len(), 1);
            prop_assert_eq!(whole[0].size as usize, stored.len());
            let fault = inflation.map(|inflation| inflation.fault());
            prop_assert_eq!(whole[0].fault.is_some(), fault != Some(None));
            if is_thorough && let Some(fault) = fault {
                prop_assert_eq!(whole[0].fault, fault);
            }
        }

        /// Whatever comes, what is held is counted.
        #[test]
        fn any_chunks(
            chunks in proptest::collection::vec((0..4_u32, 0..6_u32, 1..1997_u32), 0..200),
        ) {
            let layout = Layout::usual(Version::of(Major::V9_4).unwrap());
            let data = [0; 2000];
            let (mut one, mut other) = (Assembly::default(), Assembly::default());
            for (chunk_id, chunk_seq, size) in chunks {
                let into = if size % 2 == 0 { &mut one } else { &mut other };
                let chunk = Chunk { chunk_id, chunk_seq, size };
                into.add((0, chunk_id), chunk, &data[..size as usize], &layout);
            }
            one.absorb(other, &layout, |_, _| {});
            let held: usize = one.waiting.values().map(|w| w.bytes.len() + CHUNK_COST).sum();
            prop_assert_eq!(one.held, held);
        }
    }

    #[test]
    fn a_value_of_full_chunks_ends_with_the_table() {
        let layout = Layout::usual(Version::of(Major::V15).unwrap());
        // 4 bytes of header, 221 control bytes with eight literals each, one with two.
        let mut data = vec![0; 1996];
        data[..4].copy_from_slice(&1770_u32.to_le_bytes());
        let chunk = Chunk {
            chunk_id: VALUE.1,
            chunk_seq: 0,
            size: 1996,
        };
        let mut assembly = Assembly::default();
        assert_eq!(assembly.add(VALUE, chunk, &data, &layout), None);
        let mut whole = Vec::new();
        assembly.end(|key, value| whole.push((key, value.size, value.fault)));
        assert_eq!(whole, [(VALUE, 1996, None)]);
    }
}
