//! Planted faults: each must be seen, and its first mismatch must name the place where it was planted.

use crate::case::{Case, CaseInput, Conv, Layer, accelerator};
use crate::plant::{Fault, Misfit};
use crate::suite::{Failure, Outcome, Suite, compile, hold, inputs};
use empf_hw::emit::EmitError;
use empf_ir::isa::{Array, LaneParameters, Task};
use empf_ir::{ArchConfig, Program, QuantNetwork};
use empf_sim::verilator::{Accelerator, Options, Purpose};
use empf_sim::{Engine, Icarus, Interpreter, Mismatch};
use std::fmt;

/// A fault that was located.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// What was planted.
    pub fault: String,
    /// The engine that ran with it.
    pub engine: String,
    /// The first element that differs from the golden model.
    pub first: Mismatch,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}\n    {} differs from golden in {}", self.fault, self.engine, self.first)
    }
}

/// Why a fault was not located.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The faulty engine equals the golden model.
    #[error("not seen: {0}")]
    Unseen(String),
    /// The first mismatch is somewhere else.
    #[error("planted in {planted}, but located elsewhere: {located}")]
    Misplaced {
        /// Layer, and channel and step where they are determined.
        planted: String,
        /// What was found.
        located: Box<Located>,
    },
    /// The emitted Verilog has changed.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The network in which it was seen does not shrink.
    #[error("{fault}: the network that shows it does not shrink below {layers} layers")]
    Large {
        /// What was planted.
        fault: String,
        /// Fewest layers.
        layers: usize,
    },
    /// Something failed for another reason.
    #[error(transparent)]
    Failed(#[from] Failure),
}

type Result<T> = std::result::Result<T, FaultError>;

impl From<empf_sim::Error> for FaultError {
    fn from(error: empf_sim::Error) -> Self {
        FaultError::Failed(error.into())
    }
}

impl From<EmitError> for FaultError {
    fn from(error: EmitError) -> Self {
        FaultError::Failed(error.into())
    }
}

/// Where a fault must be found.
struct Place {
    layer: &'static str,
    channel: Option<usize>,
    time_step: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "layer `{}`", self.layer)?;
        self.channel.map_or(Ok(()), |channel| write!(f, ", channel {channel}"))?;
        self.time_step.map_or(Ok(()), |step| write!(f, ", time-step {step}"))
    }
}

/// The layer into whose ROM words faults are planted: the second, so that the layer before it is right.
const LAYER: &str = "spike2";

/// Two convolutions and a pooling layer on the smallest array.
fn case() -> Case {
    let conv = |channels, stride, sign| {
        Layer::Conv(Conv {
            channels,
            kernel: 3,
            stride,
            padding: 1,
            sign,
            parallel: false,
            offset: true,
            shortcut: None,
            attention: None,
        })
    };
    Case {
        seed: 1,
        arch: accelerator([4, 4], 8),
        time_steps: 4,
        input: CaseInput { channels: 2, height: 7, width: 7, is_static: true, zero_point: 3.into() },
        layers: vec![conv(6, 1, false), conv(7, 2, true), Layer::Pool { kernel: [2; 2], stride: [2; 2] }],
        classes: 3,
    }
}

/// The descriptor of [`LAYER`].
fn descriptor(program: &Program) -> &Array {
    let array = program.steps.iter().find_map(|step| match &step.task {
        Task::Array(array) if step.node == LAYER => Some(array),
        _ => None,
    });
    array.expect("the case has this layer")
}

/// Holds `result`, that of an engine with the fault, to the place where the fault is.
fn located(fault: &str, place: &Place, result: crate::Result<Outcome>) -> Result<Located> {
    let (engine, comparison) = match result {
        Ok(_) => return Err(FaultError::Unseen(fault.into())),
        Err(Failure::Differs { engine, comparison }) => (engine, comparison),
        Err(failure) => return Err(failure.into()),
    };
    let first = comparison.first.ok_or_else(|| FaultError::Unseen(fault.into()))?;
    let is_right = first.layer == place.layer
        && place.channel.is_none_or(|channel| channel == first.channel)
        && place.time_step.is_none_or(|step| step == first.time_step);
    let located = Located { fault: fault.into(), engine, first };
    if is_right {
        Ok(located)
    } else {
        Err(FaultError::Misplaced { planted: place.to_string(), located: Box::new(located) })
    }
}

/// Locates a fault of `program` in the interpreter and in Verilator.
fn in_both(fault: &str, place: &Place, network: &QuantNetwork, program: &Program) -> Result<Vec<Located>> {
    let suite = Suite::shared(&case().arch)?;
    let engines: [Box<dyn Engine>; 2] = [
        Box::new(Interpreter::new(program)?),
        Box::new(suite.verilog().engine(program, Options::default())?),
    ];
    in_each(fault, place, network, engines)
}

fn in_each<'a>(
    fault: &str,
    place: &Place,
    network: &'a QuantNetwork,
    engines: [Box<dyn Engine + 'a>; 2],
) -> Result<Vec<Located>> {
    engines
        .into_iter()
        .map(|engine| located(fault, place, hold(network, &inputs(&case()), vec![engine])))
        .collect()
}

/// One bit of the weight ROM flips. The neuron hides some weights; the first is taken that it does not.
pub fn flipped_weight() -> Result<Vec<Located>> {
    let (network, program) = compile(&case())?;
    let base = descriptor(&program).stream.weight_base as usize;
    let ArchConfig { rows, cols: columns, .. } = case().arch;
    for (row, channel) in (0..rows).flat_map(|row| (0..columns).map(move |channel| (row, channel))) {
        let mut faulty = program.clone();
        faulty.weights[base + row] ^= 1 << channel;
        let fault = format!("bit {channel} of weight ROM word {} flipped", base + row);
        let place = Place { layer: LAYER, channel: Some(channel), time_step: None };
        match in_both(&fault, &place, &network, &faulty) {
            Err(FaultError::Unseen(_)) => {}
            result => return result,
        }
    }
    Err(FaultError::Unseen("no bit of a weight tile".into()))
}

/// The threshold of one channel in one step changes its sign bit.
pub fn changed_theta() -> Result<Vec<Located>> {
    let (network, mut program) = compile(&case())?;
    let (channel, step) = (2, 1);
    let lane = step * program.arch.lanes + channel;
    let theta = LaneParameters::unpack([0, 1, 2, 3, 4]).theta;
    let word =
        descriptor(&program).drain.parameter_base as usize + lane * LaneParameters::<()>::WORDS + theta;
    program.parameters[word] ^= 1 << (program.arch.membrane_bits - 1);
    let fault = format!("sign of parameter ROM word {word}, a theta, changed");
    let place = Place { layer: LAYER, channel: Some(channel), time_step: Some(step) };
    in_both(&fault, &place, &network, &program)
}

const SHORT_STRIDE: Fault = Fault {
    module: "empf_stream",
    right: "? present_row_step : present_x_step)",
    wrong: "? present_row_step : present_x_step - 1'd1)",
};

/// The stream unit steps one word too short from a position to the next of its row.
pub fn off_by_one_stride() -> Result<Vec<Located>> {
    let (network, program) = compile(&case())?;
    let text = empf_hw::emit_accelerator(&program.arch)?;
    let faulty = SHORT_STRIDE.plant(&text)?;
    let accelerator = Accelerator::build(&faulty, &program.arch, Purpose::Check)?;
    let engines: [Box<dyn Engine>; 2] = [
        Box::new(accelerator.engine(&program, Options::default())?),
        Box::new(Icarus::new(&faulty, &program)?),
    ];
    // The first layer walks rows too.
    let place = Place { layer: "spike1", channel: None, time_step: None };
    in_each("x_step - 1 in the Verilog of the stream unit", &place, &network, engines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use empf_sim::RustHdl;
    use empf_sim::compare::Seen;

    #[test]
    fn a_fault_elsewhere_is_not_located() {
        let (network, mut program) = compile(&case()).unwrap();
        program.parameters[3] ^= 1 << (program.arch.membrane_bits - 1);
        let place = Place { layer: LAYER, channel: None, time_step: None };
        let error = in_both("theta of another layer", &place, &network, &program).unwrap_err();
        assert!(error.to_string().contains("planted in layer `spike2`, but located elsewhere"), "{error}");
        assert!(error.to_string().contains("layer `spike1`"), "{error}");
        let (network, program) = compile(&case()).unwrap();
        let error = in_both("none", &place, &network, &program).unwrap_err();
        assert_eq!(error.to_string(), "not seen: none");
    }

    /// The cycle and the record of each element, by two simulators that know nothing of each other.
    #[test]
    fn simulators_agree_on_where_values_come_from() {
        let (network, program) = compile(&case()).unwrap();
        let suite = Suite::shared(&case().arch).unwrap();
        let options = Options { probe: true, ..Options::default() };
        let mut verilator = suite.verilog().engine(&program, options).unwrap();
        let mut rust_hdl = RustHdl::new(&program, 1).unwrap();
        let input = &inputs(&case())[0];
        let trace = verilator.run(input).unwrap();
        rust_hdl.run(input).unwrap();
        let results = trace.tensors.iter().map(|of| (Seen::Result, of));
        let mut seen = 0;
        for (place, (layer, tensor)) in results.chain(trace.lanes.iter().map(|of| (Seen::Lanes, of))) {
            for ((time_step, channel, y, x), _) in tensor.indexed_iter() {
                let (layer, origin) = (layer.clone(), None);
                let element =
                    Mismatch { layer, seen: place, time_step, channel, y, x, expected: 0, got: 0, origin };
                let origin = verilator.origin(&element).unwrap();
                assert!(origin.cycle.is_some(), "{element}");
                assert_eq!(rust_hdl.origin(&element), Some(origin), "{element}");
                seen += 1;
            }
        }
        assert!(trace.lanes.len() == network.nodes.len() - 2 && seen > 5_000, "{seen}");
    }
}
