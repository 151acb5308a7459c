//! Where the processes of a fleet live: all on loopback, or each in a network namespace of its own behind one bridge, so that a
//! process can be cut off like a host.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where processes live. Cheap to clone; namespaces and bridge go with the last clone.
#[derive(Clone, Debug)]
pub enum Network {
    /// Everybody on 127.0.0.1.
    Loopback,
    /// A host of its own for each.
    Namespaces(Arc<Bridge>),
}

/// The bridge that connects the namespaces; its own address is this process' in their network.
#[derive(Debug)]
pub struct Bridge {
    name: String,
    /// Third byte of the addresses: fleets of one machine do not meet.
    number: u8,
    hosts: AtomicU32,
}

/// One host of a network.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its address.
    pub address: IpAddr,
    /// Its namespace; `None` on loopback.
    pub namespace: Option<String>,
}

static NETWORKS: AtomicU32 = AtomicU32::new(0);

impl Network {
    /// Namespaces where this process may make them, else loopback, which is said.
    pub fn best() -> Self {
        match Bridge::make() {
            Ok(bridge) => Self::Namespaces(Arc::new(bridge)),
            Err(reason) => {
                println!("no network namespaces ({reason}): everything on loopback, and no link is cut");
                Self::Loopback
            }
        }
    }

    /// The address of this process as the hosts see it.
    pub fn outside(&self) -> IpAddr {
        match self {
            Self::Loopback => Ipv4Addr::LOCALHOST.into(),
            Self::Namespaces(bridge) => bridge.address(1),
        }
    }

    /// A host for one more process.
    pub fn host(&self) -> Host {
        match self {
            Self::Loopback => Host {
                address: Ipv4Addr::LOCALHOST.into(),
                namespace: None,
            },
            Self::Namespaces(bridge) => bridge.host(),
        }
    }

    /// Whether hosts can be cut off.
    pub fn can_cut(&self) -> bool {
        matches!(self, Self::Namespaces(_))
    }
}

impl Bridge {
    fn make() -> Result<Self, String> {
        let number = u8::try_from((std::process::id() + NETWORKS.fetch_add(1, Ordering::Relaxed)) % 250).unwrap_or(0);
        let bridge = Self {
            name: format!("tl{number}"),
            number,
            hosts: AtomicU32::new(1),
        };
        ip(&["link", "add", &bridge.name, "type", "bridge"])?;
        let address = format!("{}/24", bridge.address(1));
        ip(&["address", "add", &address, "dev", &bridge.name])?;
        ip(&["link", "set", &bridge.name, "up"])?;
        Ok(bridge)
    }

    fn address(&self, host: u8) -> IpAddr {
        Ipv4Addr::new(10, 213, self.number, host).into()
    }

    fn host(&self) -> Host {
        let place = self.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        let address = self.address(u8::try_from(place).expect("at most 254 hosts"));
        let namespace = format!("{}h{place}", self.name);
        let (inside, outside) = ("eth0", format!("{namespace}v"));
        let prefixed = format!("{address}/24");
        for command in [
            &["netns", "add", &namespace][..],
            &[
                "link", "add", &outside, "type", "veth", "peer", "name", inside, "netns", &namespace,
            ],
            &["link", "set", &outside, "master", &self.name, "up"],
            &["-n", &namespace, "address", "add", &prefixed, "dev", inside],
            &["-n", &namespace, "link", "set", inside, "up"],
            &["-n", &namespace, "link", "set", "lo", "up"],
        ] {
            ip(command).unwrap_or_else(|reason| panic!("ip {}: {reason}", command.join(" ")));
        }
        Host {
            address,
            namespace: Some(namespace),
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        for place in 2..=self.hosts.load(Ordering::Relaxed) {
            // What is not there any more needs no removal.
            let _ = ip(&["netns", "delete", &format!("{}h{place}", self.name)]);
        }
        let _ = ip(&["link", "delete", &self.name]);
    }
}

impl Host {
    /// Cuts the host off: packets vanish, nobody is told.
    ///
    /// # Panics
    /// On loopback, where nothing can be cut: ask [`Network::can_cut`] first.
    pub fn cut(&self) {
        self.link("down");
    }

    /// Connects it again.
    ///
    /// # Panics
    /// As [`Host::cut`].
    pub fn mend(&self) {
        self.link("up");
    }

    fn link(&self, state: &str) {
        let namespace = self.namespace.as_deref().expect("a host of its own");
        ip(&["link", "set", &format!("{namespace}v"), state]).expect("the link's state can be set");
    }
}

/// Runs `ip`; what it says when it fails.
fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .map_err(|error| format!("ip cannot be run ({error}): install Debian's package iproute2"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
