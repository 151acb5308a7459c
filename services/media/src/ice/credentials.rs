//! User fragment and password of a leg (RFC 8445 section 5.3, RFC 8839 section 5.4).

use std::fmt;

use aws_lc_rs::hmac;
use rand::{Rng, RngExt};

/// The 64 characters that a user fragment and a password may have ("ice-char").
const ICE_CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Characters of the slot in a user fragment: 24 bits.
const SLOT_CHARACTERS: usize = 4;
/// Characters of the host: 12 bits.
const HOST_CHARACTERS: usize = 2;
const RANDOM_CHARACTERS: usize = 6;
/// 24 characters of 6 bits: 144 bits, of which RFC 8445 asks for 128.
const PASSWORD_CHARACTERS: usize = 24;

/// Highest slot that fits into a user fragment.
pub const HIGHEST_SLOT: u32 = (1 << 24) - 1;
/// Highest host number that fits into a user fragment.
pub const HIGHEST_HOST: u16 = (1 << 12) - 1;

/// Our half of the credentials of a leg.
///
/// The user fragment says where the leg is: four characters of its slot, so that the first datagram of an unknown address
/// finds it by an array access, and two of its host, so that a balancer that reads user fragments needs no state.
#[derive(Clone)]
pub struct Credentials {
    fragment: String,
    password: String,
    key: hmac::Key,
}

impl Credentials {
    /// New credentials for a slot of a host. Bits beyond [`HIGHEST_SLOT`] and [`HIGHEST_HOST`] are cut.
    pub fn generate(slot: u32, host: u16, random: &mut impl Rng) -> Self {
        let mut fragment = String::with_capacity(SLOT_CHARACTERS + HOST_CHARACTERS + RANDOM_CHARACTERS);
        push_number(&mut fragment, slot, SLOT_CHARACTERS);
        push_number(&mut fragment, u32::from(host), HOST_CHARACTERS);
        push_random(&mut fragment, RANDOM_CHARACTERS, random);
        let mut password = String::with_capacity(PASSWORD_CHARACTERS);
        push_random(&mut password, PASSWORD_CHARACTERS, random);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        Self {
            fragment,
            password,
            key,
        }
    }

    /// `a=ice-ufrag` of our answer.
    pub fn fragment(&self) -> &str {
        &self.fragment
    }

    /// `a=ice-pwd` of our answer. A secret.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The key of MESSAGE-INTEGRITY, made of the password (RFC 8489 section 9.1, short-term credentials).
    pub(super) fn key(&self) -> &hmac::Key {
        &self.key
    }

    /// The slot that a user fragment of ours names; `None` if it cannot be ours.
    pub fn slot_of(fragment: &[u8]) -> Option<u32> {
        if fragment.len() != SLOT_CHARACTERS + HOST_CHARACTERS + RANDOM_CHARACTERS {
            return None;
        }
        fragment[..SLOT_CHARACTERS].iter().try_fold(0, |slot, character| {
            let value = ICE_CHARACTERS.iter().position(|known| known == character)?;
            Some(slot << 6 | u32::try_from(value).ok()?)
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("fragment", &self.fragment)
            .field("password", &"...")
            .finish_non_exhaustive()
    }
}

fn push_number(text: &mut String, number: u32, characters: usize) {
    for place in (0..characters).rev() {
        text.push(character(number >> (6 * place)));
    }
}

fn push_random(text: &mut String, characters: usize, random: &mut impl Rng) {
    for _ in 0..characters {
        text.push(character(random.random::<u32>()));
    }
}

fn character(bits: u32) -> char {
    char::from(ICE_CHARACTERS[(bits & 63) as usize])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_user_fragment_names_its_slot() {
        let mut random = StdRng::seed_from_u64(1);
        for slot in [0, 1, 63, 64, 4096, 9_999, HIGHEST_SLOT] {
            let credentials = Credentials::generate(slot, 7, &mut random);
            assert_eq!(Credentials::slot_of(credentials.fragment().as_bytes()), Some(slot));
        }
        assert_eq!(Credentials::slot_of(b"short"), None);
        assert_eq!(Credentials::slot_of(b"----aabbbbbb"), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        let credentials = Credentials::generate(1, 1, &mut StdRng::seed_from_u64(1));
        assert!(!format!("{credentials:?}").contains(credentials.password()));
    }
}
