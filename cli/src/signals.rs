//! Signals that end the command leave nothing unfinished.

use empf_ir::store::temporary;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io;
use std::thread;

/// From now on, the signals that people and systems end a command with first remove what is half written. A file that
/// is complete stays, so that a run can go on from its checkpoint.
pub(crate) fn watch() -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            temporary::remove_all();
            let _ = emulate_default_handler(signal);
        }
    })?;
    Ok(())
}
