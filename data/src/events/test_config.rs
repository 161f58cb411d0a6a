//! Frames that several tests ask for.

use super::frames::{Cut, FrameConfig};

pub(crate) const CONFIG: FrameConfig = FrameConfig { frames: 2, height: 17, width: 17, cut: Cut::Count };
