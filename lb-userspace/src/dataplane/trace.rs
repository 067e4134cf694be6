//! What the program that traces has to tell.

use aya_log::EbpfLogger;
use tokio::io::{Interest, unix::AsyncFd};

use super::{Dataplane, DataplaneError, open::TRACED};

/// The lines of a program that traces, on their way to the log.
pub struct Trace {
    logger: AsyncFd<EbpfLogger<&'static dyn log::Log>>,
}

impl Dataplane {
    /// What the program has to tell; none when it does not trace, or was asked before. To be called
    /// within a Tokio runtime.
    pub fn take_trace(&mut self) -> Result<Option<Trace>, DataplaneError> {
        if self.program != TRACED.name {
            return Ok(None);
        }
        let logger = EbpfLogger::init(&mut self.loaded).map_err(DataplaneError::bpf("tracing"))?;
        // SAFETY: the logger owns its descriptor, and has the same one to its end.
        let logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
        let logger = logger.map_err(|error| DataplaneError::io("tracing")(error.into_parts().1))?;
        Ok(Some(Trace { logger }))
    }
}

impl Trace {
    /// Writes to the log what there is and what comes.
    pub async fn run(mut self) {
        loop {
            match self.logger.readable_mut().await {
                Ok(mut ready) => {
                    ready.get_inner_mut().flush();
                    ready.clear_ready();
                }
                Err(error) => return log::error!("the trace ends here: {error}"),
            }
        }
    }
}
