//! Finished parts that are put to an HTTP server, each with its manifest behind it.
//!
//! What has been done is known by the same mark beside the part as with a command ([`super::hook`]): so a part that the server did not take,
//! or that a process left behind which was killed, is put later, whole and to the same address. A manifest comes only after its part: who
//! finds one there finds the other.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, StatusCode, Url};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use super::figures::RecorderFigures;
use super::hook::{Wake, finished_parts, mark_of};
use super::manifest::hash_bytes_of;

/// How often parts are looked for that nobody told of.
const EVERY: Duration = Duration::from_secs(60);
/// After a failure, doubling up to the other.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A part that takes longer is begun again later.
const LONGEST: Duration = Duration::from_secs(600);
/// For a connection with its handshake.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes that are read at a time.
const PIECE: usize = 64 * 1024;
/// The hash of what is put (RFC 9530 section 2): `sha-256=:BASE64:`.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Where finished parts are put.
#[derive(Debug, Clone)]
pub struct UploadConfig {
    /// The path of a part below the recordings is added to its end.
    pub url: Url,
    /// What the server wants to be shown.
    pub token: UploadToken,
    /// Certificates in PEM by which the server is trusted; `None` for those of the system.
    pub ca: Option<PathBuf>,
}

/// A bearer token. What it prints leaves it out.
#[derive(Clone, Default)]
pub enum UploadToken {
    /// None is shown.
    #[default]
    None,
    /// This one.
    Value(String),
    /// The text of a file, which is read each time: it may change.
    File(PathBuf),
}

impl std::fmt::Debug for UploadToken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => out.write_str("None"),
            Self::Value(_) => out.write_str("Value(..)"),
            Self::File(path) => write!(out, "File({})", path.display()),
        }
    }
}

/// Why a part was not put.
#[derive(Debug, thiserror::Error)]
enum PutError {
    #[error("its file cannot be read")]
    File(#[source] io::Error),
    #[error("the token cannot be read")]
    Token(#[source] io::Error),
    #[error("the token is none that a header can hold")]
    BadToken,
    #[error("the path of the recording is none that an address can hold")]
    Path,
    #[error("the server is not reached")]
    Request(#[from] reqwest::Error),
    #[error("the server answered {0}")]
    Answer(StatusCode),
    #[error("that it was done cannot be noted")]
    Mark(#[source] io::Error),
}

impl PutError {
    /// Whether the next part would fare the same.
    fn is_of_server(&self) -> bool {
        match self {
            Self::Request(_) | Self::Token(_) | Self::BadToken => true,
            Self::Answer(status) => {
                status.is_server_error()
                    || [
                        StatusCode::UNAUTHORIZED,
                        StatusCode::REQUEST_TIMEOUT,
                        StatusCode::TOO_MANY_REQUESTS,
                    ]
                    .contains(status)
            }
            Self::File(_) | Self::Path | Self::Mark(_) => false,
        }
    }
}

/// Puts finished parts, one after the other, until it is dropped: what is under way then is begun again by the next process.
pub(super) struct Uploader {
    wake: Sender<()>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Uploader {
    /// Looks after the recordings below a directory.
    ///
    /// # Errors
    /// The certificates cannot be read, or the system has no thread.
    pub(super) fn start(directory: PathBuf, config: UploadConfig, figures: Arc<RecorderFigures>) -> io::Result<Self> {
        let client = client(config.ca.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // One that waits is enough: who is woken looks for all.
        let (wake, woken) = channel(1);
        let stop = CancellationToken::new();
        let upload = Upload {
            directory,
            config,
            client,
            figures,
        };
        let until = stop.clone();
        let thread = std::thread::Builder::new()
            .name("recording-upload".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = until.cancelled() => {}
                        () = upload.run(woken) => {}
                    }
                });
            })?;
        Ok(Self {
            wake,
            stop,
            thread: Some(thread),
        })
    }

    /// What tells it that a part is finished.
    pub(super) fn waker(&self) -> Wake {
        let wake = self.wake.clone();
        Arc::new(move || {
            // One that is woken already looks at everything.
            let _ = wake.try_send(());
        })
    }
}

impl Drop for Uploader {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn client(ca: Option<&Path>) -> io::Result<Client> {
    // No redirect is followed: it would take the token along.
    let mut builder = Client::builder()
        .user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(LONGEST);
    if let Some(ca) = ca {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", ca.display()));
        let pem = fs::read(ca).map_err(named)?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(io::Error::other)
            .map_err(named)?;
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(io::Error::other)
}

struct Upload {
    directory: PathBuf,
    config: UploadConfig,
    client: Client,
    figures: Arc<RecorderFigures>,
}

impl Upload {
    async fn run(&self, mut woken: Receiver<()>) {
        let mut wait = FIRST_WAIT;
        loop {
            if self.round().await {
                wait = FIRST_WAIT;
                let _ = tokio::time::timeout(EVERY, woken.recv()).await;
            } else {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }

    /// Puts all that waits; `false` when something is left.
    async fn round(&self) -> bool {
        let mut waiting = finished_parts(&self.directory);
        self.figures.wait(waiting.len());
        let (mut left, mut is_whole) = (waiting.len(), true);
        for manifest in waiting.drain(..) {
            match self.put_part(&manifest).await {
                Ok(()) => {
                    left -= 1;
                    self.figures.handed_one_on();
                    self.figures.wait(left);
                }
                Err(error) => {
                    is_whole = false;
                    self.figures.one_was_refused();
                    tracing::error!(
                        manifest = %manifest.display(),
                        error = &error as &dyn std::error::Error,
                        "a finished recording was not uploaded and is tried again later"
                    );
                    if error.is_of_server() {
                        break;
                    }
                }
            }
        }
        is_whole
    }

    async fn put_part(&self, manifest: &Path) -> Result<(), PutError> {
        let token = self.token()?;
        self.put(&manifest.with_extension(""), "application/octet-stream", token.as_ref())
            .await?;
        self.put(manifest, "application/json", token.as_ref()).await?;
        fs::write(mark_of(manifest), b"").map_err(PutError::Mark)
    }

    async fn put(&self, path: &Path, kind: &'static str, token: Option<&HeaderValue>) -> Result<(), PutError> {
        let body = FileBody::open(path).map_err(PutError::File)?;
        let hash = hash_bytes_of(path).map_err(PutError::File)?;
        let digest = format!("sha-256=:{}:", STANDARD.encode(hash));
        let mut request = self
            .client
            .put(self.address(path)?)
            .header(CONTENT_TYPE, kind)
            .header(CONTENT_DIGEST, digest)
            .body(reqwest::Body::wrap(body));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let status = request.send().await?.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(PutError::Answer(status))
        }
    }

    fn address(&self, path: &Path) -> Result<Url, PutError> {
        let below = path.strip_prefix(&self.directory).map_err(|_| PutError::Path)?;
        let mut address = self.config.url.clone();
        let mut segments = address.path_segments_mut().map_err(|()| PutError::Path)?;
        segments.pop_if_empty();
        for part in below.components() {
            segments.push(part.as_os_str().to_str().ok_or(PutError::Path)?);
        }
        drop(segments);
        Ok(address)
    }

    fn token(&self) -> Result<Option<HeaderValue>, PutError> {
        let token = match &self.config.token {
            UploadToken::None => return Ok(None),
            UploadToken::Value(token) => token.clone(),
            UploadToken::File(path) => fs::read_to_string(path).map_err(PutError::Token)?,
        };
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| PutError::BadToken)?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

/// The bytes of a file, of whose length the server is told first. It is read by the thread that sends it, which does nothing else.
struct FileBody {
    file: File,
    left: u64,
}

impl FileBody {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let left = file.metadata()?.len();
        Ok(Self { file, left })
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; PIECE.min(usize::try_from(self.left).unwrap_or(PIECE))];
        Poll::Ready(Some(self.file.read(&mut piece).and_then(|length| {
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            piece.truncate(length);
            self.left -= length as u64;
            Ok(Frame::data(piece.into()))
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
