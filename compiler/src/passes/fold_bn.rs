//! Folds each batch normalisation into the convolution that it reads.
//!
//! A negative gain flips the weights of its channel, so that the mantissa of the requantizer stays positive and
//! a +-1 convolution stays one.

use crate::draft::{Conv, Draft, DraftOp};
use crate::{Error, Result};
use ndarray::Axis;

/// Removes every batch normalisation of `draft`.
pub fn fold_bn(draft: &mut Draft) -> Result<()> {
    while let Some(index) = draft.nodes.iter().position(|n| matches!(n.op, DraftOp::BatchNorm(_))) {
        let source = draft.own(&draft.nodes[index].inputs[0]);
        let is_conv = |source: &usize| matches!(draft.nodes[*source].op, DraftOp::Conv(_));
        let Some(source) = source.filter(is_conv) else {
            return Err(Error::unfoldable(&draft.nodes[index].name));
        };
        let node = draft.nodes.remove(index);
        let conv_name = draft.nodes[source].name.clone();
        if let (DraftOp::BatchNorm(norm), DraftOp::Conv(conv)) = (node.op, &mut draft.nodes[source].op) {
            conv.affine = norm.after(&conv.affine);
        }
        for input in draft.nodes.iter_mut().flat_map(|n| &mut n.inputs).filter(|i| **i == node.name) {
            input.clone_from(&conv_name);
        }
    }
    for node in &mut draft.nodes {
        if let DraftOp::Conv(conv) = &mut node.op {
            flip_negative(conv);
        }
    }
    Ok(())
}

/// Flips the weights and gains of every channel whose gain is nowhere positive.
fn flip_negative(conv: &mut Conv) {
    let Conv { weight, affine, .. } = conv;
    for (mut gain, mut weight) in affine.gain.axis_iter_mut(Axis(1)).zip(weight.outer_iter_mut()) {
        if gain.iter().all(|g| *g <= 0.0) && gain.iter().any(|g| *g < 0.0) {
            gain.mapv_inplace(|g| -g);
            weight.mapv_inplace(|w| -w);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::Affine;
    use empf_ir::WeightKind;
    use ndarray::{Array4, array};

    #[test]
    fn negative_channels_are_flipped() {
        let affine =
            Affine { gain: array![[-2.0, 1.0, -1.0], [-0.5, 1.0, 3.0]], bias: array![[1.0, 2.0, 3.0]] };
        let weight = Array4::from_shape_vec((3, 1, 1, 2), vec![1.0, -1.0, 1.0, 1.0, -1.0, -1.0]).unwrap();
        let mut conv = Conv { weights: WeightKind::Sign, weight, stride: 1, padding: 0, affine };
        flip_negative(&mut conv);
        assert_eq!(conv.affine.gain, array![[2.0, 1.0, -1.0], [0.5, 1.0, 3.0]]);
        assert_eq!(conv.weight.into_raw_vec_and_offset().0, [-1.0, 1.0, 1.0, 1.0, -1.0, -1.0]);
        assert_eq!(conv.affine.bias, array![[1.0, 2.0, 3.0]]);
    }
}
