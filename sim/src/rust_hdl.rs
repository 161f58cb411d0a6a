//! The accelerator in RustHDL's own simulator: no Verilog between the description and its execution. Slow: for
//! small arrays.

use crate::activation::ActivationMemory;
use crate::axi::Channel;
use crate::capture::{Write, replay};
use crate::compare::{Mismatch, Seen};
use crate::lanes::{self, Lanes, Passed};
use crate::origin::{Origin, RESET_CYCLES};
use crate::writer::writer;
use crate::{Engine, Error, Interpreter, Promise, Result, capture, check_input};
use empf_hw::rtl::{Bench, random_power_up};
use empf_hw::{Accelerator, Tap};
use empf_ir::{Program, Trace};

/// Cycles of patience beyond twice what is expected.
const PATIENCE: u64 = 10_000;
/// Addresses of the control port.
const CONTROL: u64 = 0x00;
const STATUS: u64 = 0x04;
const CYCLES: u64 = 0x08;

/// An accelerator with a program.
pub struct RustHdl<'p> {
    program: &'p Program,
    bench: Bench<Accelerator>,
    memory: ActivationMemory,
    writes: Vec<Write>,
    lanes: Lanes,
    cycles: u64,
    limit: u64,
    /// What m_axis, the write response and the read data have on offer.
    offers: [(&'static str, Channel); 3],
}

impl<'p> RustHdl<'p> {
    /// The accelerator of `program`'s architecture with its ROMs, after reset. Registers and memories start at random
    /// values of `power_up_seed`.
    pub fn new(program: &'p Program, power_up_seed: u64) -> Result<Self> {
        let mut accelerator = random_power_up(power_up_seed, || Accelerator::new(&program.arch));
        let schedule = program.schedule();
        accelerator.load(&program.weights, &program.parameters, &schedule);
        let expected = Interpreter::new(program)?.predicted_cycles();
        let mut engine = RustHdl {
            program,
            bench: Bench::new(accelerator, |accelerator| &accelerator.aclk),
            memory: ActivationMemory::new(&program.arch),
            writes: Vec::new(),
            lanes: Lanes::default(),
            cycles: 0,
            limit: PATIENCE + 2 * (expected + program.input_bytes() as u64),
            offers: ["m_axis", "s_axil_b", "s_axil_r"].map(|name| (name, Channel::default())),
        };
        engine.reset(RESET_CYCLES);
        Ok(engine)
    }

    /// Holds `aresetn` low for `cycles` cycles.
    pub fn reset(&mut self, cycles: u64) {
        let top = &self.bench;
        for input in [
            &top.aresetn,
            &top.s_axis_tvalid,
            &top.m_axis_tready,
            &top.s_axil_awvalid,
            &top.s_axil_wvalid,
            &top.s_axil_bready,
            &top.s_axil_arvalid,
            &top.s_axil_rready,
        ] {
            input.set(0);
        }
        for _ in 0..cycles {
            self.bench.tick();
        }
        self.bench.aresetn.set(1);
        self.offers.iter_mut().for_each(|(_, channel)| *channel = Channel::default());
    }

    /// Sends `input` and starts, and leaves everything as it is after `cycles` cycles; a reset must follow.
    pub fn begin(&mut self, input: &[u8], cycles: u64) -> Result<()> {
        check_input(self.program, input)?;
        self.cycles = 0;
        let limit = std::mem::replace(&mut self.limit, cycles);
        self.bench.m_axis_tready.set(1);
        let run = |engine: &mut Self| -> Result<()> {
            engine.send(input)?;
            engine.start()?;
            loop {
                engine.cycle("the end", |_| ())?;
            }
        };
        let end = run(self);
        self.limit = limit;
        match end {
            Err(Error::Stuck { cycles: at, .. }) if at == cycles => Ok(()),
            other => other,
        }
    }

    /// The rules of AXI for what the accelerator offers.
    fn check_rules(&mut self) -> Result<()> {
        let top = &self.bench;
        let now = [
            (&top.m_axis_tvalid, &top.m_axis_tready, [top.m_axis_tdata.get(), top.m_axis_tlast.get()]),
            (&top.s_axil_bvalid, &top.s_axil_bready, [top.s_axil_bresp.get(), 0]),
            (&top.s_axil_rvalid, &top.s_axil_rready, [top.s_axil_rdata.get(), top.s_axil_rresp.get()]),
        ];
        for ((name, channel), (valid, ready, payload)) in self.offers.iter_mut().zip(now) {
            if !channel.is_stable(valid.get() == 1, ready.get() == 1, payload) {
                let message = format!("what {name} offered was withdrawn or changed before it was taken");
                return Err(Error::Stuck { engine: "rust-hdl".into(), message, cycles: self.cycles });
            }
        }
        Ok(())
    }

    /// Settles the inputs, gives what `look` sees then, and ticks.
    fn cycle<T>(&mut self, waits_for: &str, look: impl Fn(&Accelerator) -> T) -> Result<T> {
        if self.cycles == self.limit {
            let (engine, message) = ("rust-hdl".into(), format!("{waits_for} did not come"));
            return Err(Error::Stuck { engine, message, cycles: self.cycles });
        }
        self.bench.settle();
        self.check_rules()?;
        let seen = look(&self.bench);
        if let Some(write) = self.bench.activation_write() {
            let (step, address) = (write.step as u32, write.address as u32);
            let written = Write { step, bank: 0, address, data: write.data, cycle: Some(self.clock()) };
            self.writes.extend(Write::of_banks(write.banks, written));
        }
        self.look_at_lanes();
        self.bench.tick();
        self.cycles += 1;
        Ok(seen)
    }

    /// The present clock cycle, as an [`Origin`] has it.
    fn clock(&self) -> u64 {
        RESET_CYCLES + self.cycles
    }

    fn look_at_lanes(&mut self) {
        let cycle = self.clock();
        for tap in Tap::ALL {
            if let Some((step, values)) = self.bench.lanes(tap) {
                let values = values.into_iter().map(|value| lanes::number(tap, value, &self.program.arch));
                self.lanes.pass(tap, Passed { step: step as u32, cycle }, values);
            }
        }
    }

    fn send(&mut self, input: &[u8]) -> Result<()> {
        self.bench.s_axis_tvalid.set(1);
        for (index, code) in input.iter().enumerate() {
            self.bench.s_axis_tdata.set(u64::from(*code));
            self.bench.s_axis_tlast.set(u64::from(index + 1 == input.len()));
            while self.cycle("room for the input", |top| top.s_axis_tready.get())? == 0 {}
        }
        self.bench.s_axis_tvalid.set(0);
        Ok(())
    }

    /// Writes CTRL.
    fn start(&mut self) -> Result<()> {
        let top = &self.bench;
        top.s_axil_awaddr.set(CONTROL);
        top.s_axil_wdata.set(1);
        top.s_axil_wstrb.set(0xf);
        for valid in [&top.s_axil_awvalid, &top.s_axil_wvalid, &top.s_axil_bready] {
            valid.set(1);
        }
        while self.cycle("the control port", |top| top.s_axil_awready.get() & top.s_axil_wready.get())? == 0 {
        }
        self.bench.s_axil_awvalid.set(0);
        self.bench.s_axil_wvalid.set(0);
        while self.cycle("the control port", |top| top.s_axil_bvalid.get())? == 0 {}
        self.bench.s_axil_bready.set(0);
        Ok(())
    }

    fn receive(&mut self) -> Result<Vec<i32>> {
        self.bench.m_axis_tready.set(1);
        let mut logits = Vec::new();
        while logits.len() < self.program.classes {
            let beat = |top: &Accelerator| {
                let beat = (top.m_axis_tdata.get() as i32, top.m_axis_tlast.get() == 1);
                (top.m_axis_tvalid.get() == 1).then_some(beat)
            };
            let Some((logit, last)) = self.cycle("a logit", beat)? else { continue };
            logits.push(logit);
            if last != (logits.len() == self.program.classes) {
                let message = "m_axis_tlast was not with the last logit".into();
                return Err(Error::Engine { engine: "rust-hdl".into(), message });
            }
        }
        self.bench.m_axis_tready.set(0);
        Ok(logits)
    }

    fn register(&mut self, address: u64) -> Result<u64> {
        self.bench.s_axil_araddr.set(address);
        self.bench.s_axil_arvalid.set(1);
        self.bench.s_axil_rready.set(1);
        while self.cycle("the control port", |top| top.s_axil_arready.get())? == 0 {}
        self.bench.s_axil_arvalid.set(0);
        loop {
            let answer = |top: &Accelerator| (top.s_axil_rvalid.get() == 1).then(|| top.s_axil_rdata.get());
            if let Some(value) = self.cycle("the control port", answer)? {
                self.bench.s_axil_rready.set(0);
                return Ok(value);
            }
        }
    }
}

impl Engine for RustHdl<'_> {
    fn name(&self) -> &str {
        "rust-hdl"
    }

    fn promise(&self) -> Promise {
        Promise { lanes: lanes::nodes(self.program), ..Promise::of_program(self.program) }
    }

    fn run(&mut self, input: &[u8]) -> Result<Trace> {
        check_input(self.program, input)?;
        self.writes.clear();
        self.lanes.clear();
        self.cycles = 0;
        self.send(input)?;
        self.start()?;
        let logits = self.receive()?;
        // The schedule's end is read after the last logit; until then the counter runs.
        while self.register(STATUS)? & 1 == 1 {}
        let cycles = Some(self.register(CYCLES)?);
        let mut trace = Trace { logits, cycles, ..Trace::default() };
        replay("rust-hdl", self.program, &mut self.memory, self.writes.iter().copied(), &mut trace)?;
        lanes::replay("rust-hdl", self.program, &mut self.lanes, &mut trace)?;
        Ok(trace)
    }

    fn origin(&self, mismatch: &Mismatch) -> Option<Origin> {
        let step = writer(self.program, mismatch)?;
        let cycle = match mismatch.seen {
            Seen::Lanes => self.lanes.cycle(self.program, step, mismatch),
            Seen::Result => capture::cycle(self.program, step, mismatch, self.writes.iter().copied()),
        };
        Origin::of_step(self.program, step, cycle)
    }
}
