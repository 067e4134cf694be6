//! The figures for people, and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    Effort,
    goals::Ratio,
    machine::Machine,
    measure::Figures,
    subject::{Kind, Scale},
};

/// A table, and what it is of.
pub(super) fn markdown(
    machine: &Machine,
    effort: Effort,
    figures: &Figures,
    ratios: &[Ratio],
) -> String {
    let mut text = String::from(
        "| packets | flows | ns | net | net, held against |\n|---|---:|---:|---:|---|\n",
    );
    for ((kind, scale), figure) in figures {
        let ratios: Vec<String> =
            ratios.iter().filter(|ratio| is_of(ratio, *kind, *scale)).map(describe).collect();
        let cells = [
            kind.name().to_owned(),
            count(scale.flows),
            format!("{:.1}", figure.ns),
            format!("{:.1}", figure.net),
            ratios.join(", "),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let program = &machine.program;
    let _ = writeln!(
        text,
        "\nLinux {}, {}. Nanoseconds of CPU a packet; net of `return XDP_TX` by the same \
         generator. The median of {} loads of the best of {} rounds of {} packets each. The program \
         has {} instructions, the verifier walks {}, and loading it takes {:.0} ms of CPU.",
        machine.kernel,
        machine.processor,
        effort.loads,
        effort.rounds,
        effort.packets,
        program.translated,
        program.verified,
        program.load.as_secs_f64() * 1e3,
    );
    text
}

fn is_of(ratio: &Ratio, kind: Kind, scale: Scale) -> bool {
    (ratio.kind, ratio.scale) == (kind, scale)
}

fn describe(ratio: &Ratio) -> String {
    let Ratio { to, value, at_most, .. } = ratio;
    let goal = if ratio.is_met() { "goal" } else { "**missed:**" };
    format!("{value:.2} × {to} ({goal} ≤ {at_most})")
}

/// A number of flows as people write it.
fn count(flows: u64) -> String {
    match flows {
        1 => "one".to_owned(),
        1_000_000.. => format!("{} M", flows / 1_000_000),
        _ => format!("{} k", flows >> 10),
    }
}

/// Everything that was measured.
pub(super) fn json(
    machine: &Machine,
    effort: Effort,
    figures: &Figures,
    ratios: &[Ratio],
) -> Value {
    let figure = |((kind, scale), figure): (&(Kind, Scale), &super::measure::Figure)| {
        let loads = figure.loads.iter().map(|load| json!({ "ns": load.ns, "net": load.net }));
        json!({
            "packets": kind.name(),
            "flows": scale.flows,
            "ns": figure.ns,
            "net": figure.net,
            "loads": loads.collect::<Vec<_>>(),
        })
    };
    let ratio = |ratio: &Ratio| {
        json!({
            "packets": ratio.kind.name(),
            "flows": ratio.scale.flows,
            "against": ratio.to,
            "ratio": ratio.value,
            "at_most": ratio.at_most,
            "met": ratio.is_met(),
        })
    };
    json!({
        "machine": { "kernel": machine.kernel, "processor": machine.processor },
        "program": {
            "instructions": machine.program.translated,
            "verified_instructions": machine.program.verified,
            "load_cpu_ms": machine.program.load.as_secs_f64() * 1e3,
        },
        "method": {
            "loads": effort.loads,
            "rounds": effort.rounds,
            "packets": effort.packets,
        },
        "datapath": figures.iter().map(figure).collect::<Vec<_>>(),
        "ratios": ratios.iter().map(ratio).collect::<Vec<_>>(),
    })
}
