//! How far something long is: a bar for people, a line every tenth for files.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// The progress of one thing.
pub(crate) struct Progress {
    label: &'static str,
    whole: u64,
    bar: Option<ProgressBar>,
    tenths: u64,
}

impl Progress {
    pub(crate) fn new(label: &'static str, whole: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left");
            ProgressBar::new(whole)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(label)
        });
        Self {
            label,
            whole,
            bar,
            tenths: 0,
        }
    }

    /// So much is done.
    pub(crate) fn at(&mut self, done: u64) {
        let tenths = done * 10 / self.whole.max(1);
        match &self.bar {
            Some(bar) if done >= self.whole => bar.finish(),
            Some(bar) => bar.set_position(done),
            None if tenths > self.tenths => println!("  {}: {done} of {}", self.label, self.whole),
            None => {}
        }
        self.tenths = tenths;
    }
}
