//! Runs a case on every engine.

use crate::case::Case;
use empf_ir::{ArchConfig, Program, QuantNetwork};
use empf_sim::verilator::{Accelerator, Options, Purpose};
use empf_sim::{
    Comparison, Engine, GoldenEngine, Icarus, IntegerEngine, Interpreter, RustHdl, adopt, examine,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Inferences of a case; the second finds the memories as the first has left them.
const INFERENCES: u64 = 2;

/// Why a case failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The compiler refused the network.
    #[error("the compiler refuses the case: {0}")]
    Compiler(#[from] empf_compiler::Error),
    /// The accelerator has no Verilog.
    #[error("the accelerator cannot be emitted: {0}")]
    Hardware(#[from] empf_hw::emit::EmitError),
    /// An engine failed.
    #[error(transparent)]
    Engine(#[from] empf_sim::Error),
    /// An engine differs from the golden model.
    #[error("{engine} differs from golden: {comparison}")]
    Differs {
        /// The engine.
        engine: String,
        /// How it differs.
        comparison: Box<Comparison>,
    },
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Failure>;

/// What a case that passed was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Tensor elements compared, over all engines and inferences.
    pub elements: usize,
    /// Those of them that are currents and spikes in the neuron lanes.
    pub in_lanes: usize,
    /// Cycles of an inference.
    pub cycles: u64,
}

/// Cases on one accelerator, built once.
#[derive(Clone)]
pub struct Suite {
    text: String,
    verilog: Accelerator,
}

impl Suite {
    /// Emits and verilates the accelerator of `arch`, for short simulations.
    pub fn new(arch: &ArchConfig) -> Result<Self> {
        Self::built(arch, Purpose::Check)
    }

    /// As [`Suite::new`], for long simulations.
    pub fn fast(arch: &ArchConfig) -> Result<Self> {
        Self::built(arch, Purpose::Speed)
    }

    fn built(arch: &ArchConfig, purpose: Purpose) -> Result<Self> {
        let text = empf_hw::emit_accelerator(arch)?;
        Ok(Suite { verilog: Accelerator::build(&text, arch, purpose)?, text })
    }

    /// The suite of `arch`, made once in this process.
    pub fn shared(arch: &ArchConfig) -> Result<Self> {
        type Slot = Arc<Mutex<Option<Suite>>>;
        static SUITES: Mutex<BTreeMap<String, Slot>> = Mutex::new(BTreeMap::new());
        let slot = lock(&SUITES).entry(format!("{arch:?}")).or_default().clone();
        let mut suite = lock(&slot);
        match &*suite {
            Some(suite) => Ok(suite.clone()),
            None => Ok(suite.insert(Suite::new(arch)?).clone()),
        }
    }

    /// Verilog of the accelerator.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The accelerator in Verilator.
    pub fn verilog(&self) -> &Accelerator {
        &self.verilog
    }

    /// Runs `case` on trainer, interpreter and Verilator; it must be a case of this suite's architecture.
    pub fn run(&self, case: &Case) -> Result<Outcome> {
        let (network, program) = compile(case)?;
        let mut engines = schedule_engines(&network, &program)?;
        engines.push(Box::new(self.verilog.engine(&program, options(case))?));
        hold(&network, &inputs(case), engines)
    }

    /// Runs a network and its program of this suite's architecture on the same engines; the lanes are looked at.
    pub fn run_network(
        &self,
        network: &QuantNetwork,
        program: &Program,
        inputs: &[Vec<u8>],
    ) -> Result<Outcome> {
        let mut engines = schedule_engines(network, program)?;
        engines.push(Box::new(self.verilog.engine(program, Options { probe: true, ..Options::default() })?));
        hold(network, inputs, engines)
    }

    /// Runs `case` on trainer, interpreter, Verilator, Icarus Verilog and RustHDL; for small cases on a small array.
    pub fn run_everywhere(&self, case: &Case) -> Result<Outcome> {
        let (network, program) = compile(case)?;
        let mut engines = schedule_engines(&network, &program)?;
        engines.push(Box::new(self.verilog.engine(&program, options(case))?));
        engines.push(Box::new(Icarus::new(&self.text, &program)?));
        engines.push(Box::new(RustHdl::new(&program, case.seed)?));
        hold(&network, &inputs(case), engines)
    }
}

/// Registers and memories start at values of the case's seed, and the lanes are looked at.
pub(crate) fn options(case: &Case) -> Options {
    Options { power_up_seed: case.seed as u32, probe: true, ..Options::default() }
}

/// A test that panicked leaves nothing half done behind the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Runs a network and its program on the engines that need no Verilog, with inputs `[frame][y][x][channel]`.
pub fn run_network(network: &QuantNetwork, program: &Program, inputs: &[Vec<u8>]) -> Result<Outcome> {
    hold(network, inputs, schedule_engines(network, program)?)
}

/// The inputs that a case runs with.
pub(crate) fn inputs(case: &Case) -> Vec<Vec<u8>> {
    (0..INFERENCES).map(|index| case.input(index)).collect()
}

/// Runs `case` on the engines that need no Verilog.
pub fn run_schedule(case: &Case) -> Result<Outcome> {
    let (network, program) = compile(case)?;
    run_network(&network, &program, &inputs(case))
}

/// Runs `case` on trainer, interpreter and RustHDL's simulator, which needs no C++ compiler; for small cases.
pub fn run_description(case: &Case) -> Result<Outcome> {
    let (network, program) = compile(case)?;
    let mut engines = schedule_engines(&network, &program)?;
    engines.push(Box::new(RustHdl::new(&program, case.seed)?));
    hold(&network, &inputs(case), engines)
}

/// The network of `case` and its program.
pub fn compile(case: &Case) -> Result<(QuantNetwork, Program)> {
    let network = case.network();
    let program = empf_compiler::lower(&network, &case.arch)?;
    Ok((network, program))
}

fn schedule_engines<'a>(
    network: &'a QuantNetwork,
    program: &'a Program,
) -> Result<Vec<Box<dyn Engine + 'a>>> {
    Ok(vec![Box::new(IntegerEngine::new(network)?), Box::new(Interpreter::new(program)?.probed())])
}

/// Holds `engines` to the golden model of `network` on `inputs`, and their cycles to each other.
pub(crate) fn hold<'a>(
    network: &'a QuantNetwork,
    inputs: &[Vec<u8>],
    mut engines: Vec<Box<dyn Engine + 'a>>,
) -> Result<Outcome> {
    let mut golden = GoldenEngine::new(network);
    let order: Vec<&str> = network.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut outcome = Outcome::default();
    for input in inputs {
        let mut expected = golden.run(input)?;
        for engine in &mut engines {
            let (comparison, got) = examine(engine.as_mut(), input, &order, &expected)?;
            if !comparison.is_equal() {
                let (engine, comparison) = (engine.name().to_owned(), Box::new(comparison));
                return Err(Failure::Differs { engine, comparison });
            }
            outcome.elements += comparison.compared();
            outcome.in_lanes += comparison.in_lanes();
            adopt(&mut expected, got);
        }
        outcome.cycles = expected.cycles.unwrap_or_default();
    }
    Ok(outcome)
}
