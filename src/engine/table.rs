//! Records by id. Found by a number made from the id, the same in every process and on every machine, so that finding
//! one of a hundred thousand costs what finding one of a hundred does; gone through in the order of the ids alone, so
//! that where a record happens to lie decides nothing.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Records by id.
#[derive(Clone)]
pub(crate) struct Table<K, V> {
    /// A power of two of them, or none. A record lies in the place its id says, or in the first free one behind it;
    /// boxed, for records are large, and places are moved.
    places: Vec<Option<(K, Box<V>)>>,
    taken: usize,
}

/// Places of the first record.
const PLACES_MIN: usize = 8;

impl<K: Hash + Ord, V> Table<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.places.get(self.find(key)?)?.as_ref().map(|(_, value)| &**value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key)?;
        self.places.get_mut(at)?.as_mut().map(|(_, value)| &mut **value)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_some()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(known) = self.get_mut(&key) {
            return Some(std::mem::replace(known, value));
        }
        if (self.taken + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        self.put(key, Box::new(value));
        self.taken += 1;
        None
    }

    /// The record of this id, made if there is none.
    pub(crate) fn or_insert_with(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V
    where
        K: Clone,
    {
        let known = self.find(key).or_else(|| {
            self.insert(key.clone(), make());
            self.find(key)
        });
        let place = known.and_then(|at| self.places.get_mut(at)).and_then(Option::as_mut);
        &mut place.expect("it was there, or has been put there").1
    }

    pub(crate) fn or_default(&mut self, key: &K) -> &mut V
    where
        K: Clone,
        V: Default,
    {
        self.or_insert_with(key, V::default)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<Box<V>> {
        let mut free = self.find(key)?;
        let (_, value) = self.places.get_mut(free)?.take()?;
        self.taken -= 1;
        // Those behind move up, so that the way from a record's own place to where it lies has no gap.
        let mut at = self.after(free);
        while let Some(Some((behind, _))) = self.places.get(at) {
            let own = self.own_place(behind);
            if self.steps(own, at) >= self.steps(free, at) {
                self.places.swap(free, at);
                free = at;
            }
            at = self.after(at);
        }
        Some(value)
    }

    /// All, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut all: Vec<(&K, &V)> = self.unordered().collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All, in no order: what is made of them must not hang on one.
    pub(crate) fn unordered(&self) -> impl Iterator<Item = (&K, &V)> {
        self.places.iter().flatten().map(|(key, value)| (key, &**value))
    }

    /// All, in no order: what is done to one must not hang on what was done to another.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.places.iter_mut().flatten().map(|(_, value)| &mut **value)
    }

    fn find(&self, key: &K) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let mut at = self.own_place(key);
        while let Some(Some((there, _))) = self.places.get(at) {
            if there == key {
                return Some(at);
            }
            at = self.after(at);
        }
        None
    }

    /// Puts a record that is not there yet where it belongs; there is room.
    fn put(&mut self, key: K, value: Box<V>) {
        let mut at = self.own_place(&key);
        while let Some(Some(_)) = self.places.get(at) {
            at = self.after(at);
        }
        if let Some(place) = self.places.get_mut(at) {
            *place = Some((key, value));
        }
    }

    fn grow(&mut self) {
        let more = (self.places.len() * 2).max(PLACES_MIN);
        let old = std::mem::replace(&mut self.places, std::iter::repeat_with(|| None).take(more).collect());
        old.into_iter().flatten().for_each(|(key, value)| self.put(key, value));
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the lower bits count")]
    fn own_place(&self, key: &K) -> usize {
        let mut number = Number::default();
        key.hash(&mut number);
        number.finish() as usize & (self.places.len() - 1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }

    /// From one place to another, going on at the first behind the last.
    fn steps(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.places.len() - 1)
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { places: Vec::new(), taken: 0 }
    }
}

/// The same records, wherever they lie.
impl<K: Hash + Ord, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.taken == other.taken && self.unordered().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl<K: Hash + Ord, V: Eq> Eq for Table<K, V> {}

impl<K: Hash + Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// As a map, in the order of the ids.
impl<K: Hash + Ord + Serialize, V: Serialize> Serialize for Table<K, V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de, K: Hash + Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Table<K, V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut table = Self::default();
        for (key, value) in BTreeMap::deserialize(from)? {
            table.insert(key, value);
        }
        Ok(table)
    }
}

/// The number an id is found by. Ids come from Tieline's own keys and from settings, so nobody outside can choose many
/// that share a place.
struct Number(u64);

/// An odd number whose bits look like chance: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Default for Number {
    fn default() -> Self {
        Self(SPREAD)
    }
}

impl Number {
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are taken")]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(SPREAD);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            // Some of it a second time rather than byte by byte.
            let last = bytes.last_chunk::<8>().map(|last| u64::from_le_bytes(*last));
            let bytewise = || rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.mix(last.unwrap_or_else(bytewise));
        }
    }
    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }
    // How long a text or an id is says nothing that its bytes do not say.
    fn write_usize(&mut self, _: usize) {}
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tieline_model::{AgentId, InteractionId};
    use uuid::Uuid;

    /// Ids that often share a place.
    fn id(n: u8) -> InteractionId {
        InteractionId(Uuid::from_u128(u128::from(n % 32) << 100))
    }

    proptest! {
        #[test]
        fn a_table_holds_what_a_sorted_map_holds(acts in prop::collection::vec((0_u8..4, any::<u8>()), 0..400)) {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            for (act, n) in acts {
                match act {
                    0 | 1 => prop_assert_eq!(table.insert(id(n), n), map.insert(id(n), n)),
                    2 => prop_assert_eq!(table.remove(&id(n)).map(|n| *n), map.remove(&id(n))),
                    _ => *table.or_default(&id(n)) = *map.entry(id(n)).and_modify(|n| *n ^= 1).or_default(),
                }
                prop_assert!((0..32).all(|n| table.get(&id(n)) == map.get(&id(n))));
                prop_assert!(table.iter().eq(map.iter()), "in the order of the ids");
            }
        }
    }

    #[test]
    fn equal_is_what_holds_the_same_however_it_came_there() {
        let mut table: Table<InteractionId, u8> = Table::default();
        for n in 0..200 {
            table.insert(InteractionId(Uuid::from_u128(n)), 1);
        }
        for n in 1..200 {
            table.remove(&InteractionId(Uuid::from_u128(n)));
        }
        let mut other = Table::default();
        other.insert(InteractionId(Uuid::from_u128(0)), 1);
        assert_eq!(table, other);
        other.insert(InteractionId(Uuid::from_u128(0)), 2);
        assert_ne!(table, other);
    }

    #[test]
    fn a_snapshot_of_a_table_is_a_sorted_map_and_makes_the_same_table() {
        let ids = ["zoe", "anna", "ben"].map(|name| AgentId::new(name).unwrap());
        let mut table: Table<AgentId, usize> = Table::default();
        for (n, id) in ids.iter().enumerate() {
            table.insert(id.clone(), n);
        }
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(text, r#"{"anna":1,"ben":2,"zoe":0}"#);
        assert_eq!(serde_json::from_str::<Table<AgentId, usize>>(&text).unwrap(), table);
    }
}
