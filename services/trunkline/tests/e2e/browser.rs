//! A real browser: at the chat page of `dev`, and at Microsoft's Agents Playground that talks to the messaging endpoint.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::process::{Process, Recipe, free_port};

/// The scripts, and the npm packages that `.ci/test` installs beside them.
fn scripts() -> PathBuf {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    assert!(
        scripts.join("node_modules").is_dir(),
        "the browser tests need npm packages: run `npm ci --prefix {}`, or .ci/test",
        scripts.display()
    );
    scripts
}

/// Runs a script to its end; what it prints is shown when it fails.
fn run_script(script: &str, arguments: &[&str]) {
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

/// `dev` on free ports, with its data in `directory`.
struct Dev {
    recipe: Recipe,
    endpoint: String,
}

impl Dev {
    fn new(directory: &Path, arguments: &[&str]) -> Self {
        let (port, teams, admin) = (free_port(), free_port(), free_port());
        let recipe = Recipe::trunkline(directory, "dev", arguments, format!("http://127.0.0.1:{port}/readyz"))
            .environment("TRUNKLINE_DEV__LISTEN", format!("127.0.0.1:{port}"))
            .environment("TRUNKLINE_DEV__TEAMS_LISTEN", format!("127.0.0.1:{teams}"))
            .environment("TRUNKLINE_DEV__DATA", directory.join("data").display().to_string())
            .environment("TRUNKLINE_ADMIN__LISTEN", format!("127.0.0.1:{admin}"));
        Self {
            recipe,
            endpoint: format!("http://127.0.0.1:{port}/api/messages"),
        }
    }
}

/// Microsoft's Agents Playground, pointed at a messaging endpoint.
async fn playground(directory: &Path, endpoint: &str) -> (Process, String) {
    let port = free_port();
    let page = format!("http://127.0.0.1:{port}/");
    let recipe = Recipe {
        program: "node".into(),
        arguments: vec![
            scripts()
                .join("node_modules/.bin/agentsplayground")
                .display()
                .to_string(),
        ],
        environment: vec![("BROWSER".to_owned(), "none".to_owned())],
        log: directory.join("playground.log"),
        ready_url: page.clone(),
    };
    let process = recipe
        .argument("--app-endpoint")
        .argument(endpoint)
        .argument("--channel-id")
        .argument("msteams")
        .argument("--port")
        .argument(port)
        .argument("--disable-telemetry")
        .start()
        .await;
    (process, page)
}

async fn converse_in_the_playground(bot: &str) {
    let directory = tempfile::tempdir().unwrap();
    let dev = Dev::new(directory.path(), &["dev", "--bot", bot, "--allow-unauthenticated"]);
    let _process = dev.recipe.start().await;
    let (_playground, page) = playground(directory.path(), &dev.endpoint).await;
    let bot = bot.to_owned();
    tokio::task::spawn_blocking(move || run_script("playground.mjs", &[&page, &bot]))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_echo_bot_converses_in_microsofts_playground() {
    converse_in_the_playground("echo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cards_button_is_pressed_in_microsofts_playground() {
    converse_in_the_playground("poll").await;
}
