// An array behind input registers. They take the ports, or, while `run_i` is set, pseudo-random activations and
// weights with a new tile every `TILE cycles.
module drive (
    input wire clock,
    input wire run_i,
    input wire load_i,
    input wire [`COLS-1:0] weight_i,
    input wire [`ROWS*`ACT-1:0] act_i,
    output wire [`COLS*`SUM-1:0] sum_o,
    output wire [`COLS-1:0] invert_o
);
    reg load = 0;
    reg [`COLS-1:0] weight = 1;
    reg [`ROWS*`ACT-1:0] act = 1;
    reg [15:0] count = 0;
    always @(posedge clock) begin
        count <= count == `TILE - 1 ? 0 : count + 1;
        load <= run_i ? count == 0 : load_i;
        weight <= run_i ? {weight[`COLS-2:0], weight[`COLS-1] ^ act[0]} : weight_i;
        act <= run_i ? {act[`ROWS*`ACT-8:0], act[`ROWS*`ACT-1 -: 7] ^ act[6:0]} : act_i;
    end
    array array (
        .clock(clock), .load_i(load), .weight_i(weight), .act_i(act), .sum_o(sum_o), .invert_o(invert_o)
    );
endmodule
