//! What a verb prints.

use crate::error::{Error, Result};
use std::io::{ErrorKind, Write};

/// Prints `text` and a line feed. Nobody reading any more is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::file("standard output", e)),
        _ => Ok(()),
    }
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or_default().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// A number of bytes, in thousands or millions where it is large.
pub(crate) fn bytes(bytes: f64) -> String {
    match bytes {
        ..1e3 => format!("{bytes} B"),
        ..1e6 => format!("{:.3} kB", bytes / 1e3),
        _ => format!("{:.3} MB", bytes / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        assert_eq!(grouped(7usize), "7");
        assert_eq!(grouped(1_234_567u64), "1 234 567");
        assert_eq!(grouped(123u32), "123");
    }

    #[test]
    fn bits_are_given_in_bytes() {
        assert_eq!(bytes(1.5), "1.5 B");
        assert_eq!(bytes(1234.0), "1.234 kB");
        assert_eq!(bytes(2_817_000.0), "2.817 MB");
    }
}
