//! ROM images: text files as Verilog's `$readmemh` reads them.

use crate::{Error, Result, counted, store};
use std::fmt::Write;
use std::path::Path;

/// One word of `bits` bits a line.
fn text(words: &[u64], bits: u32) -> String {
    let digits = bits.div_ceil(4) as usize;
    let mut text = String::with_capacity(words.len() * (digits + 1));
    for word in words {
        writeln!(text, "{word:0digits$x}").expect("writing to a string");
    }
    text
}

/// CRC-32C of what [`write_mem`] writes.
pub(crate) fn crc(words: &[u64], bits: u32) -> u32 {
    crc32c::crc32c(text(words, bits).as_bytes())
}

/// Writes an image, one word of `bits` bits a line.
pub fn write_mem(path: &Path, words: &[u64], bits: u32) -> Result<()> {
    store::write(path, text(words, bits).as_bytes())
}

/// Reads an image of exactly `count` words of `bits` bits, whose CRC-32C is `crc`.
pub fn read_mem(path: &Path, bits: u32, count: usize, crc: u32) -> Result<Vec<u64>> {
    let bytes = store::read(path)?;
    let bad = |message: String| Error::invalid(path.display().to_string(), message);
    let text = std::str::from_utf8(&bytes).map_err(|e| bad(e.to_string()))?;
    let words = (text.lines().enumerate())
        .map(|(i, line)| match u64::from_str_radix(line, 16) {
            Ok(word) if bits >= 64 || word >> bits == 0 => Ok(word),
            _ => Err(bad(format!("line {}: `{line}` is not a hexadecimal word of {bits} bits", i + 1))),
        })
        .collect::<Result<Vec<u64>>>()?;
    if words.len() != count {
        let words = counted(words.len(), "word");
        return Err(bad(format!("has {words}, program.json says {count}; compile again")));
    }
    match crc32c::crc32c(&bytes) {
        found if found == crc => Ok(words),
        found => Err(bad(format!(
            "its CRC-32C is {found}, program.json says {crc}: the file was changed or damaged; compile again"
        ))),
    }
}
