//! Forward results and gradients against files computed elsewhere in double precision.
//!
//! Every safetensors file of `vectors/` is checked, and of the folder that the variable EMPF_VECTORS names. A file's
//! name starts with its kind; shapes, T, kernels and modes come from its tensors and metadata. `vectors/generate.py`
//! wrote the files that are kept here.

use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Op, Tensors, WeightKind, Window};
use empf_trainer::layers::batch_norm::BatchNorm;
use empf_trainer::layers::conv::Conv;
use empf_trainer::layers::membrane::{MembraneStep, Reparameterized, Statistics, reparameterize};
use empf_trainer::layers::neuron::{Current, CurrentGradient, Neuron, Potential};
use empf_trainer::layers::seca::{Attention, Seca};
use empf_trainer::{Extents, Float, Frames, Learning, Model, Param, Steps, Tensor};
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// How far a result may be from the file's.
struct Bounds {
    /// Forward: largest difference, relative to the tensor's largest element.
    forward: f64,
    /// Gradients, measured by `gradient_distance`.
    gradient: f64,
    gradient_distance: fn(&[f64], &[f64]) -> f64,
}

const DOUBLE: Bounds = Bounds { forward: 1e-9, gradient: 1e-9, gradient_distance: largest };
/// A neuron within rounding of its threshold may fire in one precision and not in the other, and then its
/// gradient jumps: single-precision gradients are measured as a whole.
const SINGLE: Bounds = Bounds { forward: 2e-5, gradient: 1e-3, gradient_distance: euclidean };

/// Largest difference relative to the largest element expected.
fn largest(got: &[f64], want: &[f64]) -> f64 {
    let scale = want.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let error =
        got.iter().zip(want).fold(0.0, |m: f64, (g, w)| if m >= (g - w).abs() { m } else { (g - w).abs() });
    if scale > 0.0 { error / scale } else { error }
}

/// Euclidean norm of the difference relative to that of the expected tensor.
fn euclidean(got: &[f64], want: &[f64]) -> f64 {
    let scale = want.iter().map(|w| w * w).sum::<f64>().sqrt();
    let error = got.iter().zip(want).map(|(g, w)| (g - w).powi(2)).sum::<f64>().sqrt();
    if scale > 0.0 { error / scale } else { error }
}

struct Vectors {
    metadata: HashMap<String, String>,
    tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Vectors {
    fn load(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let read = |view: safetensors::tensor::TensorView| {
            let words = view.data().as_chunks::<8>().0;
            let values = match view.dtype() {
                Dtype::F64 => words.iter().map(|w| f64::from_le_bytes(*w)).collect(),
                Dtype::I64 => words.iter().map(|w| i64::from_le_bytes(*w) as f64).collect(),
                other => panic!("{}: tensors of type {other:?}", path.display()),
            };
            (view.shape().to_vec(), values)
        };
        let file = SafeTensors::deserialize(&bytes).unwrap();
        Vectors {
            metadata: header.metadata().clone().unwrap_or_default(),
            tensors: file.tensors().into_iter().map(|(name, view)| (name, read(view))).collect(),
        }
    }

    fn get(&self, name: &str) -> &(Vec<usize>, Vec<f64>) {
        self.tensors.get(name).unwrap_or_else(|| panic!("the file has no tensor {name}"))
    }

    fn shape(&self, name: &str) -> &[usize] {
        &self.get(name).0
    }

    fn values(&self, name: &str) -> &[f64] {
        &self.get(name).1
    }

    fn text(&self, key: &str) -> &str {
        let raw = self.metadata.get(key).unwrap_or_else(|| panic!("the file has no metadata {key}"));
        raw.trim_matches('"')
    }

    fn number(&self, key: &str) -> usize {
        self.text(key).parse().unwrap()
    }

    /// Maps `[images, channels, height, width]`, or `[images, channels]` of a single position.
    fn maps<F: Float>(&self, name: &str) -> Tensor<F> {
        let (shape, values) = self.get(name);
        Tensor::from_nchw(extents(shape), &cast(values))
    }

    /// Maps of each time-step, which is the first axis.
    fn steps<F: Float>(&self, name: &str) -> Vec<Tensor<F>> {
        let (shape, values) = self.get(name);
        let extents = extents(&shape[1..]);
        values.chunks_exact(extents.elements()).map(|v| Tensor::from_nchw(extents, &cast(v))).collect()
    }

    /// Sets a parameter that has a value for each time-step, and channel or layer.
    fn set_steps<F: Float>(&self, param: &mut Param<F>, name: &str) {
        let (shape, values) = self.get(name);
        param.shape = vec![shape[0], shape.get(1).copied().unwrap_or(1)];
        param.value = cast(values);
        param.grad = vec![F::zero(); values.len()];
    }
}

fn extents(shape: &[usize]) -> Extents {
    match *shape {
        [images, channels, height, width] => Extents { images, height, width, channels },
        [images, channels] => Extents { images, height: 1, width: 1, channels },
        _ => panic!("maps of shape {shape:?}"),
    }
}

fn cast<F: Float>(values: &[f64]) -> Vec<F> {
    values.iter().map(|x| F::of(*x)).collect()
}

/// Computed tensors by the name of the file's tensor that each must equal.
type Results = Vec<(String, Vec<f64>)>;

fn result<F: Float>(name: &str, values: &[F]) -> (String, Vec<f64>) {
    (name.into(), values.iter().map(|x| x.f64()).collect())
}

fn bconv<F: Float>(file: &Vectors) -> Results {
    let [out, inner, kernel, _] = *file.shape("in.weight") else { panic!("in.weight is not 4-dimensional") };
    let window = Window { kernel, stride: file.number("stride"), padding: file.number("padding") };
    let weights = file.values("in.weight");
    let mut conv = Conv::<F>::new(inner, out, window, WeightKind::Sign, |i| F::of(weights[i]));
    let (x, upstream) = (file.maps("in.x"), file.maps("in.upstream"));
    let (mut y, mut grad) = (Tensor::default(), Tensor::default());
    conv.prepare();
    conv.forward(&x, &mut y);
    conv.backward(&x, &upstream, Some((&mut grad, false)));
    vec![
        result("out.y", &y.to_nchw()),
        result("grad.x", &grad.to_nchw()),
        result("grad.weight", &conv.weight.public(&conv.weight.grad)),
    ]
}

fn neuron<F: Float>(file: &Vectors) -> Results {
    let (currents, upstreams) = (file.steps::<F>("in.current"), file.steps::<F>("in.upstream"));
    let (steps, extents) = (currents.len(), currents[0].extents);
    let size = extents.elements();
    let flag = |key: &str| file.text(key) == "true";
    let version = match (flag("parallel"), flag("membrane_bn")) {
        (true, _) => NeuronVersion::III,
        (false, true) => NeuronVersion::II,
        (false, false) => NeuronVersion::I,
    };
    let eps = file.text("eps").parse().unwrap();
    let mut neuron = Neuron::<F>::new(version, steps, extents.channels, false, eps);
    file.set_steps(&mut neuron.theta, "in.theta");
    if let Some(lambda) = &mut neuron.lambda {
        file.set_steps(lambda, "in.lambda_");
    }
    let statistics = if flag("training") { Statistics::Batch } else { Statistics::Running };
    if let Some(norm) = &mut neuron.membrane {
        let params = [&mut norm.alpha, &mut norm.beta, &mut norm.gamma, &mut norm.b];
        for (param, name) in params.into_iter().zip(["alpha", "beta", "gamma", "b"]) {
            file.set_steps(param, &format!("in.{name}"));
        }
        if statistics == Statistics::Running {
            norm.running.mean = cast(file.values("in.mean"));
            norm.running.var = cast(file.values("in.var"));
        }
    }

    let (mut spikes, mut residual) = (vec![], vec![]);
    let mut potentials: Vec<Potential<F>> = vec![];
    for (t, x) in currents.iter().enumerate() {
        let mut potential = potentials.last().cloned().unwrap_or_default();
        if t == 0 {
            potential.reset(size);
        }
        potential.advance();
        let mut s = Tensor::default();
        neuron.forward(t, Current { x, affine: None }, statistics, &mut potential, &mut s);
        let v = match version {
            NeuronVersion::III => x.data.iter().zip(&s.data).map(|(m, s)| *m - *s).collect(),
            _ => potential.after.clone(),
        };
        spikes.extend(s.to_nchw());
        residual.extend(Tensor { extents, data: v }.to_nchw());
        potentials.push(potential);
    }

    let mut carry = vec![F::zero(); size];
    let mut grads = vec![vec![]; steps];
    for t in (0..steps).rev() {
        let mut grad = Tensor::default();
        let carry = (!flag("online")).then_some(&mut carry);
        let to = CurrentGradient { grad: &mut grad, accumulate: false, carry };
        let current = Current { x: &currents[t], affine: None };
        neuron.backward(t, current, &potentials[t], &upstreams[t], to);
        grads[t] = grad.to_nchw();
    }
    // Where a neuron has no leak, the file may hold a gradient of zeros for it.
    let no_leak = vec![F::zero(); file.tensors.get("grad.lambda_").map_or(0, |(_, v)| v.len())];
    let mut results = vec![
        result("out.spikes", &spikes),
        result("out.residual", &residual),
        result("grad.current", &grads.concat()),
        result("grad.theta", &neuron.theta.grad),
        result("grad.lambda_", neuron.lambda.as_ref().map_or(&no_leak, |l| &l.grad)),
    ];
    if let Some(norm) = &neuron.membrane {
        let params = [("alpha", &norm.alpha), ("beta", &norm.beta), ("gamma", &norm.gamma), ("b", &norm.b)];
        results.extend(params.map(|(name, param)| result(&format!("grad.{name}"), &param.grad)));
        if file.tensors.contains_key("out.reparam_gain") {
            results.extend(reparameterized(file));
        }
    }
    results
}

fn reparameterized(file: &Vectors) -> Results {
    let eps = file.text("eps").parse().unwrap();
    let step = |i: usize| {
        let at = |name: &str| file.values(&format!("in.{name}"))[i];
        reparameterize(&MembraneStep {
            lambda: at("lambda_"),
            theta: at("theta"),
            alpha: at("alpha"),
            beta: at("beta"),
            gamma: at("gamma"),
            b: at("b"),
            mean: at("mean"),
            var: at("var"),
            eps,
        })
    };
    let steps: Vec<Reparameterized> = (0..file.values("in.theta").len()).map(step).collect();
    let column = |f: fn(&Reparameterized) -> f64| steps.iter().map(f).collect::<Vec<f64>>();
    vec![
        ("out.reparam_gain".into(), column(|r| r.gain)),
        ("out.reparam_lambda".into(), column(|r| r.lambda)),
        ("out.reparam_theta".into(), column(|r| r.theta)),
        ("out.reparam_offset".into(), column(|r| r.offset)),
    ]
}

/// SECA-I, or the composition that SECA-II is: `SECA(I + BN(BConv(I)))` with the batch's statistics.
fn seca<F: Float>(file: &Vectors) -> Results {
    let kernel = file.values("in.kernel");
    let mut seca = Seca::<F>::new(kernel.len(), |k| F::of(kernel[k]));
    let (current, upstream) = (file.maps::<F>("in.current"), file.maps("in.upstream"));
    let (mut kept, mut y, mut grad) = (Attention::default(), Tensor::default(), Tensor::default());
    if file.text("variant") == "1" {
        seca.forward(&current, &mut kept, &mut y);
        seca.backward(&kept, &current, &upstream, &mut grad, false);
        return vec![
            result("out.y", &y.to_nchw()),
            result("grad.current", &grad.to_nchw()),
            result("grad.kernel", &seca.weight.grad),
        ];
    }
    let (shape, weights) = file.get("in.weight");
    let window = Window { kernel: shape[2], stride: 1, padding: shape[2] / 2 };
    let mut conv = Conv::<F>::new(shape[1], shape[0], window, WeightKind::Sign, |i| F::of(weights[i]));
    let mut norm = BatchNorm::<F>::new(shape[0], 1, file.text("eps").parse().unwrap());
    norm.gamma.value = cast(file.values("in.gamma"));
    norm.bias.value = cast(file.values("in.b"));
    let (mut z, mut sum) = (Tensor::default(), Tensor::default());
    conv.prepare();
    conv.forward(&current, &mut z);
    let normalisation = norm.observe(&z, 0..1);
    norm.apply(&normalisation, &z, &mut sum);
    sum.data.iter_mut().zip(&current.data).for_each(|(s, i)| *s += *i);
    seca.forward(&sum, &mut kept, &mut y);

    seca.backward(&kept, &sum, &upstream, &mut grad, false);
    let (through_sum, mut through_norm) = (grad.clone(), Tensor::default());
    norm.backward(&normalisation, &z, &through_sum, &mut through_norm, false);
    conv.backward(&current, &through_norm, Some((&mut grad, true)));
    vec![
        result("out.y", &y.to_nchw()),
        result("grad.current", &grad.to_nchw()),
        result("grad.kernel", &seca.weight.grad),
        result("grad.weight", &conv.weight.public(&conv.weight.grad)),
        result("grad.gamma", &norm.gamma.grad),
        result("grad.b", &norm.bias.grad),
    ]
}

/// The graph of a metadata text such as
/// `conv1(float,3x3,pad1) BN(...) EMPF(I) conv2(sign,3x3,pad1) BN EMPF(III) GAP fc; ...`, and for each node
/// tensor its name in the file.
fn graph(file: &Vectors) -> (Network, Vec<(String, String)>) {
    let text = file.text("graph").split(';').next().unwrap().to_string();
    let (mut words, mut depth) = (vec![String::new()], 0);
    for c in text.chars() {
        match c {
            ' ' if depth == 0 => words.push(String::new()),
            _ => {
                depth += i32::from(c == '(') - i32::from(c == ')');
                words.last_mut().unwrap().push(c);
            }
        }
    }
    let (mut nodes, mut names): (Vec<Node<Op>>, Vec<(String, String)>) = (vec![], vec![]);
    let (mut norms, mut neurons) = (0, 0);
    for word in words.iter().filter(|w| !w.is_empty()) {
        let (head, arguments) = word.split_once('(').unwrap_or((word, ""));
        let arguments: Vec<&str> = arguments.trim_end_matches(')').split(',').collect();
        let mut name_as =
            |node: &str, tensor: &str, file: String| names.push((format!("{node}.{tensor}"), file));
        let (name, op) = match head {
            "BN" => {
                norms += 1;
                let name = format!("bn{norms}");
                name_as(&name, "gamma", format!("gamma{norms}"));
                name_as(&name, "bias", format!("b{norms}"));
                (name, Op::BatchNorm { eps: file.text("eps").parse().unwrap() })
            }
            "EMPF" => {
                neurons += 1;
                let name = format!("neuron{neurons}");
                name_as(&name, "theta", format!("theta{neurons}"));
                let version = match arguments[0] {
                    "I" => {
                        name_as(&name, "lambda", format!("lambda{neurons}"));
                        NeuronVersion::I
                    }
                    "III" => NeuronVersion::III,
                    other => panic!("neuron version {other}"),
                };
                (name, Op::Neuron { version, eps: 1e-5 })
            }
            "GAP" => ("gap".into(), Op::GlobalAvgPool),
            "fc" => {
                name_as("fc", "weight", "fc".into());
                name_as("fc", "bias", "fcb".into());
                ("fc".into(), Op::Linear { out_features: file.shape("in.fcb")[0] })
            }
            _ if head.starts_with("conv") => {
                name_as(head, "weight", head.into());
                let number =
                    |prefix: &str| arguments.iter().find_map(|a| a.strip_prefix(prefix)?.parse().ok());
                let shape = file.shape(&format!("in.{head}"));
                let op = Op::Conv {
                    out_channels: shape[0],
                    kernel: shape[2],
                    stride: number("stride").or(number("s")).unwrap_or(1),
                    padding: number("pad").unwrap_or(0),
                    weights: if arguments.contains(&"sign") { WeightKind::Sign } else { WeightKind::Float },
                };
                (head.to_string(), op)
            }
            other => panic!("graph word {other}"),
        };
        let input = nodes.last().map_or(INPUT.to_string(), |n: &Node<Op>| n.name.clone());
        nodes.push(Node { name, inputs: vec![input], op });
    }
    let x = file.shape("in.x");
    let [.., channels, height, width] = *x else { panic!("in.x has too few axes") };
    let input = Input {
        channels,
        height,
        width,
        frames: if x.len() == 5 { x[0] } else { 1 },
        zero_point: 0.0.into(),
        scale: 1.0.into(),
    };
    let network = Network {
        name: "vectors".into(),
        time_steps: file.number("T"),
        classes: file.shape("in.fcb")[0],
        class_names: Default::default(),
        input,
        nodes,
        codes: None,
        tensors: Tensors::default(),
    };
    (network, names)
}

fn net<F: Float>(file: &Vectors) -> Results {
    let (graph, names) = graph(file);
    let mut model = Model::<F>::new(&graph, 0, false).unwrap();
    for (node, tensor) in &names {
        let (shape, values) = file.get(&format!("in.{tensor}"));
        model.set(node, shape, values).unwrap();
    }
    let x = if graph.input.frames == 1 { vec![file.maps("in.x")] } else { file.steps("in.x") };
    let labels: Vec<usize> = file.values("in.label").iter().map(|l| *l as usize).collect();
    let learning = match file.text("mode") {
        "online" => Learning::Online,
        "random_bp" => Learning::Random(Steps::of([file.number("random_step")])),
        "stbp" => Learning::ThroughTime,
        other => panic!("mode {other}"),
    };
    let outcome = model.train_batch(Frames::of(&x), &labels, learning).unwrap();
    let logits: Vec<F> = outcome.logits.iter().flat_map(|l| l.data.clone()).collect();
    let grads = model.params().into_iter().map(|(node, param)| {
        let (_, tensor) = names.iter().find(|(n, _)| *n == node).unwrap();
        result(&format!("grad.{tensor}"), &param.public(&param.grad))
    });
    grads.chain([result("out.logits", &logits)]).collect()
}

/// Compares every `out.*` and `grad.*` tensor of the file; returns the largest distance.
fn worst(name: &str, file: &Vectors, results: &Results, bounds: &Bounds) -> f64 {
    let mut worst: f64 = 0.0;
    for (tensor, (_, want)) in &file.tensors {
        let (distance, bound) = match tensor.split('.').next() {
            Some("out") => (largest as fn(&[f64], &[f64]) -> f64, bounds.forward),
            Some("grad") => (bounds.gradient_distance, bounds.gradient),
            _ => continue,
        };
        let (_, got) = (results.iter().find(|(n, _)| n == tensor))
            .unwrap_or_else(|| panic!("{name}: {tensor} is not computed"));
        assert_eq!(got.len(), want.len(), "{name}: elements of {tensor}");
        assert!(got.iter().all(|x| x.is_finite()), "{name}: {tensor} is not finite");
        let distance = distance(got, want);
        assert!(distance <= bound, "{name}: {tensor} is {distance:e} away, bound {bound:e}");
        worst = worst.max(distance);
    }
    worst
}

/// Kinds by the start of a file's name, each in double and in single precision.
type Check = fn(&Vectors) -> Results;
const KINDS: [(&str, Check, Check); 6] = [
    ("bconv_", bconv::<f64>, bconv::<f32>),
    ("neuron_i_", neuron::<f64>, neuron::<f32>),
    ("neuron_ii_", neuron::<f64>, neuron::<f32>),
    ("neuron_iii_", neuron::<f64>, neuron::<f32>),
    ("net_", net::<f64>, net::<f32>),
    ("seca_", seca::<f64>, seca::<f32>),
];

/// The folders of vectors: the one that is kept here, and another where one is named.
fn folders() -> Vec<PathBuf> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let named = std::env::var_os("EMPF_VECTORS").filter(|folder| !folder.is_empty());
    [kept].into_iter().chain(named.map(PathBuf::from)).collect()
}

/// The safetensors files of `folder`, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let listing = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = listing.map(|entry| entry.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "safetensors"));
    files.sort();
    assert!(!files.is_empty(), "{} holds no .safetensors file", folder.display());
    files
}

#[test]
fn vectors() {
    for path in folders().iter().flat_map(|folder| files(folder)) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (_, double, single) =
            KINDS.iter().find(|(kind, ..)| name.starts_with(kind)).unwrap_or_else(|| {
                panic!(
                    "{}: a file of no known kind; a name starts with one of {:?}",
                    path.display(),
                    KINDS.map(|k| k.0)
                )
            });
        let file = Vectors::load(&path);
        let in_double = worst(&name, &file, &double(&file), &DOUBLE);
        let in_single = worst(&name, &file, &single(&file), &SINGLE);
        println!("{name}: relative distance {in_double:.1e} in f64, {in_single:.1e} in f32");
    }
}
