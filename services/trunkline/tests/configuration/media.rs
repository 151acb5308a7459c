//! What is demanded of `[media]`.

use trunkline::configuration::schema::UdpPorts;
use trunkline::configuration::{Configuration, Purpose};

use crate::{load, problems, rendered, written};

const MEDIA: &str = "[media]\nplain_http = true\nudp_advertise = \"203.0.113.7\"\n";
const UPLOAD: &str = "recordings_upload = \"https://store.example.org/recordings\"\n";
const REDIS: &str = "[store]\nengine = \"redis\"\nurl = \"redis://127.0.0.1:6379/0\"\n";

/// Setting, and message with remedy, of the only problem.
fn told(text: &str) -> (String, String) {
    let found = problems(text);
    let [(_, setting, message, _)] = &found[..] else {
        panic!("{found:?}")
    };
    (setting.clone(), message.clone())
}

#[test]
fn a_media_host_needs_an_address_for_audio_and_a_certificate_or_a_proxy() {
    let configuration = load(MEDIA).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    assert_eq!(configuration.media.udp_ports, UdpPorts::Range(20_000..=29_999));
    for (written, setting, says) in [
        (
            "udp_advertise = \"203.0.113.7\"",
            "media.tls_certificate",
            "secret token",
        ),
        ("plain_http = true", "media.udp_advertise", "from outside"),
        (
            "plain_http = true\ntls_key = \"x\"\nudp_listen = \"127.0.0.1\"",
            "media.tls_key",
            "tls_certificate is not",
        ),
    ] {
        let (found, message) = told(&format!("[media]\n{written}\n"));
        assert_eq!(found, setting);
        assert!(message.contains(says), "{message}");
    }
    assert!(load("").is_ok(), "nobody else needs any of it");
}

#[test]
fn ports_are_a_range_with_room_for_every_leg_or_one_for_all() {
    let with = |more: &str| format!("{MEDIA}{more}\n");
    for one in ["udp_ports = 20000", "udp_ports = \"20000\""] {
        let configuration = load(&with(one)).unwrap_or_else(|error| panic!("{}", rendered(&error)));
        assert_eq!(configuration.media.udp_ports, UdpPorts::Single(20_000));
    }
    for (wrong, says) in [
        ("udp_ports = \"20000-20099\"", "each leg has a port"),
        ("udp_ports = \"10000-20000\"", "below 16384"),
        ("udp_ports = \"29999-20000\"", "ends before it begins"),
        ("udp_ports = \"all\"", "neither a port nor two"),
        ("udp_ports = 70000", "neither a port nor two"),
        ("legs = 0", "no call would be taken"),
    ] {
        let (_, message) = told(&with(wrong));
        assert!(message.contains(says), "{wrong}: {message}");
    }
}

#[test]
fn workers_find_a_media_host_and_reach_it_by_tls_only() {
    let role = |text: &str| Configuration::load(&written(text).inputs, Purpose::Media);
    assert!(role(&format!("{MEDIA}{REDIS}")).is_ok());
    let refused = rendered(&role(MEDIA).expect_err("nobody would find it"));
    assert!(refused.contains("store.engine"), "{refused}");

    let elsewhere = format!("{MEDIA}listen = \"0.0.0.0:7500\"\nadvertise = \"media-1.internal:7500\"\n");
    let (setting, message) = told(&elsewhere);
    assert_eq!(setting, "media.listen");
    assert!(message.contains("cluster.tls_ca"), "{message}");
    let (setting, message) = told(&format!(
        "{MEDIA}whip_url = \"https://media-1.example.org:8445/legs\"\n"
    ));
    assert_eq!(setting, "media.whip_url");
    assert!(message.contains("has a path"), "{message}");
}

#[test]
fn recordings_are_handed_on_one_way_and_never_in_the_clear() {
    let with = |more: &str| format!("{MEDIA}{more}\n");
    let fine = with(&format!(
        "{UPLOAD}recordings_upload_token_file = \"/run/secrets/upload\""
    ));
    assert!(load(&fine).is_ok());
    for (wrong, setting, says) in [
        (
            "recordings_upload = \"http://store.example.org/\"".to_owned(),
            "recordings_upload",
            "in the clear",
        ),
        (
            "recordings_upload = \"https://store.example.org/?a=b\"".to_owned(),
            "recordings_upload",
            "more than a path",
        ),
        (
            format!("{UPLOAD}recordings_command = \"/bin/true\""),
            "recordings_upload",
            "both set",
        ),
        (
            format!("{UPLOAD}recordings_upload_token = \"a\"\nrecordings_upload_token_file = \"b\""),
            "recordings_upload_token",
            "both set",
        ),
        (
            "recordings_upload_ca = \"/etc/ca.crt\"".to_owned(),
            "recordings_upload_ca",
            "recordings_upload is not",
        ),
    ] {
        let (found, message) = told(&with(&wrong));
        assert_eq!(found, format!("media.{setting}"));
        assert!(message.contains(says), "{wrong}: {message}");
    }
}
