//! A case: everything but the values of its tensors, which follow from the seed.

use empf_ir::formats::INPUT_BITS;
use empf_ir::{ArchConfig, Border, Error, Result, Shape, store};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// An accelerator for cases written by hand. Its accumulators are few, so that small maps need several tiles of
/// positions, and its other memories hold any small network.
pub fn accelerator([rows, cols]: [usize; 2], act_bits: u32) -> ArchConfig {
    ArchConfig {
        accumulator_depth: 64,
        activation_depth: 1 << 16,
        weight_depth: 1 << 16,
        ..ArchConfig::sized(rows, cols, act_bits)
    }
}

/// A network on an accelerator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Seed of weights, parameters and input.
    pub seed: u64,
    /// The accelerator.
    pub arch: ArchConfig,
    /// T.
    pub time_steps: usize,
    /// What enters.
    pub input: CaseInput,
    /// What comes before the classifier, which reads the last one's result.
    pub layers: Vec<Layer>,
    /// Outputs of the classifier.
    pub classes: usize,
}

/// Input of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseInput {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// One image for all time-steps.
    pub is_static: bool,
    /// Codes of the border.
    pub zero_point: Border,
}

/// A convolution and its neurons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Output channels.
    pub channels: usize,
    /// Side of the window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Border on each side.
    pub padding: usize,
    /// +-1 weights; else odd integers of 8 digits.
    pub sign: bool,
    /// Version III.
    pub parallel: bool,
    /// c is not 0.
    pub offset: bool,
    /// What is added to its currents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<Shortcut>,
    /// Channel attention on these currents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<Attention>,
}

/// Channel attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attention {
    /// Channels that a score sees.
    pub kernel: usize,
    /// What is added to the currents that it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<Shortcut>,
}

impl Conv {
    /// Shortcuts in front of attention and behind it.
    pub fn shortcuts(&self) -> impl Iterator<Item = Shortcut> {
        self.shortcut.into_iter().chain(self.attention.and_then(|attention| attention.shortcut))
    }
}

/// One layer of a case; it reads the result of the one before it, the first one the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "layer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// A convolution and its neurons.
    Conv(Conv),
    /// Average pooling.
    Pool {
        /// Height and width of the window.
        kernel: [usize; 2],
        /// Step of the window.
        stride: [usize; 2],
    },
    /// Maximum pooling.
    MaxPool {
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Border on each side.
        padding: usize,
    },
    /// Average pooling over the whole map.
    GlobalPool,
    /// Computes nothing: the next layer reads an earlier result, so that several read it.
    Back {
        /// How many results before the last one; the input is the first result.
        by: usize,
    },
}

/// The codes of an earlier result, which is not the input, or a convolution of them; of the shape of the layer's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shortcut {
    /// How many results before the one that the layer reads.
    pub by: usize,
    /// Codes have a mantissa for each step and channel; else a shift to the left.
    pub scaled: bool,
    /// Windows of a convolution with +-1 weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
}

/// Windows over a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Side.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Border on each side.
    pub padding: usize,
}

impl Shortcut {
    /// Shape of what it adds to a result of `channels` channels; `None` where it cannot read that.
    pub fn output(&self, codes: Source, channels: usize) -> Option<Shape> {
        codes.layer?;
        let Some(Windows { kernel, stride, padding }) = self.windows else { return Some(codes.shape) };
        let map = codes.shape.windowed([kernel; 2], [stride; 2], padding)?;
        (padding < kernel).then_some(Shape { channels, ..map })
    }
}

/// What a layer can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The layer that computes it; `None` for the input.
    pub layer: Option<usize>,
    /// Its shape.
    pub shape: Shape,
}

impl Layer {
    /// Shape of what it computes from `source`; `None` where its window does not fit, or where hardware cannot.
    fn output(&self, source: Source) -> Option<Shape> {
        let input = source.shape;
        match *self {
            Layer::Conv(Conv { channels, kernel, stride, padding, .. }) => {
                let map = input.windowed([kernel; 2], [stride; 2], padding)?;
                (padding < kernel).then_some(Shape { channels, ..map })
            }
            Layer::Pool { .. } | Layer::MaxPool { .. } | Layer::GlobalPool if source.layer.is_none() => None,
            Layer::MaxPool { kernel, stride, padding } => {
                let map = input.windowed([kernel; 2], [stride; 2], padding)?;
                (padding < kernel).then_some(map)
            }
            Layer::Pool { kernel, stride } => input.windowed(kernel, stride, 0),
            Layer::GlobalPool => Some(Shape::new(input.channels, 1, 1)),
            Layer::Back { .. } => Some(input),
        }
    }
}

impl Case {
    /// What each layer reads, and last what the classifier reads; `None` where a layer cannot read that.
    pub fn sources(&self) -> Option<Vec<Source>> {
        let CaseInput { channels, height, width, zero_point, .. } = self.input;
        zero_point.fits(channels).then_some(())?;
        let mut sources = vec![Source { layer: None, shape: Shape::new(channels, height, width) }];
        for (index, layer) in self.layers.iter().enumerate() {
            let result = match layer {
                Layer::Back { by } => sources[index.checked_sub(*by)?],
                _ => Source { layer: Some(index), shape: layer.output(sources[index])? },
            };
            if let Layer::Conv(conv) = layer {
                for shortcut in conv.shortcuts() {
                    let codes = sources[index.checked_sub(shortcut.by)?];
                    let added = shortcut.output(codes, result.shape.channels)?;
                    (added == result.shape).then_some(())?;
                }
                // A convolution of the input has one frame, and its sums no place beside those of others.
                let beside = conv.shortcut.is_some_and(|shortcut| shortcut.windows.is_some());
                (!beside || sources[index].layer.is_some()).then_some(())?;
            }
            sources.push(result);
        }
        Some(sources)
    }

    /// Layers, the classifier among them, that read the input.
    pub fn readers_of_input(&self) -> usize {
        let reads = self.layers.iter().map(|layer| !matches!(layer, Layer::Back { .. })).chain([true]);
        let sources = self.sources().unwrap_or_default();
        reads.zip(sources).filter(|(reads, source)| *reads && source.layer.is_none()).count()
    }

    /// Sums of `fan_in` products of the smallest weights and codes of `source` fit an accumulator this many times.
    pub(crate) fn room(&self, source: Source, fan_in: usize) -> i64 {
        let code_bits = if source.layer.is_none() { INPUT_BITS } else { self.arch.act_bits };
        ((1i64 << (self.arch.acc_bits - 1)) - 1) / (fan_in as i64 * ((1 << code_bits) - 1))
    }

    /// Reads a case file.
    pub fn load(path: &Path) -> Result<Self> {
        let syntax = |e: serde_json::Error| Error::Syntax { path: path.into(), message: e.to_string() };
        serde_json::from_slice(&store::read(path)?).map_err(syntax)
    }

    /// The case `name` of those that every test run takes.
    pub fn kept(name: &str) -> Result<Self> {
        Self::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(name).with_extension("json"))
    }

    /// Writes a case file.
    pub fn save(&self, path: &Path) -> Result<()> {
        store::write_json(path, self)
    }
}
