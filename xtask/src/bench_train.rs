//! Images a second in training, beside PyTorch and the machine's own limit.

use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Op, Tensors, WeightKind};
use empf_trainer::layers::conv::Precision;
use empf_trainer::runs::train::Rule;
use empf_trainer::{Device, Extents, Frames, Learning, Model, Sgd, SgdConfig, Steps, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

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
    /// Interpreter with `torch` installed, and `snntorch` and `spikingjelly` to measure them too; without it only
    /// this trainer is measured
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
    /// Peak memory at T = 4, 8 and 16 instead of speed
    #[arg(long)]
    memory: bool,
    /// Speed of an NVIDIA GPU instead of the processor's; build with --features cuda
    #[arg(long, conflicts_with = "memory")]
    gpu: bool,
    /// Run this contender alone and print what was measured as JSON
    #[arg(long, hide = true)]
    contender: Option<String>,
}

/// Who trains.
#[derive(Clone, Copy, PartialEq)]
enum Contender {
    Ours { name: &'static str, rule: Rule, precision: Precision, device: Device },
    Script { name: &'static str, script: &'static str, mode: &'static str, device: Device },
}

const fn ours(name: &'static str, rule: Rule, precision: Precision) -> Contender {
    Contender::Ours { name, rule, precision, device: Device::Cpu }
}

const fn script(name: &'static str, script: &'static str, mode: &'static str) -> Contender {
    Contender::Script { name, script, mode, device: Device::Cpu }
}

const fn ours_on_gpu(name: &'static str, rule: Rule, precision: Precision) -> Contender {
    Contender::Ours { name, rule, precision, device: Device::Cuda }
}

const fn pytorch_on_gpu(name: &'static str, mode: &'static str) -> Contender {
    Contender::Script { name, script: ONLINE, mode, device: Device::Cuda }
}

const ONLINE: &str = "pytorch_online.py";
const LIBRARIES: &str = "snn_libraries.py";
const CONTENDERS: [Contender; 17] = [
    ours("empf, online", Rule::Online, Precision::Full),
    ours("empf, online, bf16", Rule::Online, Precision::Bf16),
    ours("empf, random BP", Rule::RandomBp, Precision::Full),
    ours("empf, random BP, bf16", Rule::RandomBp, Precision::Bf16),
    ours("empf, through time", Rule::ThroughTime, Precision::Full),
    script("PyTorch, online, NCHW", ONLINE, "nchw"),
    script("PyTorch, online, channels last", ONLINE, "channels_last"),
    script("PyTorch, online, bf16 autocast", ONLINE, "bf16"),
    script("snnTorch, LIF, through time", LIBRARIES, "snntorch"),
    script("SpikingJelly, LIF, through time", LIBRARIES, "spikingjelly"),
    ours_on_gpu("empf on the GPU, online", Rule::Online, Precision::Full),
    ours_on_gpu("empf on the GPU, online, bf16", Rule::Online, Precision::Bf16),
    ours_on_gpu("empf on the GPU, random BP", Rule::RandomBp, Precision::Full),
    pytorch_on_gpu("PyTorch on the GPU, NCHW", "nchw"),
    pytorch_on_gpu("PyTorch on the GPU, channels last", "channels_last"),
    pytorch_on_gpu("PyTorch on the GPU, TF32", "tf32"),
    pytorch_on_gpu("PyTorch on the GPU, bf16 autocast", "bf16"),
];

/// What a contender reached.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Measured {
    images_per_s: f64,
    /// Most memory that its process held.
    peak_bytes: f64,
}

impl Contender {
    fn name(&self) -> &'static str {
        match self {
            Contender::Ours { name, .. } | Contender::Script { name, .. } => name,
        }
    }

    fn device(&self) -> Device {
        match self {
            Contender::Ours { device, .. } | Contender::Script { device, .. } => *device,
        }
    }

    /// Whether it repeats forward and backward at every time-step, so that its work can be counted.
    fn is_online(&self) -> bool {
        self.name().contains("online")
    }

    /// Trains in a process of its own, whose memory is nobody else's.
    fn measure(&self, args: &Args, time_steps: usize) -> Result<Measured> {
        let mut command = match *self {
            Contender::Ours { name, .. } => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["bench-train", "--contender", name]);
                command
            }
            Contender::Script { script, mode, device, .. } => {
                let mut command = python(args, script);
                command.args(["--mode", mode, "--threads", &rayon::current_num_threads().to_string()]);
                if device == Device::Cuda {
                    command.args(["--device", "cuda"]);
                }
                command
            }
        };
        for (option, value) in
            [("--batch", args.batch), ("--batches", args.batches), ("--time-steps", time_steps)]
        {
            command.args([option, &value.to_string()]);
        }
        Ok(serde_json::from_value(output(&mut command)?)?)
    }
}

/// Runs all contenders interleaved and prints the median of each, and its share of the limit; or their memory.
pub(crate) fn run(args: &Args) -> crate::error::Result {
    if let Some(name) = &args.contender {
        let found = CONTENDERS.iter().find(|c| c.name() == name);
        let Some(Contender::Ours { rule, precision, device, .. }) = found else {
            return Err(format!("no contender is called {name}").into());
        };
        println!("{}", serde_json::to_string(&train(args, *rule, *precision, *device)?)?);
        return Ok(());
    }
    let device = if args.gpu { Device::Cuda } else { Device::Cpu };
    let measured = |c: &&Contender| {
        c.device() == device
            && match c {
                Contender::Ours { precision, .. } => device == Device::Cuda || precision.is_native(),
                Contender::Script { .. } => args.python.is_some(),
            }
    };
    let contenders: Vec<&Contender> = CONTENDERS.iter().filter(measured).collect();
    match (args.memory, args.gpu) {
        (true, _) => memory(args, &contenders),
        (false, true) => gpu_speed(args, &contenders),
        (false, false) => speed(args, &contenders),
    }
}

fn memory(args: &Args, contenders: &[&Contender]) -> crate::error::Result {
    const TIME_STEPS: [usize; 3] = [4, 8, 16];
    println!("peak memory in MB at T = {TIME_STEPS:?}");
    for contender in contenders {
        let mut row = format!("{:32}", contender.name());
        for time_steps in TIME_STEPS {
            row += &format!("{:10.0}", contender.measure(args, time_steps)?.peak_bytes / 1e6);
        }
        println!("{row}");
    }
    Ok(())
}

fn speed(args: &Args, contenders: &[&Contender]) -> crate::error::Result {
    let mut rates = vec![vec![]; contenders.len()];
    let (mut peak, mut bf16_peak) = (vec![], vec![]);
    for _ in 0..args.rounds {
        peak.push(multiplications_a_second());
        if args.python.is_some() {
            let products = output(python(args, ONLINE).args(["--mode", "products"]))?;
            bf16_peak.extend(products["products_per_s"].as_f64());
        }
        round(args, contenders, &mut rates)?;
    }
    let peak = median(&mut peak);
    println!("limit: {:.1} G multiplications and additions a second, in matrix products of f32", peak / 1e9);
    if !bf16_peak.is_empty() {
        println!("       {:.1} G in PyTorch's of bf16", median(&mut bf16_peak) / 1e9);
    }
    let online = median(&mut rates[0].clone());
    for (contender, rates) in contenders.iter().zip(&mut rates) {
        let rate = median(rates);
        let needed = rate * SIGN_MACS * args.time_steps as f64 * ONLINE_PASSES;
        let share =
            if contender.is_online() { format!("{:5.1} %", 100.0 * needed / peak) } else { "      -".into() };
        println!(
            "{:32} {rate:8.1} images/s   {:5.2} x   {share} of the f32 limit",
            contender.name(),
            rate / online
        );
    }
    Ok(())
}

/// The median of each, and its ratio to this trainer's online one.
fn gpu_speed(args: &Args, contenders: &[&Contender]) -> crate::error::Result {
    let mut rates = vec![vec![]; contenders.len()];
    for _ in 0..args.rounds {
        round(args, contenders, &mut rates)?;
    }
    let online = median(&mut rates[0].clone());
    for (contender, rates) in contenders.iter().zip(&mut rates) {
        let rate = median(rates);
        println!("{:36} {rate:8.0} images/s   {:5.2} x", contender.name(), rate / online);
    }
    Ok(())
}

/// Runs each contender once.
fn round(args: &Args, contenders: &[&Contender], rates: &mut [Vec<f64>]) -> crate::error::Result {
    for (contender, rates) in contenders.iter().zip(rates) {
        rates.push(contender.measure(args, args.time_steps)?.images_per_s);
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Trains some batches of this trainer.
fn train(args: &Args, rule: Rule, precision: Precision, device: Device) -> Result<Measured> {
    let learning = match rule {
        Rule::Online => Learning::Online,
        Rule::RandomBp => Learning::Random(Steps::of([0])),
        Rule::ThroughTime => Learning::ThroughTime,
    };
    let mut model = Model::<f32>::new(&network(args.time_steps), 1, false)?;
    model.set_precision(precision);
    model.set_device(device)?;
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
    let images_per_s = args.batch as f64 / median(&mut seconds[1..]);
    Ok(Measured { images_per_s, peak_bytes: peak_bytes()? })
}

/// Most memory that this process has held, as Linux counts it.
fn peak_bytes() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("Linux gives no VmHWM")?;
    Ok(1024.0 * line.trim().trim_end_matches(" kB").parse::<f64>()?)
}

/// The network of `bench/pytorch_online.py`.
fn network(time_steps: usize) -> Network {
    let input = Input {
        channels: 3,
        height: SIDE,
        width: SIDE,
        frames: 1,
        zero_point: 128.0.into(),
        scale: (1.0 / 64.0).into(),
    };
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
        class_names: Default::default(),
        input,
        nodes,
        codes: None,
        tensors: Tensors::default(),
    }
}

/// The interpreter on a script of `bench/`.
fn python(args: &Args, script: &str) -> Command {
    let mut command = Command::new(args.python.as_deref().unwrap_or(Path::new("python3")));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench").join(script));
    command
}

/// The JSON that a command prints.
fn output(command: &mut Command) -> Result<serde_json::Value> {
    let program = PathBuf::from(command.get_program());
    let program = program.display();
    let output =
        command.output().map_err(|e| format!("cannot run {program}: {e}; give a Python with --python"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let advice =
            "are torch, snntorch and spikingjelly installed? pip install torch snntorch spikingjelly";
        return Err(format!("{program} failed; {advice}\n{text}").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
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
