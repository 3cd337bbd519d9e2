//! Samples between samples.

use std::sync::LazyLock;

use crate::math::window::{kaiser, kaiser_beta};

/// Samples that one in between is made of; half of them lie before it.
pub const TAPS: usize = 16;
/// Places between two samples that are tabled; others lie on straight lines between these.
const PLACES: usize = 256;

static TABLE: LazyLock<Vec<[f32; TAPS]>> = LazyLock::new(|| (0..=PLACES).map(row).collect());

/// Weights of the samples about a place `late` after the one that the eighth weight belongs to, 0 to 1:
/// up to two thirds of half the sample rate within -70 dB. At 0 it is that sample to the bit.
#[inline(always)]
pub fn taps(late: f32) -> [f32; TAPS] {
    let at = late.clamp(0.0, 1.0) * PLACES as f32;
    let place = (at as usize).min(PLACES - 1);
    let part = at - place as f32;
    let (low, high) = (&TABLE[place], &TABLE[place + 1]);
    core::array::from_fn(|k| low[k] + part * (high[k] - low[k]))
}

/// Fills the tables, so that nothing is left to do while sound runs.
pub fn prepare() {
    LazyLock::force(&TABLE);
}

fn row(place: usize) -> [f32; TAPS] {
    let (late, half) = (place as f64 / PLACES as f64, (TAPS / 2) as f64);
    let beta = kaiser_beta(80.0);
    core::array::from_fn(|k| {
        let t = k as f64 - (half - 1.0) - late;
        let x = core::f64::consts::PI * t;
        let sinc = match (t == 0.0, t.fract() == 0.0) {
            (true, _) => 1.0,
            (_, true) => 0.0,
            _ => x.sin() / x,
        };
        (sinc * kaiser(t / half, beta)) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error, in dB of a sine of so many turns a sample, at places that no table has.
    fn error_db(turns: f64) -> f64 {
        let wave = |t: f64| (core::f64::consts::TAU * turns * t + 0.3).sin();
        let off = |late: f64| {
            let weights = taps(late as f32);
            let sum = |(k, w): (usize, &f32)| f64::from(*w) * wave(k as f64 - 7.0);
            (weights.iter().enumerate().map(sum).sum::<f64>() - wave(late)).abs()
        };
        let worst = (0..1000)
            .map(|n| off(n as f64 / 1000.0))
            .fold(0.0, f64::max);
        20.0 * worst.log10()
    }

    #[test]
    fn sines_are_met_between_samples_in_two_thirds_of_the_band() {
        for turns in [0.01, 0.1, 0.2, 0.3, 0.333] {
            assert!(error_db(turns) < -70.0, "{turns}: {}", error_db(turns));
        }
        assert!(error_db(0.48) > -20.0, "the measure sees what is lost");
    }

    #[test]
    fn a_sample_is_itself() {
        let mut itself = [0.0; TAPS];
        itself[TAPS / 2 - 1] = 1.0;
        assert_eq!(taps(0.0), itself);
    }
}
