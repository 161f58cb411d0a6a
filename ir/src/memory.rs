//! Whether there is memory for what a user asks for.

use crate::{Error, Result};

/// The system has `bytes` of memory for `what`; it is asked before work begins, and keeps them.
///
/// # Errors
/// How much `what` would take, where the system refuses it.
pub fn check(what: &str, bytes: u64) -> Result<()> {
    let is_there =
        usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
    match is_there {
        true => Ok(()),
        false => {
            let gigabytes = bytes.div_ceil(1_000_000_000);
            let message = format!("would take {gigabytes} GB of memory, which this machine does not have");
            Err(Error::invalid(what, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_no_machine_has_is_refused() {
        check("a page", 4096).unwrap();
        for bytes in [1 << 55, u64::MAX] {
            let error = check("the network", bytes).unwrap_err().to_string();
            assert!(error.starts_with("the network: would take "), "{error}");
        }
    }
}
