//! Calls in `dev`, by what the telephone of the chat page does: the stock binary's bots answer, play, listen and call.

use std::path::Path;

use serde_json::{Value, json};
use trunkline_fleet::process::{Process, free_port};
use trunkline_fleet::wait::wait_for;

use crate::browser::run_script;
use crate::world::house::Dev;
use crate::world::page::ChatPage;

/// `dev` with all bots, its prompts at a port that they know; and the address of its page.
fn dev(directory: &Path) -> (Process, String) {
    let dev = Dev::of_all_bots(directory);
    let prompts = format!("127.0.0.1:{}", free_port());
    let mut recipe = dev.recipe.environment("TRUNKLINE_DEV__PROMPTS_LISTEN", &prompts);
    for bot in ["reception", "notifier", "meeting"] {
        let setting = format!("TRUNKLINE_BOTS__{}__SETTINGS__PROMPTS", bot.to_uppercase());
        recipe = recipe.environment(&setting, format!("http://{prompts}/{bot}"));
    }
    (recipe.start(), dev.page)
}

/// Who lives in the simulated Teams of every `dev`.
fn people(directory: &Path) -> Value {
    let (_process, page) = dev(directory);
    ChatPage::at(&page).get("/api/world")["people"].clone()
}

fn configure(directory: &Path, text: &str) {
    std::fs::write(directory.join("trunkline.toml"), text).unwrap();
}

/// The call, once it is as wanted.
fn when(page: &ChatPage, call: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || {
        let call = page.get(&format!("/api/calls/{call}"));
        is_so(&call).then_some(call)
    })
}

/// Whether this prompt was played to its end.
fn has_heard(call: &Value, prompt: &str) -> bool {
    let prompts = call["prompts"].as_array().unwrap().iter();
    let mut named = prompts.filter(|played| played["uri"].as_str().unwrap().ends_with(prompt));
    named.any(|played| played["state"] == "finished")
}

#[test]
fn the_reception_answers_plays_its_tunes_and_keeps_a_message() {
    let directory = tempfile::tempdir().unwrap();
    let (_process, page) = dev(directory.path());
    let page = ChatPage::at(&page);
    let call = page.call(&json!({ "do": "ring", "person": 0, "bot": page.bot("reception") }));
    when(&page, &call, "the welcome", |call| {
        has_heard(call, "/reception/welcome.wav")
    });
    page.call(&json!({ "do": "press", "call": call, "key": "2" }));
    let recorded = |call: &Value| has_heard(call, "/reception/message.wav");
    when(&page, &call, "the beep", recorded);
    page.call(&json!({ "do": "speak", "call": call, "seconds": 1 }));
    let over = when(&page, &call, "the end", |call| call["state"] == "terminated");
    assert!(has_heard(&over, "/reception/goodbye.wav"), "{over:#}");
    let kept = std::fs::read_dir(directory.path().join("voice-mails")).unwrap();
    let kept: Vec<_> = kept.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(&kept[0][..4], b"RIFF", "a message is a WAV file");
}

#[test]
fn a_chat_command_calls_people_and_tells_who_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    let person = &people(directory.path())[1];
    let (name, id) = (person["name"].as_str().unwrap(), person["objectId"].as_str().unwrap());
    let contact = format!("[[bots.notifier.settings.people]]\nname = \"{name}\"\nreach = {{ user = \"{id}\" }}\n");
    configure(directory.path(), &contact);
    let (_process, page) = dev(directory.path());
    let page = ChatPage::at(&page);
    let chat = page.personal_chat("notifier");
    page.say(&chat, "call");
    let ringing = wait_for("a ringing telephone", || {
        let calls = page.get("/api/calls");
        let call = calls.as_array()?.iter().find(|call| call["ringing"][0] == 1)?;
        Some(call["id"].as_str()?.to_owned())
    });
    page.call(&json!({ "do": "pickUp", "call": ringing, "person": 1 }));
    when(&page, &ringing, "the message", |call| {
        has_heard(call, "/notifier/message.wav")
    });
    page.call(&json!({ "do": "press", "call": ringing, "key": "1" }));
    let over = when(&page, &ringing, "the end", |call| call["state"] == "terminated");
    assert!(has_heard(&over, "/notifier/thanks.wav"), "{over:#}");
    page.reply(&chat, |text| text.contains(name));
}

#[test]
fn a_person_calls_the_reception_from_the_page_and_is_handed_on() {
    let directory = tempfile::tempdir().unwrap();
    let person = &people(directory.path())[1];
    let id = person["objectId"].as_str().unwrap();
    configure(
        directory.path(),
        &format!("[bots.reception.settings]\nperson = {{ user = \"{id}\" }}\n"),
    );
    let (_process, page) = dev(directory.path());
    let pictures = directory.path().display().to_string();
    run_script("chat.mjs", &[&page, "telephone", &pictures]);
}
