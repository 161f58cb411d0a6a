//! Which mutants are drawn. A change of the code changes few of them: each site has its own number, made of its text,
//! and the sites with the smallest ones are taken.

use super::mutant::Mutant;
use super::site::{Site, sites};
use super::tree::Snapshot;
use sha2::{Digest, Sha256};

/// Crates whose code is changed.
pub(super) const CRATES: [&str; 5] = ["golden", "integer", "compiler", "sim", "hw"];

fn rank(seed: u64, file: &str, site: &Site) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [file, &site.function, &site.original, &site.mutated] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(seed.to_le_bytes());
    hash.update((site.occurrence as u32).to_le_bytes());
    hash.finalize().into()
}

/// `share` mutants of each crate, none of which overlaps another or one of `taken`.
pub(super) fn draw(
    snapshot: &Snapshot,
    seed: u64,
    share: usize,
    taken: &[Mutant],
) -> crate::error::Result<Vec<Mutant>> {
    let mut drawn: Vec<Mutant> = Vec::new();
    for name in CRATES {
        let mut candidates = Vec::new();
        for file in snapshot.rust_files(&format!("{name}/src/")) {
            for site in sites(snapshot.text(file)?).map_err(|e| format!("{file}: {e}"))? {
                candidates.push((rank(seed, file, &site), file.to_owned(), site));
            }
        }
        candidates.sort_by_key(|(rank, ..)| *rank);
        let first = drawn.len();
        for (_, file, site) in candidates {
            if drawn.len() - first == share {
                break;
            }
            let mutant = Mutant::drawn(file, site);
            if !drawn[first..].iter().chain(taken).any(|other| other.overlaps(&mutant)) {
                drawn.push(mutant);
            }
        }
    }
    Ok(drawn)
}
