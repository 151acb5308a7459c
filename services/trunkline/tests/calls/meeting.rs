//! A meeting that a chat command makes the bot join: people come and go, and its worker dies in the middle.

use trunkline_simulated_teams::PersonNumber;

use crate::world::{Hosted, Setting, World};

const ORGANIZER: PersonNumber = PersonNumber(0);
const GUEST: PersonNumber = PersonNumber(1);
const LATE_COMER: PersonNumber = PersonNumber(2);

fn name(world: &World, person: PersonNumber) -> String {
    let people = world.teams().people();
    people.into_iter().nth(person.0).unwrap().name
}

#[test]
fn who_comes_and_goes_is_told_in_the_chat_also_after_the_death_of_a_worker() {
    let mut world = World::start(Setting {
        bot: Hosted::Meeting,
        ..Setting::default()
    });
    let meeting = world.teams().open_meeting(ORGANIZER, false).unwrap();
    world.teams().join(meeting.number, ORGANIZER).unwrap();
    world.say(0, &format!("join {}", meeting.join_url));
    world.hears(&format!("{}: in the meeting.", name(&world, ORGANIZER)));
    world.teams().join(meeting.number, GUEST).unwrap();
    world.hears(&format!("{}: joined.", name(&world, GUEST)));

    let call = world.teams().calls().remove(0).id;
    world.kill_owner(&call);
    world.teams().join(meeting.number, LATE_COMER).unwrap();
    world.hears(&format!("{}: joined.", name(&world, LATE_COMER)));
    world.cluster.wait_until_whole();

    for person in [ORGANIZER, GUEST, LATE_COMER] {
        world.teams().leave(meeting.number, person).unwrap();
        world.hears(&format!("{}: left.", name(&world, person)));
    }
    world.over(&call);
    world.hears("I have left the meeting.");
    world.wait_until_quiet();
    assert_eq!(world.teams().calls().len(), 1, "{:#?}", world.teams().calls());
}
