//! What the graph alone says about its nodes.

use empf_ir::{INPUT, Network, Op};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Train,
    Evaluate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Input,
    Node(usize),
}

/// What is known about a node from the graph alone.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<Source>,
    /// Its result in training is the same at every time-step: a static image reaches it through no neuron.
    pub(crate) fixed_in_training: bool,
    /// As above, and through no batch normalisation either, whose running statistics belong to a step.
    pub(super) fixed_in_evaluation: bool,
    /// A batch normalisation that only a neuron reads, which applies it on the fly.
    pub(crate) fused: bool,
}

impl Plan {
    /// Whether its result is the same at every time-step of `pass`.
    pub(crate) fn fixed(&self, pass: Pass) -> bool {
        match pass {
            Pass::Train => self.fixed_in_training,
            Pass::Evaluate => self.fixed_in_evaluation,
        }
    }
}

/// What is known about each node, in order.
pub(super) fn plan(graph: &Network) -> Vec<Plan> {
    let mut plans: Vec<Plan> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        // Every name is known: the graph's shapes were inferred before.
        let source = |name: &String| match graph.nodes.iter().position(|n| &n.name == name) {
            Some(i) if name != INPUT => Source::Node(i),
            _ => Source::Input,
        };
        let inputs: Vec<Source> = node.inputs.iter().map(source).collect();
        let all = |fixed: &dyn Fn(&Plan) -> bool| {
            inputs.iter().all(|s| match s {
                Source::Input => graph.input.frames == 1,
                Source::Node(i) => fixed(&plans[*i]),
            })
        };
        let neuron = is_neuron(&node.op);
        let norm = matches!(node.op, Op::BatchNorm { .. });
        let fixed_in_training = !neuron && all(&|p| p.fixed_in_training);
        let fixed_in_evaluation = !neuron && !norm && all(&|p| p.fixed_in_evaluation);
        let mut readers = graph.nodes.iter().filter(|n| n.inputs.contains(&node.name));
        let read_by_neuron = readers.next().is_some_and(|n| is_neuron(&n.op));
        let fused = norm && read_by_neuron && readers.next().is_none();
        plans.push(Plan { inputs, fixed_in_training, fixed_in_evaluation, fused });
    }
    plans
}

fn is_neuron(op: &Op) -> bool {
    matches!(op, Op::Neuron { .. } | Op::Lif { .. })
}
