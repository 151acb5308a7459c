//! `[media]`.

use super::{Found, WITHOUT_TLS};
use crate::configuration::Purpose;
use crate::configuration::schema::{Engine, UdpPorts};

/// Ports below are other programs' (RFC 6335 section 6, and what systems give out by themselves); Microsoft names this bound for the
/// media of its own bots.
const LOWEST_PORT: u16 = 16_384;

/// More threads of either kind than any machine has cores for.
const MOST_THREADS: u32 = 64;

pub(super) fn check(found: &mut Found<'_>, purpose: Purpose) {
    let is_wanted = match purpose {
        Purpose::Media => true,
        Purpose::Inspect => found.configuration.has_section("media"),
        Purpose::Dev | Purpose::Ingress | Purpose::Worker => false,
    };
    if !is_wanted {
        return;
    }
    check_listen(found);
    check_certificate(found);
    check_udp(found);
    check_threads(found);
    check_upload(found);
    if purpose == Purpose::Media && found.configuration.store.engine == Engine::Embedded {
        found.contradiction(
            "store.engine",
            "store.engine is \"embedded\", which one process uses, and workers could not find this media host".to_owned(),
            "set engine = \"redis\" and the url of the workers' store; `trunkline dev` hosts media beside an embedded one",
        );
    }
}

fn check_listen(found: &mut Found<'_>) {
    let listen = found.configuration.media.listen;
    if found.configuration.cluster.tls_ca.is_none() && !listen.ip().is_loopback() {
        found.contradiction(
            "media.listen",
            format!("media.listen = \"{listen}\" is not a loopback address, and commands would come in the clear"),
            WITHOUT_TLS,
        );
    }
    if found.configuration.media.advertise.is_none() && listen.ip().is_unspecified() {
        found.missing(
            "media.advertise",
            "media.listen is no address that a worker could connect to",
            "write host and port at which workers reach this host",
        );
    }
    if let Some(url) = &found.configuration.media.whip_url
        && (url.path().len() > 1 || url.query().is_some() || url.fragment().is_some())
    {
        let message = format!("media.whip_url = \"{url}\" has a path, and the path of each leg is added to its end");
        found.contradiction("media.whip_url", message, "write scheme, host and port alone");
    }
}

fn check_certificate(found: &mut Found<'_>) {
    let media = &found.configuration.media;
    let has_certificate = media.tls_certificate.is_some();
    if has_certificate != media.tls_key.is_some() {
        let (there, absent) = if has_certificate {
            ("tls_certificate", "tls_key")
        } else {
            ("tls_key", "tls_certificate")
        };
        found.contradiction(
            &format!("media.{there}"),
            format!("media.{there} is set and media.{absent} is not"),
            "set both, or neither with plain_http = true",
        );
    } else if has_certificate && media.plain_http {
        found.contradiction(
            "media.plain_http",
            "media.plain_http and media.tls_certificate are both set".to_owned(),
            "remove one: either this host ends TLS or a proxy in front does",
        );
    } else if !has_certificate && !media.plain_http {
        found.missing(
            "media.tls_certificate",
            "peers post their offers, with a secret token, by HTTPS",
            "set tls_certificate and tls_key, or plain_http = true behind a proxy that ends TLS",
        );
    }
}

fn check_udp(found: &mut Found<'_>) {
    let media = &found.configuration.media;
    let advertises = media
        .udp_advertise
        .as_ref()
        .is_some_and(|addresses| !addresses.is_empty());
    if !advertises && media.udp_listen.is_unspecified() {
        found.missing(
            "media.udp_advertise",
            "media.udp_listen is no address that a peer could send audio to",
            "write the address by which peers reach this host from outside",
        );
    }
    let (ports, legs) = (media.udp_ports.clone(), media.legs);
    let lowest = match &ports {
        UdpPorts::Single(port) => *port,
        UdpPorts::Range(range) => *range.start(),
    };
    if lowest < LOWEST_PORT {
        found.contradiction(
            "media.udp_ports",
            format!("media.udp_ports begins at {lowest}, below {LOWEST_PORT}, where other programs have their ports"),
            "write ports from 16384 on; \"20000-29999\" suits nearly everybody",
        );
    }
    if legs == 0 {
        let message = "media.legs = 0, and no call would be taken".to_owned();
        found.contradiction("media.legs", message, "write the most calls that this host shall have");
    }
    if let UdpPorts::Range(range) = ports
        && u32::try_from(range.len()).is_ok_and(|there| there < legs)
    {
        found.contradiction(
            "media.udp_ports",
            format!(
                "media.udp_ports are {} ports, and media.legs = {legs}: each leg has a port",
                range.len()
            ),
            "write a range that is larger than legs, for ports rest 60 s after a leg; or fewer legs, or one port for all",
        );
    }
}

fn check_upload(found: &mut Found<'_>) {
    let media = &found.configuration.media;
    let (has_token, has_token_file) = (
        media.recordings_upload_token.is_some(),
        media.recordings_upload_token_file.is_some(),
    );
    let Some(url) = &media.recordings_upload else {
        for (setting, is_set) in [
            ("recordings_upload_token", has_token),
            ("recordings_upload_token_file", has_token_file),
            ("recordings_upload_ca", media.recordings_upload_ca.is_some()),
        ] {
            if is_set {
                found.contradiction(
                    &format!("media.{setting}"),
                    format!("media.{setting} is set and media.recordings_upload is not"),
                    "set recordings_upload, or remove it",
                );
            }
        }
        return;
    };
    if url.scheme() != "https" {
        found.contradiction(
            "media.recordings_upload",
            "media.recordings_upload is no https address, and recordings with the token would go in the clear"
                .to_owned(),
            "write an address that begins with https://",
        );
    } else if url.query().is_some() || url.fragment().is_some() {
        found.contradiction(
            "media.recordings_upload",
            "media.recordings_upload has more than a path, and the path of each part is added to its end".to_owned(),
            "write scheme, host, port and path alone",
        );
    } else if media.recordings_command.is_some() {
        found.contradiction(
            "media.recordings_upload",
            "media.recordings_upload and media.recordings_command are both set".to_owned(),
            "remove one: a part is done when the one that there is was",
        );
    } else if has_token && has_token_file {
        found.contradiction(
            "media.recordings_upload_token",
            "media.recordings_upload_token and media.recordings_upload_token_file are both set".to_owned(),
            "remove one",
        );
    }
}

fn check_threads(found: &mut Found<'_>) {
    let media = &found.configuration.media;
    let settings = [
        (
            "threads",
            media.threads,
            "write how many cores are for audio; 1 carries 2,000 calls",
        ),
        (
            "codec_threads",
            media.codec_threads,
            "write how many cores are for codecs; 1 carries some 130 calls whose bot hears and speaks itself",
        ),
    ];
    for (name, threads, help) in settings {
        if threads == 0 || threads > MOST_THREADS {
            found.contradiction(
                &format!("media.{name}"),
                format!("media.{name} = {threads} is not between 1 and {MOST_THREADS}"),
                help,
            );
        }
    }
}
