//! Batches in the order that seed and epoch decide.

use crate::error::Result;
use crate::{Extents, Float, Tensor};
use empf_data::{Augment, Change, Dataset, Picture};
use empf_ir::Input;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use std::ops::Range;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

/// Batches that wait to be used.
const AHEAD: usize = 2;

/// What a random stream is for; streams of one seed are independent of each other.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Order,
    Augment,
    Step,
    Mix,
}

/// The random stream of one purpose at a place of a run. It depends on nothing else, so a run that was
/// interrupted goes on exactly where it was.
pub(crate) fn stream(seed: u64, purpose: Purpose, epoch: usize, batch: usize) -> Pcg64 {
    stream_of(seed, purpose, epoch, batch, 0)
}

/// The random stream of one image of a batch.
fn stream_of(seed: u64, purpose: Purpose, epoch: usize, batch: usize, image: usize) -> Pcg64 {
    let place = (image as u128) << 100 | (epoch as u128) << 64 | (batch as u128) << 8 | purpose as u128;
    Pcg64::new(u128::from(seed) << 64 | 0x5eed, place)
}

/// Fills network inputs from a data set.
#[derive(Debug)]
pub struct Batches<'a> {
    data: &'a Dataset,
    size: usize,
    order: Vec<usize>,
    /// Seed, epoch and what to change, in training.
    augment: Option<(u64, usize, Augment)>,
}

impl<'a> Batches<'a> {
    /// All images in their own order, `size` at a time; the last batch may be smaller.
    pub fn in_order(data: &'a Dataset, size: usize) -> Self {
        Batches { data, size, order: (0..data.len()).collect(), augment: None }
    }

    /// All images in the random order of `epoch`.
    pub fn shuffled(data: &'a Dataset, size: usize, seed: u64, epoch: usize, augment: Augment) -> Self {
        let mut order: Vec<usize> = (0..data.len()).collect();
        order.shuffle(&mut stream(seed, Purpose::Order, epoch, 0));
        Batches { data, size, order, augment: Some((seed, epoch, augment)) }
    }

    /// Number of batches.
    pub fn count(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }

    fn range(&self, batch: usize) -> Range<usize> {
        batch * self.size..((batch + 1) * self.size).min(self.order.len())
    }

    /// Writes batch number `batch` to `x`, a tensor a frame, as the values `(code - zero_point) * scale`; its
    /// labels. All frames of an image are changed alike. A photograph that cannot be decoded is an error.
    pub fn fill<F: Float>(&self, batch: usize, input: &Input, x: &mut Vec<Tensor<F>>) -> Result<Vec<usize>> {
        let images = &self.order[self.range(batch)];
        let Dataset { frames, channels, height, width, .. } = *self.data;
        let extents = Extents { images: images.len(), height, width, channels };
        x.resize_with(frames, Tensor::default);
        x.iter_mut().for_each(|frame| frame.resize(extents));
        let of_channel = |channel| (0..=255).map(|code| F::of(input.value(channel, code))).collect();
        let values: Vec<Vec<F>> = (0..channels).map(of_channel).collect();
        let mut picture = Picture::new(height, width, input.border());
        let size = extents.image();
        for (i, codes) in self.data.images(images)?.iter().enumerate() {
            let changes = self.changes(batch, i);
            for (x, pixels) in x.iter_mut().zip(codes.chunks_exact(size)) {
                picture.load(pixels);
                changes.iter().for_each(|change| picture.apply(change));
                let out = x.data[i * size..][..size].chunks_exact_mut(channels);
                for (position, out) in out.enumerate() {
                    let codes = picture.codes[position..].iter().step_by(height * width);
                    for ((out, code), values) in out.iter_mut().zip(codes).zip(&values) {
                        *out = values[usize::from(*code)];
                    }
                }
            }
        }
        Ok(images.iter().map(|i| usize::from(self.data.labels[*i])).collect())
    }

    /// What changes image `image` of a batch.
    fn changes(&self, batch: usize, image: usize) -> Vec<Change> {
        let Some((seed, epoch, augment)) = self.augment else { return vec![] };
        let mut rng = stream_of(seed, Purpose::Augment, epoch, batch, image);
        augment.draw(&mut rng, self.data.height, self.data.width)
    }

    /// Shows `take` the batches from number `first` on, in their order, and ends with its first error. A thread
    /// fills the next ones meanwhile; what they hold does not depend on it.
    pub fn in_background<F: Float>(
        &self,
        first: usize,
        input: &Input,
        mut take: impl FnMut(&mut [Tensor<F>], &[usize]) -> Result<()>,
    ) -> Result<()> {
        let (filled, ready) = sync_channel(AHEAD);
        let (done, free) = channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                for batch in first..self.count() {
                    let mut x: Vec<Tensor<F>> = free.try_recv().unwrap_or_default();
                    let labels = self.fill(batch, input, &mut x);
                    if filled.send((x, labels)).is_err() {
                        return;
                    }
                }
            });
            for (mut x, labels) in ready {
                take(&mut x, &labels?)?;
                // Where the last batch is filled already, nobody needs the memory any more.
                let _ = done.send(x);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use empf_data::Policy;

    fn data() -> Dataset {
        let pixels = (0..5 * 2 * 2 * 3).map(|i| i as u8).collect();
        Dataset {
            channels: 2,
            height: 2,
            width: 3,
            frames: 1,
            classes: 5,
            class_names: Default::default(),
            pixels,
            labels: (0..5).collect(),
        }
    }

    fn input() -> Input {
        Input { channels: 2, height: 2, width: 3, frames: 1, zero_point: 10.0.into(), scale: 0.5.into() }
    }

    #[test]
    fn values_are_codes_less_zero_point_channels_last() {
        let data = data();
        let mut x: Vec<Tensor<f64>> = vec![];
        let labels = Batches::in_order(&data, 2).fill(1, &input(), &mut x).unwrap();
        assert_eq!((labels, x.len()), (vec![2, 3], 1));
        assert_eq!(x[0].data[..4], [7.0, 10.0, 7.5, 10.5]);
    }

    #[test]
    fn frames_are_tensors_and_change_alike() {
        let pixels = (0..2 * 3 * 4).map(|i| i as u8).collect();
        let data = Dataset {
            channels: 1,
            height: 1,
            width: 4,
            frames: 3,
            classes: 2,
            class_names: Default::default(),
            pixels,
            labels: vec![0, 1],
        };
        let input =
            Input { channels: 1, height: 1, width: 4, frames: 3, zero_point: 0.0.into(), scale: 1.0.into() };
        let mut x: Vec<Tensor<f32>> = vec![];
        Batches::in_order(&data, 2).fill(0, &input, &mut x).unwrap();
        assert_eq!(x.len(), 3);
        assert_eq!(x[1].data, [4.0, 5.0, 6.0, 7.0, 16.0, 17.0, 18.0, 19.0]);
        let flipped = |epoch| {
            let mut x: Vec<Tensor<f32>> = vec![];
            let augment = Augment { flip: true, ..Augment::default() };
            Batches::shuffled(&data, 2, 7, epoch, augment).fill(0, &input, &mut x).unwrap();
            x.iter().map(|frame| frame.data[0] > frame.data[1]).collect::<Vec<_>>()
        };
        let seen: Vec<Vec<bool>> = (0..12).map(flipped).collect();
        assert!(seen.contains(&vec![true; 3]) && seen.contains(&vec![false; 3]));
        assert!(seen.iter().all(|frames| frames.iter().all(|f| *f == frames[0])));
    }

    #[test]
    fn an_epoch_sees_every_image_once_in_its_own_order() {
        let data = data();
        let labels = |epoch| {
            let batches =
                Batches::shuffled(&data, 2, 3, epoch, Augment { shift: 1, flip: true, ..Augment::default() });
            let mut x: Vec<Tensor<f32>> = vec![];
            (0..batches.count()).flat_map(|b| batches.fill(b, &input(), &mut x).unwrap()).collect::<Vec<_>>()
        };
        let sorted = |mut v: Vec<usize>| {
            v.sort();
            v
        };
        assert_eq!(sorted(labels(0)), [0, 1, 2, 3, 4]);
        assert!((1..6).any(|epoch| labels(epoch) != labels(0)));
        assert_eq!(labels(1), labels(1));
    }

    fn all() -> Augment {
        Augment { shift: 1, flip: true, cutout: 1, policy: Some(Policy::Cifar10), events: true }
    }

    /// A batch filled alone is what it is in the middle of a run.
    #[test]
    fn a_thread_changes_nothing() {
        let data = data();
        for (first, size) in [(0, 2), (1, 2), (3, 2), (0, 1), (4, 1)] {
            let batches = Batches::shuffled(&data, size, 3, 1, all());
            let mut next = first;
            let take = |x: &mut [Tensor<f32>], labels: &[usize]| {
                let mut alone = vec![];
                assert_eq!(batches.fill::<f32>(next, &input(), &mut alone).unwrap(), labels);
                assert!(alone.iter().zip(&*x).all(|(alone, x)| alone.data == x.data));
                x[0].data.fill(9.0);
                next += 1;
                Ok(())
            };
            batches.in_background(first, &input(), take).unwrap();
            assert_eq!(next, batches.count().max(first));
        }
    }

    #[test]
    fn an_error_ends_the_thread() {
        let data = data();
        let batches = Batches::in_order(&data, 1);
        let mut seen = 0;
        let result = batches.in_background(0, &input(), |_: &mut [Tensor<f32>], labels| {
            seen += 1;
            if labels == [1] { Err(Error::Batch("enough".into())) } else { Ok(()) }
        });
        assert_eq!((result.unwrap_err().to_string().as_str(), seen), ("batch: enough", 2));
    }

    #[test]
    fn every_image_has_changes_of_its_own() {
        let data = data();
        let augment = Augment { shift: 50, ..Augment::default() };
        let of = |epoch, batch, image| Batches::shuffled(&data, 2, 3, epoch, augment).changes(batch, image);
        let places = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0)];
        let mut drawn: Vec<String> = places.iter().map(|(e, b, i)| format!("{:?}", of(*e, *b, *i))).collect();
        drawn.sort();
        drawn.dedup();
        assert_eq!(drawn.len(), places.len());
    }
}
