// One inference through the AXI ports of the accelerator. Prints, a line each: every write to the activation
// memory, every logit, and the cycle counter; or `stuck` and what was being waited for.
//
// Plusargs: +input (image of the input bytes), +bytes, +logits, +limit (cycles), and those of the ROMs.

`timescale 1ns/1ns
`default_nettype none

module empf_bench;
    parameter INPUT_DEPTH = 1;
    // Cycles within which the control port must answer.
    localparam PATIENCE = 64;
    localparam CONTROL = 8'h00, STATUS = 8'h04, CYCLES = 8'h08;

    reg aclk = 0;
    reg aresetn = 0;
    reg [7:0] s_axis_tdata = 0;
    reg s_axis_tvalid = 0;
    reg s_axis_tlast = 0;
    wire s_axis_tready;
    wire [31:0] m_axis_tdata;
    wire m_axis_tvalid, m_axis_tlast;
    reg m_axis_tready = 0;
    reg [7:0] s_axil_awaddr = 0;
    reg [31:0] s_axil_wdata = 0;
    reg s_axil_awvalid = 0, s_axil_wvalid = 0, s_axil_bready = 0;
    wire s_axil_awready, s_axil_wready, s_axil_bvalid;
    wire [1:0] s_axil_bresp;
    reg [7:0] s_axil_araddr = 0;
    reg s_axil_arvalid = 0, s_axil_rready = 0;
    wire s_axil_arready, s_axil_rvalid;
    wire [31:0] s_axil_rdata;
    wire [1:0] s_axil_rresp;

    empf_top dut (
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

    reg [8*1024-1:0] input_path;
    reg [7:0] codes [0:INPUT_DEPTH-1];
    integer bytes, logits, limit, cycles, count, tries;
    // Handshakes of the last edge.
    reg sent, received, last, address_taken, data_taken, written, read_taken, read_answered;
    reg [31:0] value;

    // Inputs settle, what the edge takes is kept, then the edge comes.
    task tick;
        begin
            #1;
            sent = s_axis_tvalid & s_axis_tready;
            received = m_axis_tvalid & m_axis_tready;
            last = m_axis_tlast;
            address_taken = s_axil_awready;
            data_taken = s_axil_wready;
            written = s_axil_bvalid;
            read_taken = s_axil_arready;
            read_answered = s_axil_rvalid;
            if (read_answered) value = s_axil_rdata;
            if (received) $display("logit %0d", $signed(m_axis_tdata));
            if (dut.act_write_en != 0)
                $display("write %0d %h %0d %h", dut.step, dut.act_write_en, dut.act_write_addr, dut.act_write_data);
            aclk = 1;
            #1;
            aclk = 0;
            cycles = cycles + 1;
            if (cycles > limit) stuck("not all logits came");
        end
    endtask

    task stuck(input [8*48-1:0] reason);
        begin
            $display("stuck %0s", reason);
            $finish;
        end
    endtask

    task write(input [7:0] address, input [31:0] data);
        begin
            s_axil_awaddr = address;
            s_axil_wdata = data;
            {s_axil_awvalid, s_axil_wvalid, s_axil_bready} = 3'b111;
            written = 0;
            for (tries = 0; tries < PATIENCE && !written; tries = tries + 1) begin
                tick;
                if (address_taken) s_axil_awvalid = 0;
                if (data_taken) s_axil_wvalid = 0;
            end
            s_axil_bready = 0;
            if (!written) stuck("the control port did not answer");
        end
    endtask

    task read(input [7:0] address);
        begin
            s_axil_araddr = address;
            {s_axil_arvalid, s_axil_rready} = 2'b11;
            read_answered = 0;
            for (tries = 0; tries < PATIENCE && !read_answered; tries = tries + 1) begin
                tick;
                if (read_taken) s_axil_arvalid = 0;
            end
            s_axil_rready = 0;
            if (!read_answered) stuck("the control port did not answer");
        end
    endtask

    initial begin
        cycles = 0;
        if (!$value$plusargs("bytes=%d", bytes)) bytes = 0;
        if (!$value$plusargs("logits=%d", logits)) logits = 0;
        if (!$value$plusargs("limit=%d", limit)) limit = 0;
        if ($value$plusargs("input=%s", input_path)) $readmemh(input_path, codes, 0, bytes - 1);
        repeat (4) tick;
        aresetn = 1;

        s_axis_tvalid = 1;
        for (count = 0; count < bytes; count = count + (sent ? 1 : 0)) begin
            s_axis_tdata = codes[count];
            s_axis_tlast = count + 1 == bytes;
            tick;
        end
        s_axis_tvalid = 0;

        write(CONTROL, 1);
        m_axis_tready = 1;
        for (count = 0; count < logits; count = count + (received ? 1 : 0)) begin
            tick;
            if (received && last != (count + 1 == logits)) stuck("m_axis_tlast was not with the last logit");
        end
        m_axis_tready = 0;

        // The schedule's end is read after the last logit; until then the counter runs.
        value = 1;
        while (value[0]) read(STATUS);
        read(CYCLES);
        $display("cycles %0d", value);
        $finish;
    end
endmodule

`default_nettype wire
