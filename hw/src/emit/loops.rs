//! Combinational loops: nets that depend on themselves without a register between.

use crate::rtl::Description;
use std::collections::HashMap;

/// Which nets each net depends on combinationally, over the whole design.
#[derive(Default)]
pub(super) struct Dependencies {
    sources: HashMap<usize, Vec<usize>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Open,
    Done,
}

impl Dependencies {
    pub(super) fn add(&mut self, description: &Description) {
        for assign in &description.assigns {
            let sources = self.sources.entry(assign.target.id()).or_default();
            assign.value.for_each_net(&mut |net| sources.push(net.id()));
        }
    }

    /// Ids of the nets of one loop, each driven by the next.
    pub(super) fn find_loop(&self) -> Option<Vec<usize>> {
        let mut marks: HashMap<usize, Mark> = HashMap::new();
        let mut roots: Vec<usize> = self.sources.keys().copied().collect();
        roots.sort_unstable();
        for root in roots {
            // (net, how many of its sources have been followed)
            let mut path = vec![(root, 0)];
            if marks.contains_key(&root) {
                continue;
            }
            marks.insert(root, Mark::Open);
            while let Some((net, followed)) = path.last_mut() {
                let Some(source) = self.sources.get(net).and_then(|s| s.get(*followed)).copied() else {
                    marks.insert(*net, Mark::Done);
                    path.pop();
                    continue;
                };
                *followed += 1;
                match marks.get(&source) {
                    Some(Mark::Done) => {}
                    Some(Mark::Open) => {
                        let start = path.iter().position(|(net, _)| *net == source).unwrap_or(0);
                        return Some(path[start..].iter().map(|(net, _)| *net).collect());
                    }
                    None => {
                        marks.insert(source, Mark::Open);
                        path.push((source, 0));
                    }
                }
            }
        }
        None
    }
}
