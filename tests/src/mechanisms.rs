//! A planted fault in each mechanism of the accelerator besides convolution and neuron: each must be seen in a drawn
//! network of several layers, located by layer, unit and clock cycle, and the network must shrink.

use crate::case::{Case, Conv, Layer, Shortcut, accelerator};
use crate::faults::{FaultError, Located};
use crate::minimise::minimise;
use crate::plant::Fault;
use crate::suite::{Failure, compile, hold, inputs, options};
use empf_ir::ArchConfig;
use empf_ir::isa::Unit;
use empf_sim::origin::Origin;
use empf_sim::verilator::{Accelerator, Purpose};
use empf_sim::{Engine, Interpreter, Mismatch};
use std::fmt;

/// Fewest layers of a network into whose accelerator a fault is planted, and most of what it shrinks to.
const LAYERS: [usize; 2] = [4, 2];
/// Most vectors of a case.
const VECTORS: usize = 1_000;
/// Seeds among which networks are looked for.
const SEEDS: u64 = 3_000;
/// Networks in which a fault may hide: clamped spikes and saturated currents do that.
const TRIES: usize = 12;

/// A mechanism, and a fault in it.
pub struct Mechanism {
    name: &'static str,
    fault: Fault,
    /// A network has it.
    is_in: fn(&Case) -> bool,
    /// How the names of the nodes begin that show the fault first.
    node: &'static str,
    /// The unit that gives the first wrong value.
    unit: Unit,
}

/// A fault of each mechanism.
pub const MECHANISMS: [Mechanism; 8] = [
    Mechanism {
        name: "identity shortcut",
        fault: Fault {
            module: "empf_drain",
            right: "first_position ? shortcut_step : out_blocks",
            wrong: "first_position ? shortcut_step : out_blocks + 1'd1",
        },
        is_in: |case| has_shortcut(case, |shortcut| shortcut.windows.is_none() && !shortcut.scaled),
        node: "widen",
        unit: Unit::Drain,
    },
    Mechanism {
        name: "1x1 +-1 convolution as a shortcut",
        fault: Fault {
            module: "empf_drain",
            right: "second_entry <= entry + shortcut_entry",
            wrong: "second_entry <= shortcut_entry",
        },
        is_in: |case| {
            has_shortcut(case, |shortcut| shortcut.windows.is_some_and(|windows| windows.kernel == 1))
        },
        node: "short",
        unit: Unit::Drain,
    },
    Mechanism {
        name: "gains of version II on a shortcut",
        fault: Fault {
            module: "empf_neuron_lane",
            right: "second_mantissa <= second_mantissa_i;",
            wrong: "second_mantissa <= second_mantissa_i & 16'hff00;",
        },
        is_in: |case| {
            has_shortcut(case, |shortcut| shortcut.scaled) && !has_shortcut(case, |shortcut| !shortcut.scaled)
        },
        node: "scale",
        unit: Unit::Drain,
    },
    Mechanism {
        name: "maximum pooling",
        fault: Fault { module: "empf_pool", right: "< code_0)", wrong: "> code_0)" },
        is_in: |case| case.layers.iter().any(|layer| matches!(layer, Layer::MaxPool { kernel: 2.., .. })),
        node: "pool",
        unit: Unit::Pool,
    },
    Mechanism {
        name: "SECA-I: attention in front of a shortcut",
        fault: Fault {
            module: "empf_attention",
            right: ": 1'd1}, window_sign_3};",
            wrong: ": 1'd1}, ~window_sign_3};",
        },
        is_in: |case| {
            has_conv(case, |conv| {
                conv.shortcut.is_none()
                    && conv.attention.is_some_and(|attention| attention.shortcut.is_some())
            })
        },
        node: "attention",
        unit: Unit::Drain,
    },
    Mechanism {
        name: "SECA-II: attention behind a shortcut",
        fault: Fault {
            module: "empf_attention",
            right: "lane_sum_0 <= lane_sum_0 + ",
            wrong: "lane_sum_0 <= ~lane_sum_0 + ",
        },
        is_in: |case| has_conv(case, |conv| conv.shortcut.is_some() && conv.attention.is_some()),
        node: "attention",
        unit: Unit::Drain,
    },
    Mechanism {
        name: "attention frame by frame",
        fault: Fault {
            module: "empf_drain",
            right: "potentials_follow <= field_data_i[0];",
            wrong: "potentials_follow <= 1'd0;",
        },
        is_in: |case| case.frame_by_frame() > 0,
        node: "spike",
        unit: Unit::Drain,
    },
    Mechanism {
        name: "borders of channels, in several windows of the input",
        fault: Fault {
            module: "empf_unfold",
            right: "border_channel[0] ? border[15:8] : border[7:0]",
            wrong: "border_channel[0] ? border[7:0] : border[7:0]",
        },
        is_in: |case| case.readers_of_input() > 1 && case.input.channels > 1,
        node: "input",
        unit: Unit::Unfold,
    },
];

fn has_conv(case: &Case, is: impl Fn(&Conv) -> bool) -> bool {
    case.layers.iter().any(|layer| matches!(layer, Layer::Conv(conv) if is(conv)))
}

fn has_shortcut(case: &Case, is: impl Fn(Shortcut) -> bool) -> bool {
    has_conv(case, |conv| conv.shortcuts().any(&is))
}

/// A fault that was located, in a network of several layers and in what that shrank to.
pub struct Shrunk {
    mechanism: &'static str,
    located: Located,
    /// Seed and number of layers of the network.
    drawn: (u64, usize),
    /// What it shrank to.
    pub case: Case,
    /// The first mismatch of that.
    pub first: Mismatch,
}

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Shrunk { mechanism, located, drawn: (seed, layers), case, first } = self;
        writeln!(f, "{mechanism}: {located}, in the network of seed {seed}")?;
        write!(f, "    {layers} layers shrink to {}, T = {}: {first}", case.layers.len(), case.time_steps)
    }
}

impl Mechanism {
    /// Plants the fault, locates it and makes the network small.
    ///
    /// # Errors
    /// It is not seen, seen elsewhere, or the network does not shrink.
    pub fn plant(&self) -> Result<Shrunk, FaultError> {
        let arch = ArchConfig { current_depth: 60, ..accelerator([4, 4], 8) };
        let verilog = self.fault.plant(&empf_hw::emit_accelerator(&arch)?)?;
        let accelerator = Accelerator::build(&verilog, &arch, Purpose::Check)?;
        let drawn = (0..SEEDS).map(|seed| Case::random(seed, &arch, VECTORS));
        let wanted = drawn.filter(|case| case.layers.len() >= LAYERS[0] && (self.is_in)(case));
        for case in wanted.take(TRIES) {
            if let Some(located) = self.located(&case, &accelerator)? {
                return self.shrunk(case, located, &accelerator);
            }
        }
        Err(FaultError::Unseen(self.name.into()))
    }

    /// Where the fault is seen in `case`, if it is.
    fn located(&self, case: &Case, accelerator: &Accelerator) -> Result<Option<Located>, FaultError> {
        let (engine, first) = match self.run(case, accelerator) {
            Ok(()) => return Ok(None),
            Err(Failure::Differs { engine, comparison }) => (engine, comparison.first),
            Err(failure) => return Err(failure.into()),
        };
        let Fault { module, wrong, .. } = self.fault;
        let unseen = || FaultError::Unseen(self.name.into());
        let first = first.ok_or_else(unseen)?;
        let located = Located { fault: format!("`{wrong}` in {module}"), engine, first };
        if self.is_at(&located.first) {
            Ok(Some(located))
        } else {
            let planted = format!("a layer `{}...`, by the {}", self.node, self.unit.name());
            Err(FaultError::Misplaced { planted, located: Box::new(located) })
        }
    }

    /// It is where the fault is, and has a clock cycle.
    fn is_at(&self, first: &Mismatch) -> bool {
        let is_of_unit = |origin: &Origin| origin.unit == self.unit && origin.cycle.is_some();
        first.layer.starts_with(self.node) && first.origin.as_ref().is_some_and(is_of_unit)
    }

    fn run(&self, case: &Case, accelerator: &Accelerator) -> Result<(), Failure> {
        let (network, program) = compile(case)?;
        let engines: Vec<Box<dyn Engine>> = vec![
            Box::new(Interpreter::new(&program)?.probed()),
            Box::new(accelerator.engine(&program, options(case))?),
        ];
        hold(&network, &inputs(case), engines).map(|_| ())
    }

    /// Makes `case` as small as it can be with the fault in its place.
    fn shrunk(&self, case: Case, located: Located, accelerator: &Accelerator) -> Result<Shrunk, FaultError> {
        let first = |case: &Case| self.located(case, accelerator).ok().flatten();
        let drawn = (case.seed, case.layers.len());
        let case = minimise(case, |simpler| first(simpler).is_some());
        if case.layers.len() > LAYERS[1] {
            return Err(FaultError::Large { fault: self.name.into(), layers: case.layers.len() });
        }
        let first = first(&case).ok_or_else(|| FaultError::Unseen(self.name.into()))?.first;
        Ok(Shrunk { mechanism: self.name, located, drawn, case, first })
    }
}
