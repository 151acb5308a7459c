//! One line of the log for each kind of refusal: the first, then at most one a second, with how many were left out.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use trunkline_teams::identity::{LoggedClaims, Severity, logged_claims};

use super::rejection::{Rejection, RejectionCode};

const INTERVAL: Duration = Duration::from_secs(1);

/// Which refusals were written lately. Shared by all threads without a lock.
#[derive(Debug)]
pub(crate) struct RefusalLog {
    started: Instant,
    lines: Box<[Line]>,
}

#[derive(Debug, Default)]
struct Line {
    /// Milliseconds since the start, plus one; 0 for never.
    written: AtomicU64,
    left_out: AtomicU64,
}

impl RefusalLog {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            lines: (0..RejectionCode::count()).map(|_| Line::default()).collect(),
        }
    }

    /// Writes a line about the refusal, unless one of its kind was written within the last second.
    pub(crate) fn note(&self, rejection: &Rejection, request: &HttpRequest, source: Option<IpAddr>) {
        if let Some(left_out) = self.is_due(rejection.code(), self.started.elapsed()) {
            write(rejection, request, source, left_out);
        }
    }

    /// Whether a line is due, and how many were left out since the last one.
    fn is_due(&self, code: RejectionCode, now: Duration) -> Option<u64> {
        let line = &self.lines[code.index()];
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let now = milliseconds(now).saturating_add(1);
        let written = line.written.load(Ordering::Relaxed);
        let is_early = written != 0 && now.saturating_sub(written) < milliseconds(INTERVAL);
        let is_mine = !is_early
            && line
                .written
                .compare_exchange(written, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_mine {
            return Some(line.left_out.swap(0, Ordering::Relaxed));
        }
        line.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// What a log may show of a request that was refused: claims, never the token, and never a text of the body.
fn write(rejection: &Rejection, request: &HttpRequest, source: Option<IpAddr>, left_out: u64) {
    let authorization = request.headers().get_all(AUTHORIZATION).map(HeaderValue::as_bytes);
    let LoggedClaims {
        algorithm,
        key,
        issuer,
        audience,
        not_before,
        expires,
        service_url,
        tenant,
        app,
    } = logged_claims(authorization).unwrap_or_default();
    let code = rejection.code();
    macro_rules! line {
        ($level:expr) => {
            tracing::event!(
                $level,
                code = code.number(),
                reason = code.name(),
                status = rejection.status().as_u16(),
                detail = %rejection,
                source = source.map(tracing::field::display),
                algorithm, key, issuer, audience, not_before, expires, service_url, tenant, app,
                left_out,
                "request refused"
            )
        };
    }
    match code.severity() {
        Severity::Info => line!(tracing::Level::INFO),
        Severity::Warning => line!(tracing::Level::WARN),
        Severity::Error => line!(tracing::Level::ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_written_and_then_one_a_second_with_what_was_left_out() {
        let log = RefusalLog::new();
        let code = Rejection::Method("GET".into()).code();
        let other = Rejection::Encoding("br".into()).code();
        let at = |milliseconds| Duration::from_millis(milliseconds);
        assert_eq!(log.is_due(code, at(0)), Some(0));
        assert_eq!(log.is_due(code, at(1)), None);
        assert_eq!(log.is_due(code, at(999)), None);
        assert_eq!(log.is_due(other, at(999)), Some(0), "another reason has its own line");
        assert_eq!(log.is_due(code, at(1_000)), Some(2));
        assert_eq!(log.is_due(code, at(1_001)), None);
    }
}
