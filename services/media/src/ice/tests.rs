use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::message::tests::Request;
use super::*;

/// An agent, and its peer as far as it must know credentials.
struct World {
    agent: LiteAgent,
    start: Instant,
    username: String,
    password: String,
}

impl World {
    fn new() -> Self {
        let start = Instant::now();
        let ours = Credentials::generate(3, 1, &mut StdRng::seed_from_u64(1));
        let username = format!("{}:peer", ours.fragment());
        let password = ours.password().to_owned();
        Self {
            agent: LiteAgent::new(ours, "peer".to_owned(), Patience::default(), start),
            start,
            username,
            password,
        }
    }

    fn nomination(&self) -> Vec<u8> {
        Request::controlling(&self.username).nominating().sealed(&self.password)
    }

    fn send(&mut self, from: &str, datagram: &[u8], seconds: f64) -> (Result<Checked, Refused>, Vec<u8>) {
        let mut answer = Vec::new();
        let now = self.start + Duration::from_secs_f64(seconds);
        let checked = self.agent.check(address(from), datagram, now, &mut answer);
        (checked, answer)
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn kind(answer: &[u8]) -> u16 {
    u16::from_be_bytes([answer[0], answer[1]])
}

#[test]
fn a_check_is_answered_and_only_a_nomination_selects() {
    let mut world = World::new();
    let check = Request::controlling(&world.username).sealed(&world.password);
    let (checked, answer) = world.send("192.0.2.1:1000", &check, 0.0);
    assert_eq!(checked, Ok(Checked::Alive));
    assert_eq!(kind(&answer), 0x0101);
    assert!(answer.len() <= check.len());
    assert_eq!(world.agent.selected(), None);

    let (checked, _) = world.send("192.0.2.1:1000", &world.nomination(), 0.1);
    assert_eq!(checked, Ok(Checked::Nominated(address("192.0.2.1:1000"))));
    assert_eq!(world.agent.selected(), Some(address("192.0.2.1:1000")));
}

#[test]
fn a_peer_whose_address_changes_is_followed_at_its_next_check() {
    let mut world = World::new();
    let nomination = world.nomination();
    assert!(world.send("192.0.2.1:1000", &nomination, 0.0).0.is_ok());
    let (checked, _) = world.send("198.51.100.9:2000", &nomination, 4.0);
    let (from, to) = (address("192.0.2.1:1000"), address("198.51.100.9:2000"));
    assert_eq!(checked, Ok(Checked::Moved { from, to }));
    assert_eq!(world.agent.selected(), Some(to));
    // Packets that were under way on the old path are still taken, for a while.
    assert!(world.agent.accepts_from(from, world.start + Duration::from_secs(8)));
    assert!(!world.agent.accepts_from(from, world.start + Duration::from_secs(9)));
    assert!(world.agent.accepts_from(to, world.start + Duration::from_secs(9)));
}

#[test]
fn a_peer_that_nominates_once_and_then_checks_from_elsewhere_is_followed_when_its_address_is_silent() {
    let mut world = World::new();
    let nomination = world.nomination();
    let check = Request::controlling(&world.username).sealed(&world.password);
    let (one, other) = ("192.0.2.1:1000", "198.51.100.9:2000");
    assert_eq!(world.send(other, &check, 0.0).0, Ok(Checked::Alive));
    assert!(world.send(one, &nomination, 1.0).0.is_ok());
    // A second way is no move while the first is in use, and be it as rarely as a peer may (6 s, RFC 7675 section 5.1).
    for second in 2..20 {
        let from = if second % 6 == 0 { one } else { other };
        assert_eq!(world.send(from, &check, f64::from(second)).0, Ok(Checked::Alive));
    }
    // The first was used last at 18 s.
    assert_eq!(world.send(other, &check, 24.4).0, Ok(Checked::Alive));
    let (from, to) = (address(one), address(other));
    assert_eq!(world.send(other, &check, 24.5).0, Ok(Checked::Moved { from, to }));
    assert_eq!(world.agent.selected(), Some(to));
    assert_eq!(world.send(one, &check, 26.0).0, Ok(Checked::Alive));
}

#[test]
fn a_controlled_peer_is_told_of_the_conflict_and_selects_nothing() {
    let mut world = World::new();
    let check = Request::controlled(&world.username)
        .nominating()
        .sealed(&world.password);
    let (checked, answer) = world.send("192.0.2.1:1000", &check, 0.0);
    assert_eq!(checked, Ok(Checked::Alive));
    assert_eq!(kind(&answer), 0x0111);
    assert_eq!(answer[20..28], [0, 9, 0, 4, 0, 0, 4, 87]);
    assert_eq!(world.agent.selected(), None);
}

#[test]
fn an_attribute_that_must_be_understood_is_named() {
    let mut world = World::new();
    let check = Request::controlling(&world.username)
        .with(0x7777, b"what")
        .with(0x9999, b"ever")
        .nominating()
        .sealed(&world.password);
    let (_, answer) = world.send("192.0.2.1:1000", &check, 0.0);
    assert_eq!(answer[20..36], [0, 9, 0, 4, 0, 0, 4, 20, 0, 10, 0, 2, 0x77, 0x77, 0, 0]);
    assert!(answer.len() <= check.len());
    assert_eq!(world.agent.selected(), None);
}

#[test]
fn whoever_does_not_know_the_credentials_is_not_answered() {
    let mut world = World::new();
    let wrong_password = Request::controlling(&world.username).nominating().sealed("guessed");
    let wrong_peer = world.username.replace(":peer", ":pear");
    let wrong_peer = Request::controlling(&wrong_peer).nominating().sealed(&world.password);
    let no_colon = Request::controlling("nobody").nominating().sealed(&world.password);
    for (datagram, expected) in [
        (&wrong_password[..], Refused::Integrity),
        (&wrong_peer, Refused::Username),
        (&no_colon, Refused::Username),
        (b"\x00\x01\x00\x00", Refused::Malformed),
        (&[], Refused::Malformed),
    ] {
        let (checked, answer) = world.send("192.0.2.1:1000", datagram, 0.0);
        assert_eq!(checked, Err(expected));
        assert!(answer.is_empty());
    }
    assert_eq!(world.agent.selected(), None);
    assert_eq!(
        world.agent.next_lapse(),
        world.start + Patience::default().consent,
        "a forged check is no consent"
    );
}

#[test]
fn checks_beyond_the_rate_are_not_looked_at() {
    let mut world = World::new();
    let nomination = world.nomination();
    for _ in 0..CHECKS_A_SECOND {
        assert!(world.send("192.0.2.1:1000", &nomination, 0.2).0.is_ok());
    }
    assert_eq!(world.send("192.0.2.1:1000", &nomination, 0.9).0, Err(Refused::TooMany));
    assert!(world.send("192.0.2.1:1000", &nomination, 1.3).0.is_ok());
}

#[test]
fn a_silent_peer_is_unstable_once_and_then_has_not_consented() {
    let mut world = World::new();
    let nomination = world.nomination();
    assert!(world.send("192.0.2.1:1000", &nomination, 0.0).0.is_ok());
    let at = |seconds: u64| world.start + Duration::from_secs(seconds);
    assert_eq!(world.agent.lapse(at(6)), None);
    assert_eq!(world.agent.next_lapse(), at(7));
    assert_eq!(world.agent.lapse(at(7)), Some(Lapse::Unstable));
    assert_eq!(world.agent.lapse(at(8)), None);
    assert_eq!(world.agent.next_lapse(), at(30));
    assert_eq!(world.agent.lapse(at(30)), Some(Lapse::ConsentExpired));

    assert!(world.send("192.0.2.1:1000", &nomination, 31.0).0.is_ok());
    assert_eq!(world.agent.lapse(world.start + Duration::from_secs(32)), None);
}

#[test]
fn after_a_restart_old_credentials_are_good_until_the_first_new_check() {
    let mut world = World::new();
    let before = world.nomination();
    assert!(world.send("192.0.2.1:1000", &before, 0.0).0.is_ok());
    let ours = Credentials::generate(3, 1, &mut StdRng::seed_from_u64(2));
    let username = format!("{}:again", ours.fragment());
    let after = Request::controlling(&username).nominating().sealed(ours.password());
    world.agent.restart(ours, "again".to_owned());

    assert!(world.send("192.0.2.1:1000", &before, 1.0).0.is_ok());
    let (checked, _) = world.send("192.0.2.1:1001", &after, 2.0);
    assert!(matches!(checked, Ok(Checked::Moved { .. })));
    assert_eq!(world.send("192.0.2.1:1000", &before, 3.0).0, Err(Refused::Username));
    assert!(world.send("192.0.2.1:1001", &after, 3.0).0.is_ok());
}

#[test]
fn the_leg_of_a_check_is_found_without_its_key() {
    let world = World::new();
    let nomination = world.nomination();
    let fragment = addressed_fragment(&nomination).expect("a check");
    assert_eq!(Credentials::slot_of(fragment), Some(3));
    assert_eq!(addressed_fragment(b"noise"), None);
}

#[test]
fn an_address_in_other_clothes_is_the_same_address() {
    assert_eq!(plain_address(address("[::ffff:192.0.2.1]:5")), address("192.0.2.1:5"));
    assert_eq!(plain_address(address("[2001:db8::1]:5")), address("[2001:db8::1]:5"));
}

proptest! {
    /// Whatever is changed in an authentic check, it changes nothing and is not answered.
    #[test]
    fn a_changed_check_changes_nothing(at in 0usize..200, mask in 1u8.., cut in 0usize..200, more in 0usize..8) {
        let mut world = World::new();
        let mut datagram = world.nomination();
        let at = at % datagram.len();
        datagram[at] ^= mask;
        datagram.truncate(datagram.len() - (cut % 3) * 4);
        datagram.resize(datagram.len() + more, 0);
        let (checked, answer) = world.send("192.0.2.1:1000", &datagram, 0.0);
        prop_assert!(checked.is_err());
        prop_assert!(answer.is_empty());
        prop_assert_eq!(world.agent.selected(), None);
    }

    /// Noise is never a check, and never makes the reader stumble.
    #[test]
    fn noise_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut world = World::new();
        let (checked, answer) = world.send("192.0.2.1:1000", &noise, 0.0);
        prop_assert!(checked.is_err());
        prop_assert!(answer.is_empty());
    }
}
