//! Which requests of a stage with active tracing are sampled: X-Ray's default rule, the first request of each second and
//! one in twenty of the others.

use std::sync::atomic::{AtomicU64, Ordering};

/// The part of the requests beyond the first of each second, as a share of 2^32: 5 %.
const RATE: u32 = u32::MAX / 20;

/// One stage's sampler.
#[derive(Debug, Default)]
pub struct Sampling {
    /// The second in which the last first request came.
    second: AtomicU64,
}

impl Sampling {
    /// Whether a request that comes in this second (since 1970) is sampled; `random` is evenly distributed.
    pub fn admits(&self, second: u64, random: u32) -> bool {
        self.second.fetch_max(second, Ordering::Relaxed) < second || random < RATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_second_and_one_in_twenty_are_sampled() {
        let sampling = Sampling::default();
        assert!(sampling.admits(7, u32::MAX));
        assert!(!sampling.admits(7, u32::MAX));
        assert!(!sampling.admits(6, RATE), "clocks may step back");
        assert!(sampling.admits(7, RATE - 1));
        assert!(sampling.admits(8, u32::MAX));
    }
}
