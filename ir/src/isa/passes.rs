//! What the passes of a layer do, in the fields of the stream's descriptor.

use super::Stream;
use super::limit::MAX_PASSES;

/// Bits of a pass's activation plane.
pub const PLANE_BITS: u32 = 2;
/// Passes whose planes are in `planes_low`; the others are in `planes_high`.
const LOW: usize = (u32::BITS / PLANE_BITS) as usize;

const _: () = assert!(MAX_PASSES as usize == 2 * LOW && MAX_PASSES == u32::BITS);

/// A pass over all taps of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Activation plane that it reads.
    pub plane: u32,
    /// It doubles the accumulator before it adds.
    pub doubles: bool,
}

/// The fields that describe the passes of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassFields {
    /// Bit i: pass i doubles.
    pub double_mask: u32,
    /// Planes of the first passes, the first in the low bits.
    pub planes_low: u32,
    /// Planes of the others.
    pub planes_high: u32,
}

impl PassFields {
    /// The fields of at most [`MAX_PASSES`] passes; what is beyond has no place.
    pub fn pack(passes: impl IntoIterator<Item = Pass>) -> Self {
        let mut fields = PassFields::default();
        for (i, Pass { plane, doubles }) in passes.into_iter().take(MAX_PASSES as usize).enumerate() {
            let planes = if i < LOW { &mut fields.planes_low } else { &mut fields.planes_high };
            *planes |= plane << (PLANE_BITS as usize * (i % LOW));
            fields.double_mask |= u32::from(doubles) << i;
        }
        fields
    }
}

impl Stream {
    /// Pass `index`, which is below [`MAX_PASSES`].
    pub fn pass(&self, index: u32) -> Pass {
        let i = index as usize;
        let planes = if i < LOW { self.planes_low } else { self.planes_high };
        Pass {
            plane: planes >> (PLANE_BITS as usize * (i % LOW)) & (u32::MAX >> (u32::BITS - PLANE_BITS)),
            doubles: self.double_mask >> index & 1 == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_hold_all_passes() {
        let passes: Vec<Pass> =
            (0..MAX_PASSES).map(|i| Pass { plane: (i * 7 + i / 5) % 4, doubles: i % 3 == 1 }).collect();
        let PassFields { double_mask, planes_low, planes_high } = PassFields::pack(passes.iter().copied());
        let stream = Stream { double_mask, planes_low, planes_high, ..Stream::default() };
        let unpacked: Vec<Pass> = (0..MAX_PASSES).map(|i| stream.pass(i)).collect();
        assert_eq!(unpacked, passes);
    }
}
