//! The service's own threads.

use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};

use crate::error::{Error, ErrorKind};

/// A runtime that does not depend on the caller's: the runtime of a test ends with the test, and a client that blocks
/// its only thread must not block the service. Dropping it ends its tasks, and waits for their end.
#[derive(Debug)]
pub(crate) struct OwnRuntime {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl OwnRuntime {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).thread_name("keyspaces-local").enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::new(ErrorKind::Gateway, "the threads of the service could not be started").with_source(error)
        })?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Blocks until the work is done or the time limit has passed. It can be called inside and outside of a runtime.
    pub(crate) fn block_on(
        &self,
        timeout: Duration,
        work: impl Future<Output = Result<(), Error>> + Send,
    ) -> Result<(), Error> {
        let late = || Err(Error::new(ErrorKind::Gateway, format!("the service did not stop within {timeout:?}")));
        // A thread of a runtime must not block on another runtime.
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let work = async { tokio::time::timeout(timeout, work).await };
                self.handle.block_on(work).unwrap_or_else(|_| late())
            });
            waiting.join().unwrap_or_else(|_| late())
        })
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        // A runtime must not be dropped on a thread of another runtime, where this usually runs.
        let end = thread::Builder::new().spawn(move || runtime.shutdown_timeout(Duration::from_secs(5)));
        if let Ok(end) = end {
            let _ = end.join();
        }
    }
}
