//! A network on its way to a schedule: the stages that the accelerator runs and the tensors between them.

use empf_ir::isa::Unit;
use empf_ir::program::MemoryUse;
use empf_ir::{Border, QuantNetwork, Shape};
use serde::Serialize;
use std::ops::Range;

/// Stages in execution order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// Tensors in the activation memory.
    pub buffers: Vec<Buffer>,
    /// In execution order.
    pub stages: Vec<Stage>,
    /// Words taken of each memory; filled in by the pass `allocate`.
    pub memory: MemoryUse,
}

/// A tensor in the activation memory, `[plane][frame][y][x][block]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Buffer {
    /// Node whose result it is.
    pub node: String,
    /// Shape of one frame.
    pub shape: Shape,
    /// Frames.
    pub frames: usize,
    /// Activation planes, least significant first.
    pub planes: usize,
    /// Indices of the first and the last stage that write it.
    pub written_by: [usize; 2],
    /// Index of the last stage that reads it, or that of its writer.
    pub last_read: usize,
    /// Index of the shortcut whose place it takes: nothing reads that one behind the stage that writes this one.
    pub in_place_of: Option<usize>,
    /// First word; chosen by the pass `allocate`.
    pub base: usize,
}

impl Stage {
    /// Buffers that it reads.
    pub fn operands(&self) -> impl Iterator<Item = usize> {
        let shortcut = match &self.work {
            Work::Array(work) => work.drain.shortcut.as_ref().and_then(Shortcut::reads),
            Work::Unfold(_) | Work::Pool(_) => None,
        };
        self.reads.into_iter().chain(shortcut)
    }
}

impl Buffer {
    /// Words of a position of an array with `rows` rows.
    pub fn blocks(&self, rows: usize) -> usize {
        self.shape.channels.div_ceil(rows)
    }

    /// Words of a frame.
    pub fn frame_words(&self, rows: usize) -> usize {
        self.shape.positions() * self.blocks(rows)
    }

    /// Words of a plane.
    pub fn plane_words(&self, rows: usize) -> usize {
        self.frames * self.frame_words(rows)
    }

    /// Words of all planes.
    pub fn words(&self, rows: usize) -> usize {
        self.planes * self.plane_words(rows)
    }

    /// Some stage runs during which both must be kept.
    pub fn lives_with(&self, other: &Buffer) -> bool {
        self.written_by[0] <= other.last_read && other.written_by[0] <= self.last_read
    }
}

/// One step of the schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// Node whose result it writes.
    pub node: String,
    /// Buffer read; `None`: the input buffer.
    pub reads: Option<usize>,
    /// Buffer written; `None`: logits.
    pub writes: Option<usize>,
    /// What it does.
    pub work: Work,
}

/// What a stage does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "unit", rename_all = "snake_case")]
pub enum Work {
    /// Packs the windows of the input.
    Unfold(Window),
    /// Convolution or linear layer, or attention.
    Array(Box<ArrayWork>),
    /// Average or maximum pooling.
    Pool(Pooling),
}

/// Windows whose codes become one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pooling {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Step of the window.
    pub stride: [usize; 2],
    /// Border on each side.
    pub padding: usize,
    /// What a window gives.
    pub gives: Pooled,
}

/// What a window gives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooled {
    /// Its sum, shifted right.
    Sum {
        /// By so many bits.
        shift: u8,
    },
    /// Its largest code.
    Maximum,
}

/// Windows over a map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Window {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Step.
    pub stride: usize,
    /// Border on each side.
    pub padding: usize,
    /// Code of the border.
    pub zero_point: Border,
}

/// What goes through the array, and what follows its accumulators.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArrayWork {
    /// `None`: nothing goes through the array, as currents are there that were kept.
    pub stream: Option<Streamed>,
    /// What makes results of sums or of kept currents.
    pub drain: Drained,
    /// Shape of one frame of the result.
    pub output: Shape,
    /// Positions computed together; chosen by the pass `tile`.
    pub tiling: Tiling,
}

/// A convolution or linear layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Streamed {
    /// The convolution or linear node.
    pub layer: String,
    /// Windows over the buffer read.
    pub window: Window,
    /// Where the buffer holds unfolded windows: channels and positions of a window that was unfolded.
    pub unfolded: Option<(usize, usize)>,
    /// First frame of the buffer that is read.
    pub first_frame: usize,
    /// Frames streamed side by side.
    pub frames: usize,
    /// Passes over all taps, in order.
    pub passes: Vec<DigitPass>,
    /// Largest code of the tensor read, all planes together.
    pub max_code: i64,
    /// Bits that hold every value with which its accumulators end; found by the pass `prove`.
    pub accumulator_bits: u32,
    /// First word of its weights; chosen by the pass `allocate`.
    pub weight_base: usize,
}

/// What follows the accumulators.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drained {
    /// What is made currents of.
    pub takes: Takes,
    /// What is added to these currents.
    pub shortcut: Option<Shortcut>,
    /// What becomes of them.
    pub gives: Gives,
    /// Time-steps that have parameters of their own.
    pub steps: Range<usize>,
    /// First word of its parameters; chosen by the pass `allocate`.
    pub parameter_base: usize,
    /// First word of the table of scores, where there is attention; chosen by the pass `allocate`.
    pub score_base: usize,
}

/// What is made currents of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// Sums of this layer, which goes through the array.
    Sums(String),
    /// Currents that the stage before has kept, for this node of channel attention.
    Kept(String),
}

/// What becomes of currents.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gives {
    /// Spikes of this neuron.
    Spikes(String),
    /// They are kept for this node of channel attention, and summed up.
    Kept(String),
    /// They are logits.
    Logits,
}

/// What is added to the currents of a layer: the shortcut of a residual block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shortcut {
    /// The node that gives its currents: widening, scaling, or a convolution.
    pub node: String,
    /// What these are made of.
    pub from: ShortcutFrom,
}

/// What the currents of a shortcut are made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortcutFrom {
    /// Codes of a buffer.
    Codes(usize),
    /// Sums of a convolution of +-1 weights over a buffer, whose taps follow those of the layer.
    Beside(usize, Window),
    /// Sums of all that goes through the array, as the layer's own currents were kept.
    Stream,
}

/// A pass of a weight digit over an activation plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DigitPass {
    /// Weight digit; `None`: the weight is +-1 itself.
    pub digit: Option<u32>,
    /// Activation plane.
    pub plane: u32,
    /// The accumulator doubles before the first addition.
    pub doubles: bool,
}

/// Positions in raster order, cut into tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tiling {
    /// Number of tiles.
    pub tiles: usize,
    /// Positions of every tile but the last.
    pub positions: usize,
    /// Positions of the last tile.
    pub last_positions: usize,
}

impl Window {
    /// Positions.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

impl Work {
    /// Units that it is for, in the order of their records in the schedule.
    pub fn units(&self) -> &'static [Unit] {
        match self {
            Work::Unfold(_) => &[Unit::Unfold],
            Work::Array(work) if work.stream.is_none() => &[Unit::Drain],
            Work::Array(_) => &[Unit::Stream, Unit::Drain],
            Work::Pool(_) => &[Unit::Pool],
        }
    }
}

impl Takes {
    /// The node whose mantissas and shift make currents.
    pub fn node(&self) -> &str {
        let (Takes::Sums(node) | Takes::Kept(node)) = self;
        node
    }
}

impl Shortcut {
    /// The buffer that it reads by itself.
    pub fn reads(&self) -> Option<usize> {
        match self.from {
            ShortcutFrom::Codes(reads) | ShortcutFrom::Beside(reads, _) => Some(reads),
            ShortcutFrom::Stream => None,
        }
    }
}

impl Drained {
    /// The neuron that fires.
    pub fn neuron(&self) -> Option<&str> {
        match &self.gives {
            Gives::Spikes(neuron) => Some(neuron),
            Gives::Kept(_) | Gives::Logits => None,
        }
    }

    /// The node of channel attention whose scores scale the currents that were kept.
    pub fn attention(&self) -> Option<&str> {
        match &self.takes {
            Takes::Kept(attention) => Some(attention),
            Takes::Sums(_) => None,
        }
    }

    /// Its currents are kept.
    pub fn keeps(&self) -> bool {
        matches!(self.gives, Gives::Kept(_))
    }

    /// The potentials of a whole map are kept from a frame to the next: attention goes frame by frame.
    pub fn keeps_potentials(&self, time_steps: usize) -> bool {
        self.attention().is_some() && self.steps.len() < time_steps
    }
}

impl ArrayWork {
    /// Additions of a digit's product with a code, borders included, where the buffers read have so many channels.
    pub fn additions(&self, channels: usize, shortcut_channels: usize) -> u64 {
        let Some(stream) = &self.stream else { return 0 };
        let of_sums = self.output.channels * self.output.positions() * stream.frames;
        let of_layer = stream.window.taps() * channels * stream.passes.len();
        let of_shortcut = self.shortcut_taps() * shortcut_channels;
        of_sums as u64 * (of_layer + of_shortcut) as u64
    }

    /// Words of its weights: `rows` words for each tap, channel block, pass and column block.
    pub fn weight_words(&self, blocks: usize, shortcut_blocks: usize, rows: usize, cols: usize) -> usize {
        let Some(stream) = &self.stream else { return 0 };
        let tiles =
            stream.window.taps() * blocks * stream.passes.len() + self.shortcut_taps() * shortcut_blocks;
        self.output.channels.div_ceil(cols) * tiles * rows
    }

    /// Positions of the windows of a shortcut that goes through the array beside the layer.
    pub fn shortcut_taps(&self) -> usize {
        self.shortcut_beside().map_or(0, |(_, window)| window.taps())
    }

    /// Buffer and windows of a shortcut that goes through the array beside the layer.
    pub fn shortcut_beside(&self) -> Option<(usize, Window)> {
        match self.drain.shortcut.as_ref()?.from {
            ShortcutFrom::Beside(reads, window) => Some((reads, window)),
            ShortcutFrom::Codes(_) | ShortcutFrom::Stream => None,
        }
    }

    /// Entries that a position has in the accumulators: a sum for each frame, and another where there is a shortcut's.
    pub fn entries(&self) -> usize {
        let sums = if self.shortcut_beside().is_some() { 2 } else { 1 };
        self.stream.as_ref().map_or(0, |stream| stream.frames * sums)
    }

    /// Groups of `lanes` channels.
    pub fn groups(&self, lanes: usize) -> usize {
        self.output.channels.div_ceil(lanes)
    }
}

/// The weights of a layer, addressed as the array meets them.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// `[output][channel][ky][kx]` of the integer network's node.
    values: &'a [i32],
    /// Channels and taps of the node's own windows.
    channels: usize,
    taps: usize,
    unfolded: bool,
}

impl<'a> Weights<'a> {
    /// The weights of a shortcut that goes through the array beside the layer, with its taps and the channels of the one of
    /// `buffers` that it reads.
    pub fn of_shortcut(
        network: &'a QuantNetwork,
        work: &ArrayWork,
        buffers: &[Buffer],
    ) -> crate::Result<Option<(Self, [usize; 2])>> {
        let (Some(shortcut), Some((reads, window))) = (&work.drain.shortcut, work.shortcut_beside()) else {
            return Ok(None);
        };
        let values = network.tensor(&shortcut.node, "weight")?;
        let (taps, channels) = (window.taps(), buffers[reads].shape.channels);
        Ok(Some((Weights { values, channels, taps, unfolded: false }, [taps, channels])))
    }

    /// The weights of `stream`, which reads `channels` channels of its buffer.
    pub fn new(network: &'a QuantNetwork, stream: &Streamed, channels: usize) -> crate::Result<Self> {
        let values = network.tensor(&stream.layer, "weight")?;
        let (channels, taps) = stream.unfolded.unwrap_or((channels, stream.window.taps()));
        Ok(Weights { values, channels, taps, unfolded: stream.unfolded.is_some() })
    }

    /// Weight of an output channel at a tap `ky * width + kx` and channel of the buffer read.
    pub fn at(&self, output: usize, tap: usize, channel: usize) -> i32 {
        let (tap, channel) =
            if self.unfolded { (channel / self.channels, channel % self.channels) } else { (tap, channel) };
        self.values[(output * self.channels + channel) * self.taps + tap]
    }
}
