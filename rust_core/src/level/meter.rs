//! Loudness as broadcasting measures it.

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_room, DspError};
use crate::level::peaks::{larger, largest, size, top, Quarters, WIDE};
use crate::level::Loudness;
use crate::math::db::db_from_power;
use crate::math::sample::tame;
use crate::stage::{check_rate, Analyzer};

/// Windows of momentary and short-term loudness, in hops of 10 ms.
const MOMENTARY: usize = 40;
const SHORT_TERM: usize = 300;
/// Of 1 kHz, that the first filter lifts: a full-scale sine of it is to be -3.01 LUFS.
const LIFT_DB: f64 = -0.691;
/// Samples on each side that tell what lies between two.
const HALF: usize = 8;
/// Samples before those of the hop that are still needed: by the wave between, and by the filter.
const PAST: usize = 2 * HALF;
/// Filter states below this are silence: -400 dB. Denormal numbers would cost more than they say.
const AT_REST: f64 = 1e-20;

/// Loudness of ITU-R BS.1770-5 of one channel, per hop: momentary (400 ms) and short-term (3 s) in LUFS,
/// and the true peak of the hop in dBTP: `[frames, 3]`. Silence is -120.
///
/// A hop is 10 ms of the stream's own rate, to the nearest sample. What has not been yet counts as
/// silence. The true peak is that of a sine through the largest of four points a sample and its neighbours.
///
/// # Streaming
/// Window 3 s; no look-ahead, but for the true peak, which trails by 8 samples. A sample that is not
/// finite counts as 0.
///
/// # Source
/// ITU-R BS.1770-5 (2023), annexes 1 and 2. Its filters are given for 48 kHz; for other rates they are made
/// from the analogue ones behind them (Mansbridge, Finn & Reiss 2012, AES 133).
#[derive(Clone)]
pub struct Meter {
    hop: usize,
    in_hop: usize,
    /// `PAST` samples, the hop at hand, and room for whole registers.
    heard: Vec<f32>,
    weighting: Weighting,
    /// Of the newest hops, and where the next goes.
    energies: Vec<f64>,
    at: usize,
    quarters: Quarters,
    arch: Arch,
}

impl Meter {
    /// # Errors
    /// `out_of_range`: sample rate outside 8000 to 192000 Hz.
    pub fn new(sample_rate: u32) -> Result<Self, DspError> {
        check_rate("sample_rate in Hz", sample_rate)?;
        let hop = (sample_rate as usize + 50) / 100;
        Ok(Self {
            hop,
            in_hop: 0,
            heard: vec![0.0; PAST + hop.next_multiple_of(WIDE)],
            weighting: Weighting::new(f64::from(sample_rate), hop),
            energies: vec![0.0; SHORT_TERM],
            at: 0,
            quarters: Quarters::new(HALF),
            arch: Arch::new(),
        })
    }

    fn frame(&mut self, out: &mut [f32]) {
        let arch = self.arch;
        let (energy, peak) = arch.dispatch(Hear(self));
        self.energies[self.at] = energy;
        self.at = (self.at + 1) % SHORT_TERM;
        out[0] = self.loudness(MOMENTARY);
        out[1] = self.loudness(SHORT_TERM);
        out[2] = (20.0 * peak.log10()).max(Loudness::FLOOR_DB);
        self.heard.copy_within(self.hop..self.hop + PAST, 0);
    }

    /// Of the newest `hops`, which are summed anew: what was loud leaves nothing behind.
    fn loudness(&self, hops: usize) -> f32 {
        let (newer, older) = self.energies.split_at(self.at);
        let of_newer = hops.min(newer.len());
        let sum = total(&newer[newer.len() - of_newer..])
            + total(&older[older.len() - (hops - of_newer)..]);
        let mean = sum / (hops * self.hop) as f64;
        ((LIFT_DB + db_from_power(mean)) as f32).max(Loudness::FLOOR_DB)
    }
}

/// In four sums side by side.
fn total(energies: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let fours = energies.chunks_exact(4);
    let rest: f64 = fours.remainder().iter().sum();
    for four in fours {
        for (sum, energy) in sums.iter_mut().zip(four) {
            *sum += energy;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Energy of the weighted hop at hand, and its true peak, compiled for the processor at hand.
struct Hear<'a>(&'a mut Meter);

impl WithSimd for Hear<'_> {
    type Output = (f64, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f64, f32) {
        let Meter {
            heard,
            hop,
            weighting,
            quarters,
            ..
        } = self.0;
        let energy = weighting.energy::<S>(&heard[PAST - FIR_PAST..PAST + *hop]);
        (energy, true_peak(simd, quarters, heard, *hop))
    }
}

/// Of the intervals that begin `HALF` samples before those of the hop: about its largest point.
#[inline(always)]
fn true_peak<S: Simd>(simd: S, quarters: &Quarters, heard: &[f32], hop: usize) -> f32 {
    let (mut most, mut place, mut about) = (0.0, 0, [[0.0; WIDE]; 3]);
    let floor = size(&heard[HALF..HALF + hop]);
    for first in (0..hop).step_by(WIDE) {
        let needed = &heard[first + 1..first + WIDE + PAST];
        // No wave through samples this small is as large as the largest sample.
        if size(needed) * quarters.most() < floor {
            continue;
        }
        let line = &heard[first + 1..];
        let between = quarters.between(simd, line);
        let here = largest(&line[HALF - 1..], &between, WIDE.min(hop - first));
        if here > most {
            (most, place, about) = (here, first, between);
        }
    }
    let at = &heard[place + HALF..][..WIDE + 1];
    let is_most = |n: &usize| {
        let quarters = about[0][*n].abs().max(about[1][*n].abs());
        quarters.max(at[*n].abs()).max(about[2][*n].abs()) == most
    };
    let Some(n) = (0..WIDE).find(is_most) else {
        return most; // silence
    };
    // The four points of that sample, and one more on each side.
    let before = match n {
        0 => quarters.between(simd, &heard[place..])[2][0],
        _ => about[2][n - 1],
    };
    let points = [
        before,
        at[n],
        about[0][n],
        about[1][n],
        about[2][n],
        at[n + 1],
    ];
    let tops = points.windows(3).filter(|of| of[1].abs() == most);
    tops.fold(most, |most, of| larger(most, top(of[0], of[1], of[2])))
}

impl Analyzer for Meter {
    fn width(&self) -> usize {
        3
    }

    fn hop(&self) -> usize {
        self.hop
    }

    fn window(&self) -> usize {
        SHORT_TERM * self.hop
    }

    fn lookahead(&self) -> usize {
        0
    }

    fn frames(&self, input_len: usize) -> usize {
        (self.in_hop + input_len) / self.hop
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let frames = self.frames(input.len());
        check_room(frames * self.width(), output.len())?;
        let mut rows = output.chunks_exact_mut(3);
        let mut rest = input;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.hop - self.in_hop));
            let room = &mut self.heard[PAST + self.in_hop..];
            for (y, x) in room.iter_mut().zip(now) {
                *y = tame(*x);
            }
            self.in_hop += now.len();
            rest = later;
            if self.in_hop == self.hop {
                if let Some(row) = rows.next() {
                    self.frame(row);
                }
                self.in_hop = 0;
            }
        }
        Ok(frames)
    }

    fn reset(&mut self) {
        self.in_hop = 0;
        self.heard.fill(0.0);
        self.weighting.forget();
        self.energies.fill(0.0);
        self.at = 0;
    }
}

/// Samples before each that its numerator sees.
const FIR_PAST: usize = 4;

/// The K-weighting: a shelf that lifts what is high, and a high pass, as one numerator for all samples
/// side by side and two recursions one after the other.
#[derive(Clone)]
struct Weighting {
    numerator: [f64; FIR_PAST + 1],
    shelf: [f64; 2],
    high_pass: [f64; 2],
    /// The last two of each recursion, the newest first.
    after_shelf: [f64; 2],
    after_both: [f64; 2],
    /// What the numerator gives for the hop at hand.
    scratch: Vec<f64>,
}

impl Weighting {
    fn new(rate: f64, hop: usize) -> Self {
        let (shelf, shelf_poles) = shelf(rate);
        let (high, high_poles) = high_pass(rate);
        let mut numerator = [0.0; FIR_PAST + 1];
        for (i, a) in shelf.iter().enumerate() {
            for (j, b) in high.iter().enumerate() {
                numerator[i + j] += a * b;
            }
        }
        Self {
            numerator,
            shelf: shelf_poles,
            high_pass: high_poles,
            after_shelf: [0.0; 2],
            after_both: [0.0; 2],
            scratch: vec![0.0; hop],
        }
    }

    /// Of the samples after the first `FIR_PAST`.
    #[inline(always)]
    fn energy<S: Simd>(&mut self, x: &[f32]) -> f64 {
        let [n0, n1, n2, n3, n4] = self.numerator;
        for (y, x) in self.scratch.iter_mut().zip(x.windows(FIR_PAST + 1)) {
            let x: [f64; FIR_PAST + 1] = std::array::from_fn(|n| f64::from(x[n]));
            let old = fused::<S>(n4, x[0], n3 * x[1]);
            let middle = fused::<S>(n2, x[2], n1 * x[3]);
            *y = fused::<S>(n0, x[4], old + middle);
        }
        let ([a1, a2], [b1, b2]) = (self.shelf, self.high_pass);
        let ([mut v1, mut v2], [mut y1, mut y2]) = (self.after_shelf, self.after_both);
        let (mut energy, mut second) = (0.0, 0.0);
        let pairs = self.scratch.chunks_exact(2);
        let single = pairs.remainder();
        // The second of two is written in what was before the first, so that it does not wait for it.
        let (a3, a4, b3, b4) = (a1 * a1 - a2, a1 * a2, b1 * b1 - b2, b1 * b2);
        for pair in pairs {
            let v = fused::<S>(-a1, v1, fused::<S>(-a2, v2, pair[0]));
            let w = fused::<S>(-a1, pair[0], pair[1]);
            let w = fused::<S>(a3, v1, fused::<S>(a4, v2, w));
            let y = fused::<S>(-b1, y1, fused::<S>(-b2, y2, v));
            let z = fused::<S>(-b1, v, w);
            let z = fused::<S>(b3, y1, fused::<S>(b4, y2, z));
            energy = fused::<S>(y, y, energy);
            second = fused::<S>(z, z, second);
            (v2, v1, y2, y1) = (v, w, y, z);
        }
        for x in single {
            let v = fused::<S>(-a1, v1, fused::<S>(-a2, v2, *x));
            let y = fused::<S>(-b1, y1, fused::<S>(-b2, y2, v));
            energy = fused::<S>(y, y, energy);
            (v2, v1, y2, y1) = (v1, v, y1, y);
        }
        let at_rest = [v1, v2, y1, y2].iter().all(|of| of.abs() < AT_REST);
        if at_rest {
            self.forget();
        } else {
            (self.after_shelf, self.after_both) = ([v1, v2], [y1, y2]);
        }
        energy + second
    }

    fn forget(&mut self) {
        self.after_shelf = [0.0; 2];
        self.after_both = [0.0; 2];
    }
}

/// A product and a sum, rounded once where the processor can.
#[inline(always)]
fn fused<S: Simd>(a: f64, b: f64, c: f64) -> f64 {
    if S::IS_SCALAR {
        a * b + c
    } else {
        a.mul_add(b, c)
    }
}

/// Numerator and the poles' two coefficients.
type Biquad = ([f64; 3], [f64; 2]);

/// 4 dB more above 1.7 kHz: the head.
fn shelf(rate: f64) -> Biquad {
    const MIDDLE_HZ: f64 = 1_681.974_450_955_533;
    const GAIN_DB: f64 = 3.999_843_853_973_347;
    const Q: f64 = 0.707_175_236_955_419_6;
    let k = (core::f64::consts::PI * MIDDLE_HZ / rate).tan();
    let high = 10f64.powf(GAIN_DB / 20.0);
    let band = high.powf(0.499_666_774_154_541_6);
    let whole = 1.0 + k / Q + k * k;
    let numerator = [
        high + band * k / Q + k * k,
        2.0 * (k * k - high),
        high - band * k / Q + k * k,
    ];
    (numerator.map(|b| b / whole), poles(k, Q, whole))
}

/// Nothing far below 38 Hz; its numerator is left at 1, -2, 1, as the standard has it.
fn high_pass(rate: f64) -> Biquad {
    const EDGE_HZ: f64 = 38.135_470_876_024_44;
    const Q: f64 = 0.500_327_037_323_877_3;
    let k = (core::f64::consts::PI * EDGE_HZ / rate).tan();
    ([1.0, -2.0, 1.0], poles(k, Q, 1.0 + k / Q + k * k))
}

fn poles(k: f64, q: f64, whole: f64) -> [f64; 2] {
    [2.0 * (k * k - 1.0) / whole, (1.0 - k / q + k * k) / whole]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_48_khz_the_filters_are_those_of_the_standard() {
        // ITU-R BS.1770-5, tables 1 and 2.
        let ([b0, b1, b2], [a1, a2]) = shelf(48_000.0);
        let expected = [
            (b0, 1.535_124_859_586_97),
            (b1, -2.691_696_189_406_38),
            (b2, 1.198_392_810_852_85),
            (a1, -1.690_659_293_182_41),
            (a2, 0.732_480_774_215_85),
        ];
        let ([c0, c1, c2], [d1, d2]) = high_pass(48_000.0);
        let high = [
            (c0, 1.0),
            (c1, -2.0),
            (c2, 1.0),
            (d1, -1.990_047_454_833_98),
            (d2, 0.990_072_250_366_21),
        ];
        for (got, table) in expected.into_iter().chain(high) {
            assert!((got - table).abs() < 1e-9, "{got}, {table}");
        }
    }
}
