//! Why a handshake failed, for operators: what is wrong, and what to set where.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustls::{CertificateError, Error, OtherError};

use super::SETTINGS;

/// At most one line of the log for each reason in this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why a handshake failed. As text it is a sentence about the other end.
#[derive(Debug)]
pub(super) enum Refusal {
    /// What came is no TLS.
    NoTls,
    /// It has no certificate.
    NoCertificate,
    /// We refuse its certificate.
    Certificate(Error),
    /// It refuses us.
    RefusedUs(Error),
    /// Something else of TLS.
    Protocol(Error),
    /// It went away.
    Gone(io::Error),
    /// It took too long.
    Slow(Duration),
    /// So many others came after it that it was given up.
    Crowded(usize),
}

impl Refusal {
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::NoTls => "no_tls",
            Self::NoCertificate => "no_certificate",
            Self::Certificate(_) => "certificate",
            Self::RefusedUs(_) => "refused_us",
            Self::Protocol(_) => "protocol",
            Self::Gone(_) => "gone",
            Self::Slow(_) => "slow",
            Self::Crowded(_) => "crowded",
        }
    }

    /// Probes of balancers open connections and close them; that is nobody's trouble.
    fn is_trouble(&self) -> bool {
        !matches!(self, Self::Gone(_))
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
            return Self::Gone(error);
        };
        match tls {
            Error::InvalidMessage(_) => Self::NoTls,
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(_) => Self::Certificate(tls.clone()),
            Error::AlertReceived(_) => Self::RefusedUs(tls.clone()),
            _ => Self::Protocol(tls.clone()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTls => write!(formatter, "it speaks no TLS; set {SETTINGS} there"),
            Self::NoCertificate => write!(formatter, "it has no certificate; set {SETTINGS} there"),
            Self::Certificate(error) => {
                match error {
                    // Of another verifier's reason the error would print the Rust value.
                    Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) => reason.fmt(formatter)?,
                    error => error.fmt(formatter)?,
                }
                write!(
                    formatter,
                    "; its certificate must be in date, issued by an authority of cluster.tls_ca and name its role"
                )
            }
            Self::RefusedUs(error) => write!(formatter, "it refuses our certificate: {error}"),
            Self::Protocol(error) => error.fmt(formatter),
            Self::Gone(error) => error.fmt(formatter),
            Self::Slow(limit) => write!(formatter, "no handshake within {} s", limit.as_secs()),
            Self::Crowded(limit) => write!(formatter, "more than {limit} handshakes at once"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Writes a line for the first refusal of each reason, then at most one a second, with how many were left out.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    label: &'static str,
    written: Instant,
    left_out: u64,
}

impl RefusalLog {
    pub(super) fn note(&mut self, peer: SocketAddr, refusal: &Refusal) {
        if !refusal.is_trouble() {
            tracing::debug!(%peer, reason = %refusal, "a connection ended before its handshake");
        } else if let Some(left_out) = self.is_due(refusal.label(), Instant::now()) {
            tracing::warn!(%peer, reason = %refusal, left_out, "connection refused");
        }
    }

    /// Whether a line is due, and how many were left out since the last one.
    fn is_due(&mut self, label: &'static str, now: Instant) -> Option<u64> {
        let Some(line) = self.lines.iter_mut().find(|line| line.label == label) else {
            self.lines.push(Line {
                label,
                written: now,
                left_out: 0,
            });
            return Some(0);
        };
        if now.saturating_duration_since(line.written) < INTERVAL {
            line.left_out += 1;
            return None;
        }
        line.written = now;
        Some(std::mem::take(&mut line.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusal_of_a_reason_is_logged_and_then_one_a_second_with_what_was_left_out() {
        let mut log = RefusalLog::default();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(log.is_due("slow", at(0)), Some(0));
        assert_eq!(log.is_due("slow", at(1)), None);
        assert_eq!(log.is_due("slow", at(999)), None);
        assert_eq!(
            log.is_due("no_tls", at(999)),
            Some(0),
            "another reason has its own line"
        );
        assert_eq!(log.is_due("slow", at(1_000)), Some(2));
    }
}
