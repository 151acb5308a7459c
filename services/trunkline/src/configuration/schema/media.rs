//! `[media]`: where the audio of calls ends whose bot handles it itself.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use trunkline_teams::token::Secret;
use url::Url;

use super::super::section::section;
use super::super::tree::{Item, Value, quoted};
use super::super::value::{HostPort, SettingType, Wrong};

/// The UDP ports of audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UdpPorts {
    /// All legs share one.
    Single(u16),
    /// Each leg has its own.
    Range(RangeInclusive<u16>),
}

impl SettingType for UdpPorts {
    const WHAT: &'static str =
        "a range such as \"20000-29999\", of which each leg has a port, or one port for all legs";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let wrong = || Wrong::new("is neither a port nor two with a hyphen between them");
        let text = match &item.value {
            Value::Integer(number) => number.to_string(),
            _ => String::read(item)?,
        };
        let Some((first, last)) = text.split_once('-') else {
            return port(&text).map(Self::Single).ok_or_else(wrong);
        };
        let (first, last) = (port(first).ok_or_else(wrong)?, port(last).ok_or_else(wrong)?);
        if first > last {
            return Err(Wrong::new("ends before it begins"));
        }
        Ok(Self::Range(first..=last))
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(&match self {
            Self::Single(port) => port.to_string(),
            Self::Range(range) => format!("{}-{}", range.start(), range.end()),
        }))
    }
}

section! {
    /// A media host: the process at which the audio of calls ends whose bot handles it itself. Real Teams cannot be a peer (its
    /// application-hosted media speaks a closed protocol): peers are browsers, gateways and the simulated Teams.
    pub struct MediaSection {
        /// Address and port for workers. Without TLS (cluster.tls_ca) a loopback address.
        pub listen: SocketAddr = "127.0.0.1:7500",
        /// Host and port at which workers reach it. Unset: what it listens at.
        pub advertise: Option<HostPort> => "media-1.internal:7500",
        /// Failure zone of this host: workers of the same zone choose it first. Unset: none.
        pub zone: Option<String> => "europe-west-1b",
        /// Address and port at which peers post their offers (WHIP, RFC 9725), by HTTPS.
        pub whip_listen: SocketAddr = "0.0.0.0:8445",
        /// The address by which peers reach that, without a path. Unset: the first of udp_advertise, or what it listens at.
        pub whip_url: Option<Url> => "https://media-1.example.org:8445",
        /// Certificate chain in PEM that peers trust. Read again when the file changes.
        pub tls_certificate: Option<PathBuf> => "/etc/trunkline/media.crt",
        /// Private key of the certificate, in PEM.
        pub tls_key: Option<PathBuf> => "/etc/trunkline/media.key",
        /// Speak plain HTTP with peers: a proxy in front ends TLS. Without it a certificate is demanded.
        pub plain_http: bool = false,
        /// Origins of pages whose scripts may post offers (CORS).
        pub origins: Vec<String> = [] => ["https://calls.example.org"],
        /// Local address of audio.
        pub udp_listen: IpAddr = "0.0.0.0",
        /// UDP ports of audio. A range: each leg has a port of its own, and a port rests 60 s before it is used again, so the range is
        /// larger than the number of legs; the firewall opens the range, and no balancer may be in between. One port: all legs
        /// share it; the firewall opens that one, and a UDP balancer that keeps a flow on one host may be in front.
        pub udp_ports: UdpPorts = "20000-29999",
        /// Addresses at which peers send audio, as they see them from outside. Demanded where udp_listen is no address of the
        /// machine, as 0.0.0.0. Unset: udp_listen.
        pub udp_advertise: Option<Vec<IpAddr>> => ["203.0.113.7"],
        /// Most legs at a time: calls on this host.
        pub legs: u32 = 2000,
        /// Media threads, each with a core's worth of legs. A range of UDP ports is divided among them; of one port each further thread
        /// has the next.
        pub threads: u32 = 1,
        /// Media threads go before all usual work of the machine, where the system permits it (CAP_SYS_NICE, or LimitRTPRIO=1 of
        /// systemd), so that no packet is late because something else computes.
        pub realtime: bool = true,
        /// Codec threads: they decode and encode for bots that hear and speak themselves, for speech in Opus, and for bridges between
        /// codecs. Each takes on as much as 65 % of a core can do; what is more is refused. A core each.
        pub codec_threads: u32 = 1,
        /// Directory of prompts: WAV and Ogg Opus. A bot's prompt is found by the end of its address, after /prompts/ or the last
        /// slash.
        pub prompts: PathBuf = "prompts",
        /// Directory that recordings are written to: a file for each direction and hour, each with a manifest.
        pub recordings: PathBuf = "recordings",
        /// When a recording of both directions has ended, a file of both is made of it, beside them: NAME-mixed.opus. It costs about
        /// half a per cent of a core for each call that is recorded.
        pub recordings_mixed: bool = false,
        /// A recording is deleted this long after it was last written. Unset: never.
        pub recordings_retention: Option<Duration> => "90 days",
        /// Directory of the keys that recordings are encrypted with: files NAME.key of 64 hexadecimal digits (openssl rand -hex 32). The
        /// last by name is used for new files, so a new key is a new file; the others open what they encrypted. A directory in it that
        /// is named by the id of a tenant has that tenant's own keys, and no other is used for it: without a key in it nothing of the
        /// tenant is recorded. Unset: recordings are not encrypted.
        pub recordings_keys: Option<PathBuf> => "/etc/trunkline/recording-keys",
        /// Program that is run for each finished part of a recording, to upload it for example. Its arguments are the part's file and
        /// its manifest. One that fails is run again after a minute, also by the next process. Unset: none.
        pub recordings_command: Option<PathBuf> => "/usr/local/bin/upload-recording",
        /// Address to which each finished part of a recording is put (HTTP PUT), and behind it its manifest; their path below recordings
        /// is added to its end. Tried again until the server takes it, also by the next process. In place of recordings_command.
        /// Unset: none.
        pub recordings_upload: Option<Url> => "https://store.example.org/recordings/",
        /// Bearer token for that server. Better put it into a file of its own (recordings_upload_token_file) or into the environment
        /// (TRUNKLINE_MEDIA__RECORDINGS_UPLOAD_TOKEN).
        pub recordings_upload_token: Option<Secret> => "...",
        /// File that holds the token and nothing else. Read again for each part.
        pub recordings_upload_token_file: Option<PathBuf> => "/run/secrets/recordings-upload",
        /// Certificates in PEM by which that server is trusted. Unset: those of the system.
        pub recordings_upload_ca: Option<PathBuf> => "/etc/trunkline/store-ca.crt",
        /// A leg that no worker cares for ends after this time; its audio goes on until then.
        pub orphaned_after: Duration = "60 s",
        /// Longest time after SIGTERM for calls to end by themselves. No new ones are taken meanwhile; what is left then is
        /// ended. Whatever supervises the process must wait as long.
        pub drain_deadline: Duration = "4 h",
    }
}
