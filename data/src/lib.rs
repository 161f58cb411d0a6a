//! Labelled images and recordings of events, read from the files of data sets.

mod augment;
mod cifar;
mod classes;
mod dataset;
mod digits;
mod error;
pub mod events;
mod files;
mod glyphs;
mod idx;
mod image_folder;
mod load;
mod photographs;
mod pictures;
mod pixels;
#[cfg(test)]
mod test_files;
mod tiny_imagenet;
mod unpack;

pub use augment::change::{Change, Picture};
pub use augment::{Augment, Policy};
pub use cifar::load as load_cifar;
pub use dataset::{Dataset, Split, describe};
pub use digits::load as load_digits;
pub use error::{Error, Result};
pub use events::load as load_events;
pub use glyphs::glyphs;
pub use idx::load as load_idx;
pub use image_folder::load as load_photographs;
pub use load::{GLYPHS, Reading};
pub use photographs::Photographs;
pub use pixels::Pixels;
pub use tiny_imagenet::load as load_tiny_imagenet;
