//! Who may start an environment now: so many at once, and functions in turn, so that one with many starts, or with starts
//! that never end, leaves room for the others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The line of those who wait for a turn; shared by all threads.
#[derive(Clone, Debug)]
pub(crate) struct StartLine {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: usize,
    most_of_one: usize,
    /// How many turns each version has, by its serial number.
    held: HashMap<u64, usize>,
    /// The versions that wait, in the order of their turns.
    waiting: VecDeque<(u64, VecDeque<oneshot::Sender<Turn>>)>,
}

/// The right to start an environment; the next one's when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    line: StartLine,
    serial: u64,
}

impl StartLine {
    /// A line of `at_once` starts at the same time, of which one version has at most all but one.
    pub(crate) fn new(at_once: usize) -> StartLine {
        let (free, most_of_one) = (at_once.max(1), (at_once.max(2) - 1));
        let state = State { free, most_of_one, held: HashMap::new(), waiting: VecDeque::new() };
        StartLine { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a turn of a version; `None` when there are no more.
    pub(crate) async fn turn(&self, serial: u64) -> Option<Turn> {
        let (given, turn) = oneshot::channel();
        {
            let mut state = self.lock();
            match state.waiting.iter_mut().find(|(of, _)| *of == serial) {
                Some((_, line)) => line.push_back(given),
                None => state.waiting.push_back((serial, VecDeque::from([given]))),
            }
        }
        self.hand_out();
        turn.await.ok()
    }

    fn hand_out(&self) {
        // Sent when the lock is free again: a turn that nobody takes comes back to it.
        let turns = self.lock().turns();
        for (serial, given) in turns {
            drop(given.send(Turn { line: self.clone(), serial }));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes from the line whose turn it is, as many as there is room for.
    fn turns(&mut self) -> Vec<(u64, oneshot::Sender<Turn>)> {
        let mut turns = Vec::new();
        let mut passed_over = 0;
        while self.free > 0 && passed_over < self.waiting.len() {
            let Some((serial, mut line)) = self.waiting.pop_front() else { break };
            line.retain(|waiter| !waiter.is_closed());
            if line.is_empty() {
                continue;
            }
            let held = self.held.get(&serial).copied().unwrap_or(0);
            if held >= self.most_of_one {
                passed_over += 1;
            } else if let Some(waiter) = line.pop_front() {
                passed_over = 0;
                self.free -= 1;
                self.held.insert(serial, held + 1);
                turns.push((serial, waiter));
            }
            if !line.is_empty() {
                self.waiting.push_back((serial, line));
            }
        }
        turns
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.line.lock();
            state.free += 1;
            if let Some(held) = state.held.get_mut(&self.serial) {
                *held -= 1;
                if *held == 0 {
                    state.held.remove(&self.serial);
                }
            }
        }
        self.line.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Waiting<'a> = Pin<Box<dyn Future<Output = Option<Turn>> + 'a>>;

    fn poll(waiting: &mut Waiting<'_>) -> Option<Turn> {
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => turn,
            Poll::Pending => None,
        }
    }

    #[test]
    fn functions_take_turns() {
        let line = StartLine::new(2);
        let mut busy: Vec<Waiting<'_>> = (0..10).map(|_| Box::pin(line.turn(1)) as Waiting<'_>).collect();
        let held: Vec<Turn> = busy.iter_mut().filter_map(poll).collect();
        assert_eq!(held.len(), 1, "one function does not get all");
        let mut other: Waiting<'_> = Box::pin(line.turn(2));
        let other_held = poll(&mut other).expect("the last turn is for others");
        let mut third: Waiting<'_> = Box::pin(line.turn(3));
        assert!(poll(&mut third).is_none(), "there are two turns");
        drop(other_held);
        assert!(poll(&mut third).is_some(), "nobody else comes before the third function");
        drop(third);
        drop(held);
        let next: Vec<Turn> = busy[1..].iter_mut().filter_map(poll).collect();
        assert_eq!(next.len(), 1);
    }

    #[test]
    fn those_who_have_gone_are_passed_over() {
        let line = StartLine::new(1);
        let mut first: Waiting<'_> = Box::pin(line.turn(1));
        let held = poll(&mut first).unwrap();
        let mut gone: Vec<Waiting<'_>> = (0..10_000).map(|_| Box::pin(line.turn(2)) as Waiting<'_>).collect();
        gone.iter_mut().for_each(|waiting| assert!(poll(waiting).is_none()));
        drop(gone);
        let mut last: Waiting<'_> = Box::pin(line.turn(2));
        assert!(poll(&mut last).is_none());
        drop(held);
        assert!(poll(&mut last).is_some());
        assert!(line.lock().waiting.is_empty() && line.lock().held.is_empty());
    }
}
