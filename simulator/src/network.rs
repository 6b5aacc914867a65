//! The network from which a request comes. Limits, tickets and lock-outs count per IPv4 /24, not per user.

use std::net::IpAddr;

/// The network of a caller. Put it into the extensions of a request; otherwise [`Network::default`] applies.
///
/// ```
/// use tradovate_auth_simulator::Network;
///
/// assert_eq!(Network::of("198.51.100.7".parse().unwrap()), Network::of("198.51.100.200".parse().unwrap()));
/// assert_eq!(Network::of("127.0.0.1".parse().unwrap()), Network::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(pub String);

impl Network {
    /// The network of an address: the /24 of an IPv4 address, the /64 of an IPv6 address (no rule is known for IPv6).
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self(format!("{a}.{b}.{c}.0/24"))
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
            }
        }
    }
}

impl Default for Network {
    /// `127.0.0.0/24`, the network of 127.0.0.1.
    fn default() -> Self {
        Self("127.0.0.0/24".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_address_is_24_bits_of_ipv4_or_64_bits_of_ipv6() {
        for (address, network) in [
            ("198.51.100.7", "198.51.100.0/24"),
            ("::ffff:198.51.100.7", "198.51.100.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(Network::of(address.parse().unwrap()).0, network);
        }
    }
}
