//! The command line as it is typed.

use std::path::Path;

use clap::CommandFactory;

use super::{backend::Backend, service::Service, *};
use crate::{
    api::tests::Daemon,
    config::Config,
    model::{Idle, ServiceName},
    state::{BackendSettings, Change, ServiceSettings},
};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

/// What is said, and the exit code, when a line is wrong.
fn complaint(line: &str) -> String {
    let failure = match parse(line) {
        Err(error) => Failure::from(error),
        Ok(Cli { command: Command::Once(Once::Service(Service::Add(add))), .. }) => {
            add.change().unwrap_err()
        }
        Ok(Cli { command: Command::Once(Once::Service(Service::Set(set))), .. }) => {
            set.change().unwrap_err()
        }
        Ok(Cli { command: Command::Once(Once::Backend(Backend::Set(set))), .. }) => {
            set.change().unwrap_err()
        }
        Ok(cli) => panic!("{line} is not wrong: {cli:?}"),
    };
    assert_eq!(failure.code(), 2, "{line}");
    failure.sentence()
}

fn settings(line: &str) -> ServiceSettings {
    let Command::Once(Once::Service(Service::Set(set))) = parse(line).unwrap().command else {
        panic!()
    };
    let Change::SetService { settings, .. } = set.change().unwrap() else { panic!() };
    settings
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

/// Every command below this one that has none below itself, as it is typed, and every example.
fn survey(
    command: &clap::Command,
    path: &str,
    leaves: &mut Vec<String>,
    examples: &mut Vec<String>,
) {
    if let Some(help) = command.get_after_help() {
        let help = help.to_string();
        examples.extend(help.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned));
    }
    if !command.has_subcommands() {
        leaves.push(path.to_owned());
    }
    for below in command.get_subcommands() {
        survey(below, &format!("{path} {}", below.get_name()), leaves, examples);
    }
}

#[test]
fn every_example_in_the_help_works_and_every_command_has_one() {
    let (mut leaves, mut examples) = (Vec::new(), Vec::new());
    survey(&Cli::command(), "lb", &mut leaves, &mut examples);
    assert!(leaves.len() >= 20, "{leaves:?}");
    for example in &examples {
        if let Err(error) = parse(example) {
            panic!("{example}: {error}");
        }
    }
    for leaf in leaves {
        let shown = |example: &String| {
            example.strip_prefix(&leaf).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        assert!(examples.iter().any(shown), "no example of {leaf}");
    }
}

#[test]
fn every_flag_and_argument_is_explained() {
    fn explained(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            let help = argument.get_help();
            assert!(help.is_some(), "{} {}", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(explained);
    }
    explained(&Cli::command());
}

#[test]
fn a_wrong_argument_is_one_line_that_names_it_its_value_and_what_is_allowed() {
    let service = "lb service add web tcp:203.0.113.10:443";
    for (line, said) in [
        (
            "lb service add web tcp:203.0.113.10".to_owned(),
            "invalid value 'tcp:203.0.113.10' for '<ADDRESS>': \"tcp:203.0.113.10\" is not a \
             service address, such as tcp:203.0.113.10:443, udp:[2001:db8::10]:53, or \
             tcp:203.0.113.10:* for every port",
        ),
        (
            format!("{service} --scheduler best"),
            "invalid value 'best' for '--scheduler <SCHEDULER>' [possible values: \
             maglev, rr, wrr, lc, wlc, sh, p2c]",
        ),
        (
            format!("{service} --check tcp --check-interval 5"),
            "invalid value '5' for '--check-interval <TIME>': allowed is a time with its unit, \
             such as 2s or 500ms",
        ),
        (
            format!("{service} --check tcp --check-timeout 3s"),
            "--check: timeout 3s is not allowed: above 0s, at most the interval 2s",
        ),
        (format!("{service} --check tcp --check-path /"), "--check-path is for --check http alone"),
        (
            format!("{service} --rise 2"),
            "the following required arguments were not provided: --check <TYPE>",
        ),
        (
            "lb service set web".to_owned(),
            "nothing to set: name a setting, such as --scheduler, --check or --no-check; `lb \
             service set --help` lists them",
        ),
        (
            "lb service set web --check tcp --no-check".to_owned(),
            "the argument '--check <TYPE>' cannot be used with '--no-check'",
        ),
        (
            "lb service add web tcp:203.0.113.10:* --check tcp".to_owned(),
            "--check-port is missing: a service for every port must say which one its check asks",
        ),
        (
            "lb backend set web 192.0.2.21".to_owned(),
            "nothing to set: name --weight, --backup, --no-backup, --max-flows or --no-max-flows",
        ),
        (
            "lb backend add web 192.0.2.21 --max-flows 0".to_owned(),
            "invalid value '0' for '--max-flows <N>': 0 is not in 1..=4294967295",
        ),
        (
            "lb backend drain web 192.0.2.21 --deadline 5m".to_owned(),
            "the following required arguments were not provided: --wait",
        ),
        (
            "lb stats --count 3".to_owned(),
            "the following required arguments were not provided: --rate",
        ),
        (
            "lb backend drain web".to_owned(),
            "the following required arguments were not provided: <ADDRESS>",
        ),
        (
            "lb sevice list".to_owned(),
            "unrecognized subcommand 'sevice'; tip: a similar subcommand exists: 'service'",
        ),
    ] {
        assert_eq!(complaint(&line), said, "{line}");
    }
}

#[test]
fn a_wrong_setting_of_flows_is_refused_with_what_is_allowed() {
    for (flags, said) in [
        (
            "--hash port",
            "'port' for '--hash <FIELDS>' [possible values: 5tuple, source, source+destination, source-port-free]",
        ),
        (
            "--affinity prefix4=33",
            "'prefix4=33' for '--affinity <NAME=VALUE,…>': prefix4: 33 is not allowed: 1 to 32",
        ),
        (
            "--affinity prefix6=many",
            "'prefix6=many' for '--affinity <NAME=VALUE,…>': prefix6: many is not allowed: 1 to 128",
        ),
        (
            "--affinity by=cookie",
            "'by=cookie' for '--affinity <NAME=VALUE,…>': by: \"cookie\" is not one of: address",
        ),
        (
            "--affinity timeout=9s",
            "'timeout=9s' for '--affinity <NAME=VALUE,…>': timeout: 9s is not allowed: 10s to 3h",
        ),
        (
            "--affinity prefix=24",
            "'prefix=24' for '--affinity <NAME=VALUE,…>': \"prefix\" is not one of: by, prefix4, prefix6, timeout",
        ),
        (
            "--affinity address",
            "'address' for '--affinity <NAME=VALUE,…>': \"address\" is not a name, '=' and a value",
        ),
        (
            "--affinity by=address,by=address",
            "'by=address,by=address' for '--affinity <NAME=VALUE,…>': by is stated twice",
        ),
        ("--idle syn=4h", "'syn=4h' for '--idle <NAME=TIME,…>': syn: 4h is not allowed: 10s to 3h"),
        (
            "--idle fin=1m",
            "'fin=1m' for '--idle <NAME=TIME,…>': \"fin\" is not one of: syn, established, closing, udp",
        ),
        (
            "--on-failure drop",
            "'drop' for '--on-failure <WHAT>' [possible values: move, reset, keep]",
        ),
        ("--on-drain reset", "'reset' for '--on-drain <WHAT>' [possible values: keep, move]"),
        ("--min-healthy 70000", "'70000' for '--min-healthy <N>': 70000 is not in 0..=65535"),
        ("--slow-start 2h", "'2h' for '--slow-start <TIME>': 2h is not allowed: 1s to 1h"),
        ("--min-primaries 0", "'0' for '--min-primaries <N>': 0 is not in 1..=65535"),
        ("--panic-threshold 300", "'300' for '--panic-threshold <PERCENT>': 300 is not in 0..=100"),
    ] {
        let line = format!("lb service set web {flags}");
        assert_eq!(complaint(&line), format!("invalid value {said}"), "{line}");
    }
    let udp = "lb service add dns udp:203.0.113.10:53";
    for (line, said) in [
        (
            format!("{udp} --on-failure reset"),
            "--on-failure \"reset\" is not for a UDP service, as it is a TCP RST: \"move\" or \"keep\"",
        ),
        (
            format!("{udp} --idle established=1h"),
            "--idle established is not for a UDP service: it has udp alone",
        ),
        (
            format!("{udp} --scheduler sh --hash 5tuple"),
            "--hash \"5tuple\" is not for scheduler \"sh\", which looks at the source alone: \"source\", or no hash",
        ),
    ] {
        assert_eq!(complaint(&line), said, "{line}");
    }
}

#[test]
fn a_wrong_number_is_told_what_is_allowed() {
    let service = "lb service add web tcp:203.0.113.10:443";
    for (line, said) in [
        (
            "lb backend add web 192.0.2.21 --weight 70000".to_owned(),
            "invalid value '70000' for '--weight <N>': allowed is a whole number from 0 to 65535",
        ),
        (
            "lb backend set web 192.0.2.21 --weight abc".to_owned(),
            "invalid value 'abc' for '--weight <N>': allowed is a whole number from 0 to 65535",
        ),
        (
            "lb stats --rate --count 0".to_owned(),
            "invalid value '0' for '--count <N>': allowed is a whole number from 1 to 4294967295",
        ),
        (
            "lb stats --rate --interval 1ms".to_owned(),
            "invalid value '1ms' for '--interval <TIME>': allowed is 100ms to 1h",
        ),
        (
            "lb decap attach eth0 --from here".to_owned(),
            "invalid value 'here' for '--from <ADDRESS>...': allowed is an address, such as \
             192.0.2.1 or 2001:db8::1",
        ),
        (
            format!("{service} --table-size many"),
            "invalid value 'many' for '--table-size <SLOTS>': allowed is a power of two from 32 to \
             1048576",
        ),
        (
            format!("{service} --check tcp --check-port 0"),
            "invalid value '0' for '--check-port <PORT>': allowed is a whole number from 1 to 65535",
        ),
        (
            format!("{service} --check http --check-expect 200,abc"),
            "invalid value 'abc' for '--check-expect <STATUS,…>': allowed is a whole number from \
             100 to 599",
        ),
        (
            format!("{service} --check tcp --rise x"),
            "invalid value 'x' for '--rise <N>': allowed is a whole number from 1 to 65535",
        ),
        (
            format!("{service} --check tcp --fall 0"),
            "invalid value '0' for '--fall <N>': allowed is a whole number from 1 to 65535",
        ),
        (
            format!("{service} --table-size 1000"),
            "invalid value '1000' for '--table-size <SLOTS>': allowed is a power of two from 32 to \
             1048576",
        ),
    ] {
        assert_eq!(complaint(&line), said, "{line}");
    }
}

#[test]
fn a_setting_is_called_by_flags_what_config_files_call_it() {
    let service = "lb service add web tcp:203.0.113.10:443 --scheduler wlc \
                   --hash source+destination --affinity prefix4=24,timeout=5m \
                   --idle established=30m,syn=30s --on-failure reset --on-drain move \
                   --min-healthy 2 --slow-start 90s --min-primaries 3 --panic-threshold 50";
    let Command::Once(Once::Service(Service::Add(add))) = parse(service).unwrap().command else {
        panic!()
    };
    let file = r#"
        [[service]]
        name = "web"
        address = "tcp:203.0.113.10:443"
        scheduler = "wlc"
        hash = "source+destination"
        affinity = { by = "address", prefix4 = 24, timeout = "5m" }
        idle = { established = "30m", syn = "30s" }
        on_failure = "reset"
        on_drain = "move"
        min_healthy = 2
        slow_start = "90s"
        min_primaries = 3
        panic_threshold = 50
    "#;
    let mut file = Config::parse("lb.toml", file).unwrap().desired;
    let name: ServiceName = "web".parse().unwrap();
    let service = file.services.remove(&name).unwrap();
    assert_eq!(add.change().unwrap(), Change::AddService { name, service });
}

#[test]
fn what_was_set_can_be_taken_back() {
    let back = "lb service set web --no-affinity --no-slow-start --idle default";
    let expected = ServiceSettings {
        affinity: Some(None),
        slow_start: Some(None),
        idle: Some(Idle::default()),
        ..ServiceSettings::default()
    };
    assert_eq!(settings(back), expected);
    for (line, expected) in [
        ("--no-backup", BackendSettings { backup: Some(false), ..BackendSettings::default() }),
        ("--backup", BackendSettings { backup: Some(true), ..BackendSettings::default() }),
        ("--no-max-flows", BackendSettings { max_flows: Some(None), ..BackendSettings::default() }),
    ] {
        let line = format!("lb backend set web 192.0.2.21 {line}");
        let Command::Once(Once::Backend(Backend::Set(set))) = parse(&line).unwrap().command else {
            panic!("{line}")
        };
        let Change::SetBackend { settings, .. } = set.change().unwrap() else { panic!("{line}") };
        assert_eq!(settings, expected, "{line}");
    }
}

#[test]
fn what_is_not_named_is_left_as_it_is() {
    let sized = settings("lb service set web --table-size 1024");
    assert_eq!(sized.table_size.map(u32::from), Some(1024));
    assert_eq!(ServiceSettings { table_size: None, ..sized }, ServiceSettings::default());
    assert_eq!(settings("lb service set web --no-check").check, Some(None));
}

#[test]
fn a_check_is_read_whole() {
    let line = "lb service set web --check http --check-port 8080 --check-path /healthz \
                --check-host web.example --check-expect 200,204 --check-interval 500ms \
                --check-timeout 200ms --rise 1 --fall 2";
    let check = settings(line).check.flatten().unwrap();
    assert_eq!(
        service::describe_check(&check),
        "http /healthz of web.example expects 200,204 port 8080 every 500ms timeout 200ms \
         rise 1 fall 2"
    );
}

#[test]
fn the_daemon_s_socket_can_be_named_before_or_after_the_command() {
    for line in ["lb --socket /tmp/x status", "lb status --socket /tmp/x"] {
        assert_eq!(parse(line).unwrap().socket.as_deref(), Some(Path::new("/tmp/x")));
    }
}

#[test]
fn each_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let line = format!("lb completions {shell}");
        let Command::Once(Once::Completions(completions)) = parse(&line).unwrap().command else {
            panic!()
        };
        assert!(completions.script().contains("drain"), "{shell}");
    }
}

#[tokio::test]
async fn what_the_daemon_refuses_is_told_apart_by_exit_codes() {
    let daemon = Daemon::start();
    let nowhere = daemon.socket().with_extension("none");
    for (socket, line, code) in [
        (daemon.socket(), "lb service remove missing", 3),
        (daemon.socket(), "lb service show mail", 3),
        (daemon.socket(), "lb backend list mail", 3),
        (daemon.socket(), "lb flows --service mail", 3),
        (daemon.socket(), "lb flows --backend 192.0.2.9", 3),
        (daemon.socket(), "lb flows --service web --backend 192.0.2.9", 3),
        (daemon.socket(), "lb service remove guarded", 4),
        (daemon.socket(), "lb service remove invalid", 1),
        (daemon.socket(), "lb service remove broken", 1),
        (nowhere, "lb service remove web", 5),
    ] {
        let Command::Once(once) = parse(line).unwrap().command else { panic!("{line}") };
        let failure = once.run(&Console::new(&socket, Output::Table)).await.unwrap_err();
        assert_eq!(failure.code(), code, "{line}: {failure}");
        if line.ends_with("mail") {
            let said = failure.sentence();
            assert_eq!(said, "service \"mail\" does not exist; there are: web", "{line}");
        }
    }
}
