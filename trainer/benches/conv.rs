//! Multiplications and additions a second of the +-1 convolution, on one core, as if each of its 9 taps was
//! multiplied, in time that the core was ours: `cargo bench -p empf-trainer --bench conv`.

use empf_ir::{WeightKind, Window};
use empf_trainer::layers::conv::{Conv, Precision};
use empf_trainer::{Extents, Tensor};

const IMAGES: usize = 64;
const REPEATS: usize = 20;

fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be started");
    println!("{:24}{:>12}{:>12}{:>12}  Gmac/s", "", "forward", "by input", "by weight");
    for precision in [Precision::Full, Precision::Bf16] {
        println!("{precision:?}");
        for (side, from, to) in [(32, 64, 64), (16, 64, 128), (16, 128, 128), (8, 128, 256), (4, 512, 512)] {
            pool.install(|| measure(precision, side, from, to));
        }
    }
}

fn measure(precision: Precision, side: usize, from: usize, to: usize) {
    let window = Window { kernel: 3, stride: 1, padding: 1 };
    let value = |i: usize| ((i * 7919) % 13) as f32 / 13.0 - 0.45;
    let mut conv = Conv::new(from, to, window, WeightKind::Sign, value);
    conv.set_precision(precision);
    conv.prepare();
    let maps = |channels| {
        let extents = Extents { images: IMAGES, height: side, width: side, channels };
        Tensor { extents, data: (0..extents.elements()).map(value).collect() }
    };
    let (x, grad) = (maps(from), maps(to));
    let (mut y, mut grad_in) = (Tensor::default(), Tensor::default());
    let forward = mean(|| conv.forward(&x, &mut y));
    let weight = mean(|| conv.backward(&x, &grad, None));
    let both = mean(|| conv.backward(&x, &grad, Some((&mut grad_in, false))));
    let macs = (IMAGES * side * side * 9 * from * to) as f64 / 1e9;
    let rates = [forward, both - weight, weight].map(|seconds| macs / seconds);
    let name = format!("{side}x{side}, {from} -> {to}");
    println!("{name:24}{:12.1}{:12.1}{:12.1}", rates[0], rates[1], rates[2]);
}

/// Seconds of a run, as a mean over some.
fn mean(mut run: impl FnMut()) -> f64 {
    run();
    let start = seconds_on_core();
    (0..REPEATS).for_each(|_| run());
    (seconds_on_core() - start) / REPEATS as f64
}

/// Seconds that this thread has run, as Linux counts them.
fn seconds_on_core() -> f64 {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long threads ran");
    let nanoseconds =
        text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("it starts with a number");
    nanoseconds / 1e9
}
