//! A case: everything but the values of its tensors, which follow from the seed.

use empf_ir::{ArchConfig, Error, Result, Shape, store};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A network on an array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Seed of weights, parameters and input.
    pub seed: u64,
    /// Rows and columns of the array.
    pub array: [usize; 2],
    /// A.
    pub act_bits: u32,
    /// T.
    pub time_steps: usize,
    /// What enters.
    pub input: CaseInput,
    /// What comes before the classifier; the first layer is a convolution.
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
    /// Code of the border.
    pub zero_point: u8,
}

/// One layer of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "layer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// A convolution and its neurons.
    Conv {
        /// Output channels.
        channels: usize,
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Border on each side.
        padding: usize,
        /// +-1 weights; else odd integers of 8 digits.
        sign: bool,
        /// Version III.
        parallel: bool,
        /// c is not 0.
        offset: bool,
    },
    /// Average pooling.
    Pool {
        /// Height and width of the window.
        kernel: [usize; 2],
        /// Step of the window.
        stride: [usize; 2],
    },
    /// Average pooling over the whole map.
    GlobalPool,
}

impl Layer {
    /// Shape of its result; `None` where its window does not fit.
    pub fn output(&self, input: Shape) -> Option<Shape> {
        match *self {
            Layer::Conv { channels, kernel, stride, padding, .. } => {
                let map = input.windowed([kernel; 2], [stride; 2], padding)?;
                (padding < kernel).then_some(Shape { channels, ..map })
            }
            Layer::Pool { kernel, stride } => input.windowed(kernel, stride, 0),
            Layer::GlobalPool => Some(Shape::new(input.channels, 1, 1)),
        }
    }
}

impl Case {
    /// Shapes that the layers read, and last the one that the classifier reads; `None` where a window does not
    /// fit.
    pub fn shapes(&self) -> Option<Vec<Shape>> {
        let CaseInput { channels, height, width, .. } = self.input;
        let mut shapes = vec![Shape::new(channels, height, width)];
        for layer in &self.layers {
            shapes.push(layer.output(shapes[shapes.len() - 1])?);
        }
        Some(shapes)
    }

    /// The accelerator. Its accumulators are few, so that small maps need several tiles of positions, its lanes
    /// and membrane bits vary with the bits of a spike, and its other memories hold every case that is drawn.
    pub fn arch(&self) -> ArchConfig {
        let [rows, cols] = self.array;
        let arch = ArchConfig::sized(rows, cols, self.act_bits);
        let (lanes, membrane_bits) = match self.act_bits {
            ..=4 => (arch.lanes.div_ceil(2), 12),
            5..=7 => (arch.lanes, 20),
            _ => (arch.lanes, 16),
        };
        ArchConfig {
            lanes,
            membrane_bits,
            accumulator_depth: 64,
            activation_depth: 1 << 16,
            weight_depth: 1 << 16,
            ..arch
        }
    }

    /// Reads a case file.
    pub fn load(path: &Path) -> Result<Self> {
        let syntax = |e: serde_json::Error| Error::Syntax { path: path.into(), message: e.to_string() };
        serde_json::from_slice(&store::read(path)?).map_err(syntax)
    }

    /// Writes a case file.
    pub fn save(&self, path: &Path) -> Result<()> {
        store::write_json(path, self)
    }
}
