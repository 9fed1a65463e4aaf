//! How the learning rate goes over a training.

const WARM_UP: f64 = 0.2;
const START: f64 = 0.04;
const END: f64 = 0.001;

/// The shape of the learning rate over the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Schedule {
    /// Up in a fifth of the steps, then down along half a cosine (Smith and Topin, 2018)
    OneCycle,
    /// From the top down along half a cosine
    Cosine,
    /// A tenth after half, a hundredth after three quarters of the steps (He et al., 2016)
    Step,
    /// The same throughout
    Constant,
}

impl Schedule {
    pub fn name(self) -> &'static str {
        match self {
            Self::OneCycle => "one-cycle",
            Self::Cosine => "cosine",
            Self::Step => "step",
            Self::Constant => "constant",
        }
    }

    /// The learning rate at `step` of `steps`; its highest value is `peak`. In the first `warm_up`
    /// steps it rises evenly, and the shape has the rest; one cycle warms up by itself.
    pub fn rate(self, step: usize, steps: usize, warm_up: usize, peak: f64) -> f64 {
        if self == Self::OneCycle {
            return one_cycle(step, steps, peak);
        }
        if step < warm_up {
            return peak * (step + 1) as f64 / (warm_up + 1) as f64;
        }
        let rest = steps.saturating_sub(warm_up).max(1);
        let at = ((step - warm_up) as f64 / rest as f64).min(1.0);
        match self {
            Self::OneCycle | Self::Constant => peak,
            Self::Cosine => peak * half_cosine(1.0, END, at),
            Self::Step if at < 0.5 => peak,
            Self::Step if at < 0.75 => peak * 0.1,
            Self::Step => peak * 0.01,
        }
    }
}

fn half_cosine(from: f64, to: f64, part: f64) -> f64 {
    to + (from - to) * (1.0 + (std::f64::consts::PI * part.clamp(0.0, 1.0)).cos()) / 2.0
}

/// One cycle (Smith and Topin, "Super-convergence", 2018): the learning rate at `step` of `steps`;
/// its highest value is `peak`.
pub fn one_cycle(step: usize, steps: usize, peak: f64) -> f64 {
    let at = step as f64 / steps.max(1) as f64;
    if at < WARM_UP {
        peak * half_cosine(START, 1.0, at / WARM_UP)
    } else {
        peak * half_cosine(1.0, END, (at - WARM_UP) / (1.0 - WARM_UP))
    }
}

#[cfg(test)]
mod tests {
    use super::{Schedule, one_cycle};

    #[test]
    fn the_rate_rises_to_its_peak_at_a_fifth_and_ends_near_nothing() {
        let rates: Vec<f64> = (0..=100).map(|step| one_cycle(step, 100, 2.0)).collect();
        assert!((rates[0] - 0.08).abs() < 1e-9);
        assert!((rates[20] - 2.0).abs() < 1e-9);
        assert!(rates[..20].is_sorted() && rates[20..].iter().rev().is_sorted());
        assert!((rates[100] - 0.002).abs() < 1e-9);
    }

    #[test]
    fn every_schedule_warms_up_evenly_and_then_keeps_its_shape() {
        let rates = |schedule: Schedule| -> Vec<f64> {
            (0..=110).map(|step| schedule.rate(step, 110, 10, 2.0)).collect()
        };
        for schedule in [Schedule::Cosine, Schedule::Step, Schedule::Constant] {
            let rates = rates(schedule);
            assert!(rates[0] > 0.0 && rates[..=10].is_sorted(), "{schedule:?}");
            assert!((rates[4] - 2.0 * 5.0 / 11.0).abs() < 1e-9 && rates[10] == 2.0);
            assert!(rates[10..].iter().rev().is_sorted());
        }
        let cosine = rates(Schedule::Cosine);
        assert!((cosine[60] - 1.001).abs() < 1e-9 && (cosine[110] - 0.002).abs() < 1e-9);
        let step = rates(Schedule::Step);
        assert!(step[59] == 2.0 && (step[60] - 0.2).abs() < 1e-9 && (step[85] - 0.02).abs() < 1e-9);
        assert_eq!(rates(Schedule::Constant)[110], 2.0);
    }
}
