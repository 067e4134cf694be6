//! What a file can have wrong, and what is said about it; `SERVICE` stands for a good service.

pub(super) const MISTAKES: &[(&str, &str)] = &[
    (
        "interfaces = [\"eth0\"\n\nmode =",
        "lb.toml:3: missing comma between array elements, expected `,`",
    ),
    ("mode = 3", "lb.toml:1: mode: invalid type: integer `3`, expected a string"),
    (
        "colour = \"red\"",
        "lb.toml:1: unknown field `colour`, expected one of `interfaces`, `mode`, `hash_key`, `limits`, `tunnel`, `daemon`, `service`",
    ),
    ("mode = \"fast\"", "lb.toml:1: mode: \"fast\" is not one of: auto, native, generic"),
    ("interfaces = [\"eth0\", \"eth0\"]", "lb.toml:1: interfaces: eth0 is listed twice"),
    ("interfaces = []", "lb.toml:1: interfaces: is empty: the names of one interface or more"),
    (
        "interfaces = [\"a/b\"]",
        "lb.toml:1: interfaces: \"a/b\" is not an interface name: 1 to 15 bytes without '/', ':' or white space",
    ),
    (
        "interfaces = \"eth0\"",
        "lb.toml:1: interfaces: invalid type: string \"eth0\", expected a list",
    ),
    ("hash_key = \"\"", "lb.toml:1: hash_key: is empty: a secret text, or no hash_key"),
    ("[limits]\nflows = 12", "lb.toml:2: limits.flows: 12 is not allowed: 64 to 268435456"),
    ("[limits]\nbackends = 70000", "lb.toml:2: limits.backends: 70000 is not allowed: 1 to 65535"),
    (
        "[limits]\nflow = 1",
        "lb.toml:2: limits: unknown field `flow`, expected one of `flows`, `affinities`, `services`, `backends`, `maglev_slots`",
    ),
    (
        "[tunnel]\nsource4 = \"::1\"",
        "lb.toml:2: tunnel.source4: \"::1\" is not an IPv4 address of this host",
    ),
    (
        "[daemon]\nsocket = \"lb.sock\"",
        "lb.toml:2: daemon.socket: \"lb.sock\" is not an absolute path",
    ),
    (
        "[limits]\nbackends = 1\nSERVICE\n[[service.backend]]\naddress = \"192.0.2.1\"\n[[service.backend]]\naddress = \"192.0.2.2\"",
        "lb.toml:2: limits.backends: 1 is too few: there are 2 backends",
    ),
    (
        "[limits]\nmaglev_slots = 65536\nSERVICE\n",
        "lb.toml:2: limits.maglev_slots: 65536 is too few: the services need 131072, with 65536 to replace the largest table",
    ),
    (
        "SERVICE\ntabel_size = 1",
        "lb.toml:4: service: unknown field `tabel_size`, expected one of `name`, `address`, `scheduler`, `forward`, `table_size`, `check`, `hash`, `affinity`, `idle`, `on_failure`, `on_drain`, `min_healthy`, `slow_start`, `min_primaries`, `panic_threshold`, `backend`",
    ),
    (
        "SERVICE\ntable_size = 1000",
        "lb.toml:4: service \"web\": table_size: 1000 is not a table size: a power of two from 32 to 1048576",
    ),
    (
        "SERVICE\nscheduler = \"best\"",
        "lb.toml:4: service \"web\": scheduler: \"best\" is not one of: maglev, rr, wrr, lc, wlc, sh, p2c",
    ),
    (
        "SERVICE\nforward = \"nat\"",
        "lb.toml:4: service \"web\": forward: \"nat\" is not one of: ipip",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.300\"",
        "lb.toml:5: service \"web\": backend \"192.0.2.300\": address: \"192.0.2.300\" is not a backend address, such as 192.0.2.21, 192.0.2.21:443, 2001:db8::21 or [2001:db8::21]:443",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21:80\"",
        "lb.toml:5: service \"web\": backend \"192.0.2.21:80\": address: port 80 is not the service's port 443, and ipip cannot translate ports",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"203.0.113.10\"",
        "lb.toml:5: service \"web\": backend \"203.0.113.10\": address: 203.0.113.10 is the service's own VIP",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\n[[service.backend]]\naddress = \"192.0.2.21:443\"",
        "lb.toml:7: service \"web\": backend \"192.0.2.21:443\": address: is listed in line 5 already",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\nweight = 65536",
        "lb.toml:6: service \"web\": backend \"192.0.2.21\": weight: 65536 is not allowed: 0 to 65535",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\nweight = \"1\"",
        "lb.toml:6: service.backend.weight: invalid type: string \"1\", expected a whole number",
    ),
    (
        "SERVICE\n[[service.backend]]\nweight = 1",
        "lb.toml:4: service.backend: missing field `address`",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\nwieght = 1",
        "lb.toml:6: service.backend: unknown field `wieght`, expected one of `address`, `weight`, `backup`, `max_flows`",
    ),
    ("[[service]]\nname = \"web\"", "lb.toml:1: service: missing field `address`"),
    (
        "[[service]]\nname = \"a b\"\naddress = \"tcp:203.0.113.10:443\"",
        "lb.toml:2: service.name: \"a b\" is not a service name: 1 to 63 letters, digits, '-', '_' or '.', starting with a letter or digit",
    ),
    (
        "[[service]]\nname = \"web\"\naddress = \"203.0.113.10:443\"",
        "lb.toml:3: service \"web\": address: \"203.0.113.10:443\" is not a service address, such as tcp:203.0.113.10:443, udp:[2001:db8::10]:53, or tcp:203.0.113.10:* for every port",
    ),
    (
        "SERVICE\nSERVICE\n",
        "lb.toml:5: service \"web\": name: is the name of a service in line 2 already",
    ),
    (
        "SERVICE\n[[service]]\nname = \"other\"\naddress = \"tcp:203.0.113.10:443\"",
        "lb.toml:6: service \"other\": address: tcp:203.0.113.10:443 is the address of service \"web\" already",
    ),
    (
        "[[service]]\nname = \"all\"\naddress = \"udp:203.0.113.10:*\"\n[[service.backend]]\naddress = \"192.0.2.21:80\"",
        "lb.toml:5: service \"all\": backend \"192.0.2.21:80\": address: port 80 is not allowed: the service takes every port, and ipip keeps it",
    ),
    (
        "[[service]]\nname = \"all\"\naddress = \"udp:203.0.113.10:*\"\ncheck = { type = \"tcp\" }",
        "lb.toml:4: service \"all\": check: port: is missing: a service for every port must say which one its check asks",
    ),
    (
        "SERVICE\ncheck = { type = \"icmp\" }",
        "lb.toml:4: service \"web\": check: type: \"icmp\" is not one of: tcp, http",
    ),
    ("SERVICE\ncheck = { port = 80 }", "lb.toml:4: service.check: missing field `type`"),
    (
        "SERVICE\ncheck = { type = \"tcp\", prot = 80 }",
        "lb.toml:4: service.check: unknown field `prot`, expected one of `type`, `port`, `path`, `host`, `expect`, `interval`, `timeout`, `rise`, `fall`",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", path = \"/\" }",
        "lb.toml:4: service \"web\": check: path: is not for type = \"tcp\": it belongs to type = \"http\"",
    ),
    (
        "SERVICE\ncheck = { type = \"http\", path = \"healthz\" }",
        "lb.toml:4: service \"web\": check: path: \"healthz\" is not a path: printable ASCII without spaces that starts with '/'",
    ),
    (
        "SERVICE\ncheck = { type = \"http\", expect = [200, 99] }",
        "lb.toml:4: service \"web\": check: expect: 99 is not allowed: 100 to 599",
    ),
    (
        "SERVICE\ncheck = { type = \"http\", expect = [] }",
        "lb.toml:4: service \"web\": check: expect: is empty: the good statuses, such as [200, 204]",
    ),
    (
        "SERVICE\ncheck = { type = \"http\", host = \"a b\" }",
        "lb.toml:4: service \"web\": check: host: \"a b\" is not printable ASCII without spaces",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", port = 0 }",
        "lb.toml:4: service \"web\": check: port: 0 is not allowed: 1 to 65535",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", interval = \"1s\", timeout = \"2s\" }",
        "lb.toml:4: service \"web\": check: timeout: 2s is not allowed: above 0s, at most the interval 1s",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", interval = \"soon\" }",
        "lb.toml:4: service \"web\": check: interval: \"soon\" is not a duration, such as 250ms, 2s or 1m",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", interval = \"0s\" }",
        "lb.toml:4: service \"web\": check: interval: 0s is not allowed: 10ms to 1day",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", timeout = \"0s\" }",
        "lb.toml:4: service \"web\": check: timeout: 0s is not allowed: above 0s, at most the interval 2s",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", rise = 0 }",
        "lb.toml:4: service \"web\": check: rise: 0 is not allowed: 1 to 65535",
    ),
    (
        "SERVICE\ncheck = { type = \"tcp\", fall = 70000 }",
        "lb.toml:4: service \"web\": check: fall: 70000 is not allowed: 1 to 65535",
    ),
    (
        "SERVICE\n[service.check]\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"2s\"",
        "lb.toml:7: service \"web\": check: timeout: 2s is not allowed: above 0s, at most the interval 1s",
    ),
    ("SERVICE\nname = \"again\"", "lb.toml:4: name: duplicate key"),
    (
        "SERVICE\nhash = \"port\"",
        "lb.toml:4: service \"web\": hash: \"port\" is not one of: 5tuple, source, source+destination, source-port-free",
    ),
    (
        "SERVICE\nscheduler = \"sh\"\nhash = \"5tuple\"",
        "lb.toml:5: service \"web\": hash: \"5tuple\" is not for scheduler \"sh\", which looks at the source alone: \"source\", or no hash",
    ),
    (
        "SERVICE\naffinity = { by = \"cookie\" }",
        "lb.toml:4: service \"web\": affinity.by: \"cookie\" is not one of: address",
    ),
    ("SERVICE\naffinity = {}", "lb.toml:4: service.affinity: missing field `by`"),
    (
        "SERVICE\naffinity = true",
        "lb.toml:4: service.affinity: invalid type: boolean `true`, expected a table",
    ),
    (
        "SERVICE\naffinity = { by = \"address\", prefix4 = 33 }",
        "lb.toml:4: service \"web\": affinity.prefix4: 33 is not allowed: 1 to 32",
    ),
    (
        "SERVICE\naffinity = { by = \"address\", prefix6 = 0 }",
        "lb.toml:4: service \"web\": affinity.prefix6: 0 is not allowed: 1 to 128",
    ),
    (
        "SERVICE\naffinity = { by = \"address\", timeout = \"4h\" }",
        "lb.toml:4: service \"web\": affinity.timeout: 4h is not allowed: 10s to 3h",
    ),
    (
        "SERVICE\naffinity = { by = \"address\", prefix = 24 }",
        "lb.toml:4: service.affinity: unknown field `prefix`, expected one of `by`, `prefix4`, `prefix6`, `timeout`",
    ),
    (
        "SERVICE\nidle = { syn = \"9s\" }",
        "lb.toml:4: service \"web\": idle.syn: 9s is not allowed: 10s to 3h",
    ),
    (
        "SERVICE\nidle = { established = \"long\" }",
        "lb.toml:4: service \"web\": idle.established: \"long\" is not a duration, such as 30s, 10m or 2h",
    ),
    (
        "SERVICE\n[service.idle]\nsyn = \"30s\"\nudp = \"30s\"",
        "lb.toml:6: service \"web\": idle.udp: is not for a TCP service: it has syn, established and closing",
    ),
    (
        "[[service]]\nname = \"dns\"\naddress = \"udp:203.0.113.10:53\"\nidle = { closing = \"30s\" }",
        "lb.toml:4: service \"dns\": idle.closing: is not for a UDP service: it has udp alone",
    ),
    (
        "SERVICE\nidle = { fin = \"30s\" }",
        "lb.toml:4: service.idle: unknown field `fin`, expected one of `syn`, `established`, `closing`, `udp`",
    ),
    (
        "SERVICE\non_failure = \"drop\"",
        "lb.toml:4: service \"web\": on_failure: \"drop\" is not one of: move, reset, keep",
    ),
    (
        "[[service]]\nname = \"dns\"\naddress = \"udp:203.0.113.10:53\"\non_failure = \"reset\"",
        "lb.toml:4: service \"dns\": on_failure: \"reset\" is not for a UDP service, as it is a TCP RST: \"move\" or \"keep\"",
    ),
    (
        "SERVICE\non_drain = \"reset\"",
        "lb.toml:4: service \"web\": on_drain: \"reset\" is not one of: keep, move",
    ),
    (
        "SERVICE\nmin_healthy = -1",
        "lb.toml:4: service \"web\": min_healthy: -1 is not allowed: 0 to 65535",
    ),
    (
        "SERVICE\nslow_start = \"0s\"",
        "lb.toml:4: service \"web\": slow_start: 0s is not allowed: 1s to 1h",
    ),
    (
        "SERVICE\nmin_primaries = 0",
        "lb.toml:4: service \"web\": min_primaries: 0 is not allowed: 1 to 65535",
    ),
    (
        "SERVICE\npanic_threshold = 101",
        "lb.toml:4: service \"web\": panic_threshold: 101 is not allowed: 0 to 100",
    ),
    (
        "SERVICE\npanic_threshold = \"50%\"",
        "lb.toml:4: service.panic_threshold: invalid type: string \"50%\", expected a whole number",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\nbackup = 1",
        "lb.toml:6: service.backend.backup: invalid type: integer `1`, expected true or false",
    ),
    (
        "SERVICE\n[[service.backend]]\naddress = \"192.0.2.21\"\nmax_flows = 0",
        "lb.toml:6: service \"web\": backend \"192.0.2.21\": max_flows: 0 is not allowed: 1 to 4294967295",
    ),
];
