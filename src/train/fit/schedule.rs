//! One cycle (Smith and Topin, "Super-convergence", 2018): up in a fifth of the steps, then down
//! along half a cosine.

const WARM_UP: f64 = 0.2;
const START: f64 = 0.04;
const END: f64 = 0.001;

/// The learning rate at `step` of `steps`; its highest value is `peak`.
pub fn one_cycle(step: usize, steps: usize, peak: f64) -> f64 {
    let at = step as f64 / steps.max(1) as f64;
    let half_cosine = |from: f64, to: f64, part: f64| {
        to + (from - to) * (1.0 + (std::f64::consts::PI * part.clamp(0.0, 1.0)).cos()) / 2.0
    };
    if at < WARM_UP {
        peak * half_cosine(START, 1.0, at / WARM_UP)
    } else {
        peak * half_cosine(1.0, END, (at - WARM_UP) / (1.0 - WARM_UP))
    }
}

#[cfg(test)]
mod tests {
    use super::one_cycle;

    #[test]
    fn the_rate_rises_to_its_peak_at_a_fifth_and_ends_near_nothing() {
        let rates: Vec<f64> = (0..=100).map(|step| one_cycle(step, 100, 2.0)).collect();
        assert!((rates[0] - 0.08).abs() < 1e-9);
        assert!((rates[20] - 2.0).abs() < 1e-9);
        assert!(rates[..20].is_sorted() && rates[20..].iter().rev().is_sorted());
        assert!((rates[100] - 0.002).abs() < 1e-9);
    }
}
