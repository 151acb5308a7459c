//! What callers do: each call by a script of its own, drawn by chance, at random moments and without looking at the bot.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::sleep;
use trunkline_simulated_teams::{CallState, Handle, PersonNumber, Speech};

use crate::world::{BOT, PERSON};

/// People of the simulated Teams who call.
const CALLERS: usize = 4;
/// A caller who is still there after this, in the shortest calls, hangs up.
const LONGEST: Duration = Duration::from_secs(20);
/// A call whose caller has hung up is over after this.
const HANG_UP: Duration = Duration::from_secs(60);
/// Whether a call is over is asked so often.
const LOOK: Duration = Duration::from_millis(250);

/// Something that a caller does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Wait(Duration),
    Press(&'static str),
    Speak,
    /// The person to whom the bot hands the call on takes it, or does not.
    Decide(bool),
    HangUp,
}

/// One call from its first ring to its end.
pub(crate) struct Script {
    caller: PersonNumber,
    longest: Duration,
    acts: Vec<Act>,
}

impl Script {
    /// The script of call number `number` of a campaign whose calls are `length` times as long as the shortest.
    pub(crate) fn draw(seed: u64, number: usize, length: u32) -> Self {
        let mut chance = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
        let mut wait = |from: u64, to: u64| Act::Wait(length * Duration::from_millis(chance.random_range(from..to)));
        let (early, settled, later) = (wait(0, 1_500), wait(2_000, 5_000), wait(500, 3_000));
        let acts = match chance.random_range(0..100) {
            0..15 => vec![early, Act::HangUp],
            15..40 => vec![settled, Act::Press("3"), later, Act::Press("3"), later, Act::HangUp],
            40..60 => vec![settled, Act::Press("0")],
            60..75 => vec![settled, Act::Press("2"), later, Act::Speak],
            75..95 => {
                let takes = chance.random_bool(0.6);
                vec![settled, Act::Press("1"), later, Act::Decide(takes)]
            }
            _ => vec![settled, Act::Press("5"), later, Act::HangUp],
        };
        Self {
            caller: PersonNumber(number % CALLERS),
            longest: length * LONGEST,
            acts,
        }
    }

    /// Plays it, until the call is over.
    pub(crate) async fn play(self, teams: Handle) {
        let call = teams.ring(self.caller, BOT).unwrap();
        for act in self.acts {
            // The call may be over already, or not so far: then nobody hears it.
            let _ = match act {
                Act::Wait(time) => {
                    sleep(time).await;
                    Ok(())
                }
                Act::Press(key) => teams.press_key(&call, key),
                Act::Speak => teams.speak(&call, Speech::hum(Duration::from_millis(700))),
                Act::Decide(true) => teams.pick_up(&call, PERSON),
                Act::Decide(false) => teams.decline(&call, PERSON),
                Act::HangUp => teams.hang_up(&call),
            };
        }
        if tokio::time::timeout(self.longest, over(&teams, &call)).await.is_err() {
            let _ = teams.hang_up(&call);
            let ended = tokio::time::timeout(HANG_UP, over(&teams, &call)).await;
            assert!(
                ended.is_ok(),
                "a call that its caller has left: {:#?}",
                teams.call(&call)
            );
        }
    }
}

async fn over(teams: &Handle, call: &str) {
    while teams.call(call).is_some_and(|view| view.state != CallState::Terminated) {
        sleep(LOOK).await;
    }
}
