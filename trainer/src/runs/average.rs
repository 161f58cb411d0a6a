//! A running average of everything that a model learns.

use crate::Model;

/// Exponential moving average of parameters and running statistics.
///
/// After `n` updates before it, an update keeps the share `min(decay, (1 + n) / (10 + n))` of the average, so that
/// the first, random weights are forgotten.
#[derive(Debug)]
pub(crate) struct Average {
    decay: f64,
    /// In the order of [`Model::for_each_state`].
    pub(crate) states: Vec<Vec<f32>>,
}

impl Average {
    /// Starts with what `model` holds.
    pub(crate) fn new(model: &mut Model<f32>, decay: f64) -> Self {
        let mut states = vec![];
        model.for_each_state(|state| states.push(state.clone()));
        Average { decay, states }
    }

    /// Takes in what `model` holds, after `before` updates.
    pub(crate) fn update(&mut self, model: &mut Model<f32>, before: usize) {
        let n = before as f64;
        let share = (1.0 - self.decay.min((1.0 + n) / (10.0 + n))) as f32;
        let mut averages = self.states.iter_mut();
        model.for_each_state(|state| {
            for (average, value) in averages.next().into_iter().flatten().zip(state) {
                *average += share * (*value - *average);
            }
        });
    }

    /// Exchanges the average and what `model` holds.
    pub(crate) fn swap(&mut self, model: &mut Model<f32>) {
        let mut averages = self.states.iter_mut();
        model.for_each_state(|state| {
            if let Some(average) = averages.next() {
                std::mem::swap(average, state);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::{Target, preset};
    use approx::abs_diff_eq;
    use empf_ir::Input;

    #[test]
    fn follows_slowly_and_swaps() {
        let input =
            Input { channels: 1, height: 8, width: 8, frames: 1, zero_point: 0.0.into(), scale: 1.0.into() };
        let graph = preset("tiny", &Target { input, classes: 2, time_steps: 2, width: 0.25 }).unwrap();
        let mut model = Model::<f32>::new(&graph, 1, false).unwrap();
        let fill = |model: &mut Model<f32>, x: f32| model.for_each_state(|state| state.fill(x));
        let all = |average: &Average, x: f32| {
            average.states.iter().flatten().all(|state| abs_diff_eq!(*state, x, epsilon = 1e-6))
        };
        fill(&mut model, 0.0);
        let mut average = Average::new(&mut model, 0.75);
        fill(&mut model, 1.0);
        average.update(&mut model, 0);
        assert!(all(&average, 0.9), "keeps (1 + 0) / (10 + 0)");
        average.update(&mut model, 1000);
        assert!(all(&average, 0.925), "keeps the decay");
        average.swap(&mut model);
        assert!(average.states.iter().flatten().all(|x| *x == 1.0));
        let average = Average::new(&mut model, 0.0);
        assert!(all(&average, 0.925), "the model has what the average had");
    }
}
