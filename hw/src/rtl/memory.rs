//! Memories that infer block RAM with its output register: at most 64 bits wide, any depth.

use super::prelude::{In, Local, Logic, LogicBlock, Out, block, probe};
use super::unit::{Memory, MemoryImage, MemoryRead, MemoryWrite, Rtl};
use super::wire::Wire;
use super::word::{bits_for, mask};
use crate::rtl_logic;

/// Cycles from an address to its word: one to read, one in the output register.
pub const READ_DELAY: usize = 2;

/// Bits of an address of a memory of `depth` words.
pub fn address_width(depth: usize) -> usize {
    bits_for(depth)
}

fn read(enable: &Wire<In>, word: &Wire<Local>, output: &Wire<Out>) -> MemoryRead {
    MemoryRead { enable: enable.e(), word: word.net().clone(), output: output.net().clone() }
}

/// Memory with one read and one write port, which starts at no known values.
///
/// `read_data_o` shows the word at `read_address_i` [`READ_DELAY`] cycles after `read_i`, and holds it until the next
/// read. A word that is written in the cycle in which it is read comes with no known value: block RAMs differ in that,
/// and logic that hides it costs time. Addresses at or above `depth` must not be used.
#[derive(LogicBlock)]
pub struct Ram {
    /// Clock.
    pub clock: Wire<In>,
    /// Write enable.
    pub write_i: Wire<In>,
    /// Word to write.
    pub write_address_i: Wire<In>,
    /// Value to write.
    pub write_data_i: Wire<In>,
    /// Read enable.
    pub read_i: Wire<In>,
    /// Word to read.
    pub read_address_i: Wire<In>,
    /// Value of the word last read.
    pub read_data_o: Wire<Out>,
    word: Wire<Local>,
    _rtl: Rtl,
}
rtl_logic!(Ram);

impl Ram {
    /// Memory of `depth` words of `width` bits; `kind` is the name of its Verilog module.
    #[track_caller]
    pub fn new(kind: impl Into<String>, width: usize, depth: usize) -> Self {
        assert!(depth > 0, "a memory has at least one word");
        let address = address_width(depth);
        let clock = Wire::new(1);
        let mut ram = Ram {
            _rtl: Rtl::new(kind, &clock),
            clock,
            write_i: Wire::new(1),
            write_address_i: Wire::new(address),
            write_data_i: Wire::new(width),
            read_i: Wire::new(1),
            read_address_i: Wire::new(address),
            read_data_o: Wire::new(width),
            word: Wire::new(width),
        };
        ram._rtl.register(&ram.read_data_o, 0).without_reset().set(&ram.word);
        ram._rtl.memory(Memory {
            width,
            depth,
            image: None,
            write: Some(MemoryWrite {
                enable: ram.write_i.e(),
                address: ram.write_address_i.e(),
                data: ram.write_data_i.e(),
                read: None,
            }),
            read: read(&ram.read_i, &ram.word, &ram.read_data_o),
            read_address: ram.read_address_i.e(),
        });
        ram
    }

    /// The words as they stand in RustHDL's simulator.
    pub fn content(&self) -> &[u64] {
        self._rtl.content()
    }
}

/// As [`Ram`]; its other port reads as well, in cycles in which it does not write.
#[derive(LogicBlock)]
pub struct SharedRam {
    /// Clock.
    pub clock: Wire<In>,
    /// Read enable.
    pub read_i: Wire<In>,
    /// Word to read.
    pub read_address_i: Wire<In>,
    /// Value of the word last read.
    pub read_data_o: Wire<Out>,
    /// Write enable of the other port.
    pub write_i: Wire<In>,
    /// Read enable of the other port, not with `write_i`.
    pub port_read_i: Wire<In>,
    /// Word to write or to read at the other port.
    pub port_address_i: Wire<In>,
    /// Value to write.
    pub write_data_i: Wire<In>,
    /// Value of the word last read at the other port.
    pub port_data_o: Wire<Out>,
    word: Wire<Local>,
    port_word: Wire<Local>,
    _rtl: Rtl,
}
rtl_logic!(SharedRam);

impl SharedRam {
    /// Memory of `depth` words of `width` bits; `kind` is the name of its Verilog module.
    #[track_caller]
    pub fn new(kind: impl Into<String>, width: usize, depth: usize) -> Self {
        assert!(depth > 0, "a memory has at least one word");
        let address = address_width(depth);
        let clock = Wire::new(1);
        let mut ram = SharedRam {
            _rtl: Rtl::new(kind, &clock),
            clock,
            read_i: Wire::new(1),
            read_address_i: Wire::new(address),
            read_data_o: Wire::new(width),
            write_i: Wire::new(1),
            port_read_i: Wire::new(1),
            port_address_i: Wire::new(address),
            write_data_i: Wire::new(width),
            port_data_o: Wire::new(width),
            word: Wire::new(width),
            port_word: Wire::new(width),
        };
        let rtl = &mut ram._rtl;
        rtl.register(&ram.read_data_o, 0).without_reset().set(&ram.word);
        rtl.register(&ram.port_data_o, 0).without_reset().set(&ram.port_word);
        rtl.memory(Memory {
            width,
            depth,
            image: None,
            write: Some(MemoryWrite {
                enable: ram.write_i.e(),
                address: ram.port_address_i.e(),
                data: ram.write_data_i.e(),
                read: Some(read(&ram.port_read_i, &ram.port_word, &ram.port_data_o)),
            }),
            read: read(&ram.read_i, &ram.word, &ram.read_data_o),
            read_address: ram.read_address_i.e(),
        });
        ram
    }
}

/// Read-only memory loaded by `$readmemh`.
///
/// `data_o` shows the word at `address_i` [`READ_DELAY`] cycles after `read_i`, and holds it until the next read. In a
/// Verilog simulation the plusarg `+<name>=<file>` names the image; else, as in synthesis, it is the file that the
/// parameter `<NAME>_MEM` names, in the folder `MEM_PATH`. In RustHDL's simulator the content is set by [`Rom::load`].
#[derive(LogicBlock)]
pub struct Rom {
    /// Clock.
    pub clock: Wire<In>,
    /// Read enable.
    pub read_i: Wire<In>,
    /// Word to read.
    pub address_i: Wire<In>,
    /// Value of the word last read.
    pub data_o: Wire<Out>,
    word: Wire<Local>,
    _rtl: Rtl,
}
rtl_logic!(Rom);

impl Rom {
    /// Memory of `depth` words of `width` bits; `kind` is the name of its Verilog module, `name` that of its image,
    /// which is in `file` unless a parameter says otherwise.
    #[track_caller]
    pub fn new(kind: impl Into<String>, width: usize, depth: usize, name: &str, file: &str) -> Self {
        assert!(depth > 0, "a memory has at least one word");
        let clock = Wire::new(1);
        let mut rom = Rom {
            _rtl: Rtl::new(kind, &clock),
            clock,
            read_i: Wire::new(1),
            address_i: Wire::new(address_width(depth)),
            data_o: Wire::new(width),
            word: Wire::new(width),
        };
        rom._rtl.register(&rom.data_o, 0).without_reset().set(&rom.word);
        rom._rtl.memory(Memory {
            width,
            depth,
            image: Some(MemoryImage {
                plusarg: name.into(),
                parameter: format!("{}_MEM", name.to_uppercase()),
                file: file.into(),
            }),
            write: None,
            read: read(&rom.read_i, &rom.word, &rom.data_o),
            read_address: rom.address_i.e(),
        });
        rom
    }

    /// Sets the first words of the content in RustHDL's simulator; panics if they do not fit.
    #[track_caller]
    pub fn load(&mut self, words: &[u64]) {
        let width = self.data_o.width();
        let content = self._rtl.content_mut();
        assert!(words.len() <= content.len(), "{} words for a ROM of {}", words.len(), content.len());
        for (at, word) in words.iter().enumerate() {
            assert!(*word <= mask(width), "word {at} does not fit {width} bits");
        }
        content[..words.len()].copy_from_slice(words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtl::Bench;

    #[test]
    fn a_word_comes_two_cycles_after_its_address() {
        let mut ram = Bench::new(Ram::new("ram", 12, 5), |ram| &ram.clock);
        let mut cycle = |write: Option<(u64, u64)>, read: Option<u64>| {
            ram.write_i.set(write.is_some().into());
            let (address, data) = write.unwrap_or((0, 0xfff));
            ram.write_address_i.set(address);
            ram.write_data_i.set(data);
            ram.read_i.set(read.is_some().into());
            ram.read_address_i.set(read.unwrap_or(2));
            ram.tick();
            ram.read_data_o.get()
        };
        cycle(Some((4, 100)), None);
        cycle(Some((3, 200)), Some(4));
        assert_eq!(cycle(None, Some(3)), 100);
        assert_eq!(cycle(None, None), 200);
        assert_eq!(cycle(None, None), 200, "holds without a read");
        cycle(Some((4, 300)), Some(4));
        assert_eq!(cycle(None, Some(0)), !100 & 0xfff, "written and read in one cycle");
        assert_eq!(cycle(None, None), 0, "zeros at power-up");
        assert_eq!(ram.content(), [0, 0, 0, 200, 300]);
    }

    #[test]
    fn a_shared_port_reads_when_it_does_not_write() {
        let mut ram = Bench::new(SharedRam::new("ram", 8, 4), |ram| &ram.clock);
        let mut cycle = |write: Option<u64>, address: u64, read: u64| {
            ram.write_i.set(write.is_some().into());
            ram.port_read_i.set(write.is_none().into());
            ram.port_address_i.set(address);
            ram.write_data_i.set(write.unwrap_or(0xee));
            ram.read_i.set(1);
            ram.read_address_i.set(read);
            ram.tick();
            (ram.port_data_o.get(), ram.read_data_o.get())
        };
        cycle(Some(10), 1, 3);
        cycle(Some(20), 2, 3);
        cycle(None, 1, 2);
        assert_eq!(cycle(None, 2, 1), (10, 20));
        assert_eq!(cycle(Some(30), 3, 0), (20, 10));
        assert_eq!(cycle(None, 0, 0).0, 20, "holds without a read");
    }

    #[test]
    fn rom_shows_its_image_two_cycles_later() {
        let mut rom = Rom::new("rom", 8, 3, "image", "image.mem");
        rom.load(&[10, 20]);
        let mut rom = Bench::new(rom, |rom| &rom.clock);
        rom.read_i.set(1);
        for (address, data) in [(0, 0), (1, 10), (2, 20), (2, 0)] {
            rom.address_i.set(address);
            rom.tick();
            assert_eq!(rom.data_o.get(), data);
        }
    }

    #[test]
    #[should_panic = "word 1 does not fit 4 bits"]
    fn words_too_wide_for_the_rom() {
        Rom::new("rom", 4, 3, "image", "image.mem").load(&[15, 16]);
    }
}
