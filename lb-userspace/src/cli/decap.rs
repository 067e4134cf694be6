//! `lb decap`: the backend's side.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    console::Console,
    failure::Failure,
    machine::{self, Decapsulator},
    table::{Column, table},
    values::host,
};
use crate::config::Mode;

const EXAMPLES: &str = "\
Examples:
  lb decap attach eth0 --from 192.0.2.1 192.0.2.2
  lb decap attach eth0 --from 2001:db8::1
  lb decap status
  lb decap detach eth0";

/// The backend's side: unwrap what balancers send.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Decap {
    /// Unwrap IP-in-IP packets that come in by an interface from listed balancers.
    Attach(Attach),
    /// Unwrap no more on an interface.
    Detach(Detach),
    /// List the interfaces that unwrap, and what they counted.
    Status,
}

#[derive(Debug, Args)]
pub(crate) struct Attach {
    /// The interface that balancers send to.
    #[arg(value_parser = interface_name)]
    interface: String,
    /// The balancers' own addresses; tunnels of others are dropped.
    #[arg(long, value_name = "ADDRESS", required = true, num_args = 1.., value_parser = host)]
    from: Vec<IpAddr>,
    /// Where in the kernel packets are unwrapped.
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
}

#[derive(Debug, Args)]
pub(crate) struct Detach {
    /// The interface.
    #[arg(value_parser = interface_name)]
    interface: String,
}

impl Decap {
    pub(crate) fn run(self, console: &Console) -> Result<(), Failure> {
        match self {
            Self::Attach(Attach { interface, from, mode }) => {
                machine::attach_decap(&interface, &from, mode)?;
                let from: Vec<_> = from.iter().map(IpAddr::to_string).collect();
                console.show(&json!({ "interface": interface, "from": from }), |_| {
                    format!("{interface}: unwraps tunnels from {}", from.join(", "))
                })
            }
            Self::Detach(Detach { interface }) => {
                let detached = machine::detach_decap(&interface)?;
                let what = if detached { "unwraps no more" } else { "nothing to detach" };
                console.show(&json!({ "interface": interface, "detached": detached }), |_| {
                    format!("{interface}: {what}")
                })
            }
            Self::Status => console.show(&machine::decapsulators()?[..], decapsulators),
        }
    }
}

/// A name that the kernel would give an interface.
fn interface_name(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'/' && byte != b':';
    let named = !matches!(text, "" | "." | "..");
    if named && text.len() <= 15 && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("an interface's name has 1 to 15 characters, none of them '/', ':' or a space".into())
    }
}

const COLUMNS: [Column; 5] = [
    Column::Left("INTERFACE"),
    Column::Left("MODE"),
    Column::Right("UNWRAPPED"),
    Column::Right("REFUSED"),
    Column::Left("FROM"),
];

fn decapsulators(all: &[Decapsulator]) -> String {
    table(
        &COLUMNS,
        all.iter().map(|one| {
            let balancers: Vec<_> = one.balancers.iter().map(IpAddr::to_string).collect();
            vec![
                one.interface.clone(),
                one.mode.map_or_else(|| "not attached".to_owned(), |mode| mode.to_string()),
                one.accepted.to_string(),
                one.refused.to_string(),
                balancers.join(", "),
            ]
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::console::Output;

    #[test]
    fn a_name_that_no_interface_can_have_is_refused() {
        for name in ["", ".", "..", "a/b", "a b", "sixteen-letters-", "a\0b"] {
            assert!(interface_name(name).is_err(), "{name:?}");
        }
        assert_eq!(interface_name("eth0.100").unwrap(), "eth0.100");
    }

    #[test]
    fn an_interface_that_is_not_there_is_not_found_and_those_that_are_there_are_named() {
        let from = vec!["192.0.2.1".parse().unwrap()];
        let attach = Attach { interface: "eth77".to_owned(), from, mode: Mode::Auto };
        let console = Console::new("/nonexistent".as_ref(), Output::Table);
        let failure = Decap::Attach(attach).run(&console).unwrap_err();
        assert_eq!(failure.code(), 3);
        let said = failure.sentence();
        assert!(said.starts_with("there is no interface eth77; there are: "), "{said}");
        assert!(said.contains("lo"), "{said}");
    }

    #[test]
    fn decapsulators_are_listed_with_what_they_refused() {
        let one = Decapsulator {
            interface: "eth0".to_owned(),
            mode: Some(crate::dataplane::XdpMode::Native),
            balancers: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            accepted: 1234,
            refused: 5,
        };
        let expected = "\
INTERFACE  MODE    UNWRAPPED  REFUSED  FROM
eth0       native       1234        5  192.0.2.1, 2001:db8::1";
        assert_eq!(decapsulators(&[one]), expected);
    }
}
