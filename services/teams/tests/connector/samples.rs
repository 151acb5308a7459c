//! Requests and answers of the samples that the environment brings.

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use trunkline_teams::connector::{Call, ErrorCode, NewConversation};
use trunkline_teams::service_url::ServiceUrl;

use crate::support::{Loopback, Reply};
use crate::{base, client, trusted};

/// Every sample whose file name begins so, with its name.
fn samples(prefix: &str) -> Vec<(String, Value)> {
    let Some(directory) = std::env::var_os("TRUNKLINE_SAMPLES") else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(std::path::Path::new(&directory).join("connector")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let named = paths.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path));
    let chosen = named.filter(|(name, _)| name.starts_with(prefix));
    chosen
        .map(|(name, path)| (name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()))
        .collect()
}

fn reply(sample: &Value) -> Reply {
    let response = &sample["response"];
    let body = if response["body"].is_null() {
        String::new()
    } else {
        response["body"].to_string()
    };
    Reply::Answer(
        u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
        &[],
        body.leak(),
    )
}

#[tokio::test]
async fn every_error_has_a_known_code_and_is_final_unless_it_may_pass() {
    for (name, sample) in samples("error-") {
        let server = Loopback::start([reply(&sample)]).await;
        let call = Call::send(&trusted(&base(&server)), "a:1", Bytes::from_static(b"{}")).unwrap();
        // A refused token is asked for again, and the script has ended then.
        if sample["response"]["status"] == 401 {
            continue;
        }
        let error = client().attempt(&call).await.unwrap_err();
        assert!(!matches!(error.code(), Some(ErrorCode::Other(_))), "{name}: {error}");
        let may_pass = [412, 429, 502, 503, 504].contains(&error.status().unwrap());
        assert_eq!(error.is_final(), !may_pass, "{name}: {error}");
    }
}

#[tokio::test]
async fn every_roster_is_read() {
    for (name, sample) in samples("pagedmembers") {
        let server = Loopback::start([reply(&sample)]).await;
        let page = client()
            .members(&trusted(&base(&server)), "19:c", 100, None)
            .await
            .unwrap();
        assert!(page.members.iter().all(|member| member.id.is_some()), "{name}");
        let expected = sample["response"]["body"]["continuationToken"].as_str();
        assert_eq!(page.continuation_token.as_deref(), expected, "{name}");
    }
}

#[tokio::test]
async fn every_created_conversation_has_its_ids() {
    for (name, sample) in samples("create-conversation-") {
        let server = Loopback::start([reply(&sample)]).await;
        let chat = NewConversation::personal("t1", "29:ines", None).unwrap();
        let created = client().create_conversation(&trusted(&base(&server)), &chat).await;
        let body = &sample["response"]["body"];
        match created {
            Ok(created) => {
                assert_eq!(Some(created.id.as_str()), body["id"].as_str(), "{name}");
                assert_eq!(created.activity_id.as_deref(), body["activityId"].as_str(), "{name}");
            }
            Err(error) => assert_eq!(error.status(), Some(400), "{name}: {error}"),
        }
    }
}

#[test]
fn paths_are_those_of_the_samples() {
    for (name, sample) in samples("") {
        let (Some(method), Some(url)) = (sample["request"]["method"].as_str(), sample["request"]["url"].as_str())
        else {
            continue;
        };
        let Some((base, path)) = url.split_once("/v3/conversations/") else {
            continue;
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<String> = path
            .split('/')
            .map(|part| {
                percent_encoding::percent_decode_str(part)
                    .decode_utf8()
                    .unwrap()
                    .into_owned()
            })
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let base = ServiceUrl::parse(base).unwrap();
        let body = Bytes::from_static(b"{}");
        let call = match (method, parts.as_slice()) {
            ("POST", [chat, "activities"]) => Call::send(&base, chat, body),
            ("POST", [chat, "activities", answered]) => Call::reply(&base, chat, answered, body),
            ("PUT", [chat, "activities", id]) => Call::update(&base, chat, id, body),
            ("DELETE", [chat, "activities", id]) => Call::delete(&base, chat, id),
            ("GET", [chat, "members", member]) => Call::member(&base, chat, member),
            _ => continue,
        };
        let call = call.unwrap();
        let call = if query == "isTargetedActivity=true" {
            call.targeted()
        } else {
            call
        };
        assert_eq!(
            (call.method(), call.url().as_str()),
            (&method.parse::<Method>().unwrap(), url),
            "{name}"
        );
    }
}
