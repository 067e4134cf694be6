//! `cargo xtask vm`: the tests that meet the kernel's verifier, in other kernels than this
//! machine's.

mod archive;
mod guest;
mod kernel;
mod machine;

use anyhow::{Result, ensure};

use self::{guest::Guest, kernel::Kernel, machine::Ending};
use crate::{setup, step};

/// The kernels of Debian 12, the oldest first.
const KERNELS: [&str; 2] = ["6.1", "6.12"];

/// Boot other kernels in QEMU, and run the packet and data path tests in them.
#[derive(clap::Args)]
pub(crate) struct Vm {
    /// A version of Debian's kernel, such as 6.1 or 6.1.0-56; may be given more than once
    #[arg(long = "kernel", value_name = "VERSION", default_values = KERNELS)]
    kernels: Vec<String>,
    /// How long each kernel may take
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    seconds: u32,
    /// Part of the names of the tests to run; all of them unless given
    filter: Option<String>,
}

impl Vm {
    /// Sets the machine up, builds, and boots one kernel after another.
    pub(crate) fn run(&self) -> Result<()> {
        ensure!(cfg!(target_arch = "x86_64"), "Debian's kernels are booted on x86-64 only");
        setup::run()?;
        setup::for_vm()?;
        let kernels = self.kernels.iter().map(|version| Kernel::fetch(version));
        let kernels = kernels.collect::<Result<Vec<_>>>()?;
        step::say("building");
        let guest = Guest::build(self.filter.as_deref())?;
        let mut failed = Vec::new();
        for kernel in kernels {
            step::say(&format!("booting Linux {}", kernel.release));
            match machine::boot(&kernel, &guest.archive(&kernel)?, self.seconds)? {
                Ending::Passed => step::say(&format!("Linux {}: passed", kernel.release)),
                Ending::Failed(why) => failed.push(format!("Linux {}: {why}", kernel.release)),
            }
        }
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(())
    }
}
