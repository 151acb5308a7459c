//! Every activity that Teams sends is written back as it came.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use trunkline_teams::activity::Activity;

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the directory of samples");
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .collect()
}

fn comes_back_unchanged(path: &Path) {
    let body = std::fs::read(path).unwrap();
    let activity = Activity::parse(&body).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
    let before: Value = serde_json::from_slice(&body).unwrap();
    let after: Value = serde_json::from_slice(&activity.to_json().unwrap()).unwrap();
    assert_eq!(before, after, "{}", path.display());
}

#[test]
fn every_sample_of_the_environment_comes_back_unchanged() {
    let Some(samples) = std::env::var_os("TRUNKLINE_SAMPLES") else {
        return;
    };
    for path in files(&Path::new(&samples).join("activities")) {
        comes_back_unchanged(&path);
    }
}
