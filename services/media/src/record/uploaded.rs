//! Finished parts at a real HTTPS server: one that fails, one that is slow, and a process that is killed in the middle of a part.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;

use super::figures::RecorderFigures;
use super::hook::mark_of;
use super::manifest::hash_bytes_of;
use super::upload::{UploadConfig, UploadToken, Uploader};

/// Tells the process that is killed where the recordings and the certificate are, and where they go.
const PLACE: &str = "TRUNKLINE_TEST_UPLOADS_FROM";
const SERVER: &str = "TRUNKLINE_TEST_UPLOADS_TO";
const PATIENCE: Duration = Duration::from_secs(60);

/// What the server was put.
#[derive(Clone, Debug)]
struct Put {
    path: String,
    token: String,
    digest: String,
    length: usize,
    body: Vec<u8>,
}

#[derive(Clone, Default)]
struct Shelf {
    puts: Arc<Mutex<Vec<Put>>>,
    /// Statuses of the next answers.
    refusals: Arc<Mutex<Vec<u16>>>,
    /// It does not read on after the first bytes.
    stalls: Arc<AtomicBool>,
    is_stalling: Arc<AtomicBool>,
}

struct Server {
    shelf: Shelf,
    url: String,
    handle: actix_web::dev::ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Its certificate is written to that file.
    fn start(ca: &Path) -> Self {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(ca, certified.cert.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/store/", listener.local_addr().unwrap().port());
        let shelf = Shelf::default();
        let data = shelf.clone();
        let (told, handle) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    App::new()
                        .app_data(web::Data::new(data.clone()))
                        .default_service(web::put().to(put))
                };
                let server = HttpServer::new(app)
                    .workers(1)
                    .listen_rustls_0_23(listener, tls)
                    .unwrap()
                    .run();
                told.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self {
            shelf,
            url,
            handle: handle.recv().unwrap(),
            thread: Some(thread),
        }
    }

    fn puts(&self) -> Vec<Put> {
        self.shelf.puts.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn put(request: HttpRequest, mut body: web::Payload, shelf: web::Data<Shelf>) -> HttpResponse {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        let Ok(piece) = piece else {
            return HttpResponse::BadRequest().finish();
        };
        bytes.extend_from_slice(&piece);
        if shelf.stalls.load(Ordering::Acquire) {
            shelf.is_stalling.store(true, Ordering::Release);
            std::future::pending::<()>().await;
        }
    }
    let refusal = shelf.refusals.lock().unwrap().pop();
    if let Some(status) = refusal {
        let status = actix_web::http::StatusCode::from_u16(status).unwrap();
        return HttpResponse::build(status).finish();
    }
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    shelf.puts.lock().unwrap().push(Put {
        path: request.path().to_owned(),
        token: header("authorization"),
        digest: header("content-digest"),
        length: header("content-length").parse().unwrap(),
        body: bytes,
    });
    HttpResponse::Created().finish()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Recordings, a token and a certificate.
struct World {
    place: tempfile::TempDir,
    server: Server,
}

impl World {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("recordings/tenant/call")).unwrap();
        fs::write(place.path().join("token"), "sesame\n").unwrap();
        let server = Server::start(&place.path().join("ca.pem"));
        Self { place, server }
    }

    /// A finished part of so many bytes; gives its manifest.
    fn part(&self, name: &str, length: usize) -> PathBuf {
        let part = self.place.path().join("recordings/tenant/call").join(name);
        let bytes: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
        fs::write(&part, bytes).unwrap();
        let mut manifest = part.into_os_string();
        manifest.push(".json");
        fs::write(&manifest, "{}").unwrap();
        manifest.into()
    }

    fn uploader(&self, figures: &Arc<RecorderFigures>) -> Uploader {
        uploader(self.place.path(), &self.server.url, figures)
    }

    /// Whether a part lies at the server as it lies here, and its manifest behind it.
    fn has(&self, manifest: &Path) {
        let part = manifest.with_extension("");
        let name = |path: &Path| format!("/store/tenant/call/{}", path.file_name().unwrap().to_str().unwrap());
        let puts = self.server.puts();
        let place = |path: &Path| puts.iter().position(|put| put.path == name(path)).expect("it was put");
        assert!(place(&part) < place(manifest), "the manifest came first");
        for path in [&part, manifest] {
            let put = &puts[place(path)];
            let digest = STANDARD.encode(hash_bytes_of(path).unwrap());
            assert_eq!(put.digest, format!("sha-256=:{digest}:"));
            assert_eq!(put.token, "Bearer sesame");
            assert!(put.body == fs::read(path).unwrap() && put.length == put.body.len());
        }
    }
}

fn uploader(place: &Path, url: &str, figures: &Arc<RecorderFigures>) -> Uploader {
    let config = UploadConfig {
        url: url.parse().unwrap(),
        token: UploadToken::File(place.join("token")),
        ca: Some(place.join("ca.pem")),
    };
    Uploader::start(place.join("recordings"), config, figures.clone()).unwrap()
}

#[test]
fn each_finished_part_is_put_with_its_manifest_however_often_the_server_fails() {
    let world = World::new();
    // The last is answered first: a server that is late, one that does not want this part, and one that knows the token no more.
    *world.server.shelf.refusals.lock().unwrap() = vec![401, 409, 503];
    let (first, second) = (world.part("a.opus.sealed", 200_000), world.part("b.wav", 0));
    let figures = Arc::<RecorderFigures>::default();
    let uploader = world.uploader(&figures);
    until("both are done", || {
        mark_of(&first).exists() && mark_of(&second).exists()
    });
    world.has(&first);
    world.has(&second);
    let third = world.part("c.wav", 10);
    uploader.waker()();
    until("what is finished later is done", || mark_of(&third).exists());
    world.has(&third);
    drop(uploader);
    assert_eq!((figures.handed_on(), figures.refused(), figures.waiting()), (3, 3, 0));
    let count = world.server.puts().len();
    let fourth = world.part("d.wav", 10);
    let _next = world.uploader(&figures);
    until("the next process does what is left", || mark_of(&fourth).exists());
    assert_eq!(world.server.puts().len(), count + 2, "what was done is done again");
}

#[test]
fn a_server_that_nobody_vouches_for_gets_nothing() {
    let world = World::new();
    let manifest = world.part("a.wav", 10);
    // Another certificate of the same name.
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(world.place.path().join("ca.pem"), certified.cert.pem()).unwrap();
    let figures = Arc::<RecorderFigures>::default();
    let _uploader = world.uploader(&figures);
    until("it is tried twice", || figures.refused() >= 2);
    assert!(world.server.puts().is_empty() && !mark_of(&manifest).exists());
    assert_eq!(figures.waiting(), 1);
}

/// The process that is killed.
#[test]
fn puts_until_it_is_killed() {
    let (Ok(place), Ok(server)) = (std::env::var(PLACE), std::env::var(SERVER)) else {
        return;
    };
    let _uploader = uploader(Path::new(&place), &server, &Arc::default());
    loop {
        std::thread::park();
    }
}

#[test]
fn a_part_that_was_under_way_when_its_process_was_killed_is_put_whole_by_the_next() {
    let world = World::new();
    let manifest = world.part("a.opus", 8_000_000);
    world.server.shelf.stalls.store(true, Ordering::Release);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "record::uploaded::puts_until_it_is_killed", "--nocapture"])
        .env(PLACE, world.place.path())
        .env(SERVER, &world.server.url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it is in the middle of the part", || {
        world.server.shelf.is_stalling.load(Ordering::Acquire)
    });
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!mark_of(&manifest).exists() && world.server.puts().is_empty());
    world.server.shelf.stalls.store(false, Ordering::Release);
    let figures = Arc::<RecorderFigures>::default();
    let _uploader = world.uploader(&figures);
    until("it is done", || mark_of(&manifest).exists());
    world.has(&manifest);
}
