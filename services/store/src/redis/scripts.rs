//! The scripts and how their arguments stand. They live in `scripts/*.lua`.
//!
//! All begin with `#!lua`: only then does Redis 7 refuse a whole script when memory is full, replicas are too few or the
//! disk failed, instead of breaking off in the middle of it. Keys of one call share a hash tag, so they are safe in a cluster.

use std::fmt::Display;

use redis::{Cmd, RedisWrite, Script, ToRedisArgs};

use super::tags::Names;
use crate::contract::{Claim, Commit, Parked, Token, Wake};

/// A script and the hash that the server finds it by.
#[derive(Debug)]
pub(super) struct Stored {
    text: &'static str,
    hash: String,
}

impl Stored {
    fn new(text: &'static str) -> Self {
        let hash = Script::new(text).get_hash().to_owned();
        Self { text, hash }
    }
}

/// The scripts of this version.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) claim: Stored,
    pub(super) release: Stored,
    pub(super) commit: Stored,
    pub(super) beat: Stored,
    pub(super) nodes: Stored,
    pub(super) leave: Stored,
    pub(super) lead: Stored,
    pub(super) write_map: Stored,
    pub(super) call_take: Stored,
    pub(super) call_renew: Stored,
    pub(super) call_usage: Stored,
    pub(super) call_ended: Stored,
    pub(super) media_announce: Stored,
    pub(super) media_hosts: Stored,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            claim: Stored::new(include_str!("scripts/claim.lua")),
            release: Stored::new(include_str!("scripts/release.lua")),
            commit: Stored::new(include_str!("scripts/commit.lua")),
            beat: Stored::new(include_str!("scripts/beat.lua")),
            nodes: Stored::new(include_str!("scripts/nodes.lua")),
            leave: Stored::new(include_str!("scripts/leave.lua")),
            lead: Stored::new(include_str!("scripts/lead.lua")),
            write_map: Stored::new(include_str!("scripts/write_map.lua")),
            call_take: Stored::new(include_str!("scripts/call_take.lua")),
            call_renew: Stored::new(include_str!("scripts/call_renew.lua")),
            call_usage: Stored::new(include_str!("scripts/call_usage.lua")),
            call_ended: Stored::new(include_str!("scripts/call_ended.lua")),
            media_announce: Stored::new(include_str!("scripts/media_announce.lua")),
            media_hosts: Stored::new(include_str!("scripts/media_hosts.lua")),
        }
    }
}

/// How a script is named in a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// By its hash: 40 bytes, the normal way.
    Hash,
    /// By its text, which the server then keeps: after a restart and on a promoted replica.
    Text,
}

/// Room that command, hash and small arguments need.
const SMALL_ARGUMENTS: usize = 512;

/// The beginning of a call: the script, without keys and arguments. `bytes` is the room for large arguments.
pub(super) fn call(script: &Stored, by: By, arguments: usize, bytes: usize) -> Cmd {
    let mut command = Cmd::with_capacity(arguments + 3, bytes + SMALL_ARGUMENTS);
    match by {
        By::Hash => command.arg("EVALSHA").arg(&script.hash),
        By::Text => command.arg("EVAL").arg(script.text),
    };
    command
}

/// An argument that is written straight into the command.
struct Written<T>(T);

impl<T: Display> ToRedisArgs for Written<T> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(&self.0);
    }
}

/// A call of `claim`.
pub(super) fn claim(script: &Stored, by: By, names: Names<'_>, claim: &Claim) -> Cmd {
    let mut command = call(script, by, 5, 0);
    command
        .arg(1)
        .arg(names.fence())
        .arg(Written(format_args!("{:016x}", claim.me.0)))
        .arg(claim.map.0)
        .arg(u8::from(claim.force))
        .arg(claim.floor.0);
    command
}

/// A call of `release`.
pub(super) fn release(script: &Stored, by: By, names: Names<'_>, token: Token) -> Cmd {
    let mut command = call(script, by, 3, 0);
    command
        .arg(1)
        .arg(names.fence())
        .arg(Written(token))
        .arg(Written(format_args!("{}:-:{}", token.epoch.0, token.map.0)));
    command
}

/// A call of `commit`. The record is copied once, into the buffer that is written to the socket's.
pub(super) fn commit(script: &Stored, by: By, names: Names<'_>, commit: &Commit) -> Cmd {
    let record: &[u8] = commit.record.as_deref().unwrap_or_default();
    let (answer_name, answer): (Option<&str>, &[u8]) = match &commit.answer {
        Some((name, answer)) => (Some(name), answer),
        None => (None, &[]),
    };
    let accepted: usize = commit
        .accept
        .iter()
        .map(|(field, value)| field.len() + value.len())
        .sum();
    let done: usize = commit.done.iter().map(String::len).sum();
    let arguments = 16 + commit.done.len() + 2 * commit.accept.len();
    let mut command = call(script, by, arguments, record.len() + answer.len() + accepted + done);

    let member = commit.key.text();
    command
        .arg(if answer_name.is_some() { 6 } else { 5 })
        .arg(names.fence())
        .arg(names.record(&member))
        .arg(names.inbox(&member))
        .arg(names.wakes())
        .arg(names.parked());
    if let Some(name) = answer_name {
        command.arg(names.answer(&member, name));
    }

    command
        .arg(Written(commit.token))
        .arg(&commit.expected.to_bytes())
        .arg(record);
    match commit.retain_ms {
        Some(retain_ms) => command.arg(retain_ms.max(1)),
        None => command.arg(""),
    };
    match commit.wake {
        Wake::Keep => command.arg("keep"),
        Wake::Never => command.arg("never"),
        Wake::At(at_ms) => command.arg(at_ms),
    };
    command.arg(member.as_str()).arg(answer);
    match commit.parked {
        Parked::Keep => command.arg("keep"),
        Parked::Nothing => command.arg("nothing"),
        Parked::Since(at_ms) => command.arg(at_ms),
    };
    command.arg(commit.done.len());
    for field in &commit.done {
        command.arg(field);
    }
    for (field, value) in &commit.accept {
        command.arg(field).arg(value.as_ref());
    }
    command
}
