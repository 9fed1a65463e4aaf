//! A running average of the weights, which judges better than any one step's weights.

use crate::train::parameters::{Parameters, is_statistic};

/// Exponential moving average. Running statistics of batch normalisation are copied instead:
/// averaged from their initial values they would be far too small for thousands of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Average {
    pub values: Parameters,
    decay: f32,
    steps: usize,
}

impl Average {
    /// Starts at `values`; `steps` says how many steps went into them already.
    pub fn new(values: Parameters, decay: f32, steps: usize) -> Self {
        Self { values, decay, steps }
    }

    /// Takes in one step's weights. Early on the average is short, so that it keeps up.
    pub fn update(&mut self, current: Parameters) {
        self.steps += 1;
        let ramp = (1.0 + self.steps as f32) / (10.0 + self.steps as f32);
        let decay = self.decay.min(ramp);
        for (name, new) in current {
            match self.values.get_mut(&name) {
                Some(old) if !is_statistic(&name) => {
                    for (old, new) in old.values.iter_mut().zip(&new.values) {
                        *old += (new - *old) * (1.0 - decay);
                    }
                }
                _ => {
                    self.values.insert(name, new);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Average;
    use crate::train::parameters::{Parameters, Values};

    fn parameters(weight: f32, variance: f32) -> Parameters {
        let one = |v| Values { shape: vec![1], values: vec![v] };
        Parameters::from([
            ("conv.weight".to_owned(), one(weight)),
            ("norm.running_var".to_owned(), one(variance)),
        ])
    }

    #[test]
    fn weights_are_averaged_and_statistics_copied() {
        let mut average = Average::new(parameters(0.0, 1.0), 0.9, 1_000);
        average.update(parameters(1.0, 0.01));
        assert!((average.values["conv.weight"].values[0] - 0.1).abs() < 1e-6);
        assert_eq!(average.values["norm.running_var"].values[0], 0.01);
    }
}
