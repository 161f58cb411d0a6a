//! Inputs as engines read them, and as arrays.

use crate::error::{Error, Result};
use empf_ir::QuantNetwork;
use ndarray::{Array4, ArrayView4};

/// `[frame][y][x][channel]` bytes as `[frame, channel, y, x]`.
pub fn planar(network: &QuantNetwork, input: &[u8]) -> Result<Array4<u8>> {
    let (frames, shape) = (network.input.frames, network.input.shape());
    let (expected, found) = (frames * shape.elements(), input.len());
    let interleaved = ArrayView4::from_shape((frames, shape.height, shape.width, shape.channels), input);
    let interleaved =
        interleaved.map_err(|_| Error::Input { program: network.name.clone(), expected, found })?;
    Ok(interleaved.permuted_axes([0, 3, 1, 2]).as_standard_layout().into_owned())
}

/// `[frame, channel, y, x]` as the bytes that engines read.
pub fn interleaved(planar: ArrayView4<u8>) -> Vec<u8> {
    planar.permuted_axes([0, 2, 3, 1]).iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_inverse() {
        let input = Array4::from_shape_fn((2, 3, 4, 5), |(t, c, y, x)| (60 * t + 20 * c + 5 * y + x) as u8);
        let bytes = interleaved(input.view());
        assert_eq!(bytes[..4], [0, 20, 40, 1]);
        let network = QuantNetwork {
            name: String::new(),
            time_steps: 2,
            classes: 1,
            class_names: Default::default(),
            act_bits: 8,
            membrane_bits: 16,
            input: empf_ir::QuantInput { channels: 3, height: 4, width: 5, frames: 2 },
            nodes: vec![],
            scales: Default::default(),
            tensors: Default::default(),
        };
        assert_eq!(planar(&network, &bytes).unwrap(), input);
        assert!(planar(&network, &bytes[1..]).is_err());
    }
}
