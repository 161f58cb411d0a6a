//! Cuts the positions of each layer into tiles whose sums fit the accumulators.

use crate::plan::{Plan, Stage, Tiling, Work};
use empf_ir::ArchConfig;

/// Chooses the tiling of every array stage: as few tiles as the accumulators allow, of equal size.
///
/// A tile has at least one position; accumulators too small even for that are found by `allocate`.
pub fn tile(plan: &mut Plan, arch: &ArchConfig) {
    for index in 0..plan.stages.len() {
        let entries = entries(&plan.stages[index..]);
        if let Work::Array(work) = &mut plan.stages[index].work {
            let most = (arch.accumulator_depth / entries.max(1)).max(1);
            work.tiling = balanced(work.output.positions(), most);
        }
        // Currents are scaled in the order in which they were kept.
        if let [.., kept, scaled] = &mut plan.stages[..=index]
            && let (Work::Array(kept), Work::Array(scaled)) = (&kept.work, &mut scaled.work)
            && kept.drain.keeps()
        {
            scaled.tiling = kept.tiling;
        }
    }
}

/// Accumulators that a position of the first of `stages` takes, or of the one behind it that scales its currents.
fn entries(stages: &[Stage]) -> usize {
    match stages.iter().take(2).map(|stage| &stage.work).collect::<Vec<_>>()[..] {
        [Work::Array(kept), Work::Array(scaled)] if kept.drain.keeps() => {
            kept.entries().max(scaled.entries())
        }
        [Work::Array(work), ..] => work.entries(),
        _ => 0,
    }
}

/// `positions` in tiles of at most `most`.
fn balanced(positions: usize, most: usize) -> Tiling {
    let tiles = positions.div_ceil(most);
    let each = positions.div_ceil(tiles);
    Tiling { tiles, positions: each, last_positions: positions - (tiles - 1) * each }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tiles_are_balanced() {
        assert_eq!(balanced(196, 128), Tiling { tiles: 2, positions: 98, last_positions: 98 });
        assert_eq!(balanced(7, 128), Tiling { tiles: 1, positions: 7, last_positions: 7 });
    }

    proptest! {
        #[test]
        fn tiles_cover_all_positions(positions in 1usize..5000, most in 1usize..600) {
            let t = balanced(positions, most);
            prop_assert!((1..=t.positions).contains(&t.last_positions) && t.positions <= most);
            prop_assert_eq!((t.tiles - 1) * t.positions + t.last_positions, positions);
        }
    }
}
