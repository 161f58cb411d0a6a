//! What the user sees while something takes long, on standard error.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Shows `message` while `work` runs: a spinner on a terminal, else one line.
pub(crate) fn during<T>(message: &str, work: impl FnOnce() -> T) -> T {
    let spinner = ProgressBar::new_spinner();
    spinner.set_message(message.to_owned());
    if spinner.is_hidden() {
        eprintln!("{message} ...");
    }
    spinner.enable_steady_tick(Duration::from_millis(100));
    let result = work();
    spinner.finish_and_clear();
    result
}

/// A bar over `length` samples with the time left; nothing where there is no terminal.
pub(crate) fn bar(length: usize, message: &str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(message.to_owned());
    bar
}
