// The +-1 array as it is written by hand for speed in Verilator: scalar registers in a generate loop, addition
// as XOR and carry. Its ports are those of the emitted array; weights shift in from above and are swapped at once.
module array (
    input wire clock,
    input wire load_i,
    input wire [`COLS-1:0] weight_i,
    input wire [`ROWS*`ACT-1:0] act_i,
    output wire [`COLS*`SUM-1:0] sum_o,
    output wire [`COLS-1:0] invert_o
);
    reg [6:0] words_left = 0;
    reg swap = 0;
    wire shift = load_i | words_left != 0;
    always @(posedge clock) begin
        if (load_i) words_left <= `ROWS - 1;
        else if (words_left != 0) words_left <= words_left - 1;
        swap <= words_left == 1;
    end
    assign invert_o = 0;

    genvar r, c;
    generate for (r = 0; r < `ROWS; r = r + 1) begin : row
        for (c = 0; c < `COLS; c = c + 1) begin : col
            reg shadow, weight;
            reg [`ACT-1:0] act;
            reg [`SUM-1:0] sum;
            wire weight_above;
            wire [`ACT-1:0] act_left;
            wire [`SUM-1:0] sum_above;
            if (r == 0) begin
                assign weight_above = weight_i[c];
                assign sum_above = 0;
            end else begin
                assign weight_above = row[r-1].col[c].shadow;
                assign sum_above = row[r-1].col[c].sum;
            end
            if (c == 0) assign act_left = act_i[r*`ACT +: `ACT];
            else assign act_left = row[r].col[c-1].act;
            wire minus = ~weight;
            always @(posedge clock) begin
                if (shift) shadow <= weight_above;
                if (swap) weight <= shadow;
                act <= act_left;
                sum <= sum_above + ({{(`SUM-`ACT){1'b0}}, act_left} ^ {`SUM{minus}}) + {{(`SUM-1){1'b0}}, minus};
            end
            if (r == `ROWS - 1) assign sum_o[c*`SUM +: `SUM] = sum;
        end
    end endgenerate
endmodule
