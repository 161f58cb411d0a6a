//! What networks are called.

use crate::printable::is_printable;
use crate::{Error, Result};

/// Most characters of a name.
pub(crate) const MAX_NAME: usize = 255;

/// The name of a network fits into a line.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let wrong = |what: String| Err(Error::invalid("name", what));
    if !is_printable(name) {
        return wrong(format!("{name:?} is no name that can be printed"));
    }
    match name.chars().count() {
        ..=MAX_NAME => Ok(()),
        count => wrong(format!("has {count} characters, not {MAX_NAME} at most")),
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn a_name_fits_into_a_line() {
        assert!(check_name("größer").is_ok() && check_name(&"a".repeat(255)).is_ok());
        for name in ["", "a\nb", &"a".repeat(256)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
