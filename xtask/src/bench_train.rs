//! Images a second in training, beside PyTorch and the machine's own limit.

use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Op, Tensors, WeightKind};
use empf_trainer::{Extents, Frames, Learning, Model, Sgd, SgdConfig, Steps, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Side of an image.
const SIDE: usize = 32;
const CLASSES: usize = 10;
/// Multiplications and additions of one time-step that a batch repeats for each step: the +-1 convolutions'.
const SIGN_MACS: f64 = 9.0
    * ((SIDE * SIDE * 64 * 64) as f64
        + (SIDE * SIDE / 4 * (64 + 128) * 128) as f64
        + (SIDE * SIDE / 16 * 128 * 256) as f64);
/// Forward, and the gradients of weights and of inputs.
const ONLINE_PASSES: f64 = 3.0;

/// Options of `bench-train`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Interpreter with `torch` installed; without it only this trainer is measured
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
    /// Rounds; in each, every contender runs once
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Batches a contender trains in a round, after one that is not measured
    #[arg(long, default_value_t = 3)]
    batches: usize,
    /// Images a batch
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// T
    #[arg(long, default_value_t = 4)]
    time_steps: usize,
}

/// Runs all contenders interleaved and prints the median of each, and its share of the limit.
pub(crate) fn run(args: &Args) -> crate::Result {
    let rules = [("online", Learning::Online), ("random-bp", Learning::Random(Steps::of([0])))];
    let modes: &[&str] = if args.python.is_some() { &["nchw", "channels_last", "bf16"] } else { &[] };
    let mut contenders: Vec<(String, Vec<f64>)> =
        rules.iter().map(|(rule, _)| (format!("empf {rule}, f32"), vec![])).collect();
    contenders.extend(modes.iter().map(|mode| (format!("PyTorch online, {mode}"), vec![])));
    let mut peak = vec![];
    for _ in 0..args.rounds {
        peak.push(multiplications_a_second());
        for (index, (_, learning)) in rules.iter().enumerate() {
            contenders[index].1.push(ours(args, *learning)?);
        }
        for (index, mode) in modes.iter().enumerate() {
            let python = args.python.as_deref().unwrap_or(Path::new("python3"));
            contenders[rules.len() + index].1.push(pytorch(args, python, mode)?);
        }
    }
    let peak = median(&mut peak);
    println!("limit: {:.1} G multiplications and additions a second, in matrix products of f32", peak / 1e9);
    let online = median(&mut contenders[0].1.clone());
    for (name, rates) in &mut contenders {
        let rate = median(rates);
        let needed = rate * SIGN_MACS * args.time_steps as f64 * ONLINE_PASSES;
        let share = if name.contains("online") {
            format!("{:5.1} %", 100.0 * needed / peak)
        } else {
            "      -".into()
        };
        println!("{name:32} {rate:8.1} images/s   {:5.2} x   {share} of the limit", rate / online);
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Images a second of this trainer.
fn ours(args: &Args, learning: Learning) -> Result<f64, empf_trainer::Error> {
    let mut model = Model::<f32>::new(&network(args.time_steps), 1, false)?;
    let settings = SgdConfig { momentum: 0.9, nesterov: false, weight_decay: 5e-4 };
    let mut sgd = Sgd::new(&model, settings);
    let extents = Extents { images: args.batch, height: SIDE, width: SIDE, channels: 3 };
    let mut images = Tensor::zeros(extents);
    for (i, pixel) in images.data.iter_mut().enumerate() {
        *pixel = (i * 7919 % 256) as f32 / 255.0;
    }
    let labels: Vec<usize> = (0..args.batch).map(|i| i % CLASSES).collect();
    let mut seconds = vec![];
    for _ in 0..=args.batches {
        let start = Instant::now();
        model.train_batch(Frames::Static(&images), &labels, learning)?;
        sgd.step(&mut model, 0.01);
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(args.batch as f64 / median(&mut seconds[1..]))
}

/// The network of `bench/pytorch_online.py`.
fn network(time_steps: usize) -> Network {
    let input =
        Input { channels: 3, height: SIDE, width: SIDE, frames: 1, zero_point: 128, scale: 1.0 / 64.0 };
    let mut nodes: Vec<Node<Op>> = vec![];
    let mut push = |op: Op| {
        let inputs = vec![nodes.last().map_or(INPUT.to_owned(), |n| n.name.clone())];
        nodes.push(Node { name: format!("n{}", nodes.len()), inputs, op });
    };
    for (index, (out_channels, pool)) in
        [(64, false), (64, true), (128, false), (128, true), (256, false)].into_iter().enumerate()
    {
        let weights = if index == 0 { WeightKind::Float } else { WeightKind::Sign };
        push(Op::Conv { out_channels, kernel: 3, stride: 1, padding: 1, weights });
        push(Op::BatchNorm { eps: 1e-5 });
        push(Op::Neuron { version: NeuronVersion::I, eps: 1e-5 });
        if pool {
            push(Op::AvgPool { kernel: 2, stride: 2 });
        }
    }
    push(Op::GlobalAvgPool);
    push(Op::Linear { out_features: CLASSES });
    Network {
        name: "bench".into(),
        time_steps,
        classes: CLASSES,
        input,
        nodes,
        codes: None,
        tensors: Tensors::default(),
    }
}

/// Images a second of PyTorch in `mode`.
fn pytorch(args: &Args, python: &Path, mode: &str) -> Result<f64, Box<dyn std::error::Error + Send + Sync>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/pytorch_online.py");
    let number = |n: usize| n.to_string();
    let output = Command::new(python)
        .arg(script)
        .args(["--mode", mode, "--threads", &number(rayon::current_num_threads())])
        .args(["--batch", &number(args.batch), "--batches", &number(args.batches)])
        .args(["--time-steps", &number(args.time_steps)])
        .output()
        .map_err(|e| format!("cannot run {}: {e}; give a Python with --python", python.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(
            format!("{} failed; is torch installed? pip install torch\n{text}", python.display()).into()
        );
    }
    let result: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    result["images_per_s"].as_f64().ok_or_else(|| format!("no images_per_s in {result}").into())
}

/// Multiplications and additions a second of all cores, each in products of matrices that fit its cache.
fn multiplications_a_second() -> f64 {
    const SIZE: usize = 256;
    const PRODUCTS: usize = 200;
    let threads = rayon::current_num_threads();
    let start = Instant::now();
    (0..threads).into_par_iter().for_each(|_| {
        let (a, b) = (vec![1.0f32; SIZE * SIZE], vec![1.0f32; SIZE * SIZE]);
        let mut c = vec![0.0f32; SIZE * SIZE];
        for _ in 0..PRODUCTS {
            multiply(SIZE, &a, &b, &mut c);
        }
        std::hint::black_box(&c);
    });
    (threads * PRODUCTS * SIZE.pow(3)) as f64 / start.elapsed().as_secs_f64()
}

/// `c = a b`, `size` x `size` each, row-major.
fn multiply(size: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    assert!([a.len(), b.len(), c.len()] == [size * size; 3]);
    let row = size as isize;
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    // SAFETY: all three hold `size * size` elements, and `c` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            size,
            size,
            size,
            c,
            1,
            row,
            false,
            a,
            1,
            row,
            b,
            1,
            row,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
