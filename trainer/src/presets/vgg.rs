//! Networks of one convolution after the other.

use super::builder::Builder;
use empf_ir::NeuronVersion::{self, I, II, III};
use empf_ir::WeightKind::{Float, Sign};

pub(super) fn tiny(b: &mut Builder) {
    b.conv(16, Float, 2, I);
    b.conv(32, Sign, 1, I);
    b.pool();
    b.conv(32, Sign, 1, III);
    b.global_pool();
}

pub(super) fn small(b: &mut Builder) {
    b.conv(32, Float, 1, I);
    b.conv(32, Sign, 1, III);
    b.pool();
    b.conv(64, Sign, 1, I);
    b.conv(64, Sign, 1, III);
    b.pool();
    b.conv(128, Sign, 1, I);
    b.global_pool();
}

/// [`small`] of LIF neurons and float weights.
pub(super) fn small_lif(b: &mut Builder) {
    for (stage, channels) in [[32, 32].as_slice(), &[64, 64], &[128]].into_iter().enumerate() {
        if stage > 0 {
            b.pool();
        }
        for channels in channels {
            b.conv_of(b.last(), *channels, 3, 1, Float);
            b.lif();
        }
    }
    b.global_pool();
}

/// VGG-13 with one classifier layer behind global pooling.
pub(super) fn vgg13(b: &mut Builder, version: NeuronVersion, attention: bool) {
    for (stage, channels) in [64, 128, 256, 512, 512].into_iter().enumerate() {
        for layer in 0..2 {
            let weights = if stage + layer == 0 { Float } else { Sign };
            b.conv_of(b.last(), channels, 3, 1, weights);
            if attention {
                b.attention();
            }
            b.neuron(version);
        }
        b.pool();
    }
    b.global_pool();
}

/// The network that is usual for event cameras; its classifier reads the whole map.
pub(super) fn snn(b: &mut Builder) {
    for (stage, channels) in [[64, 128], [256, 256], [512, 512], [512, 512]].into_iter().enumerate() {
        for (layer, channels) in channels.into_iter().enumerate() {
            b.conv(channels, if stage + layer == 0 { Float } else { Sign }, 1, II);
        }
        b.pool();
    }
}
