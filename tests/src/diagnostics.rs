//! What the hosts were doing when a test failed.

use std::fmt::Write;

use crate::{command::run_lb, topology::Lab};

/// As much as a person needs to begin looking; what cannot be had says why.
pub(crate) fn report(lab: &Lab) -> String {
    let mut report = String::from("──── the lab when the test failed ────\n");
    for command in ["status", "stats"] {
        section(&mut report, &format!("lb {command}"), &lb(lab, command));
    }
    section(&mut report, "the last lines of lb's log", &tail(&lab.balancer().log()));
    for host in lab.hosts() {
        let links = host.run("ip", &["-s", "-brief", "link"]);
        let neighbours = host.run("ip", &["neigh"]);
        let text = [links, neighbours]
            .map(|text| text.unwrap_or_else(|error| format!("{error:#}\n")))
            .concat();
        section(&mut report, host.name(), &text);
    }
    report
}

fn lb(lab: &Lab, command: &str) -> String {
    match run_lb(lab.balancer().host(), &[command]) {
        Ok(output) => format!("exit code {}\n{}{}", output.code, output.stdout, output.stderr),
        Err(error) => format!("{error:#}"),
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn section(report: &mut String, title: &str, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(report, "── {title}\n{}", text.trim_end());
}
