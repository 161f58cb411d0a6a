//! What was drawn, counted.

use empf_tests::{Attention, Case, Conv, Layer, Shortcut};
use std::collections::BTreeMap;
use std::fmt;

/// How many cases, or layers of them, have each value of each property.
#[derive(Default)]
pub(super) struct Drawn(BTreeMap<&'static str, BTreeMap<String, usize>>);

impl Drawn {
    pub(super) fn add(&mut self, case: &Case) {
        let arch = &case.arch;
        // Numbers of one length sort as numbers.
        let number = |value: usize| format!("{value:>2}");
        self.count("array", format!("{:>2}x{}", arch.rows, arch.cols));
        self.count("lanes", number(arch.lanes));
        self.count("A", number(arch.act_bits as usize));
        self.count("V", number(arch.membrane_bits as usize));
        self.count("acc_bits", number(arch.acc_bits as usize));
        self.count("T", number(case.time_steps));
        let input = &case.input;
        self.count("map", if input.height == input.width { "square" } else { "not square" });
        self.count("input", if input.is_static { "static" } else { "a frame a step" });
        let borders = if (0..input.channels).any(|c| input.zero_point.of(c) != input.zero_point.of(0)) {
            "its own"
        } else {
            "one"
        };
        self.count("border of a channel", borders);
        self.count("readers of the input", number(case.readers_of_input()));
        for layer in &case.layers {
            self.layer(layer);
        }
        (0..case.frame_by_frame()).for_each(|_| self.count("attention", "frame by frame"));
    }

    fn layer(&mut self, layer: &Layer) {
        match *layer {
            Layer::Conv(Conv { kernel, stride, padding, sign, parallel, shortcut, attention, .. }) => {
                self.count("convolution", format!("{kernel:>2}x{kernel}"));
                self.count("stride", format!("{stride:>2}"));
                self.count("border", format!("{padding:>2}"));
                self.count("weights", if sign { "+-1" } else { "integer" });
                self.count("neuron", if parallel { "parallel" } else { "leaky" });
                if let Some(shortcut) = shortcut {
                    self.count("shortcut", kind(shortcut));
                }
                if let Some(Attention { kernel, shortcut: behind }) = attention {
                    let of = if shortcut.is_some() { "a sum" } else { "a convolution" };
                    self.count("attention", format!("of {of}"));
                    self.count("channels of a score", format!("{kernel}"));
                    self.count("behind attention", behind.map_or("nothing".into(), kind));
                }
            }
            Layer::Pool { kernel: [height, width], .. } => self.count("pooling", format!("{height}x{width}")),
            Layer::MaxPool { kernel, padding, .. } => {
                let border = if padding > 0 { ", border" } else { "" };
                self.count("maximum pooling", format!("{kernel}x{kernel}{border}"));
            }
            Layer::GlobalPool => self.count("pooling", "global"),
            Layer::Back { .. } => self.count("branch", "yes"),
        }
    }

    fn count(&mut self, property: &'static str, value: impl Into<String>) {
        *self.0.entry(property).or_default().entry(value.into()).or_default() += 1;
    }
}

/// What a shortcut is.
fn kind(Shortcut { by, scaled, windows }: Shortcut) -> String {
    let place = if by == 0 { "of the same codes" } else { "of earlier codes" };
    let kind = match windows {
        Some(windows) => format!("{0}x{0} convolution", windows.kernel),
        None => (if scaled { "scaled" } else { "widened" }).into(),
    };
    format!("{kind} {place}")
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (property, values) in &self.0 {
            let values: Vec<String> =
                values.iter().map(|(value, count)| format!("{}: {count}", value.trim_start())).collect();
            writeln!(f, "{property:>20}  {}", values.join(", "))?;
        }
        Ok(())
    }
}
