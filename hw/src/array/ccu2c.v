// Carry cell of Lattice ECP5 in simulation: two look-up tables of four inputs, each with a bit of a carry chain.
module CCU2C #(
    parameter [15:0] INIT0 = 16'h0000,
    parameter [15:0] INIT1 = 16'h0000,
    parameter INJECT1_0 = "YES",
    parameter INJECT1_1 = "YES"
) (
    input wire CIN, A0, B0, C0, D0, A1, B1, C1, D1,
    output wire S0, S1, COUT
);
    wire [15:0] table_0 = INIT0;
    wire [15:0] table_1 = INIT1;
    // A half's table says whether a carry passes on; with the upper inputs at 0, whether one comes from here.
    wire passes_0 = table_0[{D0, C0, B0, A0}];
    wire passes_1 = table_1[{D1, C1, B1, A1}];
    // Injection cuts a half off from the chain: its sum is that of the table, and no carry comes from it.
    wire chained_0 = INJECT1_0 == "NO";
    wire chained_1 = INJECT1_1 == "NO";
    wire carry = passes_0 ? CIN : chained_0 & table_0[{2'b00, B0, A0}];
    assign S0 = passes_0 ^ (chained_0 & CIN);
    assign S1 = passes_1 ^ (chained_1 & carry);
    assign COUT = passes_1 ? carry : chained_1 & table_1[{2'b00, B1, A1}];
endmodule
