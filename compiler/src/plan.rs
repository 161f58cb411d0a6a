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
    /// First word; chosen by the pass `allocate`.
    pub base: usize,
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
    /// Average pooling.
    Pool {
        /// Height and width of the window.
        kernel: [usize; 2],
        /// Step of the window.
        stride: [usize; 2],
        /// Right shift of the sum.
        shift: u8,
    },
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
            Work::Pool { .. } => &[Unit::Pool],
        }
    }
}

impl ArrayWork {
    /// Multiplications of a weight with a code, borders included.
    pub fn multiplications(&self, channels: usize) -> u64 {
        let taps = self.window.taps() * channels;
        let vectors = self.output.positions() * self.frames * self.summed_frames;
        taps as u64 * self.output.channels as u64 * vectors as u64
    }

    /// Words of its weights: `rows` words for each tap, channel block, pass and column block.
    pub fn weight_words(&self, blocks: usize, rows: usize, cols: usize) -> usize {
        let tiles = self.window.taps() * blocks * self.passes.len();
        self.output.channels.div_ceil(cols) * tiles * rows
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
