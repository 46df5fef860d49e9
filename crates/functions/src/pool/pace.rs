//! How busy a version is on a thread, and what follows: whether a call had better wait a moment for an environment that
//! is about to be free.
//!
//! More processes than cores do not make short calls quicker: each call then pays for another process's cold caches. So
//! a call of a version whose calls take less than a millisecond waits for the first environment, or one of the first two,
//! for a moment that is short beside the start of another. A version that turns out not to be that quick is not waited for.
//!
//! Of what is not known yet, quickness is supposed: while the first calls of a version run, others wait for them, once and no
//! longer than for any. A first call says little, for much is done in it that is never done again.
//!
//! Many calls at once slow each other down, so that a quick version may look slow for as long as nobody waits. Therefore
//! one whose calls would be quick alone, if they shared the time fairly, is given another chance now and then.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// Calls quicker than this are waited for.
const QUICK: Duration = Duration::from_millis(1);

/// Calls of a quick version that run side by side on one thread before others wait for them.
const SIDE_BY_SIDE: usize = 2;

/// Calls quicker than this run alone: what two of them could do at once is less than what they cost each other
/// (measured: docs/performance.md).
const VERY_QUICK: Duration = Duration::from_micros(250);

/// So many calls say how quick a version is.
const TELLING: u32 = 2;

/// How long a call waits for another to be done before it takes or starts an environment of its own.
pub(super) const PATIENCE: Duration = Duration::from_millis(10);

/// So many calls of a version that may look slower than it is are made before it gets another chance.
const CALLS_TO_A_CHANCE: u32 = 256;

/// The paces of a thread's versions, by their serial numbers.
#[derive(Default)]
pub(super) struct Paces {
    of: Rc<RefCell<HashMap<u64, Pace>>>,
}

#[derive(Clone, Copy)]
struct Pace {
    /// Which of the calls that run are counted: those of this turn.
    turn: u32,
    running: usize,
    /// How many calls have ended.
    ended: u64,
    /// How many calls are known, up to so many as say something.
    known: u32,
    /// What the quickest calls took of late, which says more than an average where others use the machine too.
    quickest: Duration,
    /// Calls since the last chance that may have looked slower than they are.
    slowed_down: u32,
}

/// A call that runs, from its environment's choice on; it has ended when this is dropped.
pub(crate) struct Begun {
    of: Rc<RefCell<HashMap<u64, Pace>>>,
    serial: u64,
    turn: u32,
    /// What it took, where it ran to its end.
    pub(super) took: Option<Duration>,
}

/// How many calls of a version had ended when somebody began to wait.
#[derive(Clone, Copy)]
pub(super) struct Progress(u64);

impl Default for Pace {
    fn default() -> Self {
        Pace { turn: 0, running: 0, ended: 0, known: 0, quickest: PATIENCE, slowed_down: 0 }
    }
}

impl Pace {
    fn note(&mut self, took: Duration) {
        self.known = (self.known + 1).min(TELLING);
        self.quickest = took.min(self.quickest + self.quickest / 8);
        let share = took / u32::try_from(self.running).unwrap_or(u32::MAX).max(1);
        if self.running <= SIDE_BY_SIDE || self.quickest < QUICK || share >= QUICK {
            return;
        }
        self.slowed_down += 1;
        if self.slowed_down >= CALLS_TO_A_CHANCE {
            self.quickest = QUICK / 2;
            self.next_turn();
        }
    }

    /// Whether another call had better wait for those that run.
    fn is_full(&self) -> bool {
        let quickest = if self.known < TELLING { Duration::ZERO } else { self.quickest };
        let side_by_side = if quickest < VERY_QUICK { 1 } else { SIDE_BY_SIDE };
        quickest < QUICK && self.running >= side_by_side
    }

    /// Those that run already say nothing of what others will take.
    fn next_turn(&mut self) {
        *self = Pace { turn: self.turn.wrapping_add(1), running: 0, slowed_down: 0, ..*self };
    }
}

impl Paces {
    /// Notes that a call begins.
    pub(super) fn begin(&self, serial: u64) -> Begun {
        let turn = {
            let mut of = self.of.borrow_mut();
            let pace = of.entry(serial).or_default();
            pace.running += 1;
            pace.turn
        };
        Begun { of: Rc::clone(&self.of), serial, turn, took: None }
    }

    /// Whether a call should wait a moment for one that runs.
    pub(super) fn is_worth_waiting(&self, serial: u64) -> bool {
        self.of.borrow().get(&serial).is_some_and(Pace::is_full)
    }

    /// Where a version is now; for `waited_in_vain`.
    pub(super) fn progress(&self, serial: u64) -> Progress {
        Progress(self.of.borrow().get(&serial).map_or(0, |pace| pace.ended))
    }

    /// Notes that a call has waited since `began`, and was not served. Where none has ended meanwhile, those that run are
    /// not waited for any longer; otherwise the line was long, or the machine busy with something else.
    pub(super) fn waited_in_vain(&self, serial: u64, began: Progress) {
        if let Some(pace) = self.of.borrow_mut().get_mut(&serial)
            && pace.ended == began.0
            && pace.is_full()
        {
            pace.known = TELLING;
            pace.quickest = (pace.quickest * 2).min(PATIENCE);
            pace.next_turn();
        }
    }

    /// Forgets a version that is no longer run.
    pub(super) fn forget(&self, serial: u64) {
        self.of.borrow_mut().remove(&serial);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut of = self.of.borrow_mut();
        let Some(pace) = of.get_mut(&self.serial) else { return };
        pace.ended += 1;
        if self.turn == pace.turn {
            if let Some(took) = self.took {
                pace.note(took);
            }
            pace.running = pace.running.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Begins so many calls at once.
    fn begin(paces: &Paces, calls: usize) -> VecDeque<Begun> {
        (0..calls).map(|_| paces.begin(1)).collect()
    }

    fn end(mut call: Begun, took: Duration) {
        call.took = Some(took);
    }

    fn call(paces: &Paces, took: Duration) {
        end(paces.begin(1), took);
    }

    const SHORT: Duration = Duration::from_micros(100);

    #[test]
    fn only_quick_versions_are_waited_for() {
        let paces = Paces::default();
        let mut running = begin(&paces, 2);
        (0..20).for_each(|_| call(&paces, SHORT));
        assert!(paces.is_worth_waiting(1));
        drop(running.pop_front());
        assert!(paces.is_worth_waiting(1), "calls that short had better run alone");
        (0..10).for_each(|_| call(&paces, Duration::from_micros(400)));
        assert!(!paces.is_worth_waiting(1), "there is room beside the one that runs");
        running.push_back(paces.begin(1));
        assert!(paces.is_worth_waiting(1));
        (0..40).for_each(|_| call(&paces, Duration::from_millis(3)));
        assert!(!paces.is_worth_waiting(1));
        paces.forget(1);
        assert!(!paces.is_worth_waiting(1));
    }

    #[test]
    fn what_is_not_known_is_waited_for_once() {
        let paces = Paces::default();
        assert!(!paces.is_worth_waiting(1), "nothing runs that one could wait for");
        let first = paces.begin(1);
        assert!(paces.is_worth_waiting(1));
        end(first, Duration::from_millis(4));
        let second = paces.begin(1);
        assert!(paces.is_worth_waiting(1), "a first call says little");
        paces.waited_in_vain(1, paces.progress(1));
        assert!(!paces.is_worth_waiting(1));
        let others = begin(&paces, 5);
        assert!(!paces.is_worth_waiting(1));
        drop((second, others));
        let slow = Paces::default();
        (0..2).for_each(|_| call(&slow, Duration::from_millis(4)));
        let _running = begin(&slow, 5);
        assert!(!slow.is_worth_waiting(1));
    }

    #[test]
    fn what_does_not_end_is_waited_for_once() {
        let paces = Paces::default();
        (0..2).for_each(|_| call(&paces, SHORT));
        let stuck = begin(&paces, 2);
        let began = paces.progress(1);
        assert!(paces.is_worth_waiting(1));
        (0..100).for_each(|_| paces.waited_in_vain(1, began));
        assert!(!paces.is_worth_waiting(1), "those two are given up, for all who waited");
        let others = begin(&paces, 2);
        assert!(paces.is_worth_waiting(1), "others are still quick");
        stuck.into_iter().for_each(|stuck| end(stuck, Duration::from_secs(5)));
        assert!(paces.is_worth_waiting(1), "what is no longer waited for says nothing when it ends");
        others.into_iter().for_each(|other| end(other, SHORT));
        assert!(!paces.is_worth_waiting(1));
    }

    #[test]
    fn a_long_line_is_no_reason_not_to_wait() {
        let paces = Paces::default();
        call(&paces, SHORT);
        let mut running = begin(&paces, 2);
        for _ in 0..1000 {
            let began = paces.progress(1);
            end(running.pop_front().unwrap(), SHORT);
            running.push_back(paces.begin(1));
            paces.waited_in_vain(1, began);
            assert!(paces.is_worth_waiting(1));
        }
    }

    /// Lets sixteen calls run at once, each as long as `took` says for sixteen, until one had better wait or so many have
    /// run. Returns those that still run.
    fn crowd(paces: &Paces, calls: u32, took: Duration) -> VecDeque<Begun> {
        (0..2).for_each(|_| call(paces, took));
        let mut running = begin(paces, 16);
        for _ in 0..calls {
            end(running.pop_front().unwrap(), took);
            running.push_back(paces.begin(1));
            if paces.is_worth_waiting(1) {
                break;
            }
        }
        running
    }

    #[test]
    fn a_crowd_of_quick_calls_gets_another_chance() {
        let paces = Paces::default();
        let of_sixteen = Duration::from_micros(1120);
        let before = crowd(&paces, 400, of_sixteen);
        assert!(paces.is_worth_waiting(1), "calls of 70 µs look like 1.1 ms beside fifteen others");
        before.into_iter().for_each(|late| end(late, of_sixteen));
        let mut running = begin(&paces, 2);
        for _ in 0..1000 {
            assert!(paces.is_worth_waiting(1), "it stays so");
            end(running.pop_front().unwrap(), Duration::from_micros(140));
            running.push_back(paces.begin(1));
        }
    }

    #[test]
    fn what_is_slow_alone_is_not_waited_for_again_and_again() {
        let paces = Paces::default();
        let _running = crowd(&paces, 10_000, Duration::from_millis(20));
        assert!(!paces.is_worth_waiting(1), "20 ms for each is slow, however it is shared");
        let paces = Paces::default();
        let waits_for_others = Duration::from_millis(3);
        let _before = crowd(&paces, 400, waits_for_others);
        assert!(paces.is_worth_waiting(1), "3 ms might be sixteen calls' sharing");
        let mut running = begin(&paces, 2);
        for _ in 0..8 {
            end(running.pop_front().unwrap(), waits_for_others);
            running.push_back(paces.begin(1));
        }
        assert!(!paces.is_worth_waiting(1), "a few calls show that it is not");
    }
}
