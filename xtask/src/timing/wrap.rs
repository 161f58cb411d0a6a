//! A top of four pins around one module: its inputs come from a shift register, its outputs are loaded into one, so that
//! only paths between registers count and nothing of the module is optimised away.

use std::fmt::Write;

/// A port as the emitted text declares it.
struct Port<'a> {
    name: &'a str,
    width: usize,
    is_input: bool,
}

/// The top `wrap` around `module` of the emitted `text`.
pub(super) fn wrap(text: &str, module: &str) -> crate::error::Result<String> {
    let ports = ports(text, module).ok_or_else(|| format!("there is no module {module}"))?;
    let side =
        |is_input: bool| ports.iter().filter(move |port| port.is_input == is_input && port.name != "clock");
    let width = |is_input: bool| side(is_input).map(|port| port.width).sum::<usize>();
    let mut pins = String::from("        .clock(clock)");
    for (is_input, bus) in [(true, "into"), (false, "from")] {
        let mut low = 0;
        for Port { name, width, .. } in side(is_input) {
            write!(pins, ",\n        .{name}({bus}[{}:{low}])", low + width - 1)?;
            low += width;
        }
    }
    let [into, from] = [width(true), width(false)].map(|width| width - 1);
    Ok(format!(
        "module wrap(input clock, input serial_i, input load_i, output serial_o);
    reg [{into}:0] into;
    wire [{from}:0] from;
    reg [{from}:0] held;
    assign serial_o = held[{from}];
    {module} unit (
{pins}
    );
    always @(posedge clock) begin
        into <= {{into, serial_i}};
        held <= load_i ? from : {{held, 1'b0}};
    end
endmodule
"
    ))
}

/// The ports in the header of `module`, a line each.
fn ports<'a>(text: &'a str, module: &str) -> Option<Vec<Port<'a>>> {
    let header = text.split_once(&format!("module {module}"))?.1.split_once(");")?.0;
    let port = |line: &'a str| {
        let mut words = line.trim().trim_end_matches(',').split(' ');
        let is_input = match words.next()? {
            "input" => true,
            "output" => false,
            _ => return None,
        };
        let rest: Vec<&str> = words.collect();
        let range = rest.iter().find_map(|word| word.strip_prefix('[')?.strip_suffix(":0]"));
        let width = range.map_or(Some(1), |high| high.parse::<usize>().ok().map(|high| high + 1))?;
        Some(Port { name: rest.last()?, width, is_input })
    };
    Some(header.lines().filter_map(port).collect())
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn every_bit_has_its_place() {
        let text = "module empf_x (\n    input wire clock,\n    input wire [2:0] a_i,\n    input wire b_i,\n    \
                    output reg [3:0] c_o\n);\nendmodule\n";
        let wrapped = wrap(text, "empf_x").unwrap();
        for line in ["reg [3:0] into;", ".a_i(into[2:0])", ".b_i(into[3:3])", ".c_o(from[3:0])"] {
            assert!(wrapped.contains(line), "{wrapped}");
        }
        assert!(wrap(text, "empf_y").is_err());
    }
}
