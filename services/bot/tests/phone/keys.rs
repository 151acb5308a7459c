//! Keys that people press.

use std::time::Duration;

use trunkline_bot::prelude::*;
use trunkline_bot::test::Phone;

use crate::{Notes, at, bot, notes};

#[test]
fn keys_are_gathered_into_one_event() {
    async fn ask(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.gather(Digits::up_to(4).after(at("number")));
        Ok(Then::Stay)
    }
    async fn number(call: &mut Call, notes: &mut Notes, gathered: Gathered) -> Result<Then> {
        notes.lines.push(format!("{:?} {}", gathered.end, gathered.keys));
        call.gather(Digits::up_to(1).first_within(Duration::from_secs(7)));
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(bot().on(calls::connected(), ask).on(calls::gathered(), number));
    phone.rings().keys("4").listens();
    assert!(phone.stored().contains(r#""keys":"4""#), "{}", phone.stored());
    phone.keys("711");
    assert!(phone.heard().is_empty(), "the first key cut the prompt off");
    assert!(!phone.stored().contains(r#""keys":"4"#), "{}", phone.stored());
    phone.after(Duration::from_secs(6));
    assert_eq!(notes(&phone).len(), 2);
    phone.after(Duration::from_secs(1)).keys("9");
    assert_eq!(notes(&phone)[1..], ["Complete 4711", "TimedOut ", "Complete 9"]);
    phone.hangs_up();
    assert!(!phone.stored().contains("gather"), "{}", phone.stored());
}

#[test]
#[should_panic(expected = "listens to no keys")]
fn keys_that_nobody_asked_for_do_not_come() {
    Phone::with(bot()).rings().keys("1");
}
