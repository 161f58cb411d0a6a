// Self-checking bench of an accelerator, written by empf. In this folder, either of
//
//   $ iverilog -g2001 -s empf_bench -o bench.vvp -f files.f && vvp -N bench.vvp
//   $ verilator --binary --timing --top-module empf_bench -f files.f && obj_dir/Vempf_bench
//
// prints a line that begins with PASS, or one that begins with FAIL and ends with a status other than 0.
//
// Whole inferences go through the AXI ports: the first without pauses, so that its cycles are the predicted ones, those
// after it with gaps in the input and stalls of the output. Logits are held to expected.mem. The rules of AXI are
// checked in every cycle: nothing is offered in reset, and what is offered stays, unchanged, until it is taken.
//
// SPDX-License-Identifier: CC0-1.0

`default_nettype none

module empf_bench;
    // BYTES of an input, LOGITS, INFERENCES, PREDICTED cycles, LIMIT of cycles for an inference, BUILD_ID, MEM_PATH,
    // and TRACE: 1 prints what happens, instead of holding it to what is expected.
    `include "stimuli.vh"

    // Cycles within which the control port must answer.
    localparam PATIENCE = 64;
    localparam CONTROL_REGISTER = 8'h00, STATUS_REGISTER = 8'h04, CYCLES_REGISTER = 8'h08, ID_REGISTER = 8'h0c;

    reg aclk;
    reg aresetn;
    reg [7:0] s_axis_tdata;
    reg s_axis_tvalid, s_axis_tlast;
    wire s_axis_tready;
    wire [31:0] m_axis_tdata;
    wire m_axis_tvalid, m_axis_tlast;
    reg m_axis_tready;
    reg [7:0] s_axil_awaddr;
    reg [31:0] s_axil_wdata;
    reg s_axil_awvalid, s_axil_wvalid, s_axil_bready;
    wire s_axil_awready, s_axil_wready, s_axil_bvalid;
    wire [1:0] s_axil_bresp;
    reg [7:0] s_axil_araddr;
    reg s_axil_arvalid, s_axil_rready;
    wire s_axil_arready, s_axil_rvalid;
    wire [31:0] s_axil_rdata;
    wire [1:0] s_axil_rresp;

    empf_top #(.MEM_PATH(MEM_PATH)) dut (
        .aclk(aclk), .aresetn(aresetn),
        .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
        .s_axis_tlast(s_axis_tlast),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready),
        .m_axis_tlast(m_axis_tlast),
        .s_axil_awaddr(s_axil_awaddr), .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
        .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(4'hf), .s_axil_wvalid(s_axil_wvalid),
        .s_axil_wready(s_axil_wready), .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid),
        .s_axil_bready(s_axil_bready),
        .s_axil_araddr(s_axil_araddr), .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready),
        .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp), .s_axil_rvalid(s_axil_rvalid),
        .s_axil_rready(s_axil_rready)
    );

    reg [7:0] codes [0:INFERENCES*BYTES-1];
    reg [31:0] expected [0:INFERENCES*LOGITS-1];
    integer inference, cycles, count, tries;
    reg failed, pauses;
    reg [15:0] random;

    // Handshakes of the last edge.
    reg sent, received, last, address_taken, data_taken, written, read_taken, read_answered;
    reg [31:0] logit, value;

    // What waits to be taken: TVALID or xVALID was high without its ready.
    reg m_waits, b_waits, r_waits;
    reg [32:0] m_offer;
    reg [1:0] b_offer;
    reg [33:0] r_offer;

    task fail(input [8*56-1:0] reason);
        begin
            if (!failed) $display("FAIL: %0s, inference %0d, cycle %0d", reason, inference, cycles);
            failed = 1;
            if (TRACE) $finish;
            else $stop;
        end
    endtask

    // An unknown bit is not 1 and not what was offered, so that it breaks the rules as well.
    task check_rules;
        begin
            if (!aresetn) begin
                if (cycles > 0 && {m_axis_tvalid, s_axil_bvalid, s_axil_rvalid} !== 3'd0)
                    fail("something is offered in reset");
                {m_waits, b_waits, r_waits} = 3'd0;
            end else begin
                if (m_waits && {m_axis_tvalid, m_axis_tlast, m_axis_tdata} !== {1'b1, m_offer})
                    fail("a logit was withdrawn or changed before it was taken");
                if (b_waits && {s_axil_bvalid, s_axil_bresp} !== {1'b1, b_offer})
                    fail("the answer to a write was withdrawn or changed");
                if (r_waits && {s_axil_rvalid, s_axil_rresp, s_axil_rdata} !== {1'b1, r_offer})
                    fail("the answer to a read was withdrawn or changed");
                m_waits = m_axis_tvalid !== 1'b0 && !m_axis_tready;
                b_waits = s_axil_bvalid !== 1'b0 && !s_axil_bready;
                r_waits = s_axil_rvalid !== 1'b0 && !s_axil_rready;
                m_offer = {m_axis_tlast, m_axis_tdata};
                b_offer = s_axil_bresp;
                r_offer = {s_axil_rresp, s_axil_rdata};
            end
        end
    endtask

    // Inputs settle, what the edge takes is kept, then the edge comes.
    task tick;
        begin
            #1;
            check_rules;
            sent = s_axis_tvalid & s_axis_tready;
            received = m_axis_tvalid & m_axis_tready;
            last = m_axis_tlast;
            logit = m_axis_tdata;
            address_taken = s_axil_awready;
            data_taken = s_axil_wready;
            written = s_axil_bvalid & s_axil_bready;
            read_taken = s_axil_arready;
            read_answered = s_axil_rvalid & s_axil_rready;
            if (read_answered) value = s_axil_rdata;
            if (TRACE && received) $display("logit %0d", $signed(logit));
            if (TRACE && dut.act_write_en != 0)
                $display("write %0d %h %0d %h", dut.step, dut.act_write_en, dut.act_write_addr, dut.act_write_data);
            aclk = 1;
            #1;
            aclk = 0;
            cycles = cycles + 1;
            random = {random[14:0], random[15] ^ random[13] ^ random[12] ^ random[10]};
            if (cycles > LIMIT) fail("not all logits came");
        end
    endtask

    // The answer waits a little where there are pauses.
    task write(input [7:0] address, input [31:0] data);
        begin
            s_axil_awaddr = address;
            s_axil_wdata = data;
            {s_axil_awvalid, s_axil_wvalid} = 2'b11;
            written = 0;
            for (tries = 0; tries < PATIENCE && !written; tries = tries + 1) begin
                s_axil_bready = !pauses || tries > 4;
                tick;
                if (address_taken) s_axil_awvalid = 0;
                if (data_taken) s_axil_wvalid = 0;
            end
            s_axil_bready = 0;
            if (!written) fail("the control port did not answer");
        end
    endtask

    task read(input [7:0] address);
        begin
            s_axil_araddr = address;
            s_axil_arvalid = 1;
            read_answered = 0;
            for (tries = 0; tries < PATIENCE && !read_answered; tries = tries + 1) begin
                s_axil_rready = !pauses || tries > 4;
                tick;
                if (read_taken) s_axil_arvalid = 0;
            end
            s_axil_rready = 0;
            if (!read_answered) fail("the control port did not answer");
        end
    endtask

    // A byte that is offered stays until it is taken; gaps come between bytes.
    task send;
        for (count = 0; count < BYTES; count = count + (sent ? 1 : 0)) begin
            s_axis_tvalid = s_axis_tvalid || !pauses || random[0];
            s_axis_tdata = codes[inference*BYTES + count];
            s_axis_tlast = count + 1 == BYTES;
            tick;
            if (sent) s_axis_tvalid = 0;
        end
    endtask

    task receive;
        begin
            for (count = 0; count < LOGITS; count = count + (received ? 1 : 0)) begin
                m_axis_tready = !pauses || random[1:0] == 2'd0;
                tick;
                if (received && last != (count + 1 == LOGITS)) fail("m_axis_tlast was not with the last logit");
                if (received && !TRACE && logit !== expected[inference*LOGITS + count]) begin
                    $display("logit %0d is %0d, expected %0d", count, $signed(logit),
                        $signed(expected[inference*LOGITS + count]));
                    fail("a logit is wrong");
                end
            end
            m_axis_tready = 0;
        end
    endtask

    initial begin
        {aclk, aresetn, failed, pauses} = 4'd0;
        {s_axis_tdata, s_axis_tvalid, s_axis_tlast, m_axis_tready} = 11'd0;
        {s_axil_awaddr, s_axil_wdata, s_axil_awvalid, s_axil_wvalid, s_axil_bready} = 43'd0;
        {s_axil_araddr, s_axil_arvalid, s_axil_rready} = 10'd0;
        inference = 0;
        cycles = 0;
        value = 0;
        random = 16'h1d2b;
        $readmemh("input.mem", codes);
        if (!TRACE) $readmemh("expected.mem", expected);
        if (^codes[INFERENCES*BYTES-1] === 1'bx || (!TRACE && ^expected[INFERENCES*LOGITS-1] === 1'bx))
            fail("input.mem or expected.mem is cut, or not in this folder");
        repeat (4) tick;
        aresetn = 1;
        for (inference = 0; inference < INFERENCES; inference = inference + 1) begin
            pauses = inference > 0;
            cycles = 0;
            send;
            write(CONTROL_REGISTER, 1);
            receive;
            // The schedule's end is read after the last logit; until then the counter runs.
            value = 1;
            while (value[0]) read(STATUS_REGISTER);
            if (value[2]) fail("the input had a wrong length");
            read(ID_REGISTER);
            if (value !== BUILD_ID) fail("the images are of another build");
            read(CYCLES_REGISTER);
            if (TRACE) $display("cycles %0d", value);
            else if (inference == 0 && value !== PREDICTED) fail("the cycles are not those predicted");
        end
        if (!failed && !TRACE)
            $display("PASS: %0d inferences, %0d logits each, %0d cycles", INFERENCES, LOGITS, PREDICTED);
        $finish;
    end
endmodule

`default_nettype wire
