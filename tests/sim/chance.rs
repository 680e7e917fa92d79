//! One seed decides everything that is not the daemon's own: who does what when, what fails, how long it takes.
//!
//! Everybody has dice of their own. The runtime wakes those who wait for the same thing in no fixed order, and with
//! shared dice that order would decide the rest.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Somebody's dice. SplitMix64.
#[derive(Clone)]
pub struct Chance {
    seed: u64,
    dice: Arc<Mutex<u64>>,
    calm: Arc<AtomicBool>,
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        let seed = mixed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1));
        Self { seed, dice: Arc::new(Mutex::new(seed)), calm: Arc::default() }
    }

    /// Dice for somebody else; the same name gives the same dice.
    pub fn of(&self, name: &str) -> Self {
        let seed =
            name.bytes().fold(self.seed, |seed, b| mixed(seed ^ u64::from(b).wrapping_mul(0x1000_0000_01b3)));
        Self { seed, dice: Arc::new(Mutex::new(seed)), calm: self.calm.clone() }
    }

    /// A number under `n` that depends on nothing but the occasion.
    pub fn on(&self, occasion: u64, n: u64) -> u64 {
        mixed(self.seed ^ mixed(occasion.wrapping_add(0x9e37_79b9_7f4a_7c15))) % n
    }

    pub fn roll(&self) -> u64 {
        let mut dice = self.dice.lock().unwrap();
        *dice = dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(*dice)
    }

    /// A number under `n`.
    pub fn below(&self, n: u64) -> u64 {
        self.roll() % n
    }

    pub fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// From 0 up to, not including, 1.
    pub fn part(&self) -> f64 {
        f64::from(u32::try_from(self.below(1 << 32)).unwrap()) / 4_294_967_296.0
    }

    /// From here on nothing fails any more.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub fn calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }
}
