//! Networks by name.

use crate::error::{Error, Result};
use empf_ir::{Input, Network};
use empf_trainer::presets::{Target, preset};

/// Steps of a network of which nobody says how many.
pub(crate) const TIME_STEPS: usize = 4;

/// What a named network reads and gives.
#[derive(Debug, clap::Args)]
pub(crate) struct NamedArgs {
    /// Channels, rows and columns of the input of a named network [default: 3x32x32]
    #[arg(long, value_name = "CxHxW")]
    input: Option<String>,
    /// Classes of a named network [default: 10]
    #[arg(long)]
    classes: Option<usize>,
}

/// How often a named network steps, and how large it is.
pub(crate) struct Extent {
    /// T.
    pub(crate) time_steps: usize,
    /// Frames of the input.
    pub(crate) frames: usize,
    /// Factor on channel counts.
    pub(crate) width: f64,
}

impl NamedArgs {
    /// The options, and which are given.
    pub(crate) fn given(&self) -> [(&'static str, bool); 2] {
        [("input", self.input.is_some()), ("classes", self.classes.is_some())]
    }

    /// The graph called `name`, without weights.
    pub(crate) fn network(&self, name: &str, extent: &Extent) -> Result<Network> {
        let asked = self.input.as_deref().unwrap_or("3x32x32");
        let [channels, height, width] = sizes(asked).ok_or_else(|| Error::Option {
            option: "input",
            message: format!("is `{asked}`, not three numbers above 0 such as 3x32x32"),
        })?;
        let classes = self.classes.unwrap_or(10);
        if classes == 0 {
            return Err(Error::Option { option: "classes", message: "is 0, not at least 1".into() });
        }
        let Extent { time_steps, frames, width: factor } = *extent;
        let input = Input { channels, height, width, frames, zero_point: 0.0.into(), scale: 1.0.into() };
        Ok(preset(name, &Target { input, classes, time_steps, width: factor })?)
    }
}

/// Channels, rows and columns.
fn sizes(text: &str) -> Option<[usize; 3]> {
    let sizes: Vec<usize> =
        text.split('x').map(|size| size.parse().ok().filter(|n| *n > 0)).collect::<Option<_>>()?;
    sizes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::sizes;

    #[test]
    fn sizes_are_three_numbers() {
        assert_eq!(sizes("3x32x64"), Some([3, 32, 64]));
        for wrong in ["", "3x32", "3x32x32x1", "3x0x32", "axbxc", "3x-1x2", "3 x 32 x 32"] {
            assert_eq!(sizes(wrong), None, "{wrong}");
        }
    }
}
