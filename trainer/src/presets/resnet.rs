//! Residual networks of two-layer blocks (Fig. 3).

use super::builder::Builder;
use empf_ir::NeuronVersion::{I, II, III};
use empf_ir::WeightKind::{self, Float, Sign};

/// Inputs of at least so many rows start with a 7x7 convolution and maximum pooling, which quarter them.
const LARGE_INPUT: usize = 112;

/// Blocks of each stage.
pub(super) struct Depth([usize; 4]);

impl Depth {
    pub(super) const RESNET18: Depth = Depth([2, 2, 2, 2]);
    pub(super) const RESNET34: Depth = Depth([3, 4, 6, 3]);
}

/// What a block is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Version I throughout (Fig. 3a).
    Vanilla,
    /// The neuron inside the block is parallel, the one behind the addition of version I (Fig. 3b).
    Half,
    /// Every neuron is parallel.
    Parallel,
    /// Channel attention behind each normalisation; version II (Fig. 3c).
    Seca1,
    /// The same behind a shortcut around each convolution that keeps its shape; version II (Fig. 3d).
    Seca2,
    /// LIF neurons and float weights throughout.
    Lif,
}

impl Block {
    /// By the suffix of a network's name.
    pub(super) fn named(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "" => Block::Half,
            "vanilla" => Block::Vanilla,
            "parallel" => Block::Parallel,
            "seca1" => Block::Seca1,
            "seca2" => Block::Seca2,
            "lif" => Block::Lif,
            _ => return None,
        })
    }

    fn weights(self) -> WeightKind {
        if self == Block::Lif { Float } else { Sign }
    }

    /// The neuron inside the block.
    fn inner_neuron(self, b: &mut Builder) {
        match self {
            Block::Half => b.neuron(III),
            _ => self.neuron(b),
        }
    }

    /// The one behind the addition, and behind the first convolution.
    fn neuron(self, b: &mut Builder) {
        match self {
            Block::Vanilla | Block::Half => b.neuron(I),
            Block::Parallel => b.neuron(III),
            Block::Seca1 | Block::Seca2 => b.neuron(II),
            Block::Lif => b.lif(),
        }
    }
}

pub(super) fn resnet(b: &mut Builder, depth: Depth, block: Block) {
    let large = b.target.input.height.min(b.target.input.width) >= LARGE_INPUT;
    let (kernel, stride) = if large { (7, 2) } else { (3, 1) };
    b.conv_of(b.last(), 64, kernel, stride, Float);
    block.neuron(b);
    if large {
        b.max_pool();
    }
    for (stage, blocks) in depth.0.into_iter().enumerate() {
        for index in 0..blocks {
            let halves = stage > 0 && index == 0;
            basic_block(b, 64 << stage, halves, block);
        }
    }
    b.global_pool();
}

/// Two 3x3 convolutions and the block's input, or where it `halves` the map a 1x1 convolution of it.
fn basic_block(b: &mut Builder, channels: usize, halves: bool, block: Block) {
    let input = b.last();
    layer(b, channels, halves, block);
    block.inner_neuron(b);
    layer(b, channels, false, block);
    let main = b.last();
    if halves {
        b.conv_of(input, channels, 1, 2, block.weights());
        b.add(main);
    } else {
        b.add(input);
    }
    block.neuron(b);
}

/// Convolution, normalisation and attention.
fn layer(b: &mut Builder, channels: usize, halves: bool, block: Block) {
    let input = b.last();
    let stride = if halves { 2 } else { 1 };
    b.conv_of(input.clone(), channels, 3, stride, block.weights());
    if block == Block::Seca2 && !halves {
        b.add(input);
    }
    if matches!(block, Block::Seca1 | Block::Seca2) {
        b.attention();
    }
}
