//! What a running daemon does not take over from a config file that changed.

use std::collections::BTreeSet;

use super::{DaemonConfig, Limits, Paths};
use crate::state::TunnelSources;

impl DaemonConfig {
    /// The fields in which another file differs, as files name them. They are read at the start
    /// alone.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let Self { interfaces, mode, hash_key, limits, tunnel, paths } = self;
        let names: BTreeSet<_> = interfaces.iter().collect();
        let mut fields = vec![
            ("interfaces", names != other.interfaces.iter().collect()),
            ("mode", *mode != other.mode),
            ("hash_key", *hash_key != other.hash_key),
        ];
        fields.extend(in_limits(*limits, other.limits));
        fields.extend(in_tunnel(*tunnel, other.tunnel));
        fields.extend(in_daemon(paths, &other.paths));
        fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect()
    }
}

fn in_limits(one: Limits, other: Limits) -> [(&'static str, bool); 5] {
    let Limits { flows, affinities, services, backends, maglev_slots } = one;
    [
        ("limits.flows", flows != other.flows),
        ("limits.affinities", affinities != other.affinities),
        ("limits.services", services != other.services),
        ("limits.backends", backends != other.backends),
        ("limits.maglev_slots", maglev_slots != other.maglev_slots),
    ]
}

fn in_tunnel(one: TunnelSources, other: TunnelSources) -> [(&'static str, bool); 2] {
    let TunnelSources { v4, v6 } = one;
    [("tunnel.source4", v4 != other.v4), ("tunnel.source6", v6 != other.v6)]
}

fn in_daemon(one: &Paths, other: &Paths) -> [(&'static str, bool); 3] {
    let Paths { pins, socket, state } = one;
    [
        ("daemon.pins", *pins != other.pins),
        ("daemon.socket", *socket != other.socket),
        ("daemon.state", *state != other.state),
    ]
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn differing(one: &str, other: &str) -> Vec<&'static str> {
        let [one, other] = [one, other].map(|text| Config::parse("lb.toml", text).unwrap().daemon);
        one.differing(&other)
    }

    #[test]
    fn every_field_that_differs_is_named_as_files_name_it() {
        let all = "interfaces = [\"eth1\"]\nmode = \"generic\"\nhash_key = \"a secret\"\n\
                   [limits]\nflows = 64\nservices = 1\nbackends = 1\nmaglev_slots = 65536\n\
                   [tunnel]\nsource4 = \"192.0.2.1\"\nsource6 = \"2001:db8::1\"\n\
                   [daemon]\npins = \"/p\"\nsocket = \"/s\"\nstate = \"/t\"\n";
        let fields = [
            "interfaces",
            "mode",
            "hash_key",
            "limits.flows",
            "limits.services",
            "limits.backends",
            "limits.maglev_slots",
            "tunnel.source4",
            "tunnel.source6",
            "daemon.pins",
            "daemon.socket",
            "daemon.state",
        ];
        assert_eq!(differing("interfaces = [\"eth0\"]\n", all), fields);
        assert!(differing(all, all).is_empty());
    }

    #[test]
    fn services_and_the_order_of_interfaces_need_no_restart() {
        let service = "[[service]]\nname = \"web\"\naddress = \"tcp:203.0.113.10:80\"\n";
        let one = "interfaces = [\"eth0\", \"eth1\"]\n";
        let other = format!("interfaces = [\"eth1\", \"eth0\"]\n{service}");
        assert!(differing(one, &other).is_empty());
    }
}
