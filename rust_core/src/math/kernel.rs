//! Filters between sample rates: how much a sample weighs, by its age.

use core::f64::consts::PI;
use std::sync::Arc;

use pulp::Simd;

use crate::math::dot::dots;

/// Rows are filled up to whole multiples of this: a register.
const WIDE: usize = 8;

/// A low-pass filter in continuous time, which is counted in samples of the slower of two rates.
///
/// Flat within 0.012 dB to 0.9 of that rate's Nyquist frequency, stopped from 1.1 of it on. Weights are a
/// short series, so that any moment between samples has its own, exactly.
pub struct Kernel {
    /// Samples are forgotten at this age.
    pub length: usize,
    /// By how much what is slow comes late.
    pub delay: f64,
    series: Series,
}

enum Series {
    Cosines(&'static [f64]),
    Sines(&'static [f64]),
}

/// Even about its middle: all frequencies are as late. Stopped by 105 dB, and by 140 about multiples of
/// the slower rate, where the images of low tones lie.
pub const LINEAR: Kernel = Kernel {
    length: 50,
    delay: 25.0,
    series: Series::Cosines(&EVEN),
};

/// As soon as such a filter can be. Stopped by 91 dB. What is higher is later: 3 at half of Nyquist, 5 at
/// 0.8 of it, 9 at 0.9.
pub const MINIMUM: Kernel = Kernel {
    length: 41,
    delay: 2.36,
    series: Series::Sines(&EARLY),
};

impl Kernel {
    /// Whether all frequencies are as late.
    pub fn even(&self) -> bool {
        matches!(self.series, Series::Cosines(_))
    }

    /// Of a sample that is `age` old.
    pub fn weight(&self, age: f64) -> f64 {
        let part = age / self.length as f64;
        if !(0.0..1.0).contains(&part) {
            return 0.0;
        }
        match self.series {
            Series::Cosines(of) => cosines(of, PI * (2.0 * part - 1.0)),
            Series::Sines(of) => sines(of, PI * part),
        }
    }

    /// Weights of `len` samples that are `apart` from each other, for an output at `time`, in samples from
    /// the first of them, that comes `wait` later than it could.
    pub fn weights(&self, time: f64, apart: f64, wait: f64, len: usize) -> Vec<f32> {
        let age = |tap: usize| (time - tap as f64) * apart - wait;
        let weights: Vec<f64> = (0..len).map(|tap| self.weight(age(tap))).collect();
        // They sum to 1, so that a constant stays constant at every phase.
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| (weight / sum) as f32).collect()
    }

    /// The same in rows: of an output as old as the newest sample, of one a `phases`th of a sample later,
    /// and so on to the next sample.
    ///
    /// ```text
    ///   row 0        x   x   x   x|            x: samples, oldest first, whole registers of them
    ///   row 1        x   x   x   x   |         |: the output
    ///   row phases   x   x   x   x       |
    /// ```
    pub fn rows(&self, phases: usize, apart: f64, wait: f64) -> Rows {
        let taps = ((self.length as f64 + wait) / apart).ceil() as usize;
        let len = taps.next_multiple_of(WIDE);
        let row = |phase: usize| {
            let late = phase as f64 / phases as f64;
            self.weights((len - 1) as f64 + late, apart, wait, len)
        };
        Rows {
            weights: (0..=phases).flat_map(row).collect(),
            len,
        }
    }
}

/// Weights as they are multiplied by.
#[derive(Clone)]
pub struct Rows {
    weights: Arc<[f32]>,
    len: usize,
}

impl Rows {
    /// Samples that an output looks at.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One of them.
    #[inline(always)]
    pub fn row(&self, phase: usize) -> &[f32] {
        &self.weights[phase * self.len..][..self.len]
    }

    /// An output from as many samples, on a straight line from row `phase` to the next one.
    #[inline(always)]
    pub fn between<S: Simd>(&self, simd: S, x: &[f32], phase: usize, part: f32) -> f32 {
        let [one] = dots(simd, [x], self.row(phase));
        let [next] = dots(simd, [x], self.row(phase + 1));
        one + (next - one) * part
    }
}

/// `a[0] + a[1] cos(x) + a[2] cos(2 x) + ..`
fn cosines(a: &[f64], x: f64) -> f64 {
    let (first, second) = clenshaw(&a[1..], x.cos());
    a[0] + first * x.cos() - second
}

/// `a[0] sin(x) + a[1] sin(2 x) + ..`
fn sines(a: &[f64], x: f64) -> f64 {
    clenshaw(a, x.cos()).0 * x.sin()
}

/// # Source
/// Clenshaw (1955), A note on the summation of Chebyshev series.
fn clenshaw(a: &[f64], cos: f64) -> (f64, f64) {
    a.iter().rev().fold((0.0, 0.0), |(first, second), a| {
        (a + 2.0 * cos * first - second, first)
    })
}

// By kernel.py, which lies beside.
#[rustfmt::skip] // four to a line
const EVEN: [f64; 34] = [
    2.000000000e-02, 4.005064285e-02, 3.995304674e-02, 4.003699584e-02,
    3.997665573e-02, 4.000819529e-02, 4.000734063e-02, 3.997774242e-02,
    4.003450282e-02, 3.995624797e-02, 4.004950493e-02, 3.994923558e-02,
    4.004795867e-02, 3.995833922e-02, 4.003244308e-02, 3.997892478e-02,
    4.000846153e-02, 4.000390669e-02, 3.998512789e-02, 4.002319711e-02,
    3.997308980e-02, 4.002206902e-02, 4.001535267e-02, 3.861506341e-02,
    2.757272736e-02, 1.063572553e-02, 1.599186614e-03, 3.856845919e-05,
    1.803112164e-07, 1.092216169e-07, -1.803112164e-07, 1.544588316e-07,
    -1.302997009e-07, 1.502966424e-07,
];
#[rustfmt::skip] // as above
const EARLY: [f64; 52] = [
    8.855123300e-03, 1.744249338e-02, 2.543059712e-02, 3.263853384e-02,
    3.871352292e-02, 4.356094122e-02, 4.687731897e-02, 4.860906033e-02,
    4.857131318e-02, 4.684384656e-02, 4.326991502e-02, 3.812362118e-02,
    3.129933043e-02, 2.326608876e-02, 1.399039701e-02, 4.124946724e-03,
    -6.287671589e-03, -1.641889647e-02, -2.617002366e-02, -3.468254100e-02,
    -4.169165395e-02, -4.648297324e-02, -4.868969895e-02, -4.788195564e-02,
    -4.374103349e-02, -3.631544761e-02, -2.557089718e-02, -1.226017460e-02,
    3.067597367e-03, 1.871168731e-02, 3.325873817e-02, 4.400279558e-02,
    4.880783537e-02, 4.467210457e-02, 3.027595434e-02, 5.478039219e-03,
    -2.465142419e-02, -4.586698359e-02, -3.020350591e-02, 7.162926924e-03,
    1.469884422e-02, 2.473863087e-03, -1.048230268e-03, -1.584241198e-04,
    -4.919229038e-07, 9.882488163e-07, 1.144018218e-07, -4.117467777e-07,
    -8.545864286e-07, -1.032733020e-06, -7.252877157e-07, -7.713616659e-07,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_their_sums() {
        let a = [0.5, -0.25, 2.0, 0.125];
        for x in [0.0, 0.3, 1.5, 3.0] {
            let cosine: f64 = (0..4).map(|k| a[k] * (k as f64 * x).cos()).sum();
            let sine: f64 = (0..4).map(|k| a[k] * ((k + 1) as f64 * x).sin()).sum();
            assert!((cosines(&a, x) - cosine).abs() < 1e-12);
            assert!((sines(&a, x) - sine).abs() < 1e-12);
        }
    }

    /// Gain and delay of the weights at the frequency `f`, in parts of the slower rate, by sums over
    /// samples `apart`.
    fn response(kernel: &Kernel, apart: f64, f: f64) -> (f64, f64) {
        let (mut sum, mut late) = ((0.0, 0.0), (0.0, 0.0));
        for n in 0..(kernel.length as f64 / apart).ceil() as usize {
            let age = n as f64 * apart;
            let (sin, cos) = (2.0 * PI * f * age).sin_cos();
            let weight = kernel.weight(age) * apart;
            sum = (sum.0 + weight * cos, sum.1 - weight * sin);
            late = (late.0 + age * weight * cos, late.1 - age * weight * sin);
        }
        let power = sum.0 * sum.0 + sum.1 * sum.1;
        ((power).sqrt(), (late.0 * sum.0 + late.1 * sum.1) / power)
    }

    #[test]
    fn what_passes_passes_flat_and_what_is_stopped_is() {
        for (kernel, stop_db) in [(&LINEAR, -105.0), (&MINIMUM, -91.0)] {
            for apart in [1.0 / 2.0, 1.0 / 3.0, 80.0 / 147.0, 1.0 / 16.0] {
                let gain_db = |f: f64| 20.0 * response(kernel, apart, f).0.log10();
                let still_db = gain_db(0.0);
                let pass = (0..=90).map(|k| gain_db(f64::from(k) * 0.005) - still_db);
                assert!(pass.fold(0.0, |most: f64, x| most.max(x.abs())) < 0.012);
                let top = ((0.5 / apart - 0.55) / 0.002) as usize;
                let stop = (0..=top).map(|k| gain_db(0.55 + k as f64 * 0.002));
                let worst = stop.fold(-200.0, f64::max);
                assert!(worst < stop_db, "{apart}: {worst} dB");
                assert!(
                    gain_db(0.54) > stop_db,
                    "the test cannot hear the stop band"
                );
            }
        }
    }

    #[test]
    fn what_is_slow_comes_as_late_as_stated() {
        for (kernel, far) in [(&LINEAR, [25.0; 4]), (&MINIMUM, [2.36, 3.0, 5.0, 9.0])] {
            for (f, late) in [0.0, 0.25, 0.4, 0.45].into_iter().zip(far) {
                let (_, got) = response(kernel, 0.125, f);
                assert!((got - late).abs() < 0.5, "{got} at {f}");
            }
            assert!((response(kernel, 0.125, 0.0).1 - kernel.delay).abs() < 0.01);
        }
    }
}
