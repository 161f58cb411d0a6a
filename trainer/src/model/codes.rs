//! Training with spikes and means of A bits.

use super::Model;
use super::plan::Source;
use crate::Float;
use crate::error::Result;
use crate::layers::codes::Rounding;
use empf_ir::{Codes, Node, Op};

impl<F: Float> Model<F> {
    /// Rounds all spikes and means to `bits` bits from the next [`Model::adopt_codes`] on.
    pub fn round_to(&mut self, bits: u32) -> Result<()> {
        let shapes = self.graph.shapes()?;
        for (i, node) in self.graph.nodes.iter().enumerate() {
            let mean_of = |count: usize| {
                let source = self.codes_read(i).and_then(|j| self.roundings[j].as_ref());
                source.map(|source| Rounding::new(bits, source.unit_of_mean(count)))
            };
            self.roundings[i] = match node.op {
                Op::Neuron { .. } => Some(Rounding::new(bits, 1.0)),
                Op::AvgPool { kernel, .. } => mean_of(kernel * kernel),
                Op::GlobalAvgPool => mean_of(self.graph.shape_of(&node.inputs[0], &shapes).positions()),
                _ => None,
            };
        }
        Ok(())
    }

    /// The node whose codes node `i` reads; maxima are codes of what they are taken of.
    fn codes_read(&self, i: usize) -> Option<usize> {
        match self.plans[i].inputs[0] {
            Source::Node(j) if matches!(self.graph.nodes[j].op, Op::MaxPool { .. }) => self.codes_read(j),
            Source::Node(j) => Some(j),
            Source::Input => None,
        }
    }

    /// Looks at all spikes and means until [`Model::adopt_codes`].
    pub fn observe_codes(&mut self) {
        self.roundings.iter_mut().flatten().for_each(Rounding::observe);
    }

    /// Takes the format of each layer that fits what was observed best.
    pub fn adopt_codes(&mut self) {
        for i in 0..self.roundings.len() {
            let source = self.codes_read(i).and_then(|j| self.roundings[j].clone());
            if let Some(rounding) = &mut self.roundings[i] {
                rounding.adopt(source.as_ref());
            }
        }
    }

    /// What spikes and means are rounded to, if to anything yet.
    pub fn codes(&self) -> Option<Codes> {
        let bits = self.roundings.iter().flatten().next()?.bits();
        let named = self.graph.nodes.iter().zip(&self.roundings);
        let rounded = named.filter_map(|(node, rounding)| Some((node, rounding.as_ref()?)));
        let scale =
            |(node, rounding): (&Node<Op>, &Rounding)| Some((node.name.clone(), rounding.format()?.step));
        Some(Codes { bits, scales: rounded.map(scale).collect::<Option<_>>()? })
    }

    /// Rounds to `codes`, which [`Model::codes`] gave.
    pub fn set_codes(&mut self, codes: &Codes) -> Result<()> {
        self.round_to(codes.bits)?;
        for (node, rounding) in self.graph.nodes.iter().zip(&mut self.roundings) {
            if let (Some(rounding), Some(step)) = (rounding, codes.scales.get(&node.name)) {
                rounding.set_step(*step);
            }
        }
        Ok(())
    }
}
