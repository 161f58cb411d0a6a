//! Circles of a graph: its strongly connected components of more than one node (Tarjan 1972).

use std::collections::BTreeMap;

/// Nodes that a node leads to, and why.
pub(super) type Edges = BTreeMap<usize, String>;

/// The circles of the graph whose node i leads to the nodes `edges[i]`, each in rising order.
pub(super) fn circles(edges: &[Edges]) -> Vec<Vec<usize>> {
    let mut search =
        Search { edges, order: vec![None; edges.len()], low: vec![0; edges.len()], ..Search::default() };
    (0..edges.len()).for_each(|node| search.visit(node));
    search.circles.sort();
    search.circles
}

#[derive(Default)]
struct Search<'a> {
    edges: &'a [Edges],
    /// When a node was first seen.
    order: Vec<Option<usize>>,
    /// The earliest node that it leads to, of those that are open.
    low: Vec<usize>,
    open: Vec<usize>,
    seen: usize,
    circles: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn visit(&mut self, node: usize) {
        if self.order[node].is_some() {
            return;
        }
        let order = self.seen;
        (self.order[node], self.low[node]) = (Some(order), order);
        self.seen += 1;
        self.open.push(node);
        for next in self.edges[node].keys() {
            self.visit(*next);
            if self.open.contains(next) {
                self.low[node] = self.low[node].min(self.low[*next]);
            }
        }
        if self.low[node] == order {
            let at = self.open.iter().position(|open| *open == node).unwrap_or_default();
            let mut circle = self.open.split_off(at);
            circle.sort_unstable();
            if circle.len() > 1 {
                self.circles.push(circle);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_of_more_than_one_node() {
        let graph = |edges: &[&[usize]]| {
            edges
                .iter()
                .map(|to| to.iter().map(|node| (*node, String::new())).collect())
                .collect::<Vec<Edges>>()
        };
        assert!(circles(&graph(&[&[1, 2], &[2], &[]])).is_empty());
        assert_eq!(circles(&graph(&[&[1], &[2], &[0, 3], &[4], &[3], &[0]])), [vec![0, 1, 2], vec![3, 4]]);
    }
}
