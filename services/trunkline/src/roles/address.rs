//! Addresses that cannot be listened on: which setting, and who holds it.

use std::fs;
use std::io;
use std::net::SocketAddr;

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{setting} = {address} cannot be listened on: {why}")]
pub struct AddressUnavailable {
    /// The setting that names it.
    pub setting: &'static str,
    /// The address.
    pub address: SocketAddr,
    why: String,
    #[source]
    reason: io::Error,
}

impl AddressUnavailable {
    /// Says what an operator needs to know of a failed attempt to listen.
    pub fn new(setting: &'static str, address: SocketAddr, reason: io::Error) -> Self {
        let why = match reason.kind() {
            io::ErrorKind::AddrInUse => match holder(address.port()) {
                Some(holder) => format!("{holder} listens there; stop it, or choose another port"),
                None => format!(
                    "another process listens there (`ss -ltnp 'sport = :{}'` shows which); stop it, or choose another port",
                    address.port()
                ),
            },
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need the capability CAP_NET_BIND_SERVICE; grant it, or choose another port".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
            _ => reason.to_string(),
        };
        Self {
            setting,
            address,
            why,
            reason,
        }
    }
}

/// Name and id of the process that listens on this TCP port, as far as `/proc` lets us see it.
fn holder(port: u16) -> Option<String> {
    let inodes = listening_inodes(port);
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let id: u32 = process.file_name().to_str()?.parse().ok()?;
        let files = fs::read_dir(process.path().join("fd")).ok()?;
        let holds = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| {
                let target = target.to_string_lossy();
                inodes.iter().any(|inode| target == format!("socket:[{inode}]"))
            });
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        holds.then(|| format!("{} (process {id})", name.trim()))
    })
}

/// Inodes of the sockets in state LISTEN on this port (proc_net(5): column 2 is the local address, 4 the state, 10 the inode).
fn listening_inodes(port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table
                .lines()
                .filter_map(|line| {
                    let columns: Vec<&str> = line.split_whitespace().collect();
                    let is_ours = columns.get(1)?.ends_with(&suffix) && *columns.get(3)? == LISTEN;
                    is_ours.then(|| columns.get(9).copied().map(str::to_owned))?
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::TcpListener;

    use super::AddressUnavailable;

    #[test]
    fn a_taken_port_is_named_with_its_setting_and_its_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let reason = TcpListener::bind(address).unwrap_err();
        let said = AddressUnavailable::new("dev.listen", address, reason).to_string();
        assert!(said.contains(&format!("dev.listen = {address}")), "{said}");
        assert!(said.contains(&format!("(process {})", std::process::id())), "{said}");
    }
}
