//! Tensors of nodes, by their axes.

use crate::error::Result;
use empf_ir::QuantNetwork;
use ndarray::ArrayView2;

/// A tensor `[T, C]` of a node.
pub(crate) fn per_step<'n>(network: &'n QuantNetwork, node: &str, name: &str) -> Result<ArrayView2<'n, i32>> {
    let columns = network.tensor(node, name)?.len() / network.time_steps;
    matrix(network, node, name, columns)
}

/// A tensor of rows of `columns` values.
pub(crate) fn matrix<'n>(
    network: &'n QuantNetwork,
    node: &str,
    name: &str,
    columns: usize,
) -> Result<ArrayView2<'n, i32>> {
    let values = network.tensor(node, name)?;
    shaped(ArrayView2::from_shape((values.len() / columns, columns), values), node, name)
}

/// A view, or which tensor has another shape.
pub(crate) fn shaped<T>(
    view: std::result::Result<T, ndarray::ShapeError>,
    node: &str,
    name: &str,
) -> Result<T> {
    view.map_err(|e| empf_ir::Error::invalid(format!("tensor `{node}.{name}`"), e.to_string()).into())
}
