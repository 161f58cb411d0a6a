//! Memories that infer block RAM: synchronous read, at most 64 bits wide, any depth.

use super::prelude::{In, Logic, LogicBlock, Out, block, probe};
use super::unit::{Memory, MemoryImage, MemoryWrite, Rtl};
use super::wire::Wire;
use super::word::{bits_for, mask};
use crate::rtl_logic;

/// Bits of an address of a memory of `depth` words.
pub fn address_width(depth: usize) -> usize {
    bits_for(depth)
}

/// Memory with one read and one write port, which starts at no known values.
///
/// `read_data_o` shows the word at `read_address_i` one cycle after `read_i`, and holds it until the next
/// read. Reading the word that is written in the same cycle gives its old value. Addresses at or above
/// `depth` must not be used.
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
        };
        ram._rtl.memory(Memory {
            width,
            depth,
            image: None,
            write: Some(MemoryWrite {
                enable: ram.write_i.e(),
                address: ram.write_address_i.e(),
                data: ram.write_data_i.e(),
            }),
            read_enable: ram.read_i.e(),
            read_address: ram.read_address_i.e(),
            read_data: ram.read_data_o.net().clone(),
        });
        ram
    }

    /// The words as they stand in RustHDL's simulator.
    pub fn content(&self) -> &[u64] {
        self._rtl.content()
    }
}

/// Read-only memory loaded by `$readmemh`.
///
/// `data_o` shows the word at `address_i` one cycle after `read_i`, and holds it until the next read. In a
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
        };
        rom._rtl.memory(Memory {
            width,
            depth,
            image: Some(MemoryImage {
                plusarg: name.into(),
                parameter: format!("{}_MEM", name.to_uppercase()),
                file: file.into(),
            }),
            write: None,
            read_enable: rom.read_i.e(),
            read_address: rom.address_i.e(),
            read_data: rom.data_o.net().clone(),
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
    fn reading_the_written_word_gives_its_old_value() {
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
        assert_eq!(cycle(Some((4, 200)), Some(4)), 100, "old value");
        assert_eq!(cycle(None, None), 100, "holds without a read");
        assert_eq!(cycle(None, Some(4)), 200);
        assert_eq!(cycle(None, Some(0)), 0, "zeros at power-up");
        assert_eq!(ram.content(), [0, 0, 0, 0, 200]);
    }

    #[test]
    fn rom_shows_its_image_a_cycle_later() {
        let mut rom = Rom::new("rom", 8, 3, "image", "image.mem");
        rom.load(&[10, 20]);
        let mut rom = Bench::new(rom, |rom| &rom.clock);
        rom.read_i.set(1);
        for (address, data) in [(0, 10), (1, 20), (2, 0)] {
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
