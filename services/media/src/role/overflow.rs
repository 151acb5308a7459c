//! Datagrams that found the buffer of a socket full, as the kernel counts them.

/// Where the kernel tells it, of all sockets of this network namespace: of a single one it does so only while that is open.
const PLACES: [&str; 2] = ["/proc/net/snmp", "/proc/net/snmp6"];

/// Datagrams that were lost so since the machine started; `None` where the kernel does not tell it.
pub(super) fn socket_overflow() -> Option<u64> {
    let [of_4, of_6] = PLACES.map(|place| std::fs::read_to_string(place).ok());
    let of_4 = of_4.as_deref().and_then(udp_4);
    let of_6 = of_6.as_deref().and_then(udp_6);
    (of_4.is_some() || of_6.is_some()).then(|| of_4.unwrap_or_default() + of_6.unwrap_or_default())
}

/// Two lines that begin with `Udp:`: names, and values below them.
fn udp_4(text: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|(name, _)| *name == "RcvbufErrors")?.1.parse().ok()
}

/// A line each.
fn udp_6(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("Udp6RcvbufErrors")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_read_as_it_writes() {
        let snmp = "Ip: Forwarding DefaultTTL\nIp: 1 64\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 9 1 7 8 6 0\nUdpLite: InDatagrams\nUdpLite: 0\n";
        assert_eq!(udp_4(snmp), Some(6));
        assert_eq!(udp_4("Udp: InDatagrams\nUdp: 1\n"), None);
        assert_eq!(udp_6("Udp6InErrors 3\nUdp6RcvbufErrors                	2\n"), Some(2));
        assert_eq!(udp_6(""), None);
    }
}
