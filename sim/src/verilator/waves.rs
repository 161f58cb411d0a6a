//! Which waves are written, and whether a file of them is whole: its writer does not say when a disk is full.
//!
//! An FST file is a row of blocks: a byte of kind, then the length of what follows as 8 bytes, most significant first,
//! these included.

use crate::{Error, Result};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Waves of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waves {
    /// The FST file. A clock cycle takes two units of its time.
    pub path: PathBuf,
    /// Clock cycles that it shows, counted from 0, the first one of the simulation, reset included.
    pub cycles: Range<u64>,
}

impl Waves {
    /// Of the whole simulation.
    pub fn whole(path: impl Into<PathBuf>) -> Self {
        Waves { path: path.into(), cycles: 0..u64::MAX }
    }
}

/// Kinds of blocks.
const HEADER: u8 = 0;
const GEOMETRY: u8 = 3;
const HIERARCHIES: [u8; 3] = [4, 6, 7];
/// A block that was begun and not ended.
const SKIPPED: u8 = 255;

/// The FST file at `path` has all blocks, each whole; its writer must have closed it.
pub fn check_waves(path: &Path) -> Result<()> {
    let kinds = File::open(path).and_then(|file| kinds(BufReader::new(file)));
    let is_whole = kinds.map_err(|e| empf_ir::Error::io("read", path, e))?.is_some_and(|kinds| {
        kinds.first() == Some(&HEADER)
            && kinds.contains(&GEOMETRY)
            && HIERARCHIES.iter().any(|kind| kinds.contains(kind))
            && !kinds.contains(&SKIPPED)
    });
    if is_whole { Ok(()) } else { Err(Error::Waves(path.into())) }
}

/// Kinds of the blocks, or nothing where they do not end with the file.
fn kinds(mut file: impl Read + Seek) -> io::Result<Option<Vec<u8>>> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut at = file.seek(SeekFrom::Start(0))?;
    let mut kinds = vec![];
    while at + 9 <= end {
        let (mut kind, mut length) = ([0], [0; 8]);
        file.read_exact(&mut kind)?;
        file.read_exact(&mut length)?;
        let length = u64::from_be_bytes(length);
        kinds.push(kind[0]);
        match at.checked_add(length).and_then(|next| next.checked_add(1)) {
            Some(next) if length >= 8 && next <= end => at = file.seek(SeekFrom::Start(next))?,
            _ => return Ok(None),
        }
    }
    Ok((at == end).then_some(kinds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of so many bytes behind their length.
    fn file(blocks: &[(u8, usize)]) -> Vec<u8> {
        let block = |(kind, bytes): &(u8, usize)| {
            let length = (*bytes as u64 + 8).to_be_bytes();
            [&[*kind], &length[..], &vec![1; *bytes]].concat()
        };
        blocks.iter().flat_map(block).collect()
    }

    fn is_whole(bytes: &[u8]) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        check_waves(file.path()).is_ok()
    }

    #[test]
    fn a_cut_at_any_byte_is_seen() {
        let whole = file(&[(0, 320), (8, 30), (8, 5), (3, 12), (4, 40)]);
        assert!(is_whole(&whole));
        for cut in 0..whole.len() {
            assert!(!is_whole(&whole[..cut]), "cut at byte {cut}");
        }
        assert!(!is_whole(&[&whole[..], &[0]].concat()));
    }

    #[test]
    fn a_block_that_was_not_ended_is_seen() {
        assert!(!is_whole(&file(&[(0, 320), (255, 30), (3, 12), (4, 40)])));
        assert!(!is_whole(&[0; 400]), "zeros");
    }
}
