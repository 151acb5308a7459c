//! Random deaths that can be replayed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How often each process is killed; `TRUNKLINE_KILLS=1000` for a longer campaign.
pub fn kills() -> u32 {
    std::env::var("TRUNKLINE_KILLS")
        .ok()
        .map_or(30, |text| text.parse().expect("TRUNKLINE_KILLS is a number"))
}

/// Moments of death, replayable: `TRUNKLINE_SEED` from a failed run's output.
pub struct Chance(StdRng);

impl Chance {
    /// The moments of one test; its seed is printed.
    pub fn of(test: &str) -> Self {
        let seed = std::env::var("TRUNKLINE_SEED")
            .ok()
            .map_or_else(rand::random, |text| text.parse().expect("a seed is a number"));
        println!("{test}: TRUNKLINE_SEED={seed}");
        Self(StdRng::seed_from_u64(seed))
    }

    /// Long enough for turns to be anywhere on their way, short enough for many deaths.
    pub fn moment(&mut self) {
        std::thread::sleep(Duration::from_millis(self.0.random_range(5..250)));
    }
}
