//! Settings that count: times, sizes, shares.

use std::time::Duration;

use super::{SettingType, Wrong, text};
use crate::configuration::tree::{Item, Value, quoted};

/// A number with a unit, such as `15 s`.
fn with_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '_')?;
    let number = text[..end].replace('_', "").parse().ok()?;
    Some((number, text[end..].trim()))
}

const DURATION_UNITS: [(&str, u64); 6] = [
    ("days", 86_400_000),
    ("day", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("s", 1000),
    ("ms", 1),
];

impl SettingType for Duration {
    const WHAT: &'static str = "a time with its unit (ms, s, min, h, days), such as \"15 s\" or \"200 ms\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let text = match &item.value {
            Value::Integer(_) | Value::Float(_) => return Err(Wrong::new("has no unit")),
            _ => text(item)?,
        };
        let (number, unit) = with_unit(text.trim()).ok_or_else(|| Wrong::new("is not a number with a unit"))?;
        let (_, factor) = DURATION_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| Wrong::new(format!("has the unknown unit {unit}")))?;
        number
            .checked_mul(*factor)
            .map(Self::from_millis)
            .ok_or_else(|| Wrong::new("is too long"))
    }
    fn shown(&self) -> Option<String> {
        let millis = self.as_millis();
        let (unit, factor) = DURATION_UNITS
            .iter()
            .find(|(name, factor)| *name != "day" && millis.is_multiple_of(u128::from(*factor)) && millis != 0)
            .unwrap_or(&("ms", 1));
        Some(quoted(&format!("{} {unit}", millis / u128::from(*factor))))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    /// As an index type; all of memory when it is more.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl SettingType for Size {
    const WHAT: &'static str = "a size with its unit (B, KiB, MiB, GiB), such as \"256 KiB\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let text = match &item.value {
            Value::Integer(_) | Value::Float(_) => return Err(Wrong::new("has no unit")),
            _ => text(item)?,
        };
        let (number, unit) = with_unit(text.trim()).ok_or_else(|| Wrong::new("is not a number with a unit"))?;
        let (_, factor) = SIZE_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| Wrong::new(format!("has the unknown unit {unit}")))?;
        number
            .checked_mul(*factor)
            .map(Self)
            .ok_or_else(|| Wrong::new("is too large"))
    }
    fn shown(&self) -> Option<String> {
        let (unit, factor) = SIZE_UNITS
            .iter()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor))
            .unwrap_or(&("B", 1));
        Some(quoted(&format!("{} {unit}", self.0 / factor)))
    }
}

/// A share between nothing and all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

impl SettingType for Share {
    const WHAT: &'static str = "a number from 0 to 1, such as 0.1";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let number = match &item.value {
            Value::Float(number) => *number,
            Value::Integer(0) => 0.0,
            Value::Integer(1) => 1.0,
            Value::Integer(_) => return Err(Wrong::new("is out of range")),
            Value::Text(text) => text.parse().map_err(|_| Wrong::new("is not a number"))?,
            _ => return Err(Wrong::kind(item)),
        };
        if (0.0..=1.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Wrong::new("is out of range"))
        }
    }
    fn shown(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Share, Size};
    use crate::configuration::tree::{Item, Origin, Value};
    use crate::configuration::value::SettingType;

    fn read<T: SettingType>(text: &str) -> Result<T, String> {
        let item = Item {
            value: Value::Text(text.to_owned()),
            origin: Origin::Environment(Arc::from("X")),
        };
        T::read(&item).map_err(|wrong| wrong.why)
    }

    #[test]
    fn times_and_sizes_have_a_unit() {
        assert_eq!(read("200 ms"), Ok(Duration::from_millis(200)));
        assert_eq!(read("90days"), Ok(Duration::from_hours(90 * 24)));
        assert_eq!(read("256 KiB"), Ok(Size(256 * 1024)));
        assert_eq!(read::<Duration>("15"), Err("is not a number with a unit".to_owned()));
        assert_eq!(
            read::<Duration>("15 fortnights"),
            Err("has the unknown unit fortnights".to_owned())
        );
        assert_eq!(read::<Size>("99999999999999 GiB"), Err("is too large".to_owned()));
    }

    #[test]
    fn what_is_shown_is_read_back_as_the_same() {
        for millis in [0, 1, 1500, 60_000, 7_200_000, 86_400_000] {
            let time = Duration::from_millis(millis);
            let shown = time.shown().unwrap_or_default();
            assert_eq!(read(shown.trim_matches('"')), Ok(time));
        }
        for bytes in [0, 1, 1536, 1 << 20, 1 << 30] {
            let shown = Size(bytes).shown().unwrap_or_default();
            assert_eq!(read(shown.trim_matches('"')), Ok(Size(bytes)));
        }
    }

    #[test]
    fn a_share_lies_between_nothing_and_all() {
        assert_eq!(read("0.25"), Ok(Share(0.25)));
        assert_eq!(read::<Share>("1.5"), Err("is out of range".to_owned()));
        assert_eq!(read::<Share>("NaN"), Err("is out of range".to_owned()));
    }
}
