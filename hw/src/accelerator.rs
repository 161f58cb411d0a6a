//! The accelerator: AXI4-Stream in and out, AXI4-Lite control, memories, array and units.

use crate::accumulator::{Accumulators, Control};
use crate::activation_memory::ActivationMemory;
use crate::array::{Array, Skew};
use crate::axi_lite::{ADDRESS_BITS, AxiLite};
use crate::drain::Drain;
use crate::input_buffer::InputBuffer;
use crate::pool::Pool;
use crate::rtl::prelude::*;
use crate::rtl::{READ_DELAY, address_width};
use crate::sequencer::Sequencer;
use crate::stream::{Stream, control_delay};
use crate::unfold::Unfold;
use empf_ir::ArchConfig;
use empf_ir::formats::{INPUT_BITS, LOGIT_BITS};
use empf_ir::program::{PARAMETERS_MEM, SCHEDULE_MEM, WEIGHTS_MEM};

/// Name of the top module.
pub const TOP: &str = "empf_top";

/// Top of the design; its fields are the ports of the Verilog module [`TOP`].
#[derive(LogicBlock)]
pub struct Accelerator {
    /// Clock.
    pub aclk: Wire<In>,
    /// Synchronous reset, active low.
    pub aresetn: Wire<In>,
    /// Input codes, `[frame][y][x][channel]`, a byte each.
    pub s_axis_tdata: Wire<In>,
    /// A code is offered.
    pub s_axis_tvalid: Wire<In>,
    /// The code is taken.
    pub s_axis_tready: Wire<Out>,
    /// The last code of an input.
    pub s_axis_tlast: Wire<In>,
    /// A logit, 32-bit two's complement.
    pub m_axis_tdata: Wire<Out>,
    /// A logit is offered.
    pub m_axis_tvalid: Wire<Out>,
    /// The logit is taken.
    pub m_axis_tready: Wire<In>,
    /// The last logit of an inference.
    pub m_axis_tlast: Wire<Out>,
    /// AXI4-Lite write address; the registers are described in [`crate::axi_lite`].
    pub s_axil_awaddr: Wire<In>,
    /// See AXI4-Lite.
    pub s_axil_awvalid: Wire<In>,
    /// See AXI4-Lite.
    pub s_axil_awready: Wire<Out>,
    /// See AXI4-Lite.
    pub s_axil_wdata: Wire<In>,
    /// See AXI4-Lite.
    pub s_axil_wstrb: Wire<In>,
    /// See AXI4-Lite.
    pub s_axil_wvalid: Wire<In>,
    /// See AXI4-Lite.
    pub s_axil_wready: Wire<Out>,
    /// See AXI4-Lite.
    pub s_axil_bresp: Wire<Out>,
    /// See AXI4-Lite.
    pub s_axil_bvalid: Wire<Out>,
    /// See AXI4-Lite.
    pub s_axil_bready: Wire<In>,
    /// See AXI4-Lite.
    pub s_axil_araddr: Wire<In>,
    /// See AXI4-Lite.
    pub s_axil_arvalid: Wire<In>,
    /// See AXI4-Lite.
    pub s_axil_arready: Wire<Out>,
    /// See AXI4-Lite.
    pub s_axil_rdata: Wire<Out>,
    /// See AXI4-Lite.
    pub s_axil_rresp: Wire<Out>,
    /// See AXI4-Lite.
    pub s_axil_rvalid: Wire<Out>,
    /// See AXI4-Lite.
    pub s_axil_rready: Wire<In>,

    reset: Wire<Local>,
    /// Step that runs and what is written into the activation memory: a trace of all tensors.
    pub(crate) step: Wire<Local>,
    act_write_en: Wire<Local>,
    act_write_addr: Wire<Local>,
    act_write_data: Wire<Local>,
    weight_first: Vec<Wire<Local>>,
    /// A vector's way to its sums: valid, control, and the last of a column block.
    valid: Vec<Wire<Local>>,
    control: Vec<Wire<Local>>,
    last: Vec<Wire<Local>>,

    registers: AxiLite,
    sequencer: Sequencer,
    input_buffer: InputBuffer,
    unfold: Unfold,
    stream: Stream,
    activations: ActivationMemory,
    skew: Skew,
    array: Array,
    accumulators: Accumulators,
    pub(crate) drain: Drain,
    pool: Pool,
    weights: Rom,
    parameters: Rom,
    schedule: Rom,
    _rtl: Rtl,
}
rtl_logic!(Accelerator);

/// What the coming clock edge writes into the activation memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivationWrite {
    /// Step that runs.
    pub step: u64,
    /// Bit b: bank b is written.
    pub banks: u64,
    /// Word.
    pub address: u64,
    /// `lanes` codes, the first in the low bits.
    pub data: u64,
}

/// File, bits of a word, and words of a ROM's image.
pub(crate) type Image = (&'static str, usize, usize);

/// Images of the weights, the parameters and the schedule.
pub(crate) fn images(arch: &ArchConfig) -> [Image; 3] {
    [
        (WEIGHTS_MEM, arch.cols, arch.weight_depth),
        (PARAMETERS_MEM, arch.parameter_bits() as usize, arch.parameter_depth),
        (SCHEDULE_MEM, 32, arch.schedule_depth),
    ]
}

impl Accelerator {
    /// Elaborates the accelerator of a valid `arch`.
    pub fn new(arch: &ArchConfig) -> Self {
        let aclk = Wire::new(1);
        let rom = |kind, name, (file, width, depth): Image| Rom::new(kind, width, depth, name, file);
        let [weights, parameters, schedule] = images(arch);
        let mut u = Accelerator {
            _rtl: Rtl::new(TOP, &aclk),
            aclk,
            aresetn: Wire::new(1),
            s_axis_tdata: Wire::new(INPUT_BITS as usize),
            s_axis_tvalid: Wire::new(1),
            s_axis_tready: Wire::new(1),
            s_axis_tlast: Wire::new(1),
            m_axis_tdata: Wire::new(LOGIT_BITS as usize),
            m_axis_tvalid: Wire::new(1),
            m_axis_tready: Wire::new(1),
            m_axis_tlast: Wire::new(1),
            s_axil_awaddr: Wire::new(ADDRESS_BITS),
            s_axil_awvalid: Wire::new(1),
            s_axil_awready: Wire::new(1),
            s_axil_wdata: Wire::new(32),
            s_axil_wstrb: Wire::new(4),
            s_axil_wvalid: Wire::new(1),
            s_axil_wready: Wire::new(1),
            s_axil_bresp: Wire::new(2),
            s_axil_bvalid: Wire::new(1),
            s_axil_bready: Wire::new(1),
            s_axil_araddr: Wire::new(ADDRESS_BITS),
            s_axil_arvalid: Wire::new(1),
            s_axil_arready: Wire::new(1),
            s_axil_rdata: Wire::new(32),
            s_axil_rresp: Wire::new(2),
            s_axil_rvalid: Wire::new(1),
            s_axil_rready: Wire::new(1),
            reset: Wire::new(1),
            step: Wire::new(address_width(arch.schedule_depth)),
            act_write_en: Wire::new(arch.banks()),
            act_write_addr: Wire::new(address_width(arch.activation_depth)),
            act_write_data: Wire::new(arch.lanes * arch.act_bits as usize),
            weight_first: Wire::array(READ_DELAY, 1),
            valid: Wire::array(control_delay(arch.rows), 1),
            control: Wire::array(control_delay(arch.rows), Control::width(arch.accumulator_depth)),
            last: Wire::array(control_delay(arch.rows), 1),
            registers: AxiLite::new(),
            sequencer: Sequencer::new(arch),
            input_buffer: InputBuffer::new(arch),
            unfold: Unfold::new(arch),
            stream: Stream::new(arch),
            activations: ActivationMemory::new(arch),
            skew: Skew::new(arch),
            array: Array::new(arch),
            accumulators: Accumulators::new(arch),
            drain: Drain::new(arch),
            pool: Pool::new(arch),
            weights: rom("weight_memory", "weights", weights),
            parameters: rom("parameter_memory", "parameters", parameters),
            schedule: rom("schedule_memory", "schedule", schedule),
        };
        u._rtl.doc("EM-PF accelerator: AXI4-Stream codes in, logits out, AXI4-Lite control.");
        u.clocks();
        u.control_registers();
        u.sequence();
        u.input();
        u.activation_ports();
        u.array_path();
        u.drain_path();
        u
    }

    /// Sets the ROMs' first words in RustHDL's simulator; panics where they do not fit.
    #[track_caller]
    pub fn load(&mut self, weights: &[u64], parameters: &[u64], schedule: &[u64]) {
        self.weights.load(weights);
        self.parameters.load(parameters);
        self.schedule.load(schedule);
    }

    /// The write of the coming edge in RustHDL's simulator, when the design has settled.
    pub fn activation_write(&self) -> Option<ActivationWrite> {
        let banks = self.act_write_en.get();
        (banks != 0).then(|| ActivationWrite {
            step: self.step.get(),
            banks,
            address: self.act_write_addr.get(),
            data: self.act_write_data.get(),
        })
    }

    fn clocks(&mut self) {
        let rtl = &mut self._rtl;
        rtl.assign(&self.reset, !&self.aresetn);
        rtl.reset(&self.reset);
        for clock in [
            &self.registers.clock,
            &self.sequencer.clock,
            &self.input_buffer.clock,
            &self.unfold.clock,
            &self.stream.clock,
            &self.activations.clock,
            &self.skew.clock,
            &self.array.clock,
            &self.accumulators.clock,
            &self.drain.clock,
            &self.pool.clock,
            &self.weights.clock,
            &self.parameters.clock,
            &self.schedule.clock,
        ] {
            rtl.clock(clock);
        }
        for reset in [
            &self.registers.reset_i,
            &self.sequencer.reset_i,
            &self.input_buffer.reset_i,
            &self.unfold.reset_i,
            &self.stream.reset_i,
            &self.accumulators.reset_i,
            &self.drain.reset_i,
            &self.pool.reset_i,
        ] {
            rtl.assign(reset, &self.reset);
        }
    }

    fn control_registers(&mut self) {
        let (rtl, r) = (&mut self._rtl, &self.registers);
        rtl.assign(&r.awaddr_i, &self.s_axil_awaddr);
        rtl.assign(&r.awvalid_i, &self.s_axil_awvalid);
        rtl.assign(&self.s_axil_awready, &r.awready_o);
        rtl.assign(&r.wdata_i, &self.s_axil_wdata);
        rtl.assign(&r.wstrb_i, &self.s_axil_wstrb);
        rtl.assign(&r.wvalid_i, &self.s_axil_wvalid);
        rtl.assign(&self.s_axil_wready, &r.wready_o);
        rtl.assign(&self.s_axil_bresp, &r.bresp_o);
        rtl.assign(&self.s_axil_bvalid, &r.bvalid_o);
        rtl.assign(&r.bready_i, &self.s_axil_bready);
        rtl.assign(&r.araddr_i, &self.s_axil_araddr);
        rtl.assign(&r.arvalid_i, &self.s_axil_arvalid);
        rtl.assign(&self.s_axil_arready, &r.arready_o);
        rtl.assign(&self.s_axil_rdata, &r.rdata_o);
        rtl.assign(&self.s_axil_rresp, &r.rresp_o);
        rtl.assign(&self.s_axil_rvalid, &r.rvalid_o);
        rtl.assign(&r.rready_i, &self.s_axil_rready);
        rtl.assign(&r.busy_i, &self.sequencer.busy_o);
        rtl.assign(&r.begun_i, &self.sequencer.begun_o);
        rtl.assign(&r.finished_i, &self.sequencer.finished_o);
        rtl.assign(&r.error_i, &self.input_buffer.error_o);
        rtl.assign(&r.full_i, &self.input_buffer.full_o);
        rtl.assign(&r.cycles_i, &self.sequencer.cycles_o);
        rtl.assign(&r.build_id_i, &self.sequencer.build_id_o);
    }

    fn sequence(&mut self) {
        let (rtl, s) = (&mut self._rtl, &self.sequencer);
        rtl.assign(&s.start_i, &self.registers.start_o);
        rtl.assign(&s.input_full_i, &self.input_buffer.full_o);
        rtl.assign(&self.schedule.read_i, &s.schedule_read_o);
        rtl.assign(&self.schedule.address_i, &s.schedule_address_o);
        rtl.assign(&s.schedule_i, &self.schedule.data_o);
        rtl.assign(&self.step, &s.step_o);
        rtl.discard(&self.step);
        rtl.assign(&self.unfold.start_i, &s.unfold_start_o);
        rtl.assign(&s.unfold_done_i, &self.unfold.done_o);
        rtl.assign(&self.stream.start_i, &s.stream_start_o);
        rtl.assign(&s.stream_done_i, &self.stream.done_o);
        rtl.assign(&self.drain.start_i, &s.drain_start_o);
        rtl.assign(&s.drain_done_i, &self.drain.done_o);
        rtl.assign(&self.pool.start_i, &s.pool_start_o);
        rtl.assign(&s.pool_done_i, &self.pool.done_o);
        let (u, c, d, p) = (&self.unfold, &self.stream, &self.drain, &self.pool);
        for valid in [&u.field_valid_i, &c.field_valid_i, &d.field_valid_i, &p.field_valid_i] {
            rtl.assign(valid, &s.field_valid_o);
        }
        for opcode in [&u.field_opcode_i, &c.field_opcode_i, &d.field_opcode_i, &p.field_opcode_i] {
            rtl.assign(opcode, &s.field_opcode_o);
        }
        for index in [&u.field_index_i, &c.field_index_i, &d.field_index_i, &p.field_index_i] {
            rtl.assign(index, &s.field_index_o);
        }
        for data in [&u.field_data_i, &c.field_data_i, &d.field_data_i, &p.field_data_i] {
            rtl.assign(data, &s.field_data_o);
        }
    }

    fn input(&mut self) {
        let (rtl, b) = (&mut self._rtl, &self.input_buffer);
        rtl.assign(&b.data_i, &self.s_axis_tdata);
        rtl.assign(&b.valid_i, &self.s_axis_tvalid);
        rtl.assign(&b.last_i, &self.s_axis_tlast);
        rtl.assign(&self.s_axis_tready, &b.ready_o);
        rtl.assign(&b.length_i, &self.sequencer.input_length_o);
        rtl.assign(&b.enable_i, &self.sequencer.ready_o);
        rtl.assign(&b.release_i, &self.sequencer.finished_o);
        rtl.assign(&b.read_i, &self.unfold.read_o);
        rtl.assign(&b.read_address_i, &self.unfold.read_address_o);
        rtl.assign(&self.unfold.code_i, &b.code_o);
    }

    /// One unit runs at a time, so the one that writes or reads drives the port.
    fn activation_ports(&mut self) {
        let (rtl, a) = (&mut self._rtl, &self.activations);
        let (unfold, drain, pool) = (&self.unfold, &self.drain, &self.pool);
        rtl.section(
            "Activation memory: one unit runs at a time, so the one that writes or reads drives the port",
        );
        let unfolds = rtl.named("unfolds", unfold.write_o.e().any());
        let drains = rtl.named("drains", drain.write_o.e().any() | &drain.shortcut_read_o);
        rtl.assign(&self.act_write_en, &unfold.write_o | &drain.write_o | &pool.write_o);
        rtl.assign(
            &self.act_write_addr,
            mux(
                &unfolds,
                &unfold.write_address_o,
                mux(&drains, &drain.port_address_o, &pool.write_address_o),
            ),
        );
        rtl.assign(
            &self.act_write_data,
            mux(&unfolds, &unfold.write_data_o, mux(&drains, &drain.write_data_o, &pool.write_data_o)),
        );
        rtl.assign(&a.write_i, &self.act_write_en);
        rtl.assign(&a.port_read_i, &drain.shortcut_read_o);
        rtl.assign(&a.port_address_i, &self.act_write_addr);
        rtl.assign(&a.write_data_i, &self.act_write_data);

        rtl.assign(&a.read_i, &self.stream.read_o | &pool.read_o);
        rtl.assign(&a.read_address_i, mux(&pool.read_o, &pool.read_address_o, &self.stream.read_address_o));
        rtl.assign(&a.inside_i, &self.stream.inside_o);
        rtl.assign(&a.bank_mask_i, &self.stream.bank_mask_o);
        rtl.assign(&a.border_i, &self.stream.border_o);
        for (code, word) in pool.code_i.iter().zip(&a.code_o) {
            rtl.assign(code, word);
        }
        for (code, word) in drain.shortcut_code_i.iter().zip(&a.port_code_o) {
            rtl.assign(code, word);
        }
    }

    /// Weights and activations into the array, its sums into the accumulators, control beside them.
    fn array_path(&mut self) {
        let (rtl, array) = (&mut self._rtl, &self.array);
        rtl.assign(&self.weights.read_i, &self.stream.weight_read_o);
        rtl.assign(&self.weights.address_i, &self.stream.weight_address_o);
        rtl.section("Control goes beside the vectors, from their choice to their sums");
        let weight_first = rtl.delay(&self.stream.weight_first_o, &self.weight_first);
        rtl.assign(&array.load_i, weight_first);
        rtl.assign(&array.weight_i, &self.weights.data_o);
        for (act, code) in self.skew.act_i.iter().zip(&self.activations.masked_o) {
            rtl.assign(act, code);
        }
        for (act, skewed) in array.act_i.iter().zip(&self.skew.act_o) {
            rtl.assign(act, skewed);
        }
        let valid = rtl.delay(&self.stream.valid_o, &self.valid);
        let control = rtl.delay_data(&self.stream.control_o, &self.control);
        let last = rtl.delay(&self.stream.last_o, &self.last);
        rtl.assign(&self.accumulators.valid_i, valid);
        rtl.assign(&self.accumulators.control_i, control);
        rtl.assign(&self.accumulators.last_i, last);
        for (input, sum) in self.accumulators.sum_i.iter().zip(&array.sum_o) {
            rtl.assign(input, sum);
        }
        for (input, invert) in self.accumulators.invert_i.iter().zip(&array.invert_o) {
            rtl.assign(input, invert);
        }
    }

    fn drain_path(&mut self) {
        let (rtl, drain) = (&mut self._rtl, &self.drain);
        rtl.assign(&drain.block_i, &self.accumulators.block_o);
        rtl.assign(&self.stream.bank_free_i, &drain.bank_free_o);
        rtl.assign(&self.accumulators.drain_i, &drain.drain_o);
        rtl.assign(&self.accumulators.drain_bank_i, &drain.drain_bank_o);
        rtl.assign(&self.accumulators.drain_address_i, &drain.drain_address_o);
        rtl.assign(&self.accumulators.drain_group_i, &drain.drain_group_o);
        for (input, sum) in drain.sum_i.iter().zip(&self.accumulators.drained_o) {
            rtl.assign(input, sum);
        }
        rtl.assign(&self.parameters.read_i, &drain.parameter_read_o);
        rtl.assign(&self.parameters.address_i, &drain.parameter_address_o);
        rtl.assign(&drain.parameter_i, &self.parameters.data_o);
        rtl.assign(&self.m_axis_tdata, &drain.logit_o);
        rtl.assign(&self.m_axis_tvalid, &drain.logit_valid_o);
        rtl.assign(&self.m_axis_tlast, &drain.logit_last_o);
        rtl.assign(&drain.logit_ready_i, &self.m_axis_tready);
    }
}

#[cfg(test)]
mod tests;
