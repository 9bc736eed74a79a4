//! How soon the next message may go.

use alloc::vec::Vec;
use core::time::Duration;

use super::config::{Quota, Rate, WarmUp};

/// What holds messages back: all rates of a quota, and its warm-up.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    pub(super) spacings: Vec<Spacing>,
    pub(super) warming: Option<Warming>,
}

/// One rate: the generic cell rate algorithm, which needs one number whatever the rate.
#[derive(Clone, Debug)]
pub(super) struct Spacing {
    interval: Duration,
    /// How much may be borrowed from the time to come.
    slack: Duration,
    /// When everything that has gone would have gone if spaced evenly.
    pub(super) even: Duration,
}

/// How far a warm-up has come.
#[derive(Clone, Debug)]
pub(super) struct Warming {
    plan: WarmUp,
    /// When the day is over, once it has begun.
    pub(super) day_ends: Option<Duration>,
    /// What is allowed on that day.
    pub(super) allowed: u32,
    pub(super) used: u32,
    /// When it was used last.
    last: Duration,
}

impl Pace {
    pub(super) fn new(quota: &Quota) -> Self {
        let spacings = quota.rates.iter().map(Spacing::new).collect();
        Self { spacings, warming: quota.warm_up.map(Warming::new) }
    }

    /// When the next message may go; what is past means now.
    pub(super) fn next(&mut self, now: Duration) -> Duration {
        let spaced = self.spacings.iter().map(Spacing::next).max().unwrap_or_default();
        let warm = self.warming.as_mut().map_or(Duration::ZERO, |warming| warming.next(now));
        spaced.max(warm)
    }

    /// A message goes. The slower, the longer until the next: 1 is as configured.
    pub(super) fn take(&mut self, now: Duration, slowness: u32) {
        for spacing in &mut self.spacings {
            spacing.even = spacing.even.max(now).saturating_add(spacing.interval.saturating_mul(slowness));
        }
        if let Some(warming) = &mut self.warming {
            warming.take(now);
        }
    }

    /// From when on it is as if nothing had gone. A warm-up is remembered for two days.
    pub(super) fn forgotten_at(&self) -> Duration {
        let spaced = self.spacings.iter().map(|spacing| spacing.even).max().unwrap_or_default();
        let warm = self.warming.as_ref().filter(|warming| warming.day_ends.is_some());
        spaced
            .max(warm.map_or(Duration::ZERO, |warming| warming.last.saturating_add(warming.plan.day.saturating_mul(2))))
    }
}

impl Spacing {
    /// In a window of the length `per` there can be `burst` messages, and one more after each interval: so many that they
    /// fit are taken as intervals.
    fn new(rate: &Rate) -> Self {
        let messages = rate.messages.max(1);
        let burst = rate.burst.clamp(1, messages);
        let intervals = u128::from(messages - burst + 1);
        let nanos = rate.per.as_nanos().div_ceil(intervals);
        let interval = u64::try_from(nanos).map_or(rate.per, Duration::from_nanos);
        Self { interval, slack: interval.saturating_mul(burst - 1), even: Duration::ZERO }
    }

    fn next(&self) -> Duration {
        self.even.saturating_sub(self.slack)
    }
}

impl Warming {
    fn new(plan: WarmUp) -> Self {
        Self { plan, day_ends: None, allowed: plan.first.max(1), used: 0, last: Duration::ZERO }
    }

    fn is_over(&self) -> bool {
        self.allowed >= self.plan.until
    }

    /// Goes on to the day that it is now.
    fn turn_to(&mut self, now: Duration) {
        let length = self.plan.day.max(Duration::from_nanos(1));
        let ends = *self.day_ends.get_or_insert(now.saturating_add(length));
        if ends <= now {
            let over = now.saturating_sub(ends).as_nanos();
            let days = u32::try_from(over / length.as_nanos()).unwrap_or(u32::MAX).saturating_add(1);
            self.day_ends = Some(ends.saturating_add(length.saturating_mul(days)));
            self.pass(days);
        }
    }

    /// So many days have ended.
    fn pass(&mut self, days: u32) {
        self.used = 0;
        if self.plan.growth <= 100 {
            return;
        }
        for _ in 0..days {
            if self.is_over() {
                return;
            }
            let grown = u64::from(self.allowed) * u64::from(self.plan.growth) / 100;
            self.allowed = u32::try_from(grown).unwrap_or(u32::MAX).max(self.allowed.saturating_add(1));
        }
    }

    fn next(&mut self, now: Duration) -> Duration {
        self.turn_to(now);
        if self.is_over() || self.used < self.allowed {
            return Duration::ZERO;
        }
        self.day_ends.unwrap_or_default()
    }

    fn take(&mut self, now: Duration) {
        self.turn_to(now);
        self.used = self.used.saturating_add(1);
        self.last = now;
    }

    /// Goes on after a pause: the day had so long to go, and the pause was so long.
    pub(super) fn restore(&mut self, now: Duration, left: Duration, away: Duration, allowed: u32, used: u32) {
        (self.allowed, self.used, self.last) = (allowed, used, now);
        let length = self.plan.day.max(Duration::from_nanos(1));
        let late = away.saturating_sub(left);
        if late.is_zero() {
            self.day_ends = Some(now.saturating_add(left.saturating_sub(away)));
            return;
        }
        let days = u32::try_from(late.as_nanos() / length.as_nanos()).unwrap_or(u32::MAX).saturating_add(1);
        self.pass(days);
        self.day_ends = Some(now.saturating_add(length.saturating_mul(days).saturating_sub(late)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const SECOND: Duration = Duration::from_secs(1);

    /// The moments at which messages go when there always is one.
    fn moments(pace: &mut Pace, begin: Duration, count: usize) -> Vec<Duration> {
        let mut now = begin;
        let mut send = || {
            now = now.max(pace.next(now));
            pace.take(now, 1);
            now
        };
        (0..count).map(|_| send()).collect()
    }

    fn most_in_any_window(moments: &[Duration], per: Duration) -> usize {
        let within = |from: Duration| moments.iter().filter(|at| (from..from + per).contains(at)).count();
        moments.iter().map(|from| within(*from)).max().unwrap_or(0)
    }

    #[test]
    fn no_window_has_more_than_the_rate() {
        for (messages, burst) in [(1, 1), (2, 1), (2, 2), (7, 1), (7, 3), (10, 10), (100, 30), (3, 99), (1, 0)] {
            let rate = Rate { messages, per: SECOND * 60, burst };
            let mut pace = Pace::new(&Quota { rates: vec![rate], ..Quota::default() });
            let mut all = moments(&mut pace, SECOND * 5, 300);
            let later = *all.last().unwrap() + SECOND * 1000;
            all.extend(moments(&mut pace, later, 300));
            assert_eq!(most_in_any_window(&all, rate.per), messages as usize, "{rate:?}");
            let at_once = all.iter().filter(|at| **at == SECOND * 5).count();
            assert_eq!(at_once, burst.clamp(1, messages) as usize, "{rate:?}");
        }
    }

    #[test]
    fn all_rates_hold_and_slowness_stretches_them() {
        let rates = vec![Rate::per_second(2), Rate { burst: 5, ..Rate::per_minute(10) }];
        let mut pace = Pace::new(&Quota { rates, ..Quota::default() });
        let all = moments(&mut pace, Duration::ZERO, 100);
        assert_eq!(most_in_any_window(&all, SECOND), 2);
        assert_eq!(most_in_any_window(&all, SECOND * 60), 10);
        let mut slow = Pace::new(&Quota { rates: vec![Rate::per_second(1)], ..Quota::default() });
        slow.take(SECOND, 4);
        assert_eq!(slow.next(SECOND), SECOND * 5);
        assert_eq!(slow.forgotten_at(), SECOND * 5);
    }

    #[test]
    fn a_warm_up_grows_from_day_to_day_until_it_is_free() {
        let day = SECOND * 1000;
        let plan = WarmUp { first: 4, growth: 150, until: 14, day };
        let mut pace = Pace::new(&Quota { warm_up: Some(plan), ..Quota::default() });
        let all = moments(&mut pace, SECOND * 500, 100);
        let on = |index: u32| {
            let from = SECOND * 500 + day * index;
            all.iter().filter(|at| (from..from + day).contains(at)).count()
        };
        assert_eq!([on(0), on(1), on(2), on(3)], [4, 6, 9, 13]);
        assert_eq!(on(4), 100 - 4 - 6 - 9 - 13, "19 is beyond the end of the schedule");
    }

    #[test]
    fn days_without_messages_count_and_a_schedule_may_stand_still() {
        let day = SECOND * 1000;
        let mut pace =
            Pace::new(&Quota { warm_up: Some(WarmUp { first: 1, growth: 100, until: 5, day }), ..Quota::default() });
        assert_eq!(moments(&mut pace, Duration::ZERO, 3), [Duration::ZERO, day, day * 2]);
        assert_eq!(moments(&mut pace, day * 10, 2), [day * 10, day * 11]);
        let mut growing =
            Pace::new(&Quota { warm_up: Some(WarmUp { first: 1, growth: 101, until: 5, day }), ..Quota::default() });
        growing.take(Duration::ZERO, 1);
        growing.next(day * 2);
        assert_eq!(growing.warming.as_ref().map(|warming| warming.allowed), Some(3), "at least one more each day");
        assert!(growing.next(day * 1_000_000) <= day * 1_000_000);
    }
}
