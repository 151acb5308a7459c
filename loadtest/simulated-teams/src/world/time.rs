//! Points in time as Teams writes them.

use jiff::{Timestamp, tz::TimeZone};

/// How many digits a second's fraction has: messages carry seven, events two or three.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Precision {
    Message,
    Event,
}

impl Precision {
    fn fraction(self, now: u64) -> String {
        let millis = now % 1000;
        match self {
            // The wire has 100 ns steps; below the millisecond any digits do.
            Self::Message => format!("{millis:03}{:04}", now % 9973),
            // Trailing zeros are dropped, which is why real events show two or three digits.
            Self::Event if millis.is_multiple_of(10) => format!("{:02}", millis / 10),
            Self::Event => format!("{millis:03}"),
        }
    }
}

/// `timestamp`: UTC with `Z`.
pub(crate) fn utc(now: u64, precision: Precision) -> String {
    format!(
        "{}.{}Z",
        second(now).strftime("%Y-%m-%dT%H:%M:%S"),
        precision.fraction(now)
    )
}

/// `localTimestamp`: with the offset of `zone`, an IANA name; UTC when the machine does not know the zone.
pub(crate) fn local(now: u64, precision: Precision, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let local = second(now).to_zoned_datetime(zone);
    format!(
        "{}.{}{}",
        local.strftime("%Y-%m-%dT%H:%M:%S"),
        precision.fraction(now),
        local.strftime("%:z")
    )
}

fn second(now: u64) -> Timestamp {
    i64::try_from(now / 1000)
        .ok()
        .and_then(|second| Timestamp::from_second(second).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_carry_seven_digits_and_events_two_or_three() {
        assert!(utc(1_776_825_925_953, Precision::Message).starts_with("2026-04-22T02:45:25.953"));
        assert_eq!(
            utc(1_776_825_925_953, Precision::Message).len(),
            "2026-04-22T02:45:25.9530000Z".len()
        );
        assert_eq!(utc(1_776_825_925_890, Precision::Event), "2026-04-22T02:45:25.89Z");
        assert_eq!(utc(1_776_825_925_891, Precision::Event), "2026-04-22T02:45:25.891Z");
    }

    #[test]
    fn local_time_carries_the_offset_of_the_person() {
        assert_eq!(
            local(1_776_825_925_891, Precision::Event, "Europe/Berlin"),
            "2026-04-22T04:45:25.891+02:00"
        );
        assert_eq!(
            local(1_776_825_925_891, Precision::Event, "Nowhere/Land"),
            "2026-04-22T02:45:25.891+00:00"
        );
    }
}
