//! The demo: the main job of lb, shown to a person, each claim checked as it is made.

pub mod keep;
mod scenes;
mod stage;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::{Topology, addresses::VIP, config::Config, topology::Lab};
use stage::Stage;

/// The backends and their weights.
const WEIGHTS: [(&str, u16); 3] = [("web1", 3), ("web2", 2), ("web3", 1)];

const CHECK: &str = r#"{ type = "http", path = "/healthz", interval = "500ms", timeout = "300ms", rise = 2, fall = 2 }"#;

/// What [`CHECK`] promises: `interval × fall + timeout`.
const PROMISED: Duration = Duration::from_millis(500 * 2 + 300);

/// Shows everything, and takes the lab down.
pub fn run() -> Result<()> {
    show().map(drop)
}

/// Shows everything; the lab is left as the last scene left it.
fn show() -> Result<Lab> {
    let started = Instant::now();
    let lab = Topology::new().client("alice").backends(WEIGHTS.len()).build()?;
    let mut stage = Stage::new(&lab);
    scenes::topology(&stage);
    scenes::start(&mut stage, &config(&lab));
    scenes::weights(&mut stage);
    scenes::direct_replies(&mut stage);
    scenes::failover(&mut stage);
    scenes::daemon_killed(&mut stage);
    let broken = stage.broken();
    ensure!(broken == 0, "{broken} of the claims above did not hold");
    println!("\nEvery claim held. It took {:.1} s.", started.elapsed().as_secs_f64());
    Ok(lab)
}

fn config(lab: &Lab) -> Config {
    let web = Config::new().service("web", format!("tcp:{VIP}")).check(CHECK);
    WEIGHTS.iter().fold(web, |web, (name, weight)| web.backend(lab.backend(name).v4(), *weight))
}
