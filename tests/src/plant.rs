//! Faults in the text of the emitted Verilog.

/// A text of a module, and the wrong one that takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) module: &'static str,
    pub(crate) right: &'static str,
    pub(crate) wrong: &'static str,
}

/// The Verilog has changed, and a fault no longer fits it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{right}` is not once in the module `{module}` of the Verilog: adapt the fault to the unit")]
pub struct Misfit {
    right: &'static str,
    module: &'static str,
}

impl Fault {
    /// `verilog` with the fault in its module, in exactly one place.
    pub(crate) fn plant(&self, verilog: &str) -> Result<String, Misfit> {
        let Fault { module, right, wrong } = *self;
        let start = verilog.find(&format!("module {module} (")).unwrap_or(verilog.len());
        let end = verilog[start..].find("endmodule").map_or(verilog.len(), |length| start + length);
        let text = &verilog[start..end];
        if text.matches(right).count() != 1 {
            return Err(Misfit { right, module });
        }
        Ok([&verilog[..start], &text.replace(right, wrong), &verilog[end..]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_planted_once_and_in_its_module() {
        let fault = Fault { module: "b", right: "+ 1", wrong: "+ 2" };
        let verilog = |text: &str| {
            format!("module a (\n+ 1\nendmodule\nmodule b (\n{text}\nendmodule\nmodule c (\n+ 1\n")
        };
        assert_eq!(fault.plant(&verilog("x + 1")).unwrap(), verilog("x + 2"));
        for misfit in ["x", "x + 1 + 1"] {
            assert!(fault.plant(&verilog(misfit)).is_err());
        }
        assert!(fault.plant("module a (\n+ 1\nendmodule\n").is_err());
    }
}
