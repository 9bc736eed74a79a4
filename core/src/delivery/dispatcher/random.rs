//! Numbers that are different each time, from one that the host has handed in, and times that double.

use core::time::Duration;

use super::config::Backoff;

/// SplitMix64: nobody has anything to gain by guessing when a message is tried again.
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Up to `most`, the ends included.
    fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let drawn = self.next();
        Duration::from_nanos(most.checked_add(1).map_or(drawn, |end| drawn % end))
    }
}

impl Backoff {
    /// How long to wait after so many failures, the last one included.
    pub(super) fn after(&self, failures: u32, random: &mut Random) -> Duration {
        let doublings = failures.saturating_sub(1);
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(factor).min(self.most);
        let jitter = random.up_to((wait / 100).saturating_mul(self.jitter));
        wait.saturating_add(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_are_never_shorter() {
        let seconds = Duration::from_secs;
        let backoff = Backoff { first: seconds(10), most: seconds(100), jitter: 20 };
        let mut random = Random(7);
        for (failures, least) in [(0, 10), (1, 10), (2, 20), (3, 40), (4, 80), (5, 100), (40, 100), (u32::MAX, 100)] {
            let waits = [(); 200].map(|()| backoff.after(failures, &mut random));
            assert!(waits.iter().all(|wait| (seconds(least)..=seconds(least) * 6 / 5).contains(wait)), "{failures}");
            let (shortest, longest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*longest - *shortest > seconds(least) / 10, "{failures}: the jitter is spread");
        }
        let without = Backoff { jitter: 0, ..backoff };
        assert_eq!(without.after(2, &mut random), seconds(20));
        let endless = Backoff { first: Duration::MAX, most: Duration::MAX, jitter: 100 };
        assert_eq!(endless.after(3, &mut random), Duration::MAX);
    }
}
