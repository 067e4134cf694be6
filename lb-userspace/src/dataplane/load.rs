//! Loading a BPF object.

use std::{fs, path::Path};

use aya::{
    Ebpf, EbpfError, EbpfLoader, Pod,
    maps::MapInfo,
    programs::{ProgramError, Xdp},
};
use lb_common::wire::Wire;

use super::{DataplaneError, error::os_error, limits::Shape, pin};

/// Lets aya read and write the ABI's types.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Plain<T>(pub(super) T);

// SAFETY: a `Wire` type is plain bytes without padding, and this has its representation.
unsafe impl<T: Wire> Pod for Plain<T> {}

/// Loads an object's maps and one XDP program of it.
pub(super) fn load(
    loader: &mut EbpfLoader<'_>,
    object: &[u8],
    program: &str,
) -> Result<Ebpf, DataplaneError> {
    let mut ebpf = loader.load(object).map_err(|error| explain(error, program))?;
    xdp(&mut ebpf, program)?.load().map_err(|error| explain(error.into(), program))?;
    Ok(ebpf)
}

/// The XDP program of that name.
pub(super) fn xdp<'a>(ebpf: &'a mut Ebpf, program: &str) -> Result<&'a mut Xdp, DataplaneError> {
    let found = ebpf.program_mut(program).ok_or(ProgramError::UnexpectedProgramType);
    found.and_then(TryInto::try_into).map_err(DataplaneError::bpf(format!("program {program}")))
}

/// Keeps the loader from taking a pinned map of another shape: it is refused where a setting made
/// it so, and otherwise let go, for the program goes over to new maps as a whole.
pub(super) fn check_pinned(dir: &Path, shape: &Shape) -> Result<(), DataplaneError> {
    let path = dir.join(shape.name);
    if !path.exists() {
        return Ok(());
    }
    let info = MapInfo::from_pin(&path)
        .map_err(DataplaneError::bpf(format!("opening {}", path.display())))?;
    let entries = shape.entries.unwrap_or(info.max_entries());
    let pinned = (info.max_entries(), info.key_size(), info.value_size());
    let needed = (entries, shape.key, shape.value);
    if pinned == needed {
        return Ok(());
    }
    let Some(limit) = shape.limit else {
        return pin::remove(&path).map(drop);
    };
    Err(DataplaneError::OtherShape {
        map: shape.name,
        pinned: describe(pinned),
        needed: describe(needed),
        limit,
    })
}

fn describe((entries, key, value): (u32, u32, u32)) -> String {
    format!("{entries} entries of {key} + {value} bytes")
}

fn explain(error: EbpfError, program: &str) -> DataplaneError {
    // The verifier refuses by EACCES as well; but who lacks the permission does not get as far as it.
    if let EbpfError::ProgramError(ProgramError::LoadError { io_error, verifier_log }) = &error
        && let log = verifier_log.to_string()
        && (io_error.kind() != std::io::ErrorKind::PermissionDenied || !log.trim().is_empty())
    {
        log::debug!("the verifier on {program}:\n{log}");
        return old_kernel(io_error.to_string()).unwrap_or_else(|| DataplaneError::Refused {
            program: program.to_owned(),
            reason: format!("{} ({io_error})", last_word(&log)),
        });
    }
    let reason = os_error(&error).map_or_else(|| error.to_string(), ToString::to_string);
    match DataplaneError::bpf(format!("loading the program {program}"))(error) {
        DataplaneError::NotPermitted { action } => DataplaneError::NotPermitted { action },
        other => old_kernel(reason).unwrap_or(other),
    }
}

/// The verifier's reason is its last line before the statistics.
fn last_word(log: &str) -> &str {
    let lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    let said: Vec<&str> = lines.filter(|line| !line.starts_with("processed ")).collect();
    said.last().unwrap_or(&"no reason given")
}

/// Arrays in memory came with 5.5, links of XDP with 5.9, and compare-exchange in programs with
/// 5.12; 5.15 is the first with long-term support that has them all.
fn old_kernel(reason: String) -> Option<DataplaneError> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?.trim().to_owned();
    is_old(&release).then_some(DataplaneError::OldKernel { release, reason })
}

fn is_old(release: &str) -> bool {
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) < (5, 15),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_before_5_15_is_old() {
        assert!(is_old("5.10.0-46-amd64"));
        assert!(is_old("4.19.0"));
        assert!(!is_old("5.15.0"));
        assert!(!is_old("6.18.44-fc-v595"));
    }

    #[test]
    fn the_verifiers_reason_is_found_in_its_log() {
        let log = "0: R1=ctx()\n5: (bf) r2 = r3\nR3 !read_ok\nprocessed 6 insns (limit 1000000)\n";
        assert_eq!(last_word(log), "R3 !read_ok");
        assert_eq!(last_word(""), "no reason given");
    }
}
