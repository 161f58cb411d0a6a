//! Named nodes in an order in which each comes after what it reads.

use crate::shape::MAX_ELEMENTS;
use crate::{Error, Result, Shape};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The name under which nodes read the network's input.
pub const INPUT: &str = "input";

/// One operator of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node<Op> {
    /// Unique; also the prefix of the node's tensors.
    pub name: String,
    /// Names of the nodes read, or [`INPUT`].
    pub inputs: Vec<String>,
    /// What it computes.
    #[serde(flatten)]
    pub op: Op,
}

/// An operator that knows the shape of its result.
pub trait Operator {
    /// How many inputs it reads.
    fn arity(&self) -> usize;
    /// Shape of the result, or what does not fit.
    fn output_shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, String>;
}

/// Shape of every node, in order. Rejects names used twice, reads of unknown or later nodes (so that no
/// cycle can exist), wrong numbers of inputs and shapes that do not fit.
pub fn infer_shapes<Op: Operator>(input: Shape, nodes: &[Node<Op>]) -> Result<Vec<Shape>> {
    if !input.is_sensible() {
        return Err(Error::invalid("input", unusable(input)));
    }
    let mut known: HashMap<&str, Shape> = HashMap::from([(INPUT, input)]);
    let mut shapes = Vec::with_capacity(nodes.len());
    for node in nodes {
        let at = |message: String| Error::invalid(format!("node `{}`", node.name), message);
        if node.name.is_empty() || !node.name.chars().all(|c| c.is_ascii_alphanumeric() || "_-/".contains(c))
        {
            return Err(at("a name is made of letters, digits, `_`, `-` and `/`".into()));
        }
        if node.inputs.len() != node.op.arity() {
            return Err(at(format!(
                "reads {} inputs, its operator takes {}",
                node.inputs.len(),
                node.op.arity()
            )));
        }
        let inputs: Vec<Shape> = (node.inputs.iter())
            .map(|name| match known.get(name.as_str()) {
                Some(shape) => Ok(*shape),
                None if nodes.iter().any(|n| &n.name == name) => Err(at(format!(
                    "reads `{name}`, which does not come before it; a network is listed in order and has no cycle"
                ))),
                None => Err(at(format!("reads `{name}`, which does not exist"))),
            })
            .collect::<Result<_>>()?;
        let shape = node.op.output_shape(&inputs).map_err(at)?;
        if !shape.is_sensible() {
            return Err(at(format!("its result {}", unusable(shape))));
        }
        if known.insert(&node.name, shape).is_some() {
            return Err(at("this name is used twice".into()));
        }
        shapes.push(shape);
    }
    Ok(shapes)
}

fn unusable(shape: Shape) -> String {
    format!("{shape} is empty or has more than {MAX_ELEMENTS} elements")
}
