//! A person at the chat page of `dev`, in a real browser.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::browser::{run_script, scripts};
use crate::world::house::Dev;

/// Plays scenarios of `chat.mjs` one after the other, each in a fresh browser, at one `dev` with all example bots.
fn plays(scenarios: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let dev = Dev::of_all_bots(directory.path());
    let _process = dev.recipe.start();
    let (page, pictures) = (dev.page, directory.path().display().to_string());
    for scenario in scenarios {
        run_script("chat.mjs", &[&page, scenario, &pictures]);
    }
}

#[test]
fn people_converse_with_every_example_bot_on_the_chat_page() {
    plays(&["echo", "booking", "poll", "assistant"]);
}

#[test]
fn people_change_messages_mention_remove_and_inspect_bots_on_the_chat_page() {
    plays(&["messages", "places", "installation", "inspector"]);
}

#[test]
fn what_bots_write_stays_text_and_nothing_sticks_out_of_the_window() {
    plays(&["hostile", "markdown", "screenshots"]);
}

#[test]
fn an_open_page_goes_on_counting_after_dev_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let dev = Dev::of_all_bots(directory.path());
    let process = dev.recipe.start();

    let errors = directory.path().join("survival.log");
    let mut script = start_survival(&dev.page, &errors);
    let mut line = String::new();
    BufReader::new(script.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let failure = || std::fs::read_to_string(&errors).unwrap_or_default();
    assert_eq!(line, "answered\n", "{}", failure());

    process.kill();
    let _process = dev.recipe.start();
    script.stdin.take().unwrap().write_all(b"serves again\n").unwrap();
    let ended = script.wait().unwrap();
    assert!(ended.success(), "{}", failure());
}

/// The script keeps its page open meanwhile: it says when it has been answered, and goes on after a line.
fn start_survival(page: &str, errors: &Path) -> std::process::Child {
    Command::new("node")
        .current_dir(scripts())
        .args(["chat.mjs", page, "survival"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(errors).unwrap())
        .spawn()
        .expect("node is not installed")
}
