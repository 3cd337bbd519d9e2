//! What lies between samples: the band-limited wave at quarters of a sample.

use std::sync::Arc;

use pulp::Simd;

use crate::math::sample::larger;
use crate::math::window::kaiser;

/// Intervals that are worked on at a time: whole registers of every processor.
pub const WIDE: usize = 32;
/// Quarters between two samples.
const BETWEEN: usize = 3;
/// With 8 samples on each side, within 1 % up to 0.81 of the Nyquist frequency; with 12, up to 0.87.
const BETA: f64 = 5.0;

/// Interpolates by a windowed sinc, `half` samples on each side.
#[derive(Clone)]
pub struct Quarters {
    /// For each quarter its weights, which sum to 1.
    rows: Arc<[Vec<f32>; BETWEEN]>,
    half: usize,
    most: f32,
    by_size: f32,
    by_bend: f32,
}

impl Quarters {
    pub fn new(half: usize) -> Self {
        let rows = [1, 2, 3].map(|quarter| row(half, f64::from(quarter) / 4.0));
        let size = |row: &Vec<f32>| row.iter().map(|w| w.abs()).sum::<f32>();
        let bounds = [0, 1, 2].map(|n| off_line(&rows[n], half, (n + 1) as f32 / 4.0));
        Self {
            most: rows.iter().map(size).fold(1.0, f32::max),
            by_size: bounds.iter().fold(0.0, |most, of| most.max(of.0)),
            by_bend: bounds.iter().fold(0.0, |most, of| most.max(of.1)),
            rows: Arc::new(rows),
            half,
        }
    }

    /// Samples that are needed after the one at which an interval begins.
    pub fn half(&self) -> usize {
        self.half
    }

    /// The largest that the wave can be where no sample is larger than 1.
    pub fn most(&self) -> f32 {
        self.most
    }

    /// No quarter between two samples is larger than the larger of them times the first of these, and the
    /// largest [`bend`] of what is needed times the second.
    pub fn bounds(&self) -> (f32, f32) {
        (self.by_size, self.by_bend)
    }

    /// Quarters of `WIDE` intervals: of the one that begins at `line[half - 1]`, and those that follow.
    #[inline(always)]
    pub fn between<S: Simd>(&self, simd: S, line: &[f32]) -> [[f32; WIDE]; BETWEEN] {
        let mut sums = [[0.0f32; WIDE]; BETWEEN];
        let [one, two, three] = &*self.rows;
        // Two registers of each quarter: enough sums side by side that none waits for another.
        let abreast = 2 * S::F32_LANES;
        for first in (0..WIDE).step_by(abreast) {
            let mut held = [[simd.splat_f32s(0.0); 2]; BETWEEN];
            let line = &line[first..first + one.len() - 1 + abreast];
            for (tap, ((a, b), c)) in one.iter().zip(two).zip(three).enumerate() {
                let x = S::as_simd_f32s(&line[tap..tap + abreast]).0;
                for (held, weight) in held.iter_mut().zip([a, b, c]) {
                    let weight = simd.splat_f32s(*weight);
                    held[0] = simd.mul_add_e_f32s(weight, x[0], held[0]);
                    held[1] = simd.mul_add_e_f32s(weight, x[1], held[1]);
                }
            }
            for (sums, held) in sums.iter_mut().zip(held) {
                S::as_mut_simd_f32s(&mut sums[first..first + abreast])
                    .0
                    .copy_from_slice(&held);
            }
        }
        sums
    }
}

/// How large the wave is about the middle one of three points a quarter apart: there, or at the top of
/// the sine through them, where that is no further off than half a quarter.
#[inline(always)]
pub fn top(before: f32, at: f32, after: f32) -> f32 {
    let bend = before - 2.0 * at + after;
    let slope = before - after;
    let is_top = (at * bend < 0.0) & (slope.abs() <= bend.abs());
    // Cosine of the turn from point to point; what does not swing so slowly is no sine.
    let cosine = larger(0.5 * (before + after) / at, 0.0);
    let side = 0.5 * slope / at;
    let above = (1.0 + side * side / larger(1.0 - cosine * cosine, FLAT)).sqrt();
    at.abs() * if is_top { above } else { 1.0 }
}

/// Square of a sine that rounding would make 0: what lies above so flat a top is nothing.
const FLAT: f32 = 1e-4;

/// A top is higher than the largest of the points about it by no more: at most twice as much lies
/// aside, and the root of five is less.
pub const TOP_TO_POINT: f32 = 2.25;

/// The largest of samples. Of numbers without their sign, the larger has the larger bits; and whole
/// numbers can be compared in any order, side by side.
#[inline(always)]
pub fn size(x: &[f32]) -> f32 {
    let bits = x.iter().map(|x| x.abs().to_bits());
    f32::from_bits(bits.fold(0, u32::max))
}

/// The largest second difference.
#[inline(always)]
pub fn bend(x: &[f32]) -> f32 {
    let bends = x.windows(3).map(|x| x[0] - 2.0 * x[1] + x[2]);
    f32::from_bits(bends.fold(0, |most, x| most.max(x.abs().to_bits())))
}

/// The largest of the first `count` intervals' points.
#[inline(always)]
pub fn largest(at: &[f32], between: &[[f32; WIDE]; BETWEEN], count: usize) -> f32 {
    let at = &at[..WIDE];
    let [one, two, three] = between;
    let mut most = [0.0f32; WIDE];
    for n in 0..WIDE {
        let early = larger(at[n].abs(), one[n].abs());
        let late = larger(two[n].abs(), three[n].abs());
        most[n] = if n < count { larger(early, late) } else { 0.0 };
    }
    let mut half = WIDE / 2;
    while half > 0 {
        for n in 0..half {
            most[n] = larger(most[n], most[n + half]);
        }
        half /= 2;
    }
    most[0]
}

/// How far a quarter may lie off the straight line between its two neighbours, by weights that make it a
/// sum of second differences and a part of the step from one neighbour to the other; with what rounding
/// adds.
fn off_line(row: &[f32], half: usize, phase: f32) -> (f32, f32) {
    let mut off = row.to_vec();
    off[half - 1] -= 1.0 - phase;
    off[half] -= phase;
    let of_steps = sums_so_far(&off);
    let step: f32 = of_steps.iter().sum();
    let mut of_steps = of_steps;
    of_steps[half - 1] -= step;
    let of_bends: f32 = sums_so_far(&of_steps).iter().map(|of| of.abs()).sum();
    (1.0 + 2.0 * step.abs() + 1e-4, of_bends + 1e-4)
}

fn sums_so_far(x: &[f32]) -> Vec<f32> {
    let so_far = |sum: &mut f32, x: &f32| {
        *sum += x;
        Some(*sum)
    };
    x.iter().scan(0.0, so_far).collect()
}

fn row(half: usize, phase: f64) -> Vec<f32> {
    let weight = |tap: usize| {
        let x = tap as f64 - (half - 1) as f64 - phase;
        let angle = core::f64::consts::PI * x;
        angle.sin() / angle * kaiser(x / half as f64, BETA)
    };
    let weights: Vec<f64> = (0..2 * half).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| (w / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    struct Between<'a>(&'a Quarters, &'a [f32]);

    impl WithSimd for Between<'_> {
        type Output = [[f32; WIDE]; BETWEEN];

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            self.0.between(simd, self.1)
        }
    }

    fn wave(of_nyquist: f64, at: f64) -> f64 {
        (core::f64::consts::PI * of_nyquist * at + 0.3).sin()
    }

    #[test]
    fn quarters_lie_on_the_wave_on_every_processor() {
        for (half, up_to) in [(8, 0.8), (12, 0.86)] {
            let quarters = Quarters::new(half);
            for of_nyquist in [0.01, 0.2, 0.5, up_to] {
                let line: Vec<f32> = (0..2 * half + WIDE)
                    .map(|n| wave(of_nyquist, n as f64) as f32)
                    .collect();
                let fast = Arch::new().dispatch(Between(&quarters, &line));
                let plain = Between(&quarters, &line).with_simd(pulp::Scalar);
                for (quarter, (fast, plain)) in fast.iter().zip(&plain).enumerate() {
                    for n in 0..WIDE {
                        let at = (n + half - 1) as f64 + (quarter + 1) as f64 / 4.0;
                        let off = f64::from(fast[n]) - wave(of_nyquist, at);
                        assert!(off.abs() < 0.012, "{half} {of_nyquist} {at}: {off}");
                        assert!((fast[n] - plain[n]).abs() < 1e-6);
                    }
                }
            }
            // The mutant: half of the next quarter off is far outside.
            assert!((wave(0.5, 10.25) - wave(0.5, 10.375)).abs() > 0.05);
        }
    }

    #[test]
    fn no_quarter_is_beyond_the_bounds_and_none_of_a_slow_wave_is_far_below() {
        for half in [8, 12] {
            let quarters = Quarters::new(half);
            let (by_size, by_bend) = quarters.bounds();
            let mut closest = 0.0f32;
            for turn in 0..500u32 {
                let mut state = turn;
                let mut random = || {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 8) as f32 / (1 << 23) as f32 - 1.0
                };
                // Signs, numbers, and numbers of all sizes.
                let line: Vec<f32> = (0..2 * half + WIDE)
                    .map(|_| match turn % 3 {
                        0 => random().signum(),
                        1 => random(),
                        _ => random().powi(15),
                    })
                    .collect();
                let between = Between(&quarters, &line).with_simd(pulp::Scalar);
                for n in 0..WIDE {
                    let needed = &line[n..n + 2 * half];
                    let bound = by_size * size(&needed[half - 1..=half]) + by_bend * bend(needed);
                    let most = between
                        .iter()
                        .fold(0.0f32, |most, of| most.max(of[n].abs()));
                    assert!(most <= bound, "{half} {turn} {n}: {most} {bound}");
                    closest = closest.max(most / bound);
                }
            }
            assert!(closest > 0.8, "{half}: the bound is idle, {closest}");
            let slow: Vec<f32> = (0..2 * half + WIDE)
                .map(|n| wave(0.05, n as f64) as f32)
                .collect();
            assert!(by_size * size(&slow) + by_bend * bend(&slow) < 1.02);
        }
    }

    #[test]
    fn a_top_between_points_is_found() {
        // A cosine sampled every 0.5 radians, its top anywhere between.
        for k in -10..=10 {
            let at = f64::from(k) * 0.025;
            let point = |n: f64| (n * 0.5 + at).cos() as f32;
            let found = top(point(-1.0), point(0.0), point(1.0));
            assert!((found - 1.0).abs() < 1e-5, "{at}: {found}");
            assert_eq!(top(-point(-1.0), -point(0.0), -point(1.0)), found);
        }
        assert_eq!(top(0.0, 0.1, 0.9), 0.1, "a slope has no top");
        assert_eq!(top(0.9, 0.1, 0.9), 0.1, "nor has a valley");
        assert_eq!(top(0.5, 0.5, 0.5), 0.5);
        let flat = top(0.499_999_97, 0.5, 0.499_999_97);
        assert!((flat - 0.5).abs() < 1e-5, "{flat}");
        assert!(top(-1e30, 1e30, -1e30).is_finite());
    }
}
