//! Where messages are kept: whoever fetches them from Graph, and a folder that does.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use trunkline_bot::event::Clip;

/// Most bytes of a message: 60 s of WAV with one channel, 16 bit and 16 kHz are 2 MB.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// Time that the download may take.
const FETCH: Duration = Duration::from_secs(30);

/// Why a message was not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// Graph did not give it.
    #[error("the message cannot be fetched")]
    Fetch(#[from] reqwest::Error),
    /// It is larger than a message can be.
    #[error("the message has more than {MOST_BYTES} bytes")]
    TooLarge,
    /// It cannot be written.
    #[error("the message cannot be written to {path}")]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Where a message lies, once it is kept.
pub type Kept<'a> = Pin<Box<dyn Future<Output = Result<String, MailError>> + 'a>>;

/// Keeps messages. The same key keeps one once.
pub trait VoiceMails: Send + Sync + 'static {
    /// Fetches a message and keeps it; returns where it lies.
    fn keep<'a>(&'a self, clip: &'a Clip, key: &'a str) -> Kept<'a>;
}

/// Messages as WAV files in a folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A folder, which is made with the first message.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl VoiceMails for Folder {
    fn keep<'a>(&'a self, clip: &'a Clip, key: &'a str) -> Kept<'a> {
        Box::pin(async move {
            let message = fetch(clip).await?;
            // The step's key is the file's name: a step that runs again writes the same file.
            let file = self.path.join(format!("{key}.wav"));
            write(&self.path, &file, &message)?;
            Ok(file.display().to_string())
        })
    }
}

async fn fetch(clip: &Clip) -> Result<Vec<u8>, MailError> {
    // Messages are rare: a client for each costs less than one that waits for them.
    let http = reqwest::Client::builder().timeout(FETCH).build()?;
    let request = http.get(clip.location()).bearer_auth(clip.token().expose());
    let mut response = request.send().await?.error_for_status()?;
    let mut message = Vec::new();
    while let Some(part) = response.chunk().await? {
        if (message.len() + part.len()) as u64 > MOST_BYTES {
            return Err(MailError::TooLarge);
        }
        message.extend_from_slice(&part);
    }
    Ok(message)
}

fn write(folder: &Path, file: &Path, message: &[u8]) -> Result<(), MailError> {
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(file, message));
    written.map_err(|source| MailError::Write {
        path: file.to_owned(),
        source,
    })
}
