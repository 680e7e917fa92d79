//! How often: one leaky bucket per key, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tieline_model::Timestamp;

/// Keys remembered at once. Beyond it, strangers share one bucket until old keys have drained.
const KEYS_MAX: usize = 50_000;

/// Where somebody comes from: an IPv4 address, or the /64 that one IPv6 customer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(IpAddr::V4(v4)),
            IpAddr::V6(v6) => Self(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))),
        }
    }
}

/// So many at once, and over time as many per minute or second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    burst: f64,
    per_ms: f64,
}

impl Rate {
    /// `n` at once and `n` a minute.
    #[must_use]
    pub fn per_minute(n: u32) -> Self {
        Self { burst: f64::from(n), per_ms: f64::from(n) / 60_000.0 }
    }
    /// `n` at once and `n` a second.
    #[must_use]
    pub fn per_second(n: u32) -> Self {
        Self { burst: f64::from(n), per_ms: f64::from(n) / 1_000.0 }
    }
}

/// How full a bucket was, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    level: f64,
    at: Timestamp,
}

impl Bucket {
    /// An empty one.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { level: 0.0, at: now }
    }

    fn level(&self, rate: Rate, now: Timestamp) -> f64 {
        // Milliseconds of any real process fit a double exactly.
        let drained = now.since(self.at).0 as f64 * rate.per_ms;
        (self.level - drained).max(0.0)
    }

    fn has_room(&self, rate: Rate, now: Timestamp) -> bool {
        self.level(rate, now) + 1.0 <= rate.burst + 1e-9
    }

    /// Takes one, if there is room.
    pub(crate) fn take(&mut self, rate: Rate, now: Timestamp) -> bool {
        let room = self.has_room(rate, now);
        if room {
            *self = Self { level: self.level(rate, now) + 1.0, at: now };
        }
        room
    }
}

/// A leaky bucket per key.
pub struct Throttle<K> {
    rate: Rate,
    buckets: Mutex<HashMap<Option<K>, Bucket>>,
}

impl<K: Eq + Hash> Throttle<K> {
    /// All buckets empty.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes one for a key; false if it must wait.
    pub fn take(&self, key: K, now: Timestamp) -> bool {
        let mut buckets = self.lock();
        let mut key = Some(key);
        if buckets.len() >= KEYS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| bucket.level(self.rate, now) > 0.0);
            if buckets.len() >= KEYS_MAX {
                key = None;
            }
        }
        buckets.entry(key).or_insert_with(|| Bucket::new(now)).take(self.rate, now)
    }

    /// Whether one could be taken for a key.
    pub fn would_take(&self, key: &K, now: Timestamp) -> bool
    where
        K: Clone,
    {
        let buckets = self.lock();
        buckets.get(&Some(key.clone())).is_none_or(|bucket| bucket.has_room(self.rate, now))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<K>, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
