//! The naive host: one thread, one task a connection, one thing after the other. It reads a request, looks its token up among those
//! that it verified (RS256, once), runs one script in Redis, answers, and posts the reply to the Connector. No queue, no order within
//! a conversation, no repeat recognised, no limit, no metric, and a reply that fails is lost.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::rc::Rc;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::Facts;
use super::redis::Redis;
use crate::sink::complete_message;

/// The first argument of a process that is the naive host.
pub(super) const WORD: &str = "naive-host";

/// Whether this process was started to be the naive host, by [`serve`].
pub(crate) fn is_the_host() -> bool {
    std::env::args().nth(1).is_some_and(|word| word == WORD)
}

/// Serves until it is killed.
pub(crate) fn serve() -> io::Result<()> {
    let file = std::env::args().nth(2).unwrap_or_default();
    let facts: Facts = serde_json::from_slice(&std::fs::read(file)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let host = Rc::new(Host::new(facts).await?);
        let listener = TcpListener::bind(("127.0.0.1", host.facts.port)).await?;
        loop {
            let (socket, _) = listener.accept().await?;
            let host = Rc::clone(&host);
            tokio::task::spawn_local(async move { host.connection(socket).await });
        }
    })
}

struct Host {
    facts: Facts,
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    /// Tokens that are good.
    verified: RefCell<HashSet<String>>,
    /// The bot's own token.
    bearer: String,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
}

/// What the host reads of an activity.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Activity<'a> {
    id: &'a str,
    text: &'a str,
    service_url: &'a str,
    #[serde(borrow)]
    from: Named<'a>,
    #[serde(borrow)]
    recipient: Named<'a>,
    #[serde(borrow)]
    conversation: Named<'a>,
}

#[derive(Deserialize)]
struct Named<'a> {
    id: &'a str,
}

impl Host {
    async fn new(facts: Facts) -> io::Result<Self> {
        let metadata: Metadata = get(&facts.metadata).await?;
        let key_set: JwkSet = get(&metadata.jwks_uri).await?;
        let keys = key_set.keys.iter().filter_map(|key| {
            let name = key.common.key_id.clone()?;
            Some((name, DecodingKey::from_jwk(key).ok()?))
        });
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[&facts.app_id]);
        validation.set_issuer(&[&metadata.issuer]);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &facts.app_id),
            ("client_secret", &facts.app_secret),
            ("scope", "https://api.botframework.com/.default"),
        ];
        let endpoint = facts.token_endpoint.replace("{tenant}", &facts.tenant);
        let request = reqwest::Client::new().post(endpoint).form(&form);
        let issued: Issued = request.send().await.map_err(other)?.json().await.map_err(other)?;
        Ok(Self {
            keys: keys.collect(),
            validation,
            verified: RefCell::default(),
            bearer: issued.access_token,
            facts,
        })
    }

    /// Requests of one connection, one after the other.
    async fn connection(&self, mut socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let mut redis = Redis::connect(self.facts.redis_port).await?;
        let mut connector = None;
        let mut buffer = Vec::with_capacity(8_192);
        loop {
            while let Some(length) = complete_message(&buffer) {
                let request: Vec<u8> = buffer.drain(..length).collect();
                self.serve(&request, &mut socket, &mut redis, &mut connector).await?;
            }
            if socket.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn serve(
        &self,
        request: &[u8],
        socket: &mut TcpStream,
        redis: &mut Redis,
        connector: &mut Option<TcpStream>,
    ) -> io::Result<()> {
        let text = std::str::from_utf8(request).map_err(other)?;
        let (fields, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let token = fields
            .lines()
            .find_map(|line| line.strip_prefix("Authorization: Bearer "));
        if !token.is_some_and(|token| self.is_verified(token)) {
            return socket
                .write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
        let activity: Activity = serde_json::from_str(body)?;
        let record = json!({
            "serviceUrl": activity.service_url,
            "conversation": activity.conversation.id,
            "from": activity.from.id,
            "last": activity.id,
        });
        let heard = redis.turn(activity.conversation.id, &record.to_string()).await?;
        socket
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await?;
        self.reply(&activity, heard, connector).await
    }

    fn is_verified(&self, token: &str) -> bool {
        if self.verified.borrow().contains(token) {
            return true;
        }
        let key = jsonwebtoken::decode_header(token)
            .ok()
            .and_then(|header| self.keys.get(&header.kid?));
        let is_good = key.is_some_and(|key| {
            jsonwebtoken::decode::<serde_json::Map<String, serde_json::Value>>(token, key, &self.validation).is_ok()
        });
        if is_good {
            self.verified.borrow_mut().insert(token.to_owned());
        }
        is_good
    }

    async fn reply(&self, activity: &Activity<'_>, heard: u64, connector: &mut Option<TcpStream>) -> io::Result<()> {
        let address = activity.service_url.trim_start_matches("http://");
        if connector.is_none() {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            *connector = Some(socket);
        }
        let Some(socket) = connector else {
            return Ok(());
        };
        let body = json!({
            "type": "message",
            "from": { "id": activity.recipient.id },
            "recipient": { "id": activity.from.id },
            "conversation": { "id": activity.conversation.id },
            "replyToId": activity.id,
            "text": format!("{heard}. {}", activity.text),
            "textFormat": "plain",
        })
        .to_string();
        let request = format!(
            "POST /v3/conversations/{}/activities/{} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            activity.conversation.id,
            activity.id,
            self.bearer,
            body.len()
        );
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::with_capacity(256);
        while complete_message(&answer).is_none() {
            if socket.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

async fn get<T: serde::de::DeserializeOwned>(url: &str) -> io::Result<T> {
    let answer = reqwest::get(url).await.map_err(other)?;
    answer.json().await.map_err(other)
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}
