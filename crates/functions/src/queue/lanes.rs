//! Who is tried next: a queue in memory of what is in the store, fair between those that wait.
//!
//! What waits for the same function, or for the same target of results, stands in one *lane*. The lanes are served in
//! turn, and a lane may hold no more places than are free at the time: one that is alone gets half of them, two get a
//! third each, and a newcomer always finds some. An event takes 48 bytes here; the rest of it stays in the store.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use store::Scope;

use super::steady::Times;

/// What events wait for: a function or a target, by its ARN, and who owns the events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) scope: Scope,
    pub(super) of: Arc<str>,
}

/// An event that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    /// When it is tried, and when it was accepted.
    pub(super) times: Times,
    /// Puts those that are due at once in order.
    pub(super) sequence: u64,
    /// The id of its row, a UUID.
    pub(super) id: [u8; 16],
    /// How often it could not be tried.
    pub(super) refusals: u8,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: BTreeMap<Lane, Line>,
    /// The lane that was served last.
    last: Option<Lane>,
    /// The lane that was last let try again because another had room.
    prompted: Option<Lane>,
    sequence: u64,
    held: usize,
    running: usize,
    places: usize,
}

#[derive(Debug, Default)]
struct Line {
    waiting: BinaryHeap<Reverse<Ticket>>,
    running: usize,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Try this; [`Lanes::finish`] is told when it is done.
    Try(Lane, Ticket),
    /// Nothing, before this (steady) time or until something changes.
    Wait(Option<u64>),
}

impl Line {
    fn due(&self) -> Option<u64> {
        self.waiting.peek().map(|ticket| ticket.0.times.due)
    }

    fn is_ready(&self, now: u64, free: usize) -> bool {
        self.running < free && self.due().is_some_and(|due| due <= now)
    }

    /// Whether the first that waits has been refused before and is not due.
    fn is_refused(&self, now: u64) -> bool {
        self.waiting.peek().is_some_and(|first| first.0.refusals > 0 && first.0.times.due > now)
    }

    /// Lets the first that was refused try again now.
    fn prompt(&mut self, now: u64) {
        if self.is_refused(now)
            && let Some(mut first) = self.waiting.peek_mut()
        {
            first.0.times.due = now;
        }
    }
}

impl Lanes {
    /// Lanes with `places` for what is under way.
    pub(super) fn new(places: usize) -> Lanes {
        Lanes { lanes: BTreeMap::new(), last: None, prompted: None, sequence: 0, held: 0, running: 0, places }
    }

    /// How many wait or are under way.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// How many are under way.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Puts an event into its lane.
    pub(super) fn add(&mut self, lane: Lane, times: Times, id: [u8; 16], refusals: u8) {
        self.sequence += 1;
        self.held += 1;
        let ticket = Ticket { times, sequence: self.sequence, id, refusals };
        self.lanes.entry(lane).or_default().waiting.push(Reverse(ticket));
    }

    /// Nothing is begun any more.
    pub(super) fn close(&mut self) {
        self.places = 0;
    }

    /// What to do at `now`.
    pub(super) fn next(&mut self, now: u64) -> Next {
        let free = self.places.saturating_sub(self.running);
        let found = {
            let after = self.last.as_ref().map_or(Unbounded, Excluded);
            let mut in_turn = self.lanes.range((after, Unbounded)).chain(&self.lanes);
            in_turn.find(|(_, line)| line.is_ready(now, free)).map(|(lane, _)| lane.clone())
        };
        if let Some(lane) = found
            && let Some(line) = self.lanes.get_mut(&lane)
            && let Some(Reverse(ticket)) = line.waiting.pop()
        {
            line.running += 1;
            self.running += 1;
            self.last = Some(lane.clone());
            return Next::Try(lane, ticket);
        }
        // What is due and finds no place is looked at when a place becomes free.
        Next::Wait(self.lanes.values().filter_map(Line::due).filter(|due| *due > now).min())
    }

    /// Takes back a place; `again` is when the event is tried once more, if it is. Where there was room for it there may
    /// be room for one that was refused and need not wait any longer: the next of this lane, or of one that has none
    /// under way.
    pub(super) fn finish(&mut self, lane: &Lane, again: Option<Ticket>, had_room: bool, now: u64) {
        self.running = self.running.saturating_sub(1);
        if again.is_none() {
            self.held = self.held.saturating_sub(1);
        }
        let Some(line) = self.lanes.get_mut(lane) else { return };
        line.running = line.running.saturating_sub(1);
        line.waiting.extend(again.map(Reverse));
        if line.running == 0 && line.waiting.is_empty() {
            self.lanes.remove(lane);
        }
        if !had_room {
            return;
        }
        let after = self.prompted.as_ref().map_or(Unbounded, Excluded);
        let mut in_turn = self.lanes.range((after, Unbounded)).chain(&self.lanes);
        let starved = in_turn.find(|(other, line)| *other != lane && line.running == 0 && line.is_refused(now));
        let starved = starved.map(|(other, _)| other.clone());
        for lane in [Some(lane), starved.as_ref()].into_iter().flatten() {
            self.lanes.get_mut(lane).into_iter().for_each(|line| line.prompt(now));
        }
        self.prompted = starved.or(self.prompted.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(name: &str) -> Lane {
        Lane { scope: Scope::new("000000000000", "us-east-1"), of: name.into() }
    }

    fn lanes(places: usize, waiting: &[(&str, u64)]) -> Lanes {
        let mut lanes = Lanes::new(places);
        for (name, due) in waiting {
            lanes.add(lane(name), Times::at_once(*due), [0; 16], 0);
        }
        lanes
    }

    /// The lanes that are served one after the other, as long as there is room.
    fn served(lanes: &mut Lanes, now: u64) -> String {
        let mut names = String::new();
        while let Next::Try(lane, _) = lanes.next(now) {
            names.push_str(&lane.of);
        }
        names
    }

    #[test]
    fn lanes_are_served_in_turn() {
        let mut lanes = lanes(100, &[("a", 1), ("a", 1), ("a", 1), ("b", 1), ("c", 1), ("c", 9)]);
        assert_eq!(served(&mut lanes, 5), "abcaa");
        assert_eq!(lanes.next(5), Next::Wait(Some(9)));
        assert_eq!((lanes.held(), lanes.running()), (6, 5));
    }

    #[test]
    fn a_full_lane_leaves_places_for_others() {
        let mut lanes = lanes(8, &[("a", 1); 100]);
        assert_eq!(served(&mut lanes, 1), "aaaa");
        assert_eq!(lanes.next(1), Next::Wait(None));
        lanes.add(lane("b"), Times::at_once(1), [0; 16], 0);
        lanes.add(lane("b"), Times::at_once(1), [0; 16], 0);
        assert_eq!(served(&mut lanes, 1), "bb");
        lanes.add(lane("c"), Times::at_once(1), [0; 16], 0);
        assert_eq!(served(&mut lanes, 1), "c");
        for _ in 0..4 {
            lanes.finish(&lane("a"), None, true, 1);
        }
        assert_eq!(served(&mut lanes, 1), "aaa", "half of what the others leave");
    }

    #[test]
    fn the_first_that_waits_is_the_first_that_is_tried() {
        let mut lanes = Lanes::new(100);
        for (number, due) in [(1, 7), (2, 3), (3, 7), (4, 3)] {
            lanes.add(lane("a"), Times::at_once(due), [number; 16], 0);
        }
        let mut order = Vec::new();
        while let Next::Try(_, ticket) = lanes.next(7) {
            order.push(ticket.id[0]);
        }
        assert_eq!(order, [2, 4, 1, 3]);
    }

    #[test]
    fn what_was_refused_is_tried_when_there_was_room() {
        let mut lanes = lanes(100, &[("a", 1), ("a", 1), ("a", 1)]);
        let Next::Try(of, first) = lanes.next(1) else { panic!("one is due") };
        let Next::Try(_, second) = lanes.next(1) else { panic!("one is due") };
        let Next::Try(_, third) = lanes.next(1) else { panic!("one is due") };
        lanes.finish(&of, Some(Ticket { times: Times::at_once(1000), refusals: 1, ..second }), false, 1);
        lanes.finish(&of, Some(Ticket { times: Times::at_once(2000), refusals: 1, ..third }), false, 1);
        assert_eq!(lanes.next(2), Next::Wait(Some(1000)));
        lanes.finish(&of, None, true, 3);
        assert!(matches!(lanes.next(3), Next::Try(_, ticket) if ticket.sequence == second.sequence));
        assert_eq!(lanes.next(3), Next::Wait(Some(2000)));
        assert_eq!(first.sequence, 1);
    }

    #[test]
    fn a_lane_that_never_has_room_is_let_try_when_another_had() {
        let mut lanes = lanes(100, &[("a", 1), ("b", 1), ("c", 1), ("a", 1)]);
        let mut tries = Vec::new();
        while let Next::Try(lane, ticket) = lanes.next(1) {
            tries.push((lane, ticket));
        }
        let (a, _) = tries.remove(0);
        for (lane, ticket) in &tries[..2] {
            lanes.finish(lane, Some(Ticket { times: Times::at_once(1000), refusals: 1, ..*ticket }), false, 1);
        }
        lanes.finish(&a, None, true, 2);
        assert_eq!(served(&mut lanes, 2), "b");
        lanes.finish(&a, None, true, 2);
        assert_eq!(served(&mut lanes, 2), "c");
    }

    #[test]
    fn nothing_is_kept_of_a_lane_that_is_empty_and_nothing_begun_after_the_end() {
        let mut lanes = lanes(2, &[("a", 1), ("b", 1)]);
        let Next::Try(of, _) = lanes.next(1) else { panic!("one is due") };
        lanes.finish(&of, None, true, 1);
        assert_eq!((lanes.lanes.len(), lanes.held()), (1, 1));
        lanes.close();
        assert_eq!(lanes.next(1), Next::Wait(None));
    }
}
