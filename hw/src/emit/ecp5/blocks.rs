//! A memory as a grid of block RAMs DP16KD.

use crate::emit::expression::{Scope, range};
use crate::emit::text::line;
use crate::rtl::{Expr, Memory, MemoryRead, address_width};

/// Words below which a memory is made of look-up tables.
const LEAST_DEPTH: usize = 64;
/// Bits of a block's address.
const ADDRESS_BITS: usize = 14;
/// Pins of a block's data.
const DATA_PINS: usize = 36;
/// Bits of a parameter INITVAL_00, ..
const INITVAL_BITS: usize = 320;
/// Bits of all 64 of a block.
const INIT_BITS: usize = 64 * INITVAL_BITS;

/// The file, beside the Verilog, that the image `file` of a memory is included from.
pub(crate) fn image_file(file: &str) -> String {
    format!("{}.vh", file.trim_end_matches(".mem"))
}

/// What the Verilog includes as the image of a ROM of `depth` words of `width` bits whose first are `words`: the local
/// parameter IMAGE, INITVAL_00 to INITVAL_3F of its block RAMs. `None` for a ROM that is made of look-up tables.
pub fn ecp5_image(width: usize, depth: usize, words: &[u64]) -> Option<String> {
    Grid::new(width, depth, false).map(|grid| grid.image(words))
}

/// Body of the module of `memory`; `None` for one that is made of look-up tables. With `images`, a ROM includes its file.
pub(super) fn render(memory: &Memory, images: bool, clock: &str, scope: &mut Scope) -> Option<String> {
    let grid = Grid::new(memory.width, memory.depth, memory.port_read().is_some())?;
    let image = memory.image.as_ref().filter(|_| images);
    let mut blocks = Blocks { grid, has_image: image.is_some(), clock, scope, text: String::new() };
    if let Some(image) = image {
        blocks.text = format!("`include \"{}\"\n", image_file(&image.file));
    }
    let read = blocks.port("read", &memory.read, &memory.read_address);
    let write = blocks.writing(memory);
    blocks.instances(&read, &write);
    Some(blocks.text)
}

/// The blocks of a memory: pages one behind another, columns side by side.
#[derive(Clone, Copy, Debug)]
struct Grid {
    /// Bits of the memory's word.
    word: usize,
    depth: usize,
    /// Bits of a block's word: 36, 18, 9, 4, 2 or 1.
    width: usize,
    pages: usize,
    columns: usize,
}

/// Bits of an address that choose a word of `width` bits in a block.
fn address_bits(width: usize) -> usize {
    match width {
        36 => 9,
        18 => 10,
        9 => 11,
        4 => 12,
        2 => 13,
        _ => ADDRESS_BITS,
    }
}

impl Grid {
    /// The widest words of which a block holds all; only what does not fit blocks of single bits has pages. Words of 36
    /// bits have a port that writes and one that reads, and neither does both. `None` where blocks do not pay.
    fn new(word: usize, depth: usize, is_shared: bool) -> Option<Self> {
        let widest = if is_shared { 18 } else { 36 };
        let holds = |width: &usize| *width <= widest && depth <= 1 << address_bits(*width);
        let width = [36, 18, 9, 4, 2, 1].into_iter().find(holds).unwrap_or(1);
        let (pages, columns) = (depth.div_ceil(1 << address_bits(width)), word.div_ceil(width));
        (depth >= LEAST_DEPTH).then_some(Grid { word, depth, width, pages, columns })
    }

    /// The local parameter IMAGE: INITVAL_00 to INITVAL_3F of every block, page by page, the first in the low bits.
    fn image(&self, words: &[u64]) -> String {
        let mut digits = vec![0u32; self.pages * self.columns * INIT_BITS / 4];
        let in_block = address_bits(self.width);
        for (at, word) in words.iter().enumerate() {
            for bit in (0..self.word).filter(|bit| word >> bit & 1 == 1) {
                let block = (at >> in_block) * self.columns + bit / self.width;
                let place = self.place(at & ((1 << in_block) - 1), bit % self.width);
                // INITVAL has 20 bits for every 18.
                let bit = block * INIT_BITS + place / 18 * 20 + place % 18;
                digits[bit / 4] |= 1 << (bit % 4);
            }
        }
        let parameter = |digits: &[u32]| {
            let text: String = digits.iter().rev().filter_map(|digit| char::from_digit(*digit, 16)).collect();
            format!("    {INITVAL_BITS}'h{text}")
        };
        let parameters: Vec<String> = digits.chunks(INITVAL_BITS / 4).rev().map(parameter).collect();
        format!("localparam [{}:0] IMAGE = {{\n{}\n}};\n", 4 * digits.len() - 1, parameters.join(",\n"))
    }

    /// Place of a bit among the 18,432 of a block: a word of less than 9 bits stays inside a byte of 9.
    fn place(&self, address: usize, bit: usize) -> usize {
        if self.width >= 9 {
            return address * self.width + bit;
        }
        let in_byte = 8 / self.width;
        address / in_byte * 9 + address % in_byte * self.width + bit
    }

    /// The page of the word at `address`, as text.
    fn page_of(&self, address: &str) -> String {
        format!("{address}[{}:{ADDRESS_BITS}]", address_width(self.depth) - 1)
    }

    /// `enable`, in `page` alone.
    fn in_page(&self, enable: &str, address: &str, page: usize) -> String {
        match self.pages {
            1 => enable.to_owned(),
            _ => format!("({enable}) & ({} == {page})", self.page_of(address)),
        }
    }

    /// The 14 address pins, the low ones of a wide word with `below`.
    fn pins(&self, address: &str, below: usize) -> String {
        let (given, used) = (address_width(self.depth), address_bits(self.width));
        let mut parts = vec![];
        if used > given {
            parts.push(format!("{}'d0", used - given));
        }
        parts.push(if given > used { format!("{address}[{}:0]", used - 1) } else { address.to_owned() });
        if used < ADDRESS_BITS {
            parts.push(format!("{}'d{below}", ADDRESS_BITS - used));
        }
        format!("{{{}}}", parts.join(", "))
    }

    /// Enables of a wide word's bytes, at the lowest address pins of the port that writes.
    fn byte_enables(&self) -> usize {
        if self.width < 18 { 0 } else { (1 << (self.width / 9)) - 1 }
    }
}

/// How a port of a memory is driven, as text; what it does not do is empty.
#[derive(Default)]
struct Port {
    read: String,
    write: String,
    address: String,
}

struct Blocks<'a> {
    grid: Grid,
    has_image: bool,
    clock: &'a str,
    scope: &'a mut Scope,
    text: String,
}

impl Blocks<'_> {
    fn line(&mut self, indent: usize, content: &str) {
        line(&mut self.text, indent, content);
    }

    /// Declares what a port reads in each page, as the bus `<name>_pages`, and gives the word of the right one to its output.
    fn port(&mut self, name: &str, read: &MemoryRead, address: &Expr) -> Port {
        let (enable, address) = (self.scope.text(&read.enable), self.scope.text(address));
        let output = self.scope.name(read.output.id()).to_owned();
        let Grid { word, pages, .. } = self.grid;
        let bits = self.grid.columns * self.grid.width;
        self.line(1, &format!("wire [{}:0] {name}_pages;", pages * bits - 1));
        if pages == 1 {
            self.line(1, &format!("always @* {output} = {name}_pages[{}:0];", word - 1));
        } else {
            let page = self.grid.page_of(&address);
            self.line(1, &format!("reg {}{name}_latched, {name}_page;", range(address_width(pages))));
            self.line(1, &format!("always @(posedge {}) begin", self.clock));
            self.line(2, &format!("if ({enable}) {name}_latched <= {page};"));
            self.line(2, &format!("{name}_page <= {name}_latched;"));
            self.line(1, "end");
            self.line(1, &format!("always @* {output} = {name}_pages[{name}_page * {bits} +: {word}];"));
        }
        Port { read: enable, address, ..Port::default() }
    }

    /// The port that writes, if there is one.
    fn writing(&mut self, memory: &Memory) -> Port {
        let Some(write) = &memory.write else { return Port::default() };
        let mut port = match &write.read {
            Some(read) => self.port("port", read, &write.address),
            None => Port { address: self.scope.text(&write.address), ..Port::default() },
        };
        port.write = self.scope.text(&write.enable);
        let data = self.scope.text(&write.data);
        let bits = self.grid.columns * self.grid.width;
        let data = widened(data, bits - self.grid.word);
        self.line(1, &format!("wire [{}:0] write_data = {data};", bits - 1));
        port
    }

    fn instances(&mut self, read: &Port, write: &Port) {
        for page in 0..self.grid.pages {
            for column in 0..self.grid.columns {
                self.instance(page, column, read, write);
            }
        }
    }

    /// The block of a page and a column, and its words as parts of what the ports read.
    fn instance(&mut self, page: usize, column: usize, read: &Port, write: &Port) {
        let grid = self.grid;
        let (width, place) = (grid.width, page * grid.columns + column);
        let init = format!(", .INIT(IMAGE[{} +: {INIT_BITS}])", place * INIT_BITS);
        let init = if self.has_image { init } else { String::new() };
        let name = format!("block_{page}_{column}");
        self.line(1, &format!("wire [{}:0] {name}_data;", DATA_PINS - 1));
        self.line(1, &format!("empf_dp16kd #(.WIDTH({width}){init}) {name} ("));
        self.line(2, &format!(".clock({}), {},", self.clock, self.port_a(page, column, write)));
        let enable = grid.in_page(&read.read, &read.address, page);
        let address = grid.pins(&read.address, 0);
        self.line(2, &format!(".b_enable_i({enable}), .b_address_i({address}), .data_o({name}_data)"));
        self.line(1, ");");
        // Port B has the upper pins, and a word of 36 bits all.
        let low = if width == DATA_PINS { 0 } else { DATA_PINS / 2 };
        let to = format!("_pages[{} +: {width}]", place * width);
        self.line(1, &format!("assign read{to} = {name}_data[{low} +: {width}];"));
        if !write.read.is_empty() {
            self.line(1, &format!("assign port{to} = {name}_data[0 +: {width}];"));
        }
    }

    fn port_a(&self, page: usize, column: usize, write: &Port) -> String {
        let grid = self.grid;
        let enables = [&write.read, &write.write].map(String::as_str);
        let enables: Vec<&str> = enables.into_iter().filter(|enable| !enable.is_empty()).collect();
        if enables.is_empty() {
            return ".a_enable_i(1'b0), .a_write_i(1'b0), .a_address_i(14'd0), .a_data_i(36'd0)".into();
        }
        let enable = grid.in_page(&enables.join(" | "), &write.address, page);
        let address = grid.pins(&write.address, grid.byte_enables());
        let part = format!("write_data[{} +: {}]", column * grid.width, grid.width);
        let data = widened(part, DATA_PINS - grid.width);
        let write = &write.write;
        format!(".a_enable_i({enable}), .a_write_i({write}), .a_address_i({address}), .a_data_i({data})")
    }
}

/// `data` with `above` zeros above it.
fn widened(data: String, above: usize) -> String {
    if above == 0 { data } else { format!("{{{above}'d0, {data}}}") }
}
