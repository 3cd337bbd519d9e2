//! Loudness as broadcasting measures it.

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_room, DspError};
use crate::level::peaks::{bend, largest, size, top, Quarters, WIDE};
use crate::level::Loudness;
use crate::math::db::db_from_power;
use crate::math::sample::{larger, tame};
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
    /// Of the newest hops, each twice, so that they lie side by side from where the next goes on.
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
            energies: vec![0.0; 2 * SHORT_TERM],
            at: 0,
            quarters: Quarters::new(HALF),
            arch: Arch::new(),
        })
    }

    #[inline(always)]
    fn frame<S: Simd>(&mut self, simd: S, out: &mut [f32]) {
        let x = &self.heard[PAST - FIR_PAST..PAST + self.hop];
        // Registers that as many numbers as stretches fill.
        let energy = match S::F64_LANES {
            8 => self.weighting.energy::<S, 1>(simd, x),
            4 => self.weighting.energy::<S, 2>(simd, x),
            2 => self.weighting.energy::<S, 4>(simd, x),
            _ => self.weighting.energy::<S, STRETCHES>(simd, x),
        };
        self.energies[self.at] = energy;
        self.energies[self.at + SHORT_TERM] = energy;
        self.at = (self.at + 1) % SHORT_TERM;
        let peak = true_peak(simd, &self.quarters, &self.heard, self.hop);
        out[0] = self.loudness(MOMENTARY);
        out[1] = self.loudness(SHORT_TERM);
        out[2] = (20.0 * peak.log10()).max(Loudness::FLOOR_DB);
        self.heard.copy_within(self.hop..self.hop + PAST, 0);
    }

    /// Of the newest `hops`, which are summed anew: what was loud leaves nothing behind.
    #[inline(always)]
    fn loudness(&self, hops: usize) -> f32 {
        let newest = &self.energies[self.at..][SHORT_TERM - hops..SHORT_TERM];
        let mean = total(newest) / (hops * self.hop) as f64;
        ((LIFT_DB + db_from_power(mean)) as f32).max(Loudness::FLOOR_DB)
    }
}

/// In many sums side by side.
#[inline(always)]
fn total(energies: &[f64]) -> f64 {
    let mut sums = [0.0; 20];
    for energies in energies.chunks_exact(sums.len()) {
        for (sum, energy) in sums.iter_mut().zip(energies) {
            *sum += energy;
        }
    }
    sums.iter().sum()
}

/// What `process` does, compiled for the processor at hand.
struct Hear<'a> {
    meter: &'a mut Meter,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Hear<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let meter = self.meter;
        let mut rows = self.output.chunks_exact_mut(3);
        let mut rest = self.input;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(meter.hop - meter.in_hop));
            let room = &mut meter.heard[PAST + meter.in_hop..];
            for (y, x) in room.iter_mut().zip(now) {
                *y = tame(*x);
            }
            meter.in_hop += now.len();
            rest = later;
            if meter.in_hop == meter.hop {
                if let Some(row) = rows.next() {
                    meter.frame(simd, row);
                }
                meter.in_hop = 0;
            }
        }
    }
}

/// Of the intervals that begin `HALF` samples before those of the hop: about its largest point.
#[inline(always)]
fn true_peak<S: Simd>(simd: S, quarters: &Quarters, heard: &[f32], hop: usize) -> f32 {
    let (mut most, mut place, mut about) = (0.0, 0, [[0.0; WIDE]; 3]);
    let floor = size(&heard[HALF..HALF + hop]);
    for first in (0..hop).step_by(WIDE) {
        let needed = &heard[first + 1..first + WIDE + PAST];
        // No wave through samples as small and as smooth is as large as the largest sample.
        let (by_size, by_bend) = quarters.bounds();
        let ends = larger(
            size(&needed[HALF - 1..][..WIDE]),
            needed[HALF - 1 + WIDE].abs(),
        );
        let bends = larger(
            bend(&needed[..WIDE + 2]),
            bend(&needed[PAST - 3..][..WIDE + 2]),
        );
        if ends * by_size + bends * by_bend < floor {
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
        let arch = self.arch;
        arch.dispatch(Hear {
            meter: self,
            input,
            output,
        });
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

/// Stretches of a hop that are weighted side by side.
const STRETCHES: usize = 8;

/// The K-weighting: a shelf that lifts what is high, and a high pass, as one numerator for all samples
/// and two recursions one after the other.
///
/// A recursion waits for itself. So a hop is cut into stretches, which go side by side: once from silence,
/// which says how each ends but for what it began with; and once more from there on.
#[derive(Clone)]
struct Weighting {
    numerator: [f64; FIR_PAST + 1],
    poles: Poles,
    last: Last,
    /// What silence of a stretch's length makes of each of `Last`.
    faded: [Last; 4],
    /// Samples of a stretch.
    len: usize,
    /// A sample of each stretch after the other, from `FIR_PAST` before the first on; and what the
    /// numerator gives.
    turned: Vec<[f64; STRETCHES]>,
    fed: Vec<[f64; STRETCHES]>,
}

/// Coefficients of the two recursions.
#[derive(Clone, Copy)]
struct Poles {
    shelf: [f64; 2],
    high_pass: [f64; 2],
}

/// The last two of each recursion, the newest first: after the shelf, after both.
type Last = [f64; 4];

impl Poles {
    #[inline(always)]
    fn step<S: Simd>(&self, fed: f64, last: Last) -> Last {
        let ([a1, a2], [b1, b2], [v1, v2, y1, y2]) = (self.shelf, self.high_pass, last);
        let v = fused::<S>(-a1, v1, fused::<S>(-a2, v2, fed));
        let y = fused::<S>(-b1, y1, fused::<S>(-b2, y2, v));
        [v, v1, y, y1]
    }

    /// The same of all stretches.
    #[inline(always)]
    fn steps<S: Simd, const WIDE: usize>(
        &self,
        simd: S,
        fed: &[S::f64s; WIDE],
        last: &mut [[S::f64s; WIDE]; 4],
    ) {
        let [a1, a2] = self.shelf.map(|a| simd.splat_f64s(-a));
        let [b1, b2] = self.high_pass.map(|b| simd.splat_f64s(-b));
        for n in 0..WIDE {
            let [v1, v2, y1, y2] = last.map(|of| of[n]);
            let v = simd.mul_add_e_f64s(a1, v1, simd.mul_add_e_f64s(a2, v2, fed[n]));
            let y = simd.mul_add_e_f64s(b1, y1, simd.mul_add_e_f64s(b2, y2, v));
            for (last, new) in last.iter_mut().zip([v, v1, y, y1]) {
                last[n] = new;
            }
        }
    }
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
        let poles = Poles {
            shelf: shelf_poles,
            high_pass: high_poles,
        };
        let len = hop / STRETCHES;
        let fade = |of: usize| {
            let mut last = [0.0; 4];
            last[of] = 1.0;
            (0..len).fold(last, |last, _| poles.step::<pulp::Scalar>(0.0, last))
        };
        Self {
            numerator,
            poles,
            last: [0.0; 4],
            faded: std::array::from_fn(fade),
            len,
            turned: vec![[0.0; STRETCHES]; len + FIR_PAST],
            fed: vec![[0.0; STRETCHES]; len],
        }
    }

    /// Of the samples after the first `FIR_PAST`.
    #[inline(always)]
    fn energy<S: Simd, const WIDE: usize>(&mut self, simd: S, x: &[f32]) -> f64 {
        let (poles, len) = (self.poles, self.len);
        for (n, turned) in self.turned.iter_mut().enumerate() {
            *turned = std::array::from_fn(|stretch| f64::from(x[stretch * len + n]));
        }
        let (turned, _) = pulp::as_arrays::<WIDE, _>(S::as_simd_f64s(self.turned.as_flattened()).0);
        let fed = S::as_mut_simd_f64s(self.fed.as_flattened_mut()).0;
        let (fed, _) = pulp::as_arrays_mut::<WIDE, _>(fed);
        let numerator = self.numerator.map(|b| simd.splat_f64s(b));
        let mut ends = [[simd.splat_f64s(0.0); WIDE]; 4];
        for (fed, x) in fed.iter_mut().zip(turned.windows(FIR_PAST + 1)) {
            let mut sums = [simd.splat_f64s(0.0); WIDE];
            for (x, b) in x.iter().rev().zip(numerator) {
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = simd.mul_add_e_f64s(b, *x, *sum);
                }
            }
            *fed = sums;
            poles.steps(simd, fed, &mut ends);
        }
        let mut last = self.begins::<S, WIDE>(simd, &ends);
        let (fed, _) = pulp::as_arrays::<WIDE, _>(S::as_simd_f64s(self.fed.as_flattened()).0);
        let mut squares = [simd.splat_f64s(0.0); WIDE];
        for fed in fed {
            poles.steps(simd, fed, &mut last);
            for (sum, y) in squares.iter_mut().zip(last[2]) {
                *sum = simd.mul_add_e_f64s(y, y, *sum);
            }
        }
        let mut energy = squares.iter().map(|of| simd.reduce_sum_f64s(*of)).sum();
        // What is left of a hop that stretches do not fill.
        for x in x[STRETCHES * len..].windows(FIR_PAST + 1) {
            let fed = x.iter().rev().zip(self.numerator);
            let fed = fed.fold(0.0, |sum, (x, b)| fused::<S>(f64::from(*x), b, sum));
            self.last = poles.step::<S>(fed, self.last);
            energy = fused::<S>(self.last[2], self.last[2], energy);
        }
        if self.last.iter().all(|of| of.abs() < AT_REST) {
            self.forget();
        }
        energy
    }

    /// How stretches begin that end so from silence; and how the last one ends, which is kept.
    #[inline(always)]
    fn begins<S: Simd, const WIDE: usize>(
        &mut self,
        simd: S,
        ends: &[[S::f64s; WIDE]; 4],
    ) -> [[S::f64s; WIDE]; 4] {
        let mut numbers = [[0.0; STRETCHES]; 4];
        for (numbers, ends) in numbers.iter_mut().zip(ends) {
            S::as_mut_simd_f64s(numbers).0.copy_from_slice(ends);
        }
        for stretch in 0..STRETCHES {
            let begin = self.last;
            self.last = std::array::from_fn(|n| {
                let faded = self.faded.iter().zip(begin);
                faded.fold(numbers[n][stretch], |sum, (faded, of)| {
                    fused::<S>(faded[n], of, sum)
                })
            });
            for (numbers, begin) in numbers.iter_mut().zip(begin) {
                numbers[stretch] = begin;
            }
        }
        let mut begins = [[simd.splat_f64s(0.0); WIDE]; 4];
        for (begins, numbers) in begins.iter_mut().zip(&numbers) {
            begins.copy_from_slice(S::as_simd_f64s(numbers).0);
        }
        begins
    }

    fn forget(&mut self) {
        self.last = [0.0; 4];
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
