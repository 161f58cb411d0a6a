//! What a unit does: assignments, registers and memories, simulated and emitted from one description.

use super::expr::{Expr, Node};
use super::power_up::first_value;
use super::wire::{Net, Wire};
use super::word::mask;
use rust_hdl_core::prelude::{Direction, In, Local, Verilog};
use std::cell::RefCell;

/// `target` always has the value of `value`.
#[derive(Clone, Debug)]
pub(crate) struct Assign {
    pub(crate) target: Net,
    pub(crate) value: Expr,
}

/// What belongs together in the Verilog, under a comment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    pub(crate) title: String,
    /// Expressions with names.
    pub(crate) named: Vec<Expr>,
    /// Targets assigned and registers, by their positions in the description.
    pub(crate) assigns: Vec<usize>,
    pub(crate) registers: Vec<usize>,
}

/// A register whose values have names, in the order of their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) register: Net,
    pub(crate) states: &'static [&'static str],
}

/// Takes the value of the first branch whose condition holds (`None`: always) at each rising edge.
#[derive(Clone, Debug)]
pub(crate) struct RegisterSpec {
    pub(crate) target: Net,
    pub(crate) init: u64,
    pub(crate) resets: bool,
    pub(crate) branches: Vec<(Option<Expr>, Expr)>,
}

/// A memory's first content: `$readmemh` of the file named by the plusarg, else by the parameter.
#[derive(Clone, Debug)]
pub(crate) struct MemoryImage {
    pub(crate) plusarg: String,
    pub(crate) parameter: String,
    /// The parameter's value, unless the module is instantiated with another.
    pub(crate) file: String,
}

/// Memory with one synchronous read port and at most one other, which writes.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    pub(crate) width: usize,
    pub(crate) depth: usize,
    /// Without one, the memory starts at no known values.
    pub(crate) image: Option<MemoryImage>,
    pub(crate) write: Option<MemoryWrite>,
    pub(crate) read: MemoryRead,
    pub(crate) read_address: Expr,
}

/// A port reads a word, which stands a cycle later in the register `output`.
#[derive(Clone, Debug)]
pub(crate) struct MemoryRead {
    pub(crate) enable: Expr,
    pub(crate) word: Net,
    pub(crate) output: Net,
}

/// A product of signed factors, three registers behind them.
#[derive(Clone, Debug)]
pub(crate) struct Multiply {
    pub(crate) a: Net,
    pub(crate) b: Net,
    pub(crate) product: Net,
}

#[derive(Clone, Debug)]
pub(crate) struct MemoryWrite {
    pub(crate) enable: Expr,
    pub(crate) address: Expr,
    pub(crate) data: Expr,
    /// Where the port reads too, in a cycle without a write.
    pub(crate) read: Option<MemoryRead>,
}

impl Memory {
    /// Enable and data of the reads at the port that writes.
    pub(crate) fn port_read(&self) -> Option<&MemoryRead> {
        self.write.as_ref().and_then(|write| write.read.as_ref())
    }
}

/// How a unit appears in Verilog.
#[derive(Clone, Debug)]
pub(crate) enum Implementation {
    Module,
    /// Cell of the target's library, with ports named in upper case; its Verilog model is for simulation alone.
    Primitive {
        parameters: Vec<(String, String)>,
        model: &'static str,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) kind: String,
    pub(crate) doc: String,
    pub(crate) implementation: Implementation,
    pub(crate) clock: Option<Net>,
    pub(crate) reset: Option<Expr>,
    pub(crate) assigns: Vec<Assign>,
    pub(crate) registers: Vec<RegisterSpec>,
    pub(crate) sections: Vec<Section>,
    pub(crate) machine: Option<Machine>,
    pub(crate) memory: Option<Memory>,
    /// The unit is a multiplier, for which the target may have a cell.
    pub(crate) multiply: Option<Multiply>,
    pub(crate) discards: Vec<Expr>,
}

thread_local! {
    /// RustHDL's visitors see blocks as `&dyn Block`; this is how `Logic::hdl` hands them more than text.
    static VISITED: RefCell<Option<Description>> = const { RefCell::new(None) };
}

/// The description of a block whose `hdl` is [`Rtl::hdl`].
pub(crate) fn description_of(block: &dyn rust_hdl_core::prelude::Block) -> Option<Description> {
    VISITED.take();
    block.hdl();
    VISITED.take()
}

/// Behaviour of one unit, built in its `new()` and kept in its field `_rtl`.
#[derive(Debug)]
pub struct Rtl {
    description: Description,
    clock_was_high: bool,
    /// Values the registers take at the next rising edge.
    next: Vec<u64>,
    content: Vec<u64>,
    next_read: Option<u64>,
    /// As `next_read`, at the port that writes.
    next_port_read: Option<u64>,
    next_write: Option<(usize, u64)>,
}

impl Rtl {
    /// Empty behaviour of a clocked unit; `kind` becomes the module's name.
    pub fn new(kind: impl Into<String>, clock: &Wire<In>) -> Self {
        Rtl { description: Description { clock: Some(clock.net().clone()), ..blank(kind.into()) }, ..empty() }
    }

    /// Empty behaviour of a unit without registers.
    pub fn combinational(kind: impl Into<String>) -> Self {
        Rtl { description: blank(kind.into()), ..empty() }
    }

    /// Combinational cell `name` of the target's library, with its Verilog parameters. Ports are called like
    /// the block's fields in upper case; assignments are what the cell does in RustHDL's simulator, and `model` is its
    /// Verilog module, which synthesis does not see.
    pub fn primitive(name: &str, parameters: &[(&str, &str)], model: &'static str) -> Self {
        let parameters = parameters.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Rtl {
            description: Description {
                implementation: Implementation::Primitive { parameters, model },
                ..blank(name.into())
            },
            ..empty()
        }
    }

    /// Comment above the emitted module.
    pub fn doc(&mut self, text: impl Into<String>) {
        self.description.doc = text.into();
    }

    /// What follows stands under this comment in the Verilog.
    pub fn section(&mut self, title: &str) {
        self.description.sections.push(Section { title: title.into(), ..Section::default() });
    }

    fn open_section(&mut self) -> &mut Section {
        if self.description.sections.is_empty() {
            self.section("");
        }
        self.description.sections.last_mut().expect("one was made")
    }

    /// `value` as a wire called `name` in the Verilog, if something uses it.
    pub fn named(&mut self, name: &'static str, value: impl Into<Expr>) -> Expr {
        let value = value.into();
        let width = value.width();
        let named = Expr::new(Node::Named(name, value), width);
        self.open_section().named.push(named.clone());
        named
    }

    #[track_caller]
    pub(super) fn declare_states(&mut self, register: &Wire<Local>, states: &'static [&'static str]) {
        assert!(self.description.machine.is_none(), "a unit has one machine");
        self.description.machine = Some(Machine { register: register.net().clone(), states });
    }

    /// Synchronous reset: while the 1-bit `condition` holds, registers take their initial value.
    #[track_caller]
    pub fn reset(&mut self, condition: impl Into<Expr>) {
        let condition = condition.into();
        check_condition(&condition);
        assert!(self.description.reset.is_none(), "a unit has one reset");
        self.description.reset = Some(condition);
    }

    /// Drives an own output or local signal, or an input of a child, with `value`.
    #[track_caller]
    pub fn assign<D: Direction>(&mut self, target: &Wire<D>, value: impl Into<Expr>) {
        let value = value.into();
        check_assignment(target.width(), &value);
        target.net().claim();
        self.push_assign(Assign { target: target.net().clone(), value });
    }

    fn push_assign(&mut self, assign: Assign) {
        let index = self.description.assigns.len();
        self.open_section().assigns.push(index);
        self.description.assigns.push(assign);
    }

    /// Drives the clock input of a child with the unit's clock.
    #[track_caller]
    pub fn clock(&mut self, child: &Wire<In>) {
        let clock = self.description.clock.clone().expect("a combinational unit has no clocked children");
        child.net().claim();
        self.push_assign(Assign { target: child.net().clone(), value: Expr::from(&clock) });
    }

    /// Makes an own output or local signal a register that takes `init` at reset. In Verilog it starts at no known
    /// value.
    #[track_caller]
    pub fn register<D: Direction>(&mut self, target: &Wire<D>, init: u64) -> Register<'_> {
        assert!(self.description.clock.is_some(), "a combinational unit has no registers");
        assert!(init <= mask(target.width()), "{init} does not fit {} bits", target.width());
        target.net().claim();
        let first = first_value(mask(target.width()), init);
        self.next.push(first);
        target.net().set(first);
        let index = self.description.registers.len();
        self.open_section().registers.push(index);
        let registers = &mut self.description.registers;
        registers.push(RegisterSpec { target: target.net().clone(), init, resets: true, branches: vec![] });
        Register { spec: registers.last_mut().expect("just pushed") }
    }

    /// `input` delayed by a clock cycle for each of `stages` (none: `input` itself). The unit's reset clears what is
    /// on its way: for what means "valid", "last" or "write".
    #[track_caller]
    pub fn delay(&mut self, input: impl Into<Expr>, stages: &[Wire<Local>]) -> Expr {
        self.pipeline(input.into(), stages, true)
    }

    /// As [`Rtl::delay`], for data that mean nothing without a flag beside them: no reset reaches them.
    #[track_caller]
    pub fn delay_data(&mut self, input: impl Into<Expr>, stages: &[Wire<Local>]) -> Expr {
        self.pipeline(input.into(), stages, false)
    }

    #[track_caller]
    fn pipeline(&mut self, mut value: Expr, stages: &[Wire<Local>], resets: bool) -> Expr {
        for stage in stages {
            let register = self.register(stage, 0);
            if resets {
                register.set(value);
            } else {
                register.without_reset().set(value);
            }
            value = stage.e();
        }
        value
    }

    /// States that bits of `value` are not needed, which silences the linter about them.
    pub fn discard(&mut self, value: impl Into<Expr>) {
        self.description.discards.push(value.into());
    }

    #[track_caller]
    pub(crate) fn memory(&mut self, memory: Memory) {
        assert!(self.description.memory.is_none(), "a unit has one memory");
        let bits = mask(memory.width);
        self.content = (0..memory.depth).map(|_| first_value(bits, 0)).collect();
        for read in std::iter::once(&memory.read).chain(memory.port_read()) {
            read.word.claim();
            read.word.set(first_value(bits, 0));
        }
        self.description.memory = Some(memory);
    }

    /// States that the unit is the multiplier `multiply`, whose registers and product are described besides.
    pub(crate) fn multiplier(&mut self, multiply: Multiply) {
        self.description.multiply = Some(multiply);
    }

    /// Words of the unit's memory in simulation.
    pub(crate) fn content(&self) -> &[u64] {
        &self.content
    }

    pub(crate) fn content_mut(&mut self) -> &mut [u64] {
        &mut self.content
    }

    /// One pass of the simulation; what `Logic::update` calls.
    ///
    /// Registers take the values sampled in the last pass with the clock low, so an edge and new inputs
    /// that arrive in one pass do not race.
    pub fn update(&mut self) {
        let clock_is_high = self.description.clock.as_ref().is_some_and(|clock| clock.get() == 1);
        if clock_is_high && !self.clock_was_high {
            self.commit();
        }
        self.clock_was_high = clock_is_high;
        for assign in &self.description.assigns {
            assign.target.set(assign.value.eval());
        }
        if !clock_is_high {
            self.sample();
        }
    }

    fn commit(&mut self) {
        for (register, value) in self.description.registers.iter().zip(&self.next) {
            register.target.set(*value);
        }
        if let Some(memory) = &self.description.memory {
            if let Some(value) = self.next_read {
                memory.read.word.set(value);
            }
            if let (Some(read), Some(value)) = (memory.port_read(), self.next_port_read) {
                read.word.set(value);
            }
        }
        if let Some((address, data)) = self.next_write {
            self.content[address] = data;
        }
    }

    fn sample(&mut self) {
        let reset = self.description.reset.as_ref().is_some_and(holds);
        for (register, next) in self.description.registers.iter().zip(&mut self.next) {
            *next = if reset && register.resets {
                register.init
            } else {
                let taken =
                    register.branches.iter().find(|(condition, _)| condition.as_ref().is_none_or(holds));
                taken.map_or_else(|| register.target.get(), |(_, value)| value.eval())
            };
        }
        if let Some(memory) = &self.description.memory {
            let depth = self.content.len();
            self.next_write = memory.write.as_ref().filter(|w| holds(&w.enable)).and_then(|w| {
                let address = w.address.eval() as usize;
                (address < depth).then(|| (address, w.data.eval()))
            });
            // A word that is being written has no known value, which is sure to be a wrong one here.
            let is_written = |address: usize| self.next_write.is_some_and(|(written, _)| written == address);
            let word = |address: usize| match self.content.get(address) {
                Some(word) if is_written(address) => !word & mask(memory.width),
                word => word.copied().unwrap_or(0),
            };
            self.next_read = holds(&memory.read.enable).then(|| word(memory.read_address.eval() as usize));
            self.next_port_read = memory.write.as_ref().and_then(|write| {
                let read = write.read.as_ref()?;
                holds(&read.enable).then(|| word(write.address.eval() as usize))
            });
        }
    }

    /// What `Logic::hdl` returns. The text only says who renders the unit: names belong to the block tree.
    pub fn hdl(&self) -> Verilog {
        VISITED.set(Some(self.description.clone()));
        Verilog::Custom(format!("// {}: rendered by empf_hw::emit", self.description.kind))
    }
}

fn holds(condition: &Expr) -> bool {
    condition.eval() == 1
}

fn blank(kind: String) -> Description {
    Description {
        kind,
        doc: String::new(),
        implementation: Implementation::Module,
        clock: None,
        reset: None,
        assigns: vec![],
        registers: vec![],
        sections: vec![],
        machine: None,
        memory: None,
        multiply: None,
        discards: vec![],
    }
}

fn empty() -> Rtl {
    Rtl {
        description: blank(String::new()),
        clock_was_high: false,
        next: vec![],
        content: vec![],
        next_read: None,
        next_port_read: None,
        next_write: None,
    }
}

#[track_caller]
fn check_condition(condition: &Expr) {
    assert_eq!(condition.width(), 1, "a condition has 1 bit, not {}", condition.width());
}

#[track_caller]
fn check_assignment(width: usize, value: &Expr) {
    assert_eq!(width, value.width(), "a value of {} bits for {width} bits", value.width());
}

/// The next value of a register, as a priority chain: `when(..).when(..).set(..)` is if, else if, else;
/// where no branch applies, the register holds its value.
#[derive(Debug)]
pub struct Register<'a> {
    spec: &'a mut RegisterSpec,
}

impl Register<'_> {
    /// Takes `value` if the 1-bit `condition` holds and no earlier condition did.
    #[track_caller]
    pub fn when(self, condition: impl Into<Expr>, value: impl Into<Expr>) -> Self {
        let (condition, value) = (condition.into(), value.into());
        check_condition(&condition);
        self.branch(Some(condition), value)
    }

    /// Takes `value` if no earlier condition holds; ends the chain.
    #[track_caller]
    pub fn set(self, value: impl Into<Expr>) {
        self.branch(None, value.into());
    }

    /// Leaves this register out of the unit's reset.
    pub fn without_reset(self) -> Self {
        self.spec.resets = false;
        self
    }

    #[track_caller]
    fn branch(self, condition: Option<Expr>, value: Expr) -> Self {
        check_assignment(self.spec.target.width(), &value);
        self.spec.branches.push((condition, value));
        self
    }
}

#[cfg(test)]
mod tests;
