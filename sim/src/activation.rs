//! The activation memory, as every engine that runs a schedule sees it.

use empf_ir::ArchConfig;
use empf_ir::program::Placement;
use ndarray::Array4;

/// Words of `rows` codes, written a bank of `lanes` codes at a time.
#[derive(Clone, Debug)]
pub struct ActivationMemory {
    rows: usize,
    lanes: usize,
    depth: usize,
    codes: Vec<u8>,
}

impl ActivationMemory {
    /// The memory of `arch`, all zeros as at power-up.
    pub fn new(arch: &ArchConfig) -> Self {
        let ArchConfig { rows, lanes, activation_depth: depth, .. } = *arch;
        ActivationMemory { rows, lanes, depth, codes: vec![0; rows * depth] }
    }

    /// Number of words.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The `rows` codes of a word; `None` beyond the last word.
    pub fn word(&self, address: usize) -> Option<&[u8]> {
        self.codes.get(address * self.rows..(address + 1) * self.rows)
    }

    /// The `lanes` codes of a bank of a word; `None` beyond the memory.
    pub fn bank_mut(&mut self, address: usize, bank: usize) -> Option<&mut [u8]> {
        let start = address * self.rows + bank * self.lanes;
        let inside = bank < self.rows / self.lanes;
        if inside { self.codes.get_mut(start..start + self.lanes) } else { None }
    }

    /// Word and bank of all codes of the tensor at `place`, in the order of the words.
    pub fn banks_of(&self, place: &Placement) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (rows, lanes, base, channels) =
            (self.rows, self.lanes, place.base as usize, place.shape.channels);
        let blocks = channels.div_ceil(rows);
        (0..place.frames as usize * place.shape.positions() * blocks).flat_map(move |word| {
            let of_word = (channels - word % blocks * rows).min(rows);
            (0..of_word.div_ceil(lanes)).map(move |bank| (base + word, bank))
        })
    }

    /// Word and bank of the element `[frame, channel, y, x]` of the tensor at `place` in the memory of `arch`.
    pub(crate) fn bank_of(arch: &ArchConfig, place: &Placement, element: [usize; 4]) -> (usize, usize) {
        let [frame, channel, y, x] = element;
        let position = (frame * place.shape.height + y) * place.shape.width + x;
        let blocks = place.shape.channels.div_ceil(arch.rows);
        let word = place.base as usize + position * blocks + channel / arch.rows;
        (word, channel % arch.rows / arch.lanes)
    }

    /// The tensor `[frame, channel, y, x]` that lies at `place`; `None` where it leaves the memory.
    pub fn tensor(&self, place: &Placement) -> Option<Array4<i32>> {
        let (frames, shape) = (place.frames as usize, place.shape);
        let blocks = shape.channels.div_ceil(self.rows);
        let end = place.base as usize + frames * shape.positions() * blocks;
        let codes = self.codes.get(place.base as usize * self.rows..end * self.rows)?;
        let extents = (frames, shape.channels, shape.height, shape.width);
        Some(Array4::from_shape_fn(extents, |(frame, channel, y, x)| {
            let position = (frame * shape.height + y) * shape.width + x;
            i32::from(codes[position * blocks * self.rows + channel])
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use empf_ir::Shape;

    #[test]
    fn a_tensor_lies_frame_y_x_block() {
        let arch = ArchConfig { lanes: 2, ..ArchConfig::sized(4, 4, 8) };
        let mut memory = ActivationMemory::new(&arch);
        let shape = Shape::new(5, 2, 3);
        // Channel 4 of frame 1 at (y, x) = (1, 2): the last position's second block.
        memory.bank_mut(10 + 2 * (2 * 3 * 2 - 1) + 1, 0).unwrap().copy_from_slice(&[7, 9]);
        let place = Placement { node: "n".into(), base: 10, words: 24, frames: 2, shape, written_by: [0, 0] };
        let tensor = memory.tensor(&place).unwrap();
        assert_eq!(tensor[[1, 4, 1, 2]], 7);
        assert_eq!(ActivationMemory::bank_of(&arch, &place, [1, 4, 1, 2]), (33, 0));
        assert_eq!(ActivationMemory::bank_of(&arch, &place, [0, 3, 0, 1]), (12, 1));
        assert_eq!(tensor.sum(), 7);
    }

    #[test]
    fn nothing_is_beyond_the_memory() {
        let arch = ArchConfig { activation_depth: 16, ..ArchConfig::sized(4, 4, 8) };
        let mut memory = ActivationMemory::new(&arch);
        assert!(memory.word(15).is_some() && memory.word(16).is_none());
        assert!(memory.bank_mut(15, arch.banks()).is_none() && memory.bank_mut(3, arch.banks()).is_none());
        let shape = Shape::new(4, 4, 4);
        let place = Placement { node: "n".into(), base: 1, words: 16, frames: 1, shape, written_by: [0, 0] };
        assert!(memory.tensor(&place).is_none());
    }
}
