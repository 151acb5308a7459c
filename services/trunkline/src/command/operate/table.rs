//! Tables and texts for people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

/// A table without lines; `numbers` are the places of its right-aligned columns.
pub(in crate::command) fn table<const N: usize>(header: [&str; N], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    for place in numbers {
        if let Some(column) = table.column_mut(*place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A span as people say it: `350 ms`, `12 s`, `5 min`, `3 h`, `2 d`.
pub(super) fn span(milliseconds: u64) -> String {
    match milliseconds {
        0..=9_999 => format!("{milliseconds} ms"),
        10_000..=119_999 => format!("{} s", milliseconds / 1_000),
        120_000..=7_199_999 => format!("{} min", milliseconds / 60_000),
        7_200_000..=172_799_999 => format!("{} h", milliseconds / 3_600_000),
        _ => format!("{} d", milliseconds / 86_400_000),
    }
}

/// This machine's clock, in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// How long ago a time of the store's clock was, by this machine's clock.
pub(super) fn ago(at_ms: u64) -> String {
    let now = now_ms();
    if at_ms > now {
        format!("in {}", span(at_ms - now))
    } else {
        format!("{} ago", span(now - at_ms))
    }
}

/// A dash for nothing.
pub(super) fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_said_as_people_say_them() {
        let said = [0, 9_999, 10_000, 119_999, 120_000, 7_200_000, 172_800_000].map(span);
        assert_eq!(said, ["0 ms", "9999 ms", "10 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
