//! A program's description or a ROM image is damaged or random; of what can be read the cycles are predicted.
#![no_main]

use empf_fuzz::small::{PROGRAM, with_damage};
use empf_fuzz::with_files;
use empf_ir::Program;
use empf_sim::Interpreter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    with_files(&with_damage(&PROGRAM, input), |folder| {
        if let Ok(program) = Program::load(folder) {
            let _ = Interpreter::new(&program).map(|interpreter| interpreter.predicted_cycles());
        }
    });
});
