//! `trunkline dev` as an author meets it: the real binary, its banner, its chat page.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::world::house::stock;
use crate::world::page::ChatPage;
use trunkline_fleet::process::{Process, Recipe};
use trunkline_fleet::wait::wait_for;
use trunkline_fleet::web;

/// The stock binary with these arguments.
fn start(directory: &Path, arguments: &[&str]) -> Process {
    Recipe::new(directory, "process", stock())
        .arguments(arguments.iter().copied())
        .start()
}

/// Dev on free ports, with its data below `directory`.
fn dev(directory: &Path, more: &[&str]) -> Process {
    let mut arguments = vec!["dev", "--port", "0"];
    arguments.extend([
        "--set",
        "dev.teams_listen=127.0.0.1:0",
        "--set",
        "dev.prompts_listen=127.0.0.1:0",
        "--set",
        "dev.media_listen=127.0.0.1:0",
        "--set",
        "admin.listen=127.0.0.1:0",
    ]);
    arguments.extend(more);
    start(directory, &arguments)
}

#[test]
fn dev_answers_a_message_and_prints_where_everything_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut dev = dev(directory.path(), &[]);
    let page = ChatPage::at(&dev.printed("Talk to the bots"));
    assert!(dev.printed("Messaging endpoint").ends_with("/api/messages"));
    let data = dev.printed("Data");
    assert!(Path::new(&data).join("store").is_dir(), "{data}");

    let chat = page.personal_chat("echo");
    page.say(&chat, "is anybody there");
    let reply = page.reply(&chat, |text| text.contains("is anybody there"));
    assert!(reply.starts_with("1."), "{reply}");

    let metrics = dev.printed("Metrics");
    let client = web::client();
    let text = client.get(&metrics).send().unwrap().text().unwrap();
    assert!(text.contains("trunkline_build_info"), "{text}");
    let ready = client.get(metrics.replace("/metrics", "/readyz")).send().unwrap();
    assert_eq!(ready.status().as_u16(), 200);

    let (status, log) = dev.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        !log.contains("is anybody there"),
        "text of a message in the log:\n{log}"
    );
}

#[test]
fn dev_hosts_media_that_the_chat_page_may_post_offers_to() {
    let directory = tempfile::tempdir().unwrap();
    let mut dev = dev(directory.path(), &[]);
    let command = dev.printed("Operator's commands");
    let worker = command.rsplit(' ').next().unwrap();
    let hosts = wait_for("the media host", || {
        let output = Command::new(stock())
            .args(["media", "list", "--output", "json", "--worker", worker])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["hosts"].as_array().cloned().filter(|hosts| !hosts.is_empty())
    });
    let [host] = &hosts[..] else { panic!("{hosts:?}") };
    assert_eq!((&host["name"], &host["limit"]), (&"dev".into(), &2_000.into()));

    let offers = format!("{}/legs/nobody", host["whip"].as_str().unwrap());
    let page = dev.printed("Talk to the bots");
    let page = page.trim_end_matches('/');
    for (origin, allowed) in [(page, Some(page)), ("http://elsewhere.example", None)] {
        let request = web::client()
            .request(reqwest::Method::OPTIONS, &offers)
            .header("origin", origin);
        let answer = request.send().unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let header = answer.headers().get("access-control-allow-origin");
        assert_eq!(header.map(|header| header.to_str().unwrap()), allowed);
    }
}

#[test]
fn a_killed_dev_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = dev(directory.path(), &[]);
    let page = ChatPage::at(&first.printed("Talk to the bots"));
    let chat = page.personal_chat("echo");
    page.say(&chat, "one");
    page.reply(&chat, |text| text.starts_with("1."));
    first.kill();

    let mut second = dev(directory.path(), &[]);
    let page = ChatPage::at(&second.printed("Talk to the bots"));
    assert_eq!(page.personal_chat("echo"), chat, "the same chat has the same id");
    page.say(&chat, "two");
    page.reply(&chat, |text| text.starts_with("2."));
    second.kill();

    let mut fresh = dev(directory.path(), &["--fresh"]);
    let page = ChatPage::at(&fresh.printed("Talk to the bots"));
    page.say(&chat, "anew");
    page.reply(&chat, |text| text.starts_with("1."));
}

#[test]
fn requests_without_a_token_are_refused_unless_dev_was_told_to_take_them() {
    let message = serde_json::json!({
        "type": "message", "id": "1700000000001", "channelId": "msteams", "text": "hello", "textFormat": "plain",
        "serviceUrl": "http://127.0.0.1:9/", "timestamp": "2026-01-05T08:00:00.000Z",
        "from": { "id": "29:a-person", "name": "A person" },
        "recipient": { "id": "28:a-bot", "name": "A bot" },
        "conversation": { "id": "a:a-chat", "conversationType": "personal", "tenantId": "7f0c1f2e-0000-4000-8000-000000000001" }
    });
    let client = web::client();
    let status = |dev: &mut Process| {
        let endpoint = dev.printed("Messaging endpoint");
        let request = client
            .post(endpoint)
            .header("content-type", "application/json")
            .body(message.to_string());
        request.send().unwrap().status().as_u16()
    };
    let directory = tempfile::tempdir().unwrap();
    let mut closed = dev(directory.path(), &[]);
    assert_eq!(status(&mut closed), 401);
    closed.kill();
    let mut open = dev(directory.path(), &["--allow-unauthenticated", "--bot", "echo"]);
    let accepted = status(&mut open);
    assert!((200..300).contains(&accepted), "{accepted}");
}

#[test]
fn a_taken_port_is_told_with_its_setting_and_its_holder() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = tempfile::tempdir().unwrap();
    let arguments = [
        "dev",
        "--port",
        &port,
        "--set",
        "dev.teams_listen=127.0.0.1:0",
        "--set",
        "dev.prompts_listen=127.0.0.1:0",
        "--set",
        "dev.media_listen=127.0.0.1:0",
        "--set",
        "admin.listen=127.0.0.1:0",
    ];
    let mut dev = start(directory.path(), &arguments);
    assert_eq!(dev.wait().code(), Some(4));
    let log = wait_for("the message", || {
        Some(dev.log()).filter(|log| log.contains("dev.listen"))
    });
    assert!(log.contains(&format!("process {}", std::process::id())), "{log}");
}

#[test]
fn a_bot_that_the_binary_does_not_have_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("trunkline.toml"),
        "[bots.ehco]\napp_id = \"5c1f0a2e-6d4b-4f7a-9b7e-0d9c6a3f1e52\"\napp_type = \"multi-tenant\"\n",
    )
    .unwrap();
    let mut check = start(directory.path(), &["config", "check"]);
    assert_eq!(check.wait().code(), Some(3));
    let log = wait_for("the message", || Some(check.log()).filter(|log| log.contains("ehco")));
    assert!(log.contains("this binary has no bot \"ehco\""), "{log}");
    assert!(log.contains("trunkline.toml:1:"), "{log}");
}
