//! Named nodes in an order in which each comes after what it reads.

use crate::keys::Keys;
use crate::shape::MAX_ELEMENTS;
use crate::{Error, Result, Shape, counted};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;

/// The name under which nodes read the network's input.
pub const INPUT: &str = "input";

/// Joins two names to one that a program makes; people's names are without it.
const JOINT: char = '@';

/// One operator of a graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node<Op> {
    /// Unique; also the prefix of the node's tensors.
    pub name: String,
    /// Names of the nodes read, or [`INPUT`].
    pub inputs: Vec<String>,
    /// What it computes.
    #[serde(flatten)]
    pub op: Op,
}

/// Errors name the node and the key.
impl<'de, Op: Operator> Deserialize<'de> for Node<Op> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let mut keys = Keys::new(Map::<String, Value>::deserialize(deserializer)?);
        let name = keys.text("name").map_err(|e| D::Error::custom(format!("a node: {e}")))?;
        let at = |message: String| D::Error::custom(format!("node `{name}`: {message}"));
        let inputs = keys.texts("inputs").map_err(at)?;
        let op_name = keys.text("op").map_err(at)?;
        let mut keys = keys.rest();
        let op = Op::read(&op_name, &mut keys).map_err(at)?;
        keys.finish(&op_name).map_err(at)?;
        Ok(Node { name, inputs, op })
    }
}

/// What a tensor of the graph holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What enters: unsigned 8-bit codes with a zero point.
    Input,
    /// Spikes, means of them and maxima of them: unsigned codes of A bits.
    Codes,
    /// Signed numbers in a membrane format, V bits.
    Current,
    /// Sums of 32 bits, the end of the network.
    Logits,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Kind::Input => "the input",
            Kind::Codes => "spikes (or means or maxima of them)",
            Kind::Current => "currents",
            Kind::Logits => "logits",
        })
    }
}

/// An operator that knows its name, what it reads and what it gives.
pub trait Operator: Sized {
    /// The operator called `op`, its own keys taken from `keys`.
    fn read(op: &str, keys: &mut Keys) -> std::result::Result<Self, String>;
    /// Its name in a file.
    fn name(&self) -> &'static str;
    /// How many inputs it reads.
    fn arity(&self) -> usize;
    /// What each of its inputs may be.
    fn takes(&self) -> &'static [Kind];
    /// What its result is.
    fn gives(&self) -> Kind;
    /// Shape of the result, or what does not fit.
    fn output_shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, String>;
    /// Whether a node may have this name, or how names are made.
    fn check_name(name: &str) -> std::result::Result<(), String>;
}

/// The name of what `reader` reads in place of `source`. No name that people give has this form.
pub fn joint_name(source: &str, reader: &str) -> String {
    format!("{source}{JOINT}{reader}")
}

/// The node that people wrote and `name` is for: the reader, where a program has joined two names.
pub fn written_name(name: &str) -> &str {
    name.split_once(JOINT).map_or(name, |(_, reader)| reader)
}

/// Whether `name` is that of the input or of its windows as a node reads them.
pub fn is_of_input(name: &str) -> bool {
    name.split(JOINT).next() == Some(INPUT)
}

/// Names that people give: letters, digits, `_`, `-` and `/`.
pub(crate) fn check_plain_name(name: &str) -> std::result::Result<(), String> {
    if is_of_input(name) {
        return Err(format!("`{INPUT}` is the name of what enters the network; choose another"));
    }
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "_-/".contains(c);
    match !name.is_empty() && name.chars().all(is_letter) {
        true => Ok(()),
        false => Err("a name is made of letters, digits, `_`, `-` and `/`".into()),
    }
}

/// These and names that [`joint_name`] makes of two of them.
pub(crate) fn check_joint_name(name: &str) -> std::result::Result<(), String> {
    match name.split_once(JOINT) {
        Some((source, reader)) => check_plain_name(source).and_then(|()| check_plain_name(reader)),
        None => check_plain_name(name),
    }
}

/// Shape of every node, in order. Rejects names used twice, reads of unknown or later nodes (so that no
/// cycle can exist), inputs whose number, kind or shape does not fit, and anything but logits of `classes` classes
/// at the end.
pub fn infer_shapes<Op: Operator>(input: Shape, nodes: &[Node<Op>], classes: usize) -> Result<Vec<Shape>> {
    if !input.is_sensible() {
        return Err(Error::invalid("input", unusable(input)));
    }
    let mut known: HashMap<&str, (Shape, Kind)> = HashMap::from([(INPUT, (input, Kind::Input))]);
    let mut shapes = Vec::with_capacity(nodes.len());
    for node in nodes {
        let shape = check(node, nodes, &known).map_err(|message| at(node, message))?;
        if known.insert(&node.name, (shape, node.op.gives())).is_some() {
            return Err(at(node, "this name is used twice".into()));
        }
        shapes.push(shape);
    }
    check_end(nodes, shapes.last(), classes)?;
    Ok(shapes)
}

fn at<Op>(node: &Node<Op>, message: String) -> Error {
    Error::invalid(format!("node `{}`", node.name), message)
}

/// Shape of the result of `node`, which reads what is `known`; `nodes` are all there are.
fn check<Op: Operator>(
    node: &Node<Op>,
    nodes: &[Node<Op>],
    known: &HashMap<&str, (Shape, Kind)>,
) -> std::result::Result<Shape, String> {
    Op::check_name(&node.name)?;
    let (found, arity) = (node.inputs.len(), node.op.arity());
    if found != arity {
        return Err(format!("reads {}, `{}` takes {arity}", counted(found, "input"), node.op.name()));
    }
    let mut inputs = Vec::with_capacity(arity);
    for name in &node.inputs {
        let Some((shape, kind)) = known.get(name.as_str()) else {
            return Err(match nodes.iter().any(|n| &n.name == name) {
                true => format!(
                    "reads `{name}`, which does not come before it; a network is listed in order and has no cycle"
                ),
                false => format!("reads `{name}`, which does not exist"),
            });
        };
        if !node.op.takes().contains(kind) {
            return Err(unreadable(&node.op, name, *kind));
        }
        inputs.push(*shape);
    }
    let shape = node.op.output_shape(&inputs)?;
    if shape.is_sensible() { Ok(shape) } else { Err(format!("its result {}", unusable(shape))) }
}

/// Why `op` does not read the node called `name`, and what to do.
fn unreadable<Op: Operator>(op: &Op, name: &str, kind: Kind) -> String {
    let takes: Vec<String> = op.takes().iter().map(Kind::to_string).collect();
    let takes = takes.join(" or ");
    let gives = if kind == Kind::Input { "is" } else { "gives" };
    let advice = match kind {
        Kind::Input if op.gives() == Kind::Codes && op.takes().contains(&Kind::Codes) => {
            "pool the data, or what a neuron makes of it"
        }
        Kind::Input | Kind::Codes => "put a convolution between them",
        Kind::Current => "put a neuron between them",
        Kind::Logits => "logits are the end of a network",
    };
    format!("reads `{name}`, which {gives} {kind}, but `{}` takes {takes}; {advice}", op.name())
}

/// The last node, and no other, gives logits: `classes` of them.
fn check_end<Op: Operator>(nodes: &[Node<Op>], shape: Option<&Shape>, classes: usize) -> Result<()> {
    let (Some(last), Some(shape)) = (nodes.last(), shape) else {
        return Err(Error::invalid("network", "it has no nodes"));
    };
    let early = nodes[..nodes.len() - 1].iter().find(|node| node.op.gives() == Kind::Logits);
    if let Some(node) = early {
        return Err(at(node, "gives logits, but is not the last node".into()));
    }
    if last.op.gives() != Kind::Logits {
        let message = format!("is the last node and gives {}; a network ends with `linear`", last.op.gives());
        return Err(at(last, message));
    }
    match *shape == Shape::new(classes, 1, 1) {
        true => Ok(()),
        false => Err(at(
            last,
            format!(
                "gives {}, the network has {}",
                counted(shape.channels, "logit"),
                counted(classes, "class")
            ),
        )),
    }
}

fn unusable(shape: Shape) -> String {
    format!("{shape} is empty or has more than {MAX_ELEMENTS} elements")
}
