//! A text that nobody may see.

use std::convert::Infallible;
use std::str::FromStr;

/// What is printed in place of a secret. The number of dots says nothing of its length.
pub(super) const DOTS: &str = "••••••••";

/// A text that prints as dots in every way there is.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(DOTS)
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(DOTS)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_dots_and_keeps_its_text() {
        let secret = Secret::new("p4ssw0rd");
        assert_eq!(
            format!("{secret} {secret:?} {:?}", Some(&secret)),
            format!("{DOTS} {DOTS} Some({DOTS})")
        );
        assert_eq!(secret.expose(), "p4ssw0rd");
    }
}
