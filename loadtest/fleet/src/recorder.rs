//! A Connector that takes every reply and writes down what it got, in order of arrival.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use crate::message;
use crate::wait::wait_for;

/// What bots sent, by conversation. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    replies: Arc<Mutex<HashMap<String, Vec<String>>>>,
}

impl Recorder {
    /// Serves on a free port of this address in a thread of its own, as long as the process lives.
    pub fn start(address: IpAddr) -> (Self, SocketAddr) {
        let written = Self::default();
        let shared = web::Data::new(written.clone());
        let (ready, bound) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(shared.clone())
                        .route("/v3/conversations/{conversation}/activities", web::post().to(take))
                        .route(
                            "/v3/conversations/{conversation}/activities/{activity}",
                            web::post().to(take_reply),
                        )
                })
                .workers(1)
                .bind((address, 0))
                .unwrap();
                ready.send(server.addrs()[0]).unwrap();
                server.run().await.unwrap();
            });
        });
        (written, bound.recv().unwrap())
    }

    /// Texts of the replies in a conversation, in order of arrival.
    pub fn replies(&self, conversation: &str) -> Vec<String> {
        self.replies
            .lock()
            .unwrap()
            .get(conversation)
            .cloned()
            .unwrap_or_default()
    }

    /// Waits until each of these people has heard two new things: the first may be the reply of a turn that had committed before a
    /// death, the second is of the turn that the death interrupted, or of a later one.
    pub(crate) fn everybody_hears(&self, people: Range<usize>) {
        let heard = |person: usize| {
            let replies = self.replies(&message::conversation(person));
            // One that is repeated after the death is nothing new.
            replies.into_iter().collect::<HashSet<_>>().len()
        };
        let before: Vec<usize> = people.clone().map(heard).collect();
        wait_for("further replies to everybody", || {
            let is_done = people
                .clone()
                .zip(&before)
                .all(|(person, before)| heard(person) > before + 1);
            is_done.then_some(())
        });
    }

    /// Forgets all replies: what follows is judged alone.
    pub fn forget(&self) {
        self.replies.lock().unwrap().clear();
    }

    fn record(&self, conversation: String, activity: &Value) -> HttpResponse {
        let mut replies = self.replies.lock().unwrap();
        if activity["type"] == "message" {
            let text = activity["text"].as_str().unwrap_or_default().to_owned();
            replies.entry(conversation).or_default().push(text);
        }
        HttpResponse::Created().json(json!({ "id": "1795000000001" }))
    }
}

async fn take(
    recorder: web::Data<Recorder>,
    conversation: web::Path<String>,
    activity: web::Json<Value>,
) -> HttpResponse {
    recorder.record(conversation.into_inner(), &activity)
}

async fn take_reply(
    recorder: web::Data<Recorder>,
    path: web::Path<(String, String)>,
    activity: web::Json<Value>,
) -> HttpResponse {
    recorder.record(path.into_inner().0, &activity)
}
