//! Executes a program at the level of the accelerator's memories.
//!
//! It reads what the hardware reads - schedule words, ROM words, activation words, in the order of the loops of
//! `docs/architecture.md` - and nothing else: of a [`Program`]'s description of the network only the placements
//! are used, to find the tensors afterwards. The cycles are [`crate::cycles`]'.

mod arithmetic;
mod conv;
mod drain;
mod machine;
mod pool;
mod schedule;
mod unfold;

use crate::{Engine, Error, Promise, Result, check_input, cycles};
use empf_ir::program::Descriptor;
use empf_ir::{Program, Trace};
use machine::Machine;

/// The schedule interpreter.
pub struct Interpreter<'p> {
    schedule: Vec<Descriptor>,
    machine: Machine<'p>,
    cycles: u64,
}

impl<'p> Interpreter<'p> {
    /// An accelerator with `program`'s ROM images. Fails where the schedule ROM cannot be read.
    pub fn new(program: &'p Program) -> Result<Self> {
        let schedule = schedule::decode(&program.schedule())?;
        let cycles = cycles::inference(&schedule, &program.arch);
        Ok(Interpreter { schedule, machine: Machine::new(program), cycles })
    }

    /// Cycles of every inference.
    pub fn predicted_cycles(&self) -> u64 {
        self.cycles
    }

    fn step(&mut self, index: usize, trace: &mut Trace) -> Result<()> {
        let machine = &mut self.machine;
        machine.step = index;
        match &self.schedule[index] {
            Descriptor::Unfold(d) => unfold::run(machine, d)?,
            Descriptor::Conv(d) => conv::run(machine, d)?,
            Descriptor::Pool(d) => pool::run(machine, d)?,
        }
        for place in machine.program.placements.iter().filter(|p| p.written_by == index) {
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
        Promise::of_program(self.machine.program)
    }

    fn run(&mut self, input: &[u8]) -> Result<Trace> {
        check_input(self.machine.program, input)?;
        self.machine.input = input.to_vec();
        self.machine.logits.clear();
        let mut trace = Trace { cycles: Some(self.cycles), ..Trace::default() };
        for index in 0..self.schedule.len() {
            self.step(index, &mut trace)?;
        }
        trace.logits.clone_from(&self.machine.logits);
        Ok(trace)
    }
}
