//! The `lb` binary as a shell runs it.

use std::process::{Command, Output, Stdio};

fn lb(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lb"));
    command.args(arguments).env_remove("LB_SOCKET").stdin(Stdio::null());
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = lb(&["completions", "bash"]).stdout(writer).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stderr(&output), "");
}

#[test]
fn an_error_is_one_line_on_stderr_and_nothing_on_stdout() {
    let missing = ["--socket", "/nonexistent/lb.sock", "status"];
    for (arguments, code, says) in [
        (&["service", "add", "-x"][..], 2, "unexpected argument '-x' found"),
        (&["backend", "set", "web", "192.0.2.21", "--weight", "many"], 2, "'--weight <N>'"),
        (&missing, 5, "no lb daemon answers on /nonexistent/lb.sock"),
    ] {
        let output = lb(arguments).env("RUST_BACKTRACE", "1").output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let said = stderr(&output);
        assert!(said.starts_with("lb: ") && said.contains(says), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
