//! A real browser driven by scripts; at Microsoft's Agents Playground, which talks to the messaging endpoint.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::house::{Dev, stock};
use trunkline_fleet::process::{Process, Recipe, free_port};

/// The scripts, and the npm packages that `.ci/test` installs beside them.
pub(crate) fn scripts() -> PathBuf {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    assert!(
        scripts.join("node_modules").is_dir(),
        "the browser tests need npm packages: run `npm ci --prefix {}`, or .ci/test",
        scripts.display()
    );
    scripts
}

/// Runs a script to its end; what it prints is shown when it fails.
pub(crate) fn run_script(script: &str, arguments: &[&str]) {
    let output = Command::new("node")
        .current_dir(scripts())
        .arg(script)
        .args(arguments)
        .output()
        .expect("node is not installed");
    assert!(
        output.status.success(),
        "{script} {arguments:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Microsoft's Agents Playground, pointed at a messaging endpoint.
fn playground(directory: &Path, endpoint: &str) -> (Process, String) {
    let port = free_port();
    let page = format!("http://127.0.0.1:{port}/");
    let script = scripts()
        .join("node_modules/.bin/agentsplayground")
        .display()
        .to_string();
    let process = Recipe::new(directory, "playground", "node")
        .ready_at(page.clone())
        .arguments([&script, "--app-endpoint", endpoint, "--channel-id", "msteams"])
        .arguments(["--port", &port.to_string(), "--disable-telemetry"])
        .environment("BROWSER", "none")
        .start();
    (process, page)
}

fn converse_in_the_playground(bot: &str) {
    let directory = tempfile::tempdir().unwrap();
    let dev = Dev::open(directory.path(), stock(), bot);
    let _process = dev.recipe.start();
    let (_playground, page) = playground(directory.path(), &dev.endpoint);
    run_script("playground.mjs", &[&page, bot]);
}

#[test]
fn the_echo_bot_converses_in_microsofts_playground() {
    converse_in_the_playground("echo");
}

#[test]
fn a_cards_button_is_pressed_in_microsofts_playground() {
    converse_in_the_playground("poll");
}
