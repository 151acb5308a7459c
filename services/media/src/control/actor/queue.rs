//! Orders of a leg that were admitted and are not carried out yet: as a value.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::Verdict;
use crate::control::{Order, Outcome};

/// Orders that may wait behind one that loads.
const WAITING: usize = 64;

/// An order that was admitted, and who waits for what comes of it.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) operation: u64,
    pub(super) order: Order,
    replies: Vec<oneshot::Sender<Verdict>>,
}

impl Admitted {
    pub(super) fn new(operation: u64, order: Order, reply: oneshot::Sender<Verdict>) -> Self {
        Self {
            operation,
            order,
            replies: vec![reply],
        }
    }

    /// Tells everybody who asked. Who has gone is not told.
    pub(super) fn answer(self, outcome: &Outcome) {
        for reply in self.replies {
            let _ = reply.send(Verdict::Outcome(outcome.clone()));
        }
    }
}

/// The order that is loaded for, and behind it those that wait for it, as they came.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Admitted>);

/// What was taken out of a queue.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) orders: Vec<Admitted>,
    /// The one that is loaded for is among them.
    pub(super) is_first_of_queue: bool,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An order that is loaded for from now on.
    pub(super) fn begins(&mut self, admitted: Admitted) {
        self.0.push_front(admitted);
    }

    /// Whether one more may wait.
    pub(super) fn has_room(&self) -> bool {
        self.0.len() <= WAITING
    }

    /// Adds an order behind the others.
    pub(super) fn push(&mut self, admitted: Admitted) {
        self.0.push_back(admitted);
    }

    /// Whoever repeats an order that is in the queue is told with the others what came of it; anybody else gets the way to be
    /// told back.
    pub(super) fn joined_by(
        &mut self,
        operation: u64,
        order: &Order,
        reply: oneshot::Sender<Verdict>,
    ) -> Result<(), oneshot::Sender<Verdict>> {
        let is_it = |known: &&mut Admitted| known.operation == operation && known.order == *order;
        match self.0.iter_mut().find(is_it) {
            Some(known) => {
                known.replies.push(reply);
                Ok(())
            }
            None => Err(reply),
        }
    }

    /// Takes out the one whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Admitted> {
        self.0.pop_front()
    }

    /// Takes out what would play: an operation, or all.
    pub(super) fn take_playing(&mut self, of: Option<u64>) -> Taken {
        self.take(|known| known.order.plays() && of.is_none_or(|of| known.operation == of))
    }

    /// Takes out everything.
    pub(super) fn take_all(&mut self) -> Taken {
        self.take(|_| true)
    }

    fn take(&mut self, is_meant: impl Fn(&Admitted) -> bool) -> Taken {
        let is_first_of_queue = self.0.front().is_some_and(&is_meant);
        let (orders, left): (Vec<Admitted>, Vec<Admitted>) =
            std::mem::take(&mut self.0).into_iter().partition(is_meant);
        self.0 = left.into();
        Taken {
            orders,
            is_first_of_queue,
        }
    }

    /// The lowest number in it.
    pub(super) fn lowest_operation(&self) -> Option<u64> {
        self.0.iter().map(|known| known.operation).min()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn play(name: &str) -> Order {
        Order::Play {
            prompts: vec![name.to_owned()],
            repeat: false,
            stops_at_tone: false,
        }
    }

    fn admitted(operation: u64, order: Order) -> (Admitted, oneshot::Receiver<Verdict>) {
        let (reply, answer) = oneshot::channel();
        (Admitted::new(operation, order, reply), answer)
    }

    fn numbers(orders: &[Admitted]) -> Vec<u64> {
        orders.iter().map(|order| order.operation).collect()
    }

    #[test]
    fn what_would_play_is_stopped_and_the_rest_keeps_its_place() {
        let mut queue = Queue::default();
        for (operation, order) in [
            (3, play("one")),
            (4, Order::SendTones("1".to_owned())),
            (5, play("two")),
            (6, Order::StopRecording(None)),
        ] {
            queue.push(admitted(operation, order).0);
        }
        let one = queue.take_playing(Some(5));
        assert_eq!((numbers(&one.orders), one.is_first_of_queue), (vec![5], false));
        let all = queue.take_playing(None);
        assert_eq!((numbers(&all.orders), all.is_first_of_queue), (vec![3], true));
        assert_eq!(queue.lowest_operation(), Some(4));
        assert!(queue.take_playing(None).orders.is_empty());
        assert_eq!(numbers(&queue.take_all().orders), [4, 6]);
        assert_eq!(queue.lowest_operation(), None);
    }

    #[test]
    fn who_repeats_an_order_hears_what_came_of_it_and_another_of_that_number_is_another() {
        let mut queue = Queue::default();
        let (order, mut first) = admitted(3, play("one"));
        queue.push(order);
        let (reply, mut second) = oneshot::channel();
        queue.joined_by(3, &play("one"), reply).unwrap();
        let (reply, _other) = oneshot::channel();
        assert!(queue.joined_by(3, &play("two"), reply).is_err());
        queue.pop().unwrap().answer(&Outcome::Accepted);
        for answer in [&mut first, &mut second] {
            assert!(matches!(answer.try_recv(), Ok(Verdict::Outcome(Outcome::Accepted))));
        }
    }

    #[test]
    fn no_more_wait_than_may() {
        let mut queue = Queue::default();
        for operation in 0..=64 {
            assert!(queue.has_room(), "{operation} wait");
            queue.push(admitted(operation, play("one")).0);
        }
        assert!(!queue.has_room());
    }
}
