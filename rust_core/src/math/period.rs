//! How long a period is in a stretch of sound, and where in it the energy lies.

use core::f32::consts::TAU;

use pulp::Simd;

use crate::math::curve::sin_cos;
use crate::math::dot::dot;

/// Of two equal peaks the shorter lag wins: price of an octave of lag.
const LAG_PRICE: f32 = 0.02;
/// Price of an octave away from the period expected.
const JUMP_PRICE: f32 = 0.2;

/// What a stretch says about its period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Period {
    /// In samples, between them too; 0 where no lag has a peak.
    pub lag: f32,
    /// Normalised cross-correlation at that lag, -1 to 1.
    pub likeness: f32,
}

/// The period at the end of `x`: the lag, shorter than `curve.len()` and at least `min_lag`, at which
/// the newest `window` samples resemble those before best. `expected` is a lag, or 0 for none; `curve`
/// is room for the correlations.
///
/// # Source
/// Normalised cross-correlation: Talkin (1995), A robust algorithm for pitch tracking.
#[inline(always)]
pub fn period<S: Simd>(
    simd: S,
    x: &[f32],
    window: usize,
    min_lag: usize,
    expected: f32,
    curve: &mut [f32],
) -> Period {
    let lags = curve.len();
    let newest = &x[x.len() - window..];
    let own = dot(simd, newest, newest);
    let mut energy = {
        let first = &x[x.len() - window - min_lag..][..window];
        dot(simd, first, first)
    };
    for (lag, y) in curve.iter_mut().enumerate().skip(min_lag) {
        let from = x.len() - window - lag;
        let likeness = dot(simd, newest, &x[from..][..window]);
        *y = likeness / (own * energy + 1e-12).sqrt();
        if lag + 1 < lags {
            let (enters, leaves) = (x[from - 1], x[from + window - 1]);
            energy = (energy + enters * enters - leaves * leaves).max(0.0);
        }
    }
    let mut best = (f32::MIN, Period::default());
    for lag in min_lag + 1..lags - 1 {
        let (a, b, c) = (curve[lag - 1], curve[lag], curve[lag + 1]);
        if b < a || b <= c {
            continue;
        }
        let offset = 0.5 * (a - c) / (a - 2.0 * b + c - 1e-12);
        let exact = lag as f32 + offset.clamp(-0.5, 0.5);
        let octaves = exact.log2();
        let away = if expected > 0.0 {
            (octaves - expected.log2()).abs()
        } else {
            0.0
        };
        let worth = b - LAG_PRICE * octaves - JUMP_PRICE * away;
        if worth > best.0 {
            let found = Period {
                lag: exact,
                likeness: b - 0.25 * (a - c) * offset,
            };
            best = (worth, found);
        }
    }
    best.1
}

/// Where in its period the energy of `x` lies, about its middle: samples from the middle to the next
/// centre of energy, less than half a `lag` either way; and how much of the energy comes and goes with
/// the period, 0 to 1. `x` is two periods long.
#[inline(always)]
pub fn energy_centre(x: &[f32], lag: f32) -> (f32, f32) {
    let middle = 0.5 * (x.len() - 1) as f32;
    let turn = TAU / lag;
    let (mut re, mut im, mut all) = (0.0, 0.0, 1e-12);
    for (n, v) in x.iter().enumerate() {
        let u = n as f32 - middle;
        let (_, half) = sin_cos(0.5 * turn * u);
        let (sin, cos) = sin_cos(turn * u);
        let energy = v * v * (0.5 + 0.5 * half);
        re += energy * cos;
        im += energy * sin;
        all += energy;
    }
    let centre = f32::atan2(im, re) / turn;
    (centre, (re * re + im * im).sqrt() / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pulses of harmonics every `lag` samples, the last of them `ago` samples before the end.
    fn pulses(lag: f32, ago: f32, samples: usize) -> Vec<f32> {
        let at = |n: usize| {
            let since = n as f32 - (samples as f32 - 1.0 - ago);
            let wave = |k: usize| (TAU * k as f32 * since / lag).cos() / k as f32;
            (1..=(0.2 * lag) as usize).map(wave).sum()
        };
        (0..samples).map(at).collect()
    }

    #[test]
    fn the_period_is_found_between_samples() {
        for lag in [23.4, 60.0, 110.7, 190.3] {
            let x = pulses(lag, 3.0, 600);
            let found = period(pulp::Scalar, &x, 150, 20, 0.0, &mut [0.0; 220]);
            assert!((found.lag - lag).abs() < 0.3, "{lag}: {found:?}");
            assert!(found.likeness > 0.8, "{lag}: {found:?}");
        }
    }

    #[test]
    fn energy_lies_where_the_pulses_are() {
        let centre = |ago: f32| energy_centre(&pulses(80.0, ago, 161), 80.0);
        let (there, share) = centre(80.0);
        assert!(there.abs() < 0.5 && share > 0.4, "{there} {share}");
        let (later, _) = centre(70.0);
        assert!((later - there - 10.0).abs() < 0.5, "{later} {there}");
    }

    #[test]
    fn silence_has_no_period() {
        let found = period(pulp::Scalar, &[0.0; 600], 150, 20, 0.0, &mut [0.0; 220]);
        assert_eq!(found.likeness, 0.0);
    }
}
