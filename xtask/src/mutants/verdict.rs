//! What became of each mutant.

use std::collections::BTreeMap;

/// What became of a mutant.
pub(super) enum Verdict {
    /// A test of a suite failed.
    Killed { suite: String, test: String },
    /// It is known, with a reason, that nobody can see it.
    Equivalent(String),
    /// The Rust compiler does not take it.
    Refused,
    /// No test saw it.
    Survived,
}

/// All mutants so far.
#[derive(Default)]
pub(super) struct Report {
    killed: BTreeMap<String, usize>,
    equivalent: usize,
    refused: usize,
    survivors: Vec<String>,
}

impl Report {
    /// Notes and prints one more.
    pub(super) fn add(&mut self, description: String, verdict: Verdict) {
        match verdict {
            Verdict::Killed { suite, test } => {
                println!("killed      {description}\n            by {suite}: {test}");
                *self.killed.entry(suite).or_default() += 1;
            }
            Verdict::Equivalent(reason) => {
                println!("equivalent  {description}\n            {reason}");
                self.equivalent += 1;
            }
            Verdict::Refused => {
                println!("refused     {description}");
                self.refused += 1;
            }
            Verdict::Survived => {
                println!("SURVIVED    {description}");
                self.survivors.push(description);
            }
        }
    }

    /// Prints the sums; an error where a mutant survived.
    pub(super) fn finish(self) -> crate::error::Result {
        let killed: usize = self.killed.values().sum();
        println!("\nkilled {killed:>4}");
        for (suite, count) in &self.killed {
            println!("       {count:>4} by {suite}");
        }
        println!("refused by the compiler {}", self.refused);
        println!("equivalent {}", self.equivalent);
        println!("survived {}", self.survivors.len());
        self.survivors.iter().for_each(|survivor| println!("  {survivor}"));
        if self.survivors.is_empty() { Ok(()) } else { Err("mutants survived".into()) }
    }
}
