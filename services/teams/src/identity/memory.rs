//! Verdicts that are remembered, so that the signature of a token is checked once and not with every request.
//!
//! A fixed table of single-pointer slots, four to a set. A read takes no lock and writes nothing that other threads read,
//! except the reference count of the verdict that it returns. A full set loses the verdict that ends first, which costs its
//! token another check and nothing else; so the table needs no sweeping and cannot grow.
//!
//! Tokens are recognised by a 128-bit XXH3 hash under a secret drawn at the start. A cryptographic hash is not needed: to
//! profit, a stranger must hit the hash of a token that he does not know (whoever knows a token can simply send it), and that
//! value depends on the unknown 2,048-bit signature. He would have to guess 128 bits, whatever he knows of the hash's weak
//! spots. SHA-256 would protect nothing more and cost more than all the rest of a hit: 2.3 microseconds were measured for a
//! token of 700 bytes, against 0.13. The token itself is not kept.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rand::Rng;
use xxhash_rust::xxh3::xxh3_128_with_secret;

use super::verify::TokenFacts;

/// Slots that one hash may use.
const WAYS: usize = 4;

/// A token, recognisable and unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u128);

#[derive(Debug)]
struct Remembered {
    fingerprint: Fingerprint,
    facts: Arc<TokenFacts>,
}

/// The remembered verdicts.
pub(super) struct Memory {
    secret: Box<[u8; 192]>,
    slots: Box<[ArcSwapOption<Remembered>]>,
}

impl Memory {
    /// Room for at least that many tokens, rounded up to a power of two.
    pub(super) fn with_room_for(tokens: usize) -> Self {
        let mut secret = Box::new([0; 192]);
        rand::rng().fill_bytes(&mut *secret);
        let slots = (0..tokens.next_power_of_two().max(WAYS))
            .map(|_| ArcSwapOption::empty())
            .collect();
        Self { secret, slots }
    }

    pub(super) fn fingerprint(&self, token: &str) -> Fingerprint {
        Fingerprint(xxh3_128_with_secret(token.as_bytes(), &*self.secret))
    }

    /// The facts of a token that was verified before. The caller asks whether they still hold.
    pub(super) fn recall(&self, fingerprint: Fingerprint) -> Option<Arc<TokenFacts>> {
        self.set(fingerprint).iter().find_map(|slot| {
            let remembered = slot.load();
            let remembered = remembered
                .as_ref()
                .filter(|remembered| remembered.fingerprint == fingerprint)?;
            Some(Arc::clone(&remembered.facts))
        })
    }

    /// Remembers the facts of a verified token.
    pub(super) fn remember(&self, fingerprint: Fingerprint, facts: Arc<TokenFacts>) {
        let expires = |slot: &ArcSwapOption<Remembered>| match &*slot.load() {
            Some(remembered) if remembered.fingerprint != fingerprint => remembered.facts.expires,
            _ => 0,
        };
        if let Some(slot) = self.set(fingerprint).iter().min_by_key(|slot| expires(slot)) {
            slot.store(Some(Arc::new(Remembered { fingerprint, facts })));
        }
    }

    fn set(&self, fingerprint: Fingerprint) -> &[ArcSwapOption<Remembered>] {
        let sets = self.slots.len() / WAYS;
        let first = (fingerprint.0 as usize & (sets - 1)) * WAYS;
        &self.slots[first..first + WAYS]
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Memory")
            .field("slots", &self.slots.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::key_set::KeySet;
    use super::*;

    fn facts(expires: u64) -> Arc<TokenFacts> {
        let document = br#"{"keys": [{"kty": "RSA", "kid": "k", "n": "AAAA", "e": "AQAB"}]}"#;
        let key = Arc::clone(KeySet::parse(document).unwrap().find("k").unwrap());
        Arc::new(TokenFacts {
            bot: 0,
            service_url: "https://a.example/".into(),
            tenant: None,
            key,
            not_before: 0,
            expires,
        })
    }

    #[test]
    fn a_remembered_token_is_recalled_and_another_is_not() {
        let memory = Memory::with_room_for(100);
        memory.remember(memory.fingerprint("a.b.c"), facts(7));
        assert_eq!(memory.recall(memory.fingerprint("a.b.c")).unwrap().expires, 7);
        assert!(memory.recall(memory.fingerprint("a.b.d")).is_none());
    }

    #[test]
    fn a_full_set_forgets_what_ends_first() {
        let memory = Memory::with_room_for(WAYS);
        let name = |number: u64| memory.fingerprint(&format!("token {number}"));
        for number in 1..=5 {
            memory.remember(name(number), facts(number));
        }
        let kept: Vec<u64> = (1..=5)
            .filter(|number| memory.recall(name(*number)).is_some())
            .collect();
        assert_eq!(kept, [2, 3, 4, 5]);
    }

    #[test]
    fn a_token_takes_one_slot_however_often_it_is_remembered() {
        let memory = Memory::with_room_for(WAYS);
        memory.remember(memory.fingerprint("other"), facts(1));
        for expires in 10..20 {
            memory.remember(memory.fingerprint("same"), facts(expires));
        }
        assert_eq!(memory.recall(memory.fingerprint("same")).unwrap().expires, 19);
        assert!(memory.recall(memory.fingerprint("other")).is_some());
    }

    #[test]
    fn two_processes_hash_differently() {
        let (one, other) = (Memory::with_room_for(4), Memory::with_room_for(4));
        assert_ne!(one.fingerprint("a.b.c"), other.fingerprint("a.b.c"));
    }
}
