//! A network on its way to a schedule: the stages that the accelerator runs and the tensors between them.

use empf_ir::isa::Unit;
use empf_ir::program::MemoryUse;
use empf_ir::{QuantNetwork, Shape};
use serde::Serialize;

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
    /// Index of the stage that writes it.
    pub written_by: usize,
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
            Work::Array(work) => work.shortcut.as_ref().map(|shortcut| shortcut.reads),
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
        self.written_by <= other.last_read && other.written_by <= self.last_read
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
    /// Convolution or linear layer.
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
    pub zero_point: u8,
}

/// A convolution or linear layer with what follows its accumulators.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArrayWork {
    /// The convolution or linear node.
    pub layer: String,
    /// The neuron that reads it; `None`: logits.
    pub neuron: Option<String>,
    /// What is added to its currents in front of the neuron.
    pub shortcut: Option<Shortcut>,
    /// Windows over the buffer read.
    pub window: Window,
    /// Where the buffer holds unfolded windows: channels and positions of a window that was unfolded.
    pub unfolded: Option<(usize, usize)>,
    /// Shape of one frame of the result.
    pub output: Shape,
    /// Frames streamed side by side.
    pub frames: usize,
    /// Frames added into the same accumulators.
    pub summed_frames: usize,
    /// Passes over all taps, in order.
    pub passes: Vec<DigitPass>,
    /// Largest code of the tensor read, all planes together.
    pub max_code: i64,
    /// Positions computed together; chosen by the pass `tile`.
    pub tiling: Tiling,
    /// Bits that hold every value with which its accumulators end; found by the pass `prove`.
    pub accumulator_bits: u32,
    /// First word of its weights; chosen by the pass `allocate`.
    pub weight_base: usize,
    /// First word of its parameters; chosen by the pass `allocate`.
    pub parameter_base: usize,
}

/// What is added to the currents of a convolution: the shortcut of a residual block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shortcut {
    /// The node that gives its currents: widening, scaling, or a convolution of +-1 weights.
    pub node: String,
    /// Buffer of the codes that it reads.
    pub reads: usize,
    /// Windows of the convolution over that buffer.
    pub window: Option<Window>,
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
            Work::Array(_) => &[Unit::Stream, Unit::Drain],
            Work::Pool(_) => &[Unit::Pool],
        }
    }
}

impl ArrayWork {
    /// Additions of a digit's product with a code, borders included, where the buffers read have so many channels.
    pub fn additions(&self, channels: usize, shortcut_channels: Option<usize>) -> u64 {
        let of_sums = self.output.channels * self.output.positions() * self.frames;
        let of_layer = self.window.taps() * channels * self.summed_frames * self.passes.len();
        let of_shortcut = self.shortcut_taps() * shortcut_channels.unwrap_or(0);
        of_sums as u64 * (of_layer + of_shortcut) as u64
    }

    /// Words of its weights: `rows` words for each tap, channel block, pass and column block.
    pub fn weight_words(&self, blocks: usize, shortcut_blocks: usize, rows: usize, cols: usize) -> usize {
        let tiles = self.window.taps() * blocks * self.passes.len() + self.shortcut_taps() * shortcut_blocks;
        self.output.channels.div_ceil(cols) * tiles * rows
    }

    /// Positions of the windows of a shortcut that is a convolution.
    pub fn shortcut_taps(&self) -> usize {
        self.shortcut_window().map_or(0, |window| window.taps())
    }

    /// The windows of a shortcut that is a convolution.
    pub fn shortcut_window(&self) -> Option<Window> {
        self.shortcut.as_ref().and_then(|shortcut| shortcut.window)
    }

    /// Sums that a position and frame has in the accumulators: its own, and that of a shortcut.
    pub fn sums(&self) -> usize {
        if self.shortcut_window().is_some() { 2 } else { 1 }
    }

    /// Steps that have parameters of their own.
    pub fn parameter_steps(&self, time_steps: usize) -> usize {
        if self.neuron.is_some() { time_steps } else { 1 }
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
    /// The weights of the shortcut of `work`, where that is a convolution; it reads `channels` channels.
    pub fn of_shortcut(
        network: &'a QuantNetwork,
        work: &ArrayWork,
        channels: usize,
    ) -> crate::Result<Option<Self>> {
        let Some(shortcut) = work.shortcut.as_ref().filter(|shortcut| shortcut.window.is_some()) else {
            return Ok(None);
        };
        let values = network.tensor(&shortcut.node, "weight")?;
        Ok(Some(Weights { values, channels, taps: work.shortcut_taps(), unfolded: false }))
    }

    /// The weights of `work`, which reads `channels` channels of its buffer.
    pub fn new(network: &'a QuantNetwork, work: &ArrayWork, channels: usize) -> crate::Result<Self> {
        let values = network.tensor(&work.layer, "weight")?;
        let (channels, taps) = work.unfolded.unwrap_or((channels, work.window.taps()));
        Ok(Weights { values, channels, taps, unfolded: work.unfolded.is_some() })
    }

    /// Weight of an output channel at a tap `ky * width + kx` and channel of the buffer read.
    pub fn at(&self, output: usize, tap: usize, channel: usize) -> i32 {
        let (tap, channel) =
            if self.unfolded { (channel / self.channels, channel % self.channels) } else { (tap, channel) };
        self.values[(output * self.channels + channel) * self.taps + tap]
    }
}
