//! `trunkline media list`, `trunkline media decrypt`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;
use trunkline_media::record::{Keys, unseal};
use trunkline_proto::admin::{MediaHost, MediaHostsRequest};

use super::connect::{Cluster, refused};
use super::table::{or_dash, table};
use crate::command::{Output, print};

/// Ending of an encrypted recording.
const SEALED: &str = "sealed";

/// Prints the media hosts.
pub(super) async fn list(cluster: &Cluster, output: Output) -> anyhow::Result<()> {
    let (mut worker, _) = cluster.status().await?;
    let answer = worker.media_hosts(MediaHostsRequest {}).await.map_err(refused)?;
    let hosts = answer.into_inner().hosts;
    match output {
        Output::Json => print(&json!({ "hosts": hosts }).to_string()),
        Output::Table => print(&shown(&hosts)),
    }
    Ok(())
}

/// Writes a recording as it would be without encryption. Nothing is overwritten.
pub(super) fn decrypt(recording: &Path, output: Option<&Path>, keys: Option<&Path>) -> anyhow::Result<()> {
    let keys = keys.context("media.recordings_keys names no directory of keys")?;
    let keys = Keys::new(keys.to_owned())?;
    let plain = match output {
        Some(output) => output.to_owned(),
        None if recording.extension().is_some_and(|ending| ending == SEALED) => recording.with_extension(""),
        None => anyhow::bail!("{} does not end with .{SEALED}: name the --output", recording.display()),
    };
    let sealed = fs::read(recording).with_context(|| format!("{} cannot be read", recording.display()))?;
    let opened = unseal(&sealed, &keys).with_context(|| format!("{} cannot be decrypted", recording.display()))?;
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&plain)?;
        file.write_all(&opened.bytes)?;
        file.sync_all()
    };
    written().with_context(|| format!("{} cannot be written", plain.display()))?;
    let cut = if opened.is_whole {
        ""
    } else {
        ", which was cut: its end is missing, or it is still being written"
    };
    print(&format!("{}{cut}", plain.display()));
    Ok(())
}

fn shown(hosts: &[MediaHost]) -> String {
    if hosts.is_empty() {
        return "No media host is announced: none runs, or none reaches the workers' store.".to_owned();
    }
    let mut rows = table(
        [
            "NAME", "STANDING", "LEGS", "OF", "CODECS", "LATE", "ZONE", "PEERS", "WORKERS", "BUILD",
        ],
        &[2, 3, 4, 5],
    );
    for host in hosts {
        rows.add_row([
            host.name.clone(),
            if host.draining { "draining" } else { "active" }.to_owned(),
            host.legs.to_string(),
            host.limit.to_string(),
            codecs(host),
            format!("{} ms", host.lag_ms),
            or_dash(&host.zone).to_owned(),
            host.whip.clone(),
            host.address.clone(),
            host.build.clone(),
        ]);
    }
    rows.to_string()
}

/// How much of its codec threads is given away. An older host does not tell.
fn codecs(host: &MediaHost) -> String {
    match host.codec_limit {
        0 => "-".to_owned(),
        limit => format!("{} %", u64::from(host.codec_used) * 100 / u64::from(limit)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_how_much_of_the_codec_threads_is_given_away() {
        let host = |name: &str, codec_used, codec_limit| MediaHost {
            name: name.to_owned(),
            codec_used,
            codec_limit,
            ..MediaHost::default()
        };
        let shown = shown(&[host("new", 3_250, 13_000), host("old", 0, 0)]);
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[0].contains("CODECS") && lines[1].contains("25 %"), "{shown}");
        assert!(!lines[2].contains('%'), "{shown}");
    }

    #[test]
    fn what_cannot_be_decrypted_is_said_and_nothing_is_written() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("one.key"), "0a".repeat(32)).unwrap();
        fs::write(at("call.opus.sealed"), "no recording").unwrap();
        let refused = |recording: &str, keys: Option<&Path>| {
            let error = decrypt(&at(recording), None, keys).unwrap_err();
            format!("{error:#}")
        };
        assert!(refused("call.opus.sealed", None).contains("media.recordings_keys"));
        assert!(refused("call.opus", Some(place.path())).contains("--output"));
        assert!(refused("call.opus.sealed", Some(place.path())).contains("no encrypted recording"));
        assert!(refused("other.opus.sealed", Some(place.path())).contains("cannot be read"));
        assert!(!at("call.opus").exists());
    }
}
