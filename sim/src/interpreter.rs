//! Executes a program at the level of the accelerator's memories.
//!
//! It reads what the hardware reads - schedule words, ROM words, activation words, in the order of the loops of
//! `docs/architecture.md` - and nothing else: of a [`Program`]'s description of the network only the placements
//! are used, to find the tensors afterwards. The cycles are [`crate::cycles`]'.

mod accumulators;
mod arithmetic;
mod array;
mod attention;
mod drain;
mod machine;
mod pool;
mod unfold;

use crate::accesses::Accesses;
use crate::cycles::Cycles;
use crate::lanes::{self, Lanes};
use crate::origin::Origin;
use crate::writer::writer;
use crate::{Engine, Error, Mismatch, Promise, Result, check_input};
use empf_ir::arch::Memory;
use empf_ir::isa::{Schedule, Task};
use empf_ir::{Program, Trace};
use machine::Machine;

/// The schedule interpreter.
pub struct Interpreter<'p> {
    schedule: Vec<Task>,
    machine: Machine<'p>,
    cycles: u64,
}

impl<'p> Interpreter<'p> {
    /// An accelerator with `program`'s ROM images. Fails where the schedule ROM cannot be read.
    pub fn new(program: &'p Program) -> Result<Self> {
        program.check()?;
        let words: Vec<u32> = program.schedule().into_iter().map(|word| word as u32).collect();
        let schedule = Schedule::decode(&words, &program.arch)?.steps;
        let cycles = Cycles::of(&schedule, &program.arch).total;
        Ok(Interpreter { schedule, machine: Machine::new(program), cycles })
    }

    /// Its traces have what goes through the neuron lanes.
    pub fn probed(mut self) -> Self {
        self.machine.lanes = Some(Lanes::default());
        self
    }

    /// What the last inference has read and written of each memory.
    pub fn accesses(&self) -> Accesses {
        self.machine.accesses.borrow().clone()
    }

    /// Cycles of every inference.
    pub fn predicted_cycles(&self) -> u64 {
        self.cycles
    }

    fn step(&mut self, index: usize, trace: &mut Trace) -> Result<()> {
        let machine = &mut self.machine;
        machine.step = index;
        machine.reads(Memory::Schedule, self.schedule[index].words().len(), u32::BITS);
        match &self.schedule[index] {
            Task::Unfold(d) => unfold::run(machine, d)?,
            Task::Array(d) => array::run(machine, d)?,
            Task::Drain(d) => drain::run_alone(machine, d)?,
            Task::Pool(d) => pool::run(machine, d)?,
        }
        for place in machine.program.placements.iter().filter(|p| p.written_by[1] == index) {
            let tensor = machine.activations.tensor(place).ok_or_else(|| {
                let message = format!("tensor `{}` leaves the activation memory", place.node);
                Error::Engine { engine: "interpreter".into(), message }
            })?;
            trace.tensors.insert(place.node.clone(), tensor);
        }
        Ok(())
    }
}

impl Engine for Interpreter<'_> {
    fn name(&self) -> &str {
        "interpreter"
    }

    fn promise(&self) -> Promise {
        let Machine { program, lanes, .. } = &self.machine;
        let lanes = lanes.as_ref().map(|_| lanes::nodes(program)).unwrap_or_default();
        Promise { lanes, ..Promise::of_program(program) }
    }

    fn run(&mut self, input: &[u8]) -> Result<Trace> {
        check_input(self.machine.program, input)?;
        self.machine.input = input.to_vec();
        self.machine.logits.clear();
        self.machine.accesses.take();
        let mut trace = Trace { cycles: Some(self.cycles), ..Trace::default() };
        for index in 0..self.schedule.len() {
            self.step(index, &mut trace)?;
        }
        self.machine.reads(Memory::Schedule, 1, u32::BITS);
        trace.logits.clone_from(&self.machine.logits);
        if let Some(shown) = &mut self.machine.lanes {
            lanes::replay("interpreter", self.machine.program, shown, &mut trace)?;
            shown.clear();
        }
        Ok(trace)
    }

    fn origin(&self, mismatch: &Mismatch) -> Option<Origin> {
        let program = self.machine.program;
        Origin::of_step(program, writer(program, mismatch)?, None)
    }
}
