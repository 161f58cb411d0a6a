//! Libraries that a model is linked with, as Verilator's own makefiles say; they differ from version to version.

use crate::tool::execute;
use crate::{Error, Result};
use empf_ir::store;
use std::path::Path;
use std::process::Command;

/// Prints what Verilator's makefiles link with.
const MAKEFILE: &str = "include Vdut.mk\nempf-libraries:\n\t@echo $(LDFLAGS) $(LDLIBS)\n";

/// Libraries by name, and the Debian packages with what a compiler needs of them.
const PACKAGES: [(&str, &str); 2] = [("lz4", "liblz4-dev"), ("z", "zlib1g-dev")];

/// Arguments for the linker behind the objects of the model whose makefile `Vdut.mk` is in `folder`.
pub(super) fn libraries(folder: &Path) -> Result<Vec<String>> {
    store::write(&folder.join("libraries.mk"), MAKEFILE.as_bytes())?;
    let mut make = Command::new("make");
    // Verilator's makefiles refuse a path with spaces, which matters for what they build alone.
    make.current_dir(folder).args(["-s", "--no-print-directory", "-f", "libraries.mk", "CURDIR=."]);
    make.env_remove("MAKEFLAGS").arg("empf-libraries");
    let printed = execute(&mut make, "make")?;
    Ok(printed.split_whitespace().map(str::to_owned).collect())
}

/// The error of a compiler or linker, which may be that a library is not installed.
pub(super) fn with_package(error: Error) -> Error {
    let Error::Tool { output, .. } = &error else { return error };
    let header = |library: &str| if library == "z" { "zlib.h".into() } else { format!("{library}.h") };
    let missing = PACKAGES.into_iter().find(|(library, _)| {
        output.contains(&format!("{}: No such file", header(library)))
            || output.lines().any(|line| line.ends_with(&format!("cannot find -l{library}")))
            || output.contains(&format!("cannot find -l{library}:"))
    });
    match missing {
        Some((library, package)) => Error::Library { library, package },
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn libraries_are_those_of_the_makefiles() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("with a space");
        fs::create_dir(&folder).unwrap();
        let makefile = "default:\n\tfalse\nifneq ($(words $(CURDIR)),1)\n$(error spaces)\nendif\n\
                        VM_TRACE_FST = 1\nifneq ($(VM_TRACE_FST),0)\n  LDLIBS += -lone -ltwo\nendif\n";
        fs::write(folder.join("Vdut.mk"), makefile).unwrap();
        assert_eq!(libraries(&folder).unwrap(), ["-lone", "-ltwo"]);
    }

    #[test]
    fn a_missing_library_is_named_with_its_package() {
        let message = |output: &str| {
            let error = Error::Tool { tool: "g++".into(), status: "1".into(), output: output.into() };
            with_package(error).to_string()
        };
        let install = "install it with `apt-get install liblz4-dev`";
        assert!(message("a.cpp:1:10: fatal error: lz4.h: No such file or directory").contains(install));
        assert!(message("/usr/bin/ld: cannot find -llz4: No such file or directory").contains(install));
        assert!(message("/usr/bin/ld: cannot find -lz").contains("zlib1g-dev"));
        assert!(message("cannot find -lzebra").starts_with("`g++` failed"));
    }
}
