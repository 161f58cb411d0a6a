//! The kernels: their sources, and the arguments of each.

use super::grid::Chunk;
use super::norm_view::{Current, Gains, NormView};
use super::pointer::Pointer;
use super::sliding::{Geometry, Sliding};
use std::marker::PhantomData;

/// Sources of the kernels, in the order in which they use each other, and those for tensor cores.
const SOURCES: [&str; 7] = [
    include_str!("kernels/common.cu"),
    include_str!("kernels/conv.cu"),
    include_str!("kernels/neuron.cu"),
    include_str!("kernels/norm.cu"),
    include_str!("kernels/pool.cu"),
    include_str!("kernels/seca.cu"),
    include_str!("kernels/loss.cu"),
];

const TENSOR_SOURCE: &str = include_str!("kernels/tensor.cu");

/// The source of all kernels, for numbers of C's type `real`.
pub(super) fn source(real: &str, tensor_cores: bool) -> String {
    let tensor_source = if tensor_cores { TENSOR_SOURCE } else { "" };
    format!("typedef {real} real;\n{}\n{tensor_source}", SOURCES.join("\n"))
}

/// A kernel of a device that computes in `F`, by its name. It takes the tuple `A`, and what its `Kind` says.
///
/// Only this file makes one, from a declaration that a test compares with the sources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel<F, Kind, A> {
    name: &'static str,
    signature: PhantomData<(F, Kind, A)>,
}

impl<F, Kind, A> Kernel<F, Kind, A> {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

/// Of a kernel that runs on a grid of its caller's choice.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnGrid {}

/// Of a kernel that runs for each element of maps, and takes their `Chunk chunk` first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Map {}

/// As [`Map`], of a kernel that leaves `SUMS` sums a channel of each chunk in `real* parts`, which it takes last.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sums<const SUMS: usize> {}

/// Declares kernels: a function of its name for each. Arguments are those that callers give, with the names that they
/// have in the sources; `F` is the sources' `real`.
macro_rules! kernels {
    ($($kind:ty: $($name:ident),+ takes $arguments:tt;)+) => {
        $($(kernels!(@one $kind, $name $arguments);)+)+

        /// Kind, name and arguments of each.
        #[cfg(test)]
        const DECLARED: &[[&str; 3]] =
            &[$($([stringify!($kind), stringify!($name), stringify!($arguments)]),+),+];
    };
    (@one $kind:ty, $name:ident($($argument:tt: $type:ty),+ $(,)?)) => {
        pub(super) fn $name<F>() -> Kernel<F, $kind, ($($type,)+)> {
            Kernel { name: stringify!($name), signature: PhantomData }
        }
    };
}

kernels! {
    // common.cu
    OnGrid: total takes (parts: Pointer<F>, chunks: i32, columns: i32, totals: Pointer<f64>);
    OnGrid: add_to_gradient takes (totals: Pointer<f64>, channels: i32, width: i32, grad: Pointer<F>);
    OnGrid: add takes (x: Pointer<F>, other: Pointer<F>, elements: i32, y: Pointer<F>);
    OnGrid: pass_on takes (upstream: Pointer<F>, elements: i32, grad: Pointer<F>, accumulate: i32);
    OnGrid: round_to_codes takes (values: Pointer<F>, elements: i32, step: F, inverse: F, limit: F);
    OnGrid: clip_gradient takes (values: Pointer<F>, elements: i32, limit: F, grad: Pointer<F>);

    // conv.cu and tensor.cu
    OnGrid: conv, conv_tensor, conv_bf16, sign_conv, sign_conv_tensor, sign_conv_bf16 takes (
        g: Geometry, w: Pointer<F>, x: Pointer<F>, parts: Pointer<F>, depth: i32,
    );
    OnGrid: conv_input_gradient, conv_input_gradient_tensor, conv_input_gradient_bf16,
    sign_conv_input_gradient, sign_conv_input_gradient_tensor, sign_conv_input_gradient_bf16 takes (
        g: Geometry, w: Pointer<F>, upstream: Pointer<F>, parts: Pointer<F>, depth: i32, accumulate: i32,
    );
    OnGrid: conv_weight_gradient, conv_weight_gradient_tensor, conv_weight_gradient_bf16 takes (
        g: Geometry, x: Pointer<F>, upstream: Pointer<F>, parts: Pointer<F>, depth: i32,
    );
    OnGrid: sum_parts takes (parts: Pointer<F>, count: i32, elements: i32, to: Pointer<F>, accumulate: i32);
    OnGrid: sum_weight_parts takes (
        parts: Pointer<F>, count: i32, elements: i32, weights: Pointer<F>, sign: i32, grad: Pointer<F>,
    );
    OnGrid: add_bias takes (bias: Pointer<F>, elements: i32, channels: i32, y: Pointer<F>);
    Sums<1>: channel_totals takes (upstream: Pointer<F>);

    // neuron.cu
    Map: fire takes (
        current: Current<F>, lambda: Pointer<F>, theta: Pointer<F>, width: i32, before: Pointer<F>,
        after: Pointer<F>, spikes: Pointer<F>,
    );
    Map: fire_parallel takes (current: Current<F>, theta: Pointer<F>, width: i32, spikes: Pointer<F>);
    Map: charge takes (
        current: Current<F>, lambda: Pointer<F>, width: i32, before: Pointer<F>, membrane: Pointer<F>,
    );
    Sums<1>: fire_parallel_backward takes (
        current: Current<F>, theta: Pointer<F>, width: i32, upstream: Pointer<F>, grad: Pointer<F>,
        accumulate: i32,
    );
    Sums<2>: fire_backward takes (
        theta: Pointer<F>, width: i32, before: Pointer<F>, after: Pointer<F>, upstream: Pointer<F>,
        grad: Pointer<F>, accumulate: i32,
    );
    Sums<1>: spike_backward takes (
        theta: Pointer<F>, width: i32, after: Pointer<F>, upstream: Pointer<F>, d: Pointer<F>,
    );
    Sums<1>: charge_backward takes (
        lambda: Pointer<F>, width: i32, before: Pointer<F>, d: Pointer<F>, grad: Pointer<F>, accumulate: i32,
    );
    Map: lif takes (
        current: Current<F>, leak: F, threshold: F, before: Pointer<F>, after: Pointer<F>,
        spikes: Pointer<F>,
    );
    Map: lif_backward takes (
        current: Current<F>, leak: F, threshold: F, before: Pointer<F>, upstream: Pointer<F>,
        carry: Pointer<F>, grad: Pointer<F>, accumulate: i32,
    );

    // norm.cu
    Map: moments takes (x: Pointer<F>, parts: Pointer<F>);
    OnGrid: normalise takes (
        parts: Pointer<F>, chunk: Chunk, chunks: i32, gains: Gains<F>, momentum: f64, steps: i32,
        running_mean: Pointer<F>, running_var: Pointer<F>, norm: NormView<F>,
    );
    OnGrid: recall takes (
        running_mean: Pointer<F>, running_var: Pointer<F>, channels: i32, gains: Gains<F>, norm: NormView<F>,
    );
    Map: apply_norm takes (current: Current<F>, y: Pointer<F>);
    Sums<2>: norm_sums takes (x: Pointer<F>, upstream: Pointer<F>, mean: Pointer<F>);
    OnGrid: slopes takes (
        sum_g: Pointer<f64>, sum_gx: Pointer<f64>, channels: i32, share: f64, norm: NormView<F>,
        slope: Pointer<F>, offset: Pointer<F>, gain: Pointer<f64>,
    );
    Map: norm_backward takes (
        x: Pointer<F>, upstream: Pointer<F>, norm: NormView<F>, slope: Pointer<F>, offset: Pointer<F>,
        grad: Pointer<F>, accumulate: i32,
    );
    OnGrid: membrane_affine takes (
        alpha: Pointer<F>, beta: Pointer<F>, width: i32, channels: i32, norm: NormView<F>, gain: Pointer<F>,
        shift: Pointer<F>,
    );
    Sums<4>: membrane_sums takes (
        m: Pointer<F>, d: Pointer<F>, beta: Pointer<F>, width: i32, norm: NormView<F>,
    );
    Map: membrane_backward takes (
        m: Pointer<F>, alpha: Pointer<F>, beta: Pointer<F>, width: i32, norm: NormView<F>,
        slope: Pointer<F>, offset: Pointer<F>, d: Pointer<F>,
    );

    // pool.cu; gradients of means take the maps as those of maxima do, and need none
    OnGrid: average, maximum takes (p: Sliding, x: Pointer<F>, elements: i32, y: Pointer<F>);
    OnGrid: average_backward takes (
        p: Sliding, _: Pointer<F>, upstream: Pointer<F>, elements: i32, grad: Pointer<F>, accumulate: i32,
    );
    OnGrid: maximum_backward takes (
        p: Sliding, x: Pointer<F>, upstream: Pointer<F>, elements: i32, grad: Pointer<F>, accumulate: i32,
    );
    OnGrid: map_means takes (x: Pointer<F>, positions: i32, channels: i32, elements: i32, means: Pointer<F>);
    OnGrid: map_means_backward takes (
        upstream: Pointer<F>, positions: i32, channels: i32, elements: i32, grad: Pointer<F>, accumulate: i32,
    );

    // seca.cu
    OnGrid: seca_score takes (
        weight: Pointer<F>, kernel: i32, mean: Pointer<F>, elements: i32, channels: i32, score: Pointer<F>,
    );
    OnGrid: seca_scale takes (
        x: Pointer<F>, score: Pointer<F>, positions: i32, channels: i32, elements: i32, y: Pointer<F>,
    );
    OnGrid: seca_sums takes (
        x: Pointer<F>, upstream: Pointer<F>, score: Pointer<F>, positions: i32, channels: i32, elements: i32,
        sums: Pointer<F>,
    );
    OnGrid: seca_through_mean takes (
        weight: Pointer<F>, kernel: i32, mean: Pointer<F>, sums: Pointer<F>, positions: i32, channels: i32,
        elements: i32, through: Pointer<F>,
    );
    OnGrid: seca_weight_gradient takes (
        mean: Pointer<F>, sums: Pointer<F>, kernel: i32, channels: i32, elements: i32, grad: Pointer<F>,
    );
    OnGrid: seca_backward takes (
        upstream: Pointer<F>, score: Pointer<F>, through: Pointer<F>, positions: i32, channels: i32,
        elements: i32, grad: Pointer<F>, accumulate: i32,
    );

    // loss.cu
    OnGrid: cross_entropy takes (
        logits: Pointer<F>, targets: Pointer<F>, images: i32, classes: i32, share: f64, grad: Pointer<F>,
        losses: Pointer<f64>,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The signature that the sources should have for a declaration, and the sums of a channel.
    fn declared([kind, name, arguments]: &[&str; 3]) -> String {
        let arguments = arguments.trim_matches(['(', ')']).split(',').map(str::trim);
        let mut parameters: Vec<String> = arguments.filter(|a| !a.is_empty()).map(parameter).collect();
        let sums = kind.strip_prefix("Sums<").map_or("0", |rest| rest.trim_end_matches('>'));
        if *kind != "OnGrid" {
            parameters.insert(0, "Chunk chunk".into());
        }
        if sums != "0" {
            parameters.push("real* parts".into());
        }
        format!("{name}({}), {sums} sums", parameters.join(", "))
    }

    /// What C says for a declared argument.
    fn parameter(argument: &str) -> String {
        let (name, of) = argument.split_once(':').unwrap();
        let of = match of.trim() {
            "F" => "real",
            "i32" => "int",
            "f64" => "double",
            "Pointer<F>" => "real*",
            "Pointer<f64>" => "double*",
            "Current<F>" => "Current",
            "Gains<F>" => "Gains",
            "NormView<F>" => "Norm",
            same => same,
        };
        format!("{of} {name}")
    }

    /// As [`declared`], of the kernels of `source`; a name that ends in `##SUFFIX` stands for several.
    fn defined(source: &str) -> BTreeSet<String> {
        let lines = source.lines().map(|line| line.split("//").next().unwrap().trim_end_matches('\\'));
        let code = lines.collect::<Vec<_>>().join("\n");
        let suffixes: Vec<&str> = code.split("\nKERNELS(").skip(1).map(|rest| before(',', rest)).collect();
        let start = "extern \"C\" __global__ void ";
        assert_eq!(code.matches(start).count(), code.matches("__global__").count(), "another start");
        let kernels = code.split(start).skip(1).flat_map(|kernel| {
            let (name, rest) = kernel.split_once('(').unwrap();
            let parameters: Vec<String> = before(')', rest).split(',').map(plain).collect();
            let sums = rest.split_once("channel_sums<").map_or("0", |(_, sums)| before('>', sums));
            let rest = format!("({}), {sums} sums", parameters.join(", "));
            match name.strip_suffix("##SUFFIX") {
                Some(name) => suffixes.iter().map(|suffix| format!("{name}{suffix}{rest}")).collect(),
                None => vec![format!("{name}{rest}")],
            }
        });
        kernels.collect()
    }

    fn before(end: char, text: &str) -> &str {
        text.split(end).next().unwrap()
    }

    /// A parameter of C without `const`; one without a name is called `_`.
    fn plain(parameter: &str) -> String {
        let words: Vec<&str> = parameter.split_whitespace().filter(|word| *word != "const").collect();
        if let [of] = words[..] { format!("{of} _") } else { words.join(" ") }
    }

    #[test]
    fn declarations_are_the_signatures_of_the_sources() {
        let declared: BTreeSet<String> = DECLARED.iter().map(declared).collect();
        let defined = defined(&source("float", true));
        let alone = |these: &BTreeSet<String>, those| these.difference(those).cloned().collect::<Vec<_>>();
        let (rust, sources) = (alone(&declared, &defined), alone(&defined, &declared));
        assert!(declared == defined, "declared alone: {rust:#?}, in the sources alone: {sources:#?}");
    }
}
