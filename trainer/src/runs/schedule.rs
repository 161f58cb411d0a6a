//! Learning rates over a run.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Linear warm-up, then half a cosine down to zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Largest rate.
    pub rate: f64,
    /// Steps of warm-up.
    pub warmup: usize,
    /// Steps altogether.
    pub total: usize,
}

impl Schedule {
    /// Rate of step `step`, counted from 0.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.rate * (step + 1) as f64 / self.warmup as f64;
        }
        let done = (step - self.warmup) as f64 / (self.total - self.warmup).max(1) as f64;
        self.rate * 0.5 * (1.0 + (PI * done.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn rises_then_falls_to_zero() {
        let schedule = Schedule { rate: 0.2, warmup: 4, total: 12 };
        assert_eq!([schedule.at(0), schedule.at(3), schedule.at(4)], [0.05, 0.2, 0.2]);
        assert_abs_diff_eq!(schedule.at(8), 0.1, epsilon = 1e-15);
        assert_abs_diff_eq!(schedule.at(12), 0.0, epsilon = 1e-15);
    }
}
