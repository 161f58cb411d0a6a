//! How far a simulation is.

use std::ffi::c_void;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

/// Is told, now and then and after each inference, how many clock cycles a simulation has had, reset included.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(u64) + Send + Sync>);

impl Progress {
    /// Calls `tell` with the cycles so far.
    pub fn new(tell: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Progress(Arc::new(tell))
    }
}

impl Debug for Progress {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// The shim's way to a [`Progress`].
///
/// # Safety
/// `progress` is the address of one that is alive.
pub(super) unsafe extern "C" fn tell(progress: *const c_void, cycles: u64) {
    // SAFETY: as the caller promises.
    let progress = unsafe { &*progress.cast::<Progress>() };
    (progress.0)(cycles);
}
