//! ROM images of a program as files.

use crate::Result;
use empf_ir::Program;
use empf_ir::program::{PARAMETERS_MEM, SCHEDULE_MEM, WEIGHTS_MEM};
use empf_ir::rom::write_mem;
use empf_ir::store::temporary::{TemporaryFolder, remove_unfinished};

/// ROM images in a folder of their own, which is removed with this value.
pub(crate) struct Roms {
    folder: TemporaryFolder,
}

impl Roms {
    /// Writes the images of `program`.
    pub(crate) fn new(program: &Program) -> Result<Self> {
        let place = std::env::temp_dir();
        remove_unfinished(&place);
        let folder = TemporaryFolder::new_in(&place).map_err(|e| empf_ir::Error::io("create", place, e))?;
        let (arch, path) = (&program.arch, folder.path());
        write_mem(&path.join(WEIGHTS_MEM), &program.weights, arch.cols as u32)?;
        write_mem(&path.join(PARAMETERS_MEM), &program.parameters, arch.parameter_bits())?;
        write_mem(&path.join(SCHEDULE_MEM), &program.schedule(), 32)?;
        Ok(Roms { folder })
    }

    /// Plusargs that name the images to the Verilog.
    pub(crate) fn plusargs(&self) -> [String; 3] {
        [("weights", WEIGHTS_MEM), ("parameters", PARAMETERS_MEM), ("schedule", SCHEDULE_MEM)]
            .map(|(plusarg, file)| format!("+{plusarg}={}", self.folder.path().join(file).display()))
    }
}
