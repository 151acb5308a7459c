//! The prompts of calling bots in `dev`: the author's WAV files from a directory, and in the place of one that is not there
//! yet a short tune made of its name. In production prompts lie wherever the bot's settings say: Graph fetches them.

pub(super) mod tune;

use std::io;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use actix_web::dev::ServerHandle;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer, Responder};

use super::address::AddressUnavailable;
use super::crew::Crew;

/// Name of this server in threads and messages.
const NAME: &str = "prompts";

/// Serves the prompts below `directory`. The address that it listens at.
pub(super) fn start(crew: &mut Crew, listen: SocketAddr, directory: PathBuf) -> anyhow::Result<SocketAddr> {
    crew.start(NAME, move |stage| async move {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::new(directory.clone()))
                .route("/{prompt:.*}", web::get().to(prompt))
                .route("/{prompt:.*}", web::head().to(prompt))
        });
        let unavailable = |reason: io::Error| AddressUnavailable::new("dev.prompts_listen", listen, reason);
        let server = server.workers(1).disable_signals().bind(listen).map_err(unavailable)?;
        let address = server.addrs().first().copied().unwrap_or(listen);
        let running = server.run();
        let handle: ServerHandle = running.handle();
        stage.started(address);
        let stop = async {
            stage.shutdown.cancelled().await;
            handle.stop(false).await;
        };
        let (ended, ()) = futures_util::future::join(running, stop).await;
        Ok(ended?)
    })
}

async fn prompt(name: web::Path<String>, directory: Data<PathBuf>) -> impl Responder {
    let Some(file) = file_of(&name, &directory) else {
        return HttpResponse::NotFound().body("prompts are WAV files: their names end with .wav\n");
    };
    let wav = match tokio::fs::read(&file).await {
        Ok(wav) => wav,
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => tune::of(&name),
        Err(reason) => {
            tracing::warn!(file = %file.display(), %reason, "a prompt cannot be read");
            return HttpResponse::InternalServerError().finish();
        }
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "audio/wav"))
        // An author who records it anew wants to hear that.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(wav)
}

/// The file of a prompt; `None` for what is no prompt or lies elsewhere.
fn file_of(name: &str, directory: &Path) -> Option<PathBuf> {
    let path = Path::new(name);
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    let is_wav = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("wav"));
    (is_below && is_wav).then(|| directory.join(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::file_of;

    #[test]
    fn only_wav_files_below_the_directory_are_prompts() {
        let directory = Path::new("/prompts");
        assert_eq!(
            file_of("reception/welcome.wav", directory).unwrap(),
            directory.join("reception/welcome.wav")
        );
        for wrong in ["", "welcome.mp3", "../secret.wav", "/etc/x.wav", "a/../../x.wav", "wav"] {
            assert_eq!(file_of(wrong, directory), None, "{wrong}");
        }
    }
}
