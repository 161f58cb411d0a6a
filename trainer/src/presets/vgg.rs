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

/// What the layers of [`small`] are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Small {
    /// Versions I and III in turn.
    Mixed,
    /// Version I throughout.
    Vanilla,
    /// Version III throughout.
    Parallel,
    /// Version II throughout.
    Membrane,
    /// Version II, channel attention behind each normalisation.
    Seca1,
    /// The same behind a shortcut around each convolution that keeps its shape.
    Seca2,
    /// LIF neurons and float weights throughout.
    Lif,
}

impl Small {
    /// By what follows `small` in a network's name.
    pub(super) fn named(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "" => Small::Mixed,
            "-vanilla" => Small::Vanilla,
            "-parallel" => Small::Parallel,
            "-membrane" => Small::Membrane,
            "-seca1" => Small::Seca1,
            "-seca2" => Small::Seca2,
            "-lif" => Small::Lif,
            _ => return None,
        })
    }

    /// The neuron of a stage's layer `layer`.
    fn neuron(self, b: &mut Builder, layer: usize) {
        match self {
            Small::Mixed => b.neuron(if layer == 0 { I } else { III }),
            Small::Vanilla => b.neuron(I),
            Small::Parallel => b.neuron(III),
            Small::Membrane | Small::Seca1 | Small::Seca2 => b.neuron(II),
            Small::Lif => b.lif(),
        }
    }
}

pub(super) fn small(b: &mut Builder, variant: Small) {
    for (stage, channels) in [[32, 32].as_slice(), &[64, 64], &[128]].into_iter().enumerate() {
        if stage > 0 {
            b.pool();
        }
        for (layer, channels) in channels.iter().enumerate() {
            let input = b.last();
            let weights = if stage + layer == 0 || variant == Small::Lif { Float } else { Sign };
            b.conv_of(input.clone(), *channels, 3, 1, weights);
            // The second convolution of a stage has as many channels as the first.
            if variant == Small::Seca2 && layer > 0 {
                b.add(input);
            }
            if matches!(variant, Small::Seca1 | Small::Seca2) {
                b.attention();
            }
            variant.neuron(b, layer);
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
