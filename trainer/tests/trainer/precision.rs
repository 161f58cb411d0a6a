//! Training in bf16 follows training in f32.

use approx::assert_relative_eq;
use empf_ir::Input;
use empf_trainer::layers::conv::Precision;
use empf_trainer::presets::{Target, preset};
use empf_trainer::{Extents, Frames, Learning, Model, Tensor};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

const SIDE: usize = 12;
const CLASSES: usize = 10;

/// Loss and all gradients of a batch.
fn learned(network: &str, precision: Precision) -> (f64, Vec<(String, Vec<f32>)>) {
    let input = Input {
        channels: 3,
        height: SIDE,
        width: SIDE,
        frames: 1,
        zero_point: 0.0.into(),
        scale: 1.0.into(),
    };
    let target = Target { input, classes: CLASSES, time_steps: 2, width: 1.0 };
    let mut model = Model::<f32>::new(&preset(network, &target).unwrap(), 1, false).unwrap();
    model.set_precision(precision);
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    let extents = Extents { images: 8, height: SIDE, width: SIDE, channels: 3 };
    let data = (0..extents.elements()).map(|_| rng.random_range(-1.0..1.0)).collect();
    let labels: Vec<usize> = (0..8).map(|i| i % CLASSES).collect();
    let images = Tensor { extents, data };
    let outcome = model.train_batch(Frames::Static(&images), &labels, Learning::Online).unwrap();
    (outcome.loss, model.params().into_iter().map(|(name, param)| (name, param.grad.clone())).collect())
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn gradients_of_bf16_point_where_those_of_f32_do() {
    for network in ["vgg-small-vanilla", "vgg-small-membrane"] {
        let (full, rounded) = (learned(network, Precision::Full), learned(network, Precision::Bf16));
        assert_relative_eq!(full.0, rounded.0, max_relative = 0.05);
        let learns = |grad: &[f32]| grad.iter().any(|g| *g != 0.0);
        for ((name, full), (_, rounded)) in full.1.iter().zip(&rounded.1).filter(|(full, _)| learns(&full.1))
        {
            let cosine = cosine(full, rounded);
            assert!(cosine > 0.95, "{network}, {name}: cosine {cosine}");
        }
        assert_ne!(full.1, rounded.1, "{network} multiplies in bf16");
    }
}
