//! How much an inference has to do: its spikes, and the operations that they cause.
//!
//! A value that is zero costs nothing. Any other one is added to, or subtracted from, every sum whose window it lies
//! in; where weights are not +-1 it is multiplied first.

use crate::error::Result;
use crate::model::Frames;
use crate::runs::evaluate::{Evaluation, judge};
use crate::{Float, Model, Tensor};
use empf_data::Dataset;
use empf_ir::{Op, Shape, WeightKind};
use rayon::prelude::*;
use serde::Serialize;

/// What a layer of neurons gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Neurons {
    /// The node.
    pub node: String,
    /// Neurons times time-steps.
    pub places: usize,
    /// Spikes of an inference that are not zero, on the average.
    pub spikes: f64,
}

/// What a convolution or linear layer has to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Synapses {
    /// The node.
    pub node: String,
    /// Additions alone where the weights are +-1, else multiplications and additions.
    pub weights: WeightKind,
    /// Operations of an inference that values other than zero cause, on the average.
    pub operations: f64,
    /// Operations of an inference if no value were zero.
    pub dense: usize,
}

/// What an inference has to do, layer by layer. What does not change from step to step counts once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activity {
    /// In the order of the graph.
    pub neurons: Vec<Neurons>,
    /// In the order of the graph.
    pub synapses: Vec<Synapses>,
}

/// Judges `model` as [`crate::runs::evaluate::evaluate`] does, and counts.
pub fn measure<F: Float>(
    model: &mut Model<F>,
    data: &Dataset,
    batch_size: usize,
) -> Result<(Evaluation, Activity)> {
    let mut counters = counters(model)?;
    let evaluation = judge(model, data, batch_size, |model, frames, t| {
        counters.iter_mut().for_each(|counter| counter.add(model, frames, t));
    })?;
    let images = data.len().max(1) as f64;
    let (mut neurons, mut synapses) = (vec![], vec![]);
    for Counter { node, dense, weights, count, .. } in counters {
        let mean = count as f64 / images;
        match weights {
            None => neurons.push(Neurons { node, places: dense, spikes: mean }),
            Some(weights) => synapses.push(Synapses { node, weights, operations: mean, dense }),
        }
    }
    Ok((evaluation, Activity { neurons, synapses }))
}

/// Counts of one node.
struct Counter {
    node: String,
    /// The node whose values count; `None` for the input.
    source: Option<usize>,
    /// The values are the same at every time-step.
    fixed: bool,
    /// What a value at each position of the map causes.
    costs: Vec<u64>,
    channels: usize,
    /// `None`: it counts spikes.
    weights: Option<WeightKind>,
    /// The count of an image without zeros.
    dense: usize,
    count: u64,
}

impl Counter {
    fn add<F: Float>(&mut self, model: &Model<F>, frames: Frames<'_, F>, t: usize) {
        if self.fixed && t > 0 {
            return;
        }
        let values = self.source.map_or(frames.at(t), |node| model.output(node));
        self.count += self.sum(values);
    }

    fn sum<F: Float>(&self, values: &Tensor<F>) -> u64 {
        let nonzero = |position: &[F]| position.iter().filter(|x| **x != F::zero()).count() as u64;
        let of_image = |image: &[F]| {
            let positions = image.chunks_exact(self.channels).zip(&self.costs);
            positions.map(|(position, cost)| cost * nonzero(position)).sum::<u64>()
        };
        values.data.par_chunks(values.extents.image()).map(of_image).sum()
    }
}

fn counters<F: Float>(model: &Model<F>) -> Result<Vec<Counter>> {
    let graph = model.graph();
    let shapes = graph.shapes()?;
    let mut counters = vec![];
    for (i, node) in graph.nodes.iter().enumerate() {
        let reads = graph.shape_of(&node.inputs[0], &shapes);
        let source = graph.nodes.iter().position(|n| n.name == node.inputs[0]);
        let (source, map, costs, weights) = match node.op {
            Op::Neuron { .. } | Op::Lif { .. } => (Some(i), shapes[i], vec![1; shapes[i].positions()], None),
            Op::Conv { out_channels, kernel, stride, padding, weights } => {
                let along = |size, windows| windows_over(size, windows, kernel, stride, padding);
                let (rows, columns) =
                    (along(reads.height, shapes[i].height), along(reads.width, shapes[i].width));
                let cost = |y: &u64| columns.iter().map(move |x| y * x * out_channels as u64).collect();
                (source, reads, rows.iter().flat_map::<Vec<u64>, _>(cost).collect(), Some(weights))
            }
            Op::Linear { out_features } => {
                let costs = vec![out_features as u64; reads.positions()];
                (source, reads, costs, Some(WeightKind::Float))
            }
            _ => continue,
        };
        let fixed = model.is_fixed(source);
        let Shape { channels, .. } = map;
        let dense = costs.iter().sum::<u64>() as usize * channels * if fixed { 1 } else { graph.time_steps };
        counters.push(Counter {
            node: node.name.clone(),
            source,
            fixed,
            costs,
            channels,
            weights,
            dense,
            count: 0,
        });
    }
    Ok(counters)
}

/// How many of the `windows` along an axis of `size` values each value lies in.
fn windows_over(size: usize, windows: usize, kernel: usize, stride: usize, padding: usize) -> Vec<u64> {
    let covers =
        |at: usize, window: usize| (window * stride..window * stride + kernel).contains(&(at + padding));
    (0..size).map(|at| (0..windows).filter(|window| covers(at, *window)).count() as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Tensors};

    fn network() -> Network {
        let conv = |weights, stride| Op::Conv { out_channels: 2, kernel: 3, stride, padding: 1, weights };
        let nodes = [
            ("conv1", INPUT, conv(WeightKind::Float, 1)),
            ("neuron1", "conv1", Op::Neuron { version: NeuronVersion::I, eps: 1e-5 }),
            ("conv2", "neuron1", conv(WeightKind::Sign, 2)),
            ("neuron2", "conv2", Op::Neuron { version: NeuronVersion::III, eps: 1e-5 }),
            ("fc", "neuron2", Op::Linear { out_features: 3 }),
        ];
        let node =
            |(name, input, op): (&str, &str, Op)| Node { name: name.into(), inputs: vec![input.into()], op };
        Network {
            name: "small".into(),
            time_steps: 2,
            classes: 3,
            class_names: Default::default(),
            input: Input {
                channels: 1,
                height: 4,
                width: 4,
                frames: 1,
                zero_point: 9.0.into(),
                scale: 0.5.into(),
            },
            nodes: nodes.into_iter().map(node).collect(),
            codes: None,
            tensors: Tensors::default(),
        }
    }

    #[test]
    fn windows_of_an_axis() {
        assert_eq!(windows_over(4, 4, 3, 1, 1), [2, 3, 3, 2]);
        assert_eq!(windows_over(4, 2, 3, 2, 1), [1, 2, 1, 1]);
        assert_eq!(windows_over(5, 5, 1, 1, 0), [1; 5]);
    }

    #[test]
    fn without_zeros_everything_is_done() {
        let mut model = Model::<f64>::new(&network(), 1, false).unwrap();
        // Negative thresholds and no residual: every neuron always fires.
        for (node, theta) in [("neuron1", -100.0), ("neuron2", -1e6)] {
            model.set(&format!("{node}.theta"), &[2, 2], &[theta; 4]).unwrap();
        }
        model.set("neuron1.lambda", &[2, 2], &[0.0; 4]).unwrap();
        let pixels = (0..32).map(|i| if i == 5 { 9 } else { 20 }).collect();
        let data = Dataset {
            channels: 1,
            height: 4,
            width: 4,
            frames: 1,
            classes: 3,
            class_names: Default::default(),
            pixels,
            labels: vec![0, 1],
        };
        let (evaluation, activity) = measure(&mut model, &data, 1).unwrap();
        assert_eq!(evaluation.total(), 2);
        let neurons: Vec<_> = activity.neurons.iter().map(|n| (n.places, n.spikes)).collect();
        assert_eq!(neurons, [(2 * 32, 64.0), (2 * 8, 16.0)]);
        let synapses: Vec<_> = activity.synapses.iter().map(|s| (s.dense, s.operations)).collect();
        // 10 x 10 places of windows, 2 channels out; one pixel of one of two images, in the middle, is zero. Then
        // 5 x 5 places, 2 channels in and out, 2 steps; then 8 values, 3 classes, 2 steps.
        assert_eq!(synapses, [(200, 200.0 - 9.0), (200, 200.0), (48, 48.0)]);
    }

    #[test]
    fn zeros_cost_nothing() {
        let mut model = Model::<f64>::new(&network(), 1, false).unwrap();
        model.set("neuron1.theta", &[2, 2], &[1e9; 4]).unwrap();
        let pixels = vec![20; 16].into();
        let data = Dataset {
            channels: 1,
            height: 4,
            width: 4,
            frames: 1,
            classes: 3,
            class_names: Default::default(),
            pixels,
            labels: vec![0],
        };
        let (_, activity) = measure(&mut model, &data, 1).unwrap();
        assert_eq!(activity.neurons[0].spikes, 0.0);
        assert_eq!((activity.synapses[1].operations, activity.synapses[1].dense), (0.0, 200));
    }
}
