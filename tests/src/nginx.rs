//! A real web server on a backend.

use std::fs::File;

use anyhow::Result;

use crate::{host::Host, process::Process};

/// Bytes of `/large`: several hundred full-size packets.
pub(crate) const LARGE: usize = 1 << 20;

/// Bytes of `/film`: more than all buffers between a server and a client who does not read hold.
pub const FILM: u64 = 16 << 20;

const CONFIG: &str = "/run/nginx/nginx.conf";

/// Starts nginx on ports 80, 8080 and 8443 of every address. Every answer says who gave it:
/// `/` in a line, `/large` and `/film` before many bytes, `/healthz` for health checks.
pub(crate) fn start(host: &Host) -> Result<Process> {
    host.write(CONFIG, config(host.name()))?;
    host.write("/run/nginx/large", vec![b'.'; LARGE])?;
    host.inside(|| File::create("/run/nginx/film")?.set_len(FILM))??;
    host.start("nginx", "nginx", &["-e", "stderr", "-p", "/run/nginx", "-c", CONFIG])
}

fn config(name: &str) -> String {
    let listen = [80, 8080, 8443].map(|port| format!("listen {port}; listen [::]:{port};"));
    let listen = listen.join(" ");
    format!(
        r#"daemon off;
master_process off;
pid /run/nginx/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type text/plain;
    keepalive_requests 1000000;
    client_max_body_size 64m;
    client_body_temp_path /run/nginx/body;
    proxy_temp_path /run/nginx/proxy;
    fastcgi_temp_path /run/nginx/fastcgi;
    uwsgi_temp_path /run/nginx/uwsgi;
    scgi_temp_path /run/nginx/scgi;
    add_header Served-By {name} always;
    server {{
        {listen}
        root /run/nginx;
        location = / {{ return 200 "{name}\n"; }}
        location = /healthz {{ return 200 "ok\n"; }}
        location = /large {{ }}
        location = /film {{ }}
    }}
}}
"#
    )
}
