//! Messages of the reception, fetched over HTTP from a server that has them as Graph does, and kept in a folder.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use futures_util::stream;
use tokio::runtime::Runtime;
use trunkline_bot::test::{Crash, Phone};
use trunkline_example_bots::reception::{self, Reception, Settings};

/// The token of clips in the test kit.
const TOKEN: &str = "Bearer token";
/// What somebody said.
const CLIP: &[u8] = b"RIFF, and what was said";

/// A server of clips and what waits for it.
struct World {
    clips: SocketAddr,
    asked: Arc<AtomicUsize>,
    /// The kit has no runtime of its own, and a download needs one.
    runtime: Runtime,
    folder: tempfile::TempDir,
}

impl World {
    fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let clips = listener.local_addr().unwrap();
        let counted = asked.clone();
        let serve = move || {
            let counted = counted.clone();
            App::new().route(
                "/recordings/{clip}",
                web::get().to(move |request: HttpRequest, clip: web::Path<String>| {
                    std::future::ready(serve(&request, &clip, &counted))
                }),
            )
        };
        std::thread::spawn(move || {
            let server = HttpServer::new(serve).workers(1).disable_signals();
            actix_web::rt::System::new().block_on(server.listen(listener).unwrap().run())
        });
        Self {
            clips,
            asked,
            runtime: Runtime::new().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Somebody leaves the message that lies there.
    fn leaves(&self, clip: &str, phone: impl FnOnce(&mut Phone<Reception>)) -> Phone<Reception> {
        let _runs = self.runtime.enter();
        let settings = Settings {
            voice_mails: self.folder.path().join("mails"),
            mailbox: Some(
                serde_json::from_str(
                    r#"{ "kind": "channel", "tenant": "t",
                "serviceUrl": "https://smba.trafficmanager.net/test/", "channel": "19:desk@thread.tacv2" }"#,
                )
                .unwrap(),
            ),
            ..Settings::default()
        };
        let mut talking = Phone::with(reception::bot(settings));
        talking.rings().keys("2");
        phone(&mut talking);
        talking.speaks(Some(&format!("http://{}/recordings/{clip}", self.clips)));
        talking
    }

    fn kept(&self) -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(self.folder.path().join("mails"));
        files.into_iter().flatten().map(|file| file.unwrap().path()).collect()
    }
}

fn serve(request: &HttpRequest, clip: &str, asked: &AtomicUsize) -> HttpResponse {
    asked.fetch_add(1, Ordering::Relaxed);
    let token = request
        .headers()
        .get("authorization")
        .and_then(|token| token.to_str().ok());
    if token != Some(TOKEN) {
        return HttpResponse::Unauthorized().finish();
    }
    let parts = |part: &'static [u8], count: usize| {
        let parts = std::iter::repeat_n(part, count).map(|part| Ok::<_, std::io::Error>(Bytes::from_static(part)));
        HttpResponse::Ok()
            .content_type("application/octet-stream")
            .streaming(stream::iter(parts))
    };
    match clip {
        "clip" => parts(CLIP, 1),
        "huge" => parts(&[0; 16 * 1024], 1_100),
        _ => HttpResponse::NotFound().finish(),
    }
}

#[test]
fn a_message_is_fetched_once_with_its_token_kept_and_announced() {
    let world = World::start();
    let phone = world.leaves("clip", |phone| {
        phone.crashes(Crash::BeforeCommit);
    });
    let kept = world.kept();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(std::fs::read(&kept[0]).unwrap(), CLIP);
    assert_eq!(kept[0].extension(), Some(Path::new("wav").as_os_str()));
    assert_eq!(phone.written(), [format!("A message of Ada: {}", kept[0].display())]);
    assert_eq!(
        world.asked.load(Ordering::Relaxed),
        1,
        "the turn ran again, the download did not"
    );
    assert_eq!(phone.state(), Reception::Leaving);
}

#[test]
fn a_message_that_is_gone_or_too_large_is_not_announced() {
    let world = World::start();
    for (clip, why) in [("gone", "cannot be fetched"), ("huge", "more than")] {
        let phone = world.leaves(clip, |_| ());
        let failure = phone.failure().unwrap_or_default().to_owned();
        assert!(failure.contains(why), "{clip}: {failure}");
        assert!(phone.written().is_empty() && world.kept().is_empty(), "{clip}");
    }
}
