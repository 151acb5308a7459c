//! When what was sent is taken out of the record.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::event::Event;
use super::stage::Stage;
use crate::outbox::SendResult;

#[test]
fn what_was_sent_is_settled_at_instants_that_conversations_share_and_in_time() {
    let mut instants = BTreeSet::new();
    for offset in 0..100 {
        let mut stage = Stage::usual();
        stage.passes(Duration::from_millis(offset));
        stage.says(1, "hi");
        stage.commits_with_reply("1");
        let (id, conversation) = (None, None);
        stage.tell(Event::Sent {
            sequence: 1,
            result: SendResult::Taken { id, conversation },
        });
        let wait = stage.waits().expect("it is to be settled");
        assert!((25..=50).contains(&wait), "settled after {wait} ms");
        instants.insert(stage.clocks().steady_ms + wait);
        let before = stage.store.record.clone();
        stage.passes(Duration::from_millis(wait));
        assert_ne!(stage.store.record, before, "settled");
        assert_eq!(stage.waits(), None);
    }
    assert_eq!(instants.len(), 4, "100 ms have four instants: {instants:?}");
}
