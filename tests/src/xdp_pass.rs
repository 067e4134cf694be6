//! The smallest XDP program: it passes every packet.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use nix::net::if_::if_nametoindex;

/// `r0 = XDP_PASS; exit`, as the kernel's eight-byte instructions.
const PROGRAM: [u64; 2] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct ProgramLoad {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
}

/// The head of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

/// Links live as long as this process: an interface that goes away empties its link by itself.
static LINKS: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Attaches the program to an interface of the calling thread's network, in the driver.
pub(crate) fn attach(interface: &str) -> Result<()> {
    let interface_index =
        if_nametoindex(interface).with_context(|| format!("no interface {interface}"))?;
    let program = load().context("load XDP_PASS")?;
    let link = LinkCreate {
        program: program.as_raw_fd().cast_unsigned(),
        interface: interface_index,
        attach_type: BPF_XDP,
        flags: XDP_FLAGS_DRV_MODE,
    };
    let link =
        bpf(BPF_LINK_CREATE, &link).with_context(|| format!("attach XDP_PASS to {interface}"))?;
    LINKS.lock().unwrap_or_else(PoisonError::into_inner).push(link);
    Ok(())
}

fn load() -> io::Result<OwnedFd> {
    let load = ProgramLoad {
        program_type: BPF_PROG_TYPE_XDP,
        instruction_count: PROGRAM.len() as u32,
        instructions: PROGRAM.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
    };
    bpf(BPF_PROG_LOAD, &load)
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    let attributes: *const T = attributes;
    // SAFETY: the attributes are the head of `union bpf_attr` for this command, of the size given;
    // the kernel takes the rest as zeros and only reads.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    let file = unsafe { File::from_raw_fd(fd as i32) };
    Ok(file.into())
}
