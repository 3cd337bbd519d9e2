//! What speaks for each F0, hop by hop.

use std::sync::{Arc, LazyLock};

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};
use rustfft::{Fft, FftPlanner};

use crate::error::{check_room, DspError};
use crate::math::curve::ln;
use crate::math::dot::dot;
use crate::math::sample::larger;
use crate::stage::{Analyzer, HOP, RATE};

use super::{fill, lowpass, MeanFilter, BINS, EXPECTED, FORGET, MIN_OVERLAP, SILENCE};

/// F0 that are told apart, each half a semitone above the one before, from [`LOWEST_HZ`] on.
pub(super) const PITCHES: usize = 98;
const LOWEST_HZ: f32 = 55.0;
const PITCHES_AN_OCTAVE: f32 = 24.0;
/// Frequencies of the spectrum, as far apart as the pitches, from the lowest pitch on.
pub(super) const PARTIALS: usize = 124;
/// Bands whose level is told, between these frequencies.
const BANDS: usize = 8;
const BAND_EDGES_HZ: [f32; BANDS + 1] = [
    60.0, 150.0, 250.0, 400.0, 600.0, 850.0, 1150.0, 1500.0, 2000.0,
];
/// Numbers about the sound as a whole.
pub(super) const WHOLE: usize = 4 + BANDS;
/// Numbers in a frame: two correlations at each F0, the spectrum, and those about the whole.
pub(super) const WIDTH: usize = 2 * PITCHES + PARTIALS + WHOLE;

/// Inside, every third sample of what the low-pass leaves.
pub(super) const DECIMATION: usize = 3;
pub(super) const INNER_RATE: f32 = RATE as f32 / DECIMATION as f32;
/// Taps of the low-pass; its delay is half of that.
pub(super) const TAPS: usize = 31;
/// Pole of the filter that removes the mean and rumble: corner at about 40 Hz.
const MEAN_POLE: f32 = 0.969;
pub(super) const LOOKAHEAD: usize = 264;
/// Inner samples from the moment of a frame to the newest one.
pub(super) const AHEAD: usize = (LOOKAHEAD - TAPS / 2) / DECIMATION;
const INNER_HOP: usize = HOP / DECIMATION;

/// Lags that are compared: those of [`PITCHES`], and what is needed to read between them.
const MIN_LAG: usize = 7;
const MAX_LAG: usize = 148;
pub(super) const LAGS: usize = MAX_LAG + 1;
/// Inner samples that are compared, 12 ms: longer stretches blur a moving F0.
const WINDOW: usize = 96;
/// Inner samples of the flattened spectrum, 40 ms.
const SHORT: usize = 320;
/// Length of the transforms, 64 ms: no lag meets its own tail. All of it for the partials.
const FFT: usize = 512;
/// Bins to either side, 156 Hz, whose mean a partial is measured against.
const AROUND: usize = 10;
/// The last bin of the spectrum that is read.
const LAST: usize = 124;
/// Bins of which the power is read.
const READ: usize = *BINS.end() + 1;
/// Samples whose energy is known: the longest that is compared, and one before.
const ENERGIES: usize = WINDOW + MAX_LAG + 1;
/// Power of a bin below which there is nothing, and of a band.
const FAINTEST: f32 = 1e-7;
const QUIETEST: f32 = 1e-6;
/// Inner samples that are kept: the late track looks at its moment again.
pub(super) const HISTORY: usize = 600;

/// What was quiet is forgotten at 6 dB a second.
const FORGET_QUIET: f32 = 1.013_9;

/// Two correlations at each of 98 F0, half a semitone apart from 55 Hz on, 124 partials, and 12 numbers
/// about the whole: `[frames, 332]`.
///
/// First the normalised cross-correlation of two stretches of 12 ms, one period apart, placed evenly
/// about the moment where the period leaves room, else as late as they can be. Then the
/// autocorrelation of the newest 40 ms with a flattened spectrum, where every harmonic counts nearly
/// alike: a strong formant makes the plain one peak at its own period. At each F0 up to about 230 Hz the highest
/// value within a quarter of a semitone, above it the value there. Then how far each partial of the newest 64 ms stands out, in nepers.
/// The last: level against the loudest and against the quietest lately, share of high frequencies,
/// level, and that of eight bands; each about -1 to 1.
///
/// # Streaming
/// Look-ahead 264 samples: 11 ms.
///
/// # Source
/// Correlation of stretches: Talkin (1995), A robust algorithm for pitch tracking, in Speech Coding and
/// Synthesis. Flattened spectrum: Tolonen & Karjalainen (2000), A computationally efficient multipitch
/// analysis model, IEEE TSAP 8(6), with exponent 1 in place of 0.67.
#[derive(Clone)]
pub struct F0Evidence {
    /// The newest `TAPS` samples before the hop at hand, and that hop, of which `in_hop` have come.
    line: [f32; TAPS + HOP],
    in_hop: usize,
    mean: MeanFilter,
    /// The newest inner samples.
    history: [f32; HISTORY],
    /// Mean square of the loudest and the quietest hop lately.
    loudest: f32,
    quietest: f32,
    /// Sums of squares of the hop before: below the low-pass, and of differences of all of it.
    before: [f32; 2],
    /// What transforms work on, and need besides.
    work: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Of the flattened spectrum, lag by lag.
    correlation: Vec<f32>,
}

impl Default for F0Evidence {
    fn default() -> Self {
        Self::new()
    }
}

impl F0Evidence {
    /// There is nothing to set.
    pub fn new() -> Self {
        let (both, inverse) = (&TABLES.both, &TABLES.inverse);
        let scratch = both
            .get_inplace_scratch_len()
            .max(inverse.get_scratch_len());
        Self {
            line: [0.0; TAPS + HOP],
            in_hop: 0,
            mean: MeanFilter::new(MEAN_POLE),
            history: [0.0; HISTORY],
            loudest: EXPECTED,
            quietest: SILENCE,
            before: [0.0; 2],
            work: vec![Complex::default(); FFT],
            scratch: vec![Complex::default(); scratch],
            correlation: vec![0.0; FFT],
        }
    }

    /// Takes as much of `input` as belongs to the hop at hand; what is left.
    pub(super) fn fill<'a>(&mut self, input: &'a [f32]) -> &'a [f32] {
        fill(&mut self.line[TAPS..], &mut self.in_hop, input)
    }

    /// The frame of the hop that is complete; the mean square of the newest two below the low-pass.
    pub(super) fn hear(&mut self, frame: &mut [f32; WIDTH]) -> f32 {
        Arch::new().dispatch(Frame(self, frame))
    }

    #[inline(always)]
    fn frame<S: Simd>(&mut self, simd: S, frame: &mut [f32; WIDTH]) -> f32 {
        self.history.copy_within(INNER_HOP.., 0);
        let inner = &mut self.history[HISTORY - INNER_HOP..];
        decimate(&self.line, inner);
        self.mean.take_away(inner);
        let (plain, rest) = frame.split_at_mut(PITCHES);
        let (flat, rest) = rest.split_at_mut(PITCHES);
        let (partials, whole) = rest.split_at_mut(PARTIALS);
        let mut at_lags = [0.0; LAGS];
        self.correlate(simd, AHEAD, MIN_LAG..LAGS, &mut at_lags);
        TABLES.grid.read(&at_lags, plain);
        let (whole, bands) = whole.split_at_mut(WHOLE - BANDS);
        let (short, long) = self.spectra();
        contrast(&long, partials);
        self.flatten(&short, bands);
        let correlation = &self.correlation;
        let scale = 1.0 / (correlation[0] + 1e-12);
        for (y, (x, overlap)) in at_lags
            .iter_mut()
            .zip(correlation.iter().zip(&TABLES.overlap))
        {
            *y = x * scale * overlap;
        }
        TABLES.grid.read(&at_lags, flat);
        let power = self.whole(simd, whole);
        self.line.copy_within(HOP.., 0);
        power
    }

    /// Normalised cross-correlation at some lags about the moment `ahead` inner samples before the
    /// newest.
    #[inline(always)]
    pub(super) fn correlate<S: Simd>(
        &self,
        simd: S,
        ahead: usize,
        lags: std::ops::Range<usize>,
        at_lags: &mut [f32; LAGS],
    ) {
        let Some(longest) = lags.clone().last() else {
            return;
        };
        let start = |lag: usize| {
            let span = WINDOW + lag;
            // Where there is room, half of it lies after the moment.
            let after = (span / 2).min(ahead);
            HISTORY - ahead + after - span
        };
        let origin = start(longest);
        let end = HISTORY - ahead + ((WINDOW + longest) / 2).min(ahead);
        let energy = energies(&self.history[origin..end]);
        let within = |from: usize| (energy[from + WINDOW - origin] - energy[from - origin]) as f32;
        for lag in lags {
            let first = start(lag);
            let (a, b) = (
                &self.history[first..][..WINDOW],
                &self.history[first + lag..][..WINDOW],
            );
            let energy = within(first) + within(first + lag);
            at_lags[lag] = 2.0 * dot(simd, a, b) / (energy + 1e-12);
        }
    }

    /// Power in each bin that is read, of the newest 40 ms and of the newest 64 ms: one transform of both, the second
    /// as the imaginary part.
    #[inline(always)]
    fn spectra(&mut self) -> ([f32; READ], [f32; READ]) {
        let work = &mut self.work;
        let newest = &self.history[HISTORY - FFT..];
        for ((z, x), [short, long]) in work.iter_mut().zip(newest).zip(&TABLES.windows) {
            *z = Complex::new(x * short, x * long);
        }
        TABLES.both.process_with_scratch(work, &mut self.scratch);
        let (mut short, mut long) = ([0.0; READ], [0.0; READ]);
        short[0] = work[0].re * work[0].re;
        long[0] = work[0].im * work[0].im;
        // Of real sounds, what belongs to negative frequencies mirrors what belongs to positive ones.
        let bins = work[1..READ]
            .iter()
            .zip(work[FFT - READ + 1..].iter().rev());
        for ((short, long), (z, m)) in short[1..].iter_mut().zip(&mut long[1..]).zip(bins) {
            let (even, odd) = (z.re + m.re, z.im - m.im);
            *short = 0.25 * (even * even + odd * odd);
            let (even, odd) = (z.im + m.im, z.re - m.re);
            *long = 0.25 * (even * even + odd * odd);
        }
        (short, long)
    }

    /// The correlation of the newest 40 ms with their spectrum flattened: of the power of each bin only
    /// the root is kept. Also the level of each band.
    #[inline(always)]
    fn flatten(&mut self, power: &[f32; READ], bands: &mut [f32]) {
        for (band, edges) in bands.iter_mut().zip(TABLES.edges.windows(2)) {
            let power: f32 = power[edges[0]..edges[1]].iter().sum();
            *band = ln(power.max(QUIETEST)) / 9.2 + 0.5;
        }
        let roots = &mut self.work[..=FFT / 2];
        roots.fill(Complex::default());
        for (root, power) in roots[BINS].iter_mut().zip(&power[BINS]) {
            root.re = power.sqrt();
        }
        let (correlation, scratch) = (&mut self.correlation, &mut self.scratch);
        // The lengths are those that the transform was planned for, so it cannot refuse them.
        let _ = TABLES
            .inverse
            .process_with_scratch(roots, correlation, scratch);
    }

    /// The numbers about the whole; the mean square of the newest two hops below the low-pass.
    #[inline(always)]
    fn whole<S: Simd>(&mut self, simd: S, whole: &mut [f32]) -> f32 {
        let newest = &self.history[HISTORY - INNER_HOP..];
        let low = dot(simd, newest, newest);
        let mut steps = [0.0; HOP];
        for (step, x) in steps.iter_mut().zip(self.line[TAPS - 1..].windows(2)) {
            *step = x[1] - x[0];
        }
        let high = dot(simd, &steps, &steps);
        let lows = (low + self.before[0]) / (2 * INNER_HOP) as f32;
        let highs = (high + self.before[1]) / (2 * HOP) as f32;
        self.before = [low, high];
        let power = lows.max(SILENCE);
        self.loudest = (self.loudest * FORGET).max(power);
        self.quietest = (self.quietest * FORGET_QUIET).min(power);
        // Natural logarithms of power: 4.6 of them are 20 dB.
        whole[0] = 1.0 + (ln(power) - ln(self.loudest)) / 4.6;
        whole[1] = (ln(power) - ln(self.quietest)) / 4.6 - 1.0;
        whole[2] = (ln(highs.max(1e-12)) - ln(lows.max(1e-12))) / 4.6 + 0.5;
        whole[3] = ln(power) / 9.2 + 1.0;
        lows
    }
}

/// Every third of what the low-pass leaves of a hop and the `TAPS` samples before it.
#[inline(always)]
fn decimate(line: &[f32; TAPS + HOP], out: &mut [f32]) {
    const EACH: usize = (TAPS + HOP).div_ceil(DECIMATION);
    let mut thirds = [[0.0; EACH]; DECIMATION];
    for (n, x) in line.chunks(DECIMATION).enumerate() {
        for (third, x) in thirds.iter_mut().zip(x) {
            third[n] = *x;
        }
    }
    let mut sums = [0.0; INNER_HOP];
    for (tap, weight) in TABLES.taps.iter().enumerate() {
        let (first, third) = ((tap + DECIMATION) / DECIMATION, &thirds[tap % DECIMATION]);
        for (sum, x) in sums.iter_mut().zip(&third[first..first + INNER_HOP]) {
            *sum += weight * x;
        }
    }
    out.copy_from_slice(&sums);
}

/// Sums of squares before each sample and, after the last, of all.
#[inline(always)]
fn energies(x: &[f32]) -> [f64; ENERGIES] {
    const CHAINS: usize = 4;
    const EACH: usize = (ENERGIES - 1) / CHAINS;
    const { assert!(CHAINS * EACH == ENERGIES - 1) };
    let mut padded = [0.0; ENERGIES - 1];
    padded[..x.len()].copy_from_slice(x);
    let mut energies = [0.0; ENERGIES];
    // Four sums, none of which waits for another; then each after the one before.
    let mut sums = [0.0; CHAINS];
    for n in 0..EACH {
        for (chain, sum) in sums.iter_mut().enumerate() {
            let x = f64::from(padded[chain * EACH + n]);
            *sum += x * x;
            energies[chain * EACH + n + 1] = *sum;
        }
    }
    let mut before = sums[0];
    for (energies, sum) in energies[1..].chunks_exact_mut(EACH).skip(1).zip(&sums[1..]) {
        for energy in energies {
            *energy += before;
        }
        before += sum;
    }
    energies
}

/// From power in each bin how far each partial stands out of what lies about it, in nepers.
#[inline(always)]
fn contrast(power: &[f32; READ], partials: &mut [f32]) {
    const SPAN: usize = 2 * AROUND + 1;
    const { assert!(SPAN == 16 + 4 + 1) };
    // Before the first bin there is nothing.
    let mut height = [0.0; LAST + 1 + SPAN];
    for (y, power) in height[AROUND..].iter_mut().zip(&power[..LAST + AROUND + 1]) {
        *y = 0.5 * ln(power.max(FAINTEST));
    }
    // Of 21 in a row: of 16, and 4 more, and one more.
    let twice = |of: &[f32; LAST + 1 + SPAN], apart: usize| {
        let mut sums = *of;
        for (sum, x) in sums.iter_mut().zip(&of[apart..]) {
            *sum += x;
        }
        sums
    };
    let twos = twice(&height, 1);
    let fours = twice(&twos, 2);
    let sixteens = twice(&twice(&fours, 4), 8);
    let mut out = [0.0; LAST + 1];
    for (bin, y) in out.iter_mut().enumerate() {
        let sum = sixteens[bin] + fours[bin + 16] + height[bin + SPAN - 1];
        let count = (bin + AROUND + 1).min(SPAN);
        *y = height[bin + AROUND] - sum / count as f32;
    }
    for (y, (bin, part)) in partials.iter_mut().zip(&TABLES.partials) {
        *y = out[*bin] + part * (out[bin + 1] - out[*bin]);
    }
}

/// One frame, compiled for the processor at hand.
struct Frame<'a>(&'a mut F0Evidence, &'a mut [f32; WIDTH]);

impl WithSimd for Frame<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        self.0.frame(simd, self.1)
    }
}

impl Analyzer for F0Evidence {
    fn width(&self) -> usize {
        WIDTH
    }

    fn window(&self) -> usize {
        DECIMATION * FFT + TAPS - 1
    }

    fn lookahead(&self) -> usize {
        LOOKAHEAD
    }

    fn frames(&self, input_len: usize) -> usize {
        (self.in_hop + input_len) / HOP
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let frames = self.frames(input.len());
        check_room(frames * WIDTH, output.len())?;
        let mut rest = input;
        for row in output.chunks_exact_mut(WIDTH).take(frames) {
            rest = self.fill(rest);
            let mut frame = [0.0; WIDTH];
            self.hear(&mut frame);
            row.copy_from_slice(&frame);
        }
        self.fill(rest);
        Ok(frames)
    }

    fn reset(&mut self) {
        self.line.fill(0.0);
        self.in_hop = 0;
        self.mean = MeanFilter::new(MEAN_POLE);
        self.history.fill(0.0);
        self.loudest = EXPECTED;
        self.quietest = SILENCE;
        self.before = [0.0; 2];
    }
}

struct Tables {
    taps: Vec<f32>,
    both: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// The short one, with zeros before it, and the long one.
    windows: Vec<[f32; 2]>,
    /// Bins at which bands begin and end.
    edges: Vec<usize>,
    /// Of each partial, the bin before it, and how far it lies beyond.
    partials: Vec<(usize, f32)>,
    /// One over the short window's correlation with itself, lag by lag.
    overlap: Vec<f32>,
    grid: Grid,
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

impl Tables {
    fn new() -> Self {
        let mut planner = RealFftPlanner::<f32>::new();
        let hann = |len: usize| -> Vec<f32> {
            let turn = std::f32::consts::TAU / len as f32;
            let at = |i: usize| 0.5 - 0.5 * (turn * (i as f32 + 0.5)).cos();
            (0..len).map(at).collect()
        };
        let window = hann(SHORT);
        let bin_hz = INNER_RATE / FFT as f32;
        let partial = |k: usize| {
            let place = frequency(k as f32) / bin_hz;
            (place as usize, place.fract())
        };
        let with_itself =
            |lag: usize| -> f32 { window[lag..].iter().zip(&window).map(|(a, b)| a * b).sum() };
        let overlap = |lag: usize| 1.0 / (with_itself(lag) / with_itself(0)).max(MIN_OVERLAP);
        let short = core::iter::repeat_n(0.0, FFT - SHORT).chain(window.iter().copied());
        Self {
            taps: lowpass(TAPS),
            both: FftPlanner::new().plan_fft_forward(FFT),
            inverse: planner.plan_fft_inverse(FFT),
            overlap: (0..LAGS).map(overlap).collect(),
            windows: short.zip(hann(FFT)).map(|(a, b)| [a, b]).collect(),
            edges: BAND_EDGES_HZ.map(|hz| (hz / bin_hz) as usize).to_vec(),
            partials: (0..PARTIALS).map(partial).collect(),
            grid: Grid::new(),
        }
    }
}

/// The period of a place among the pitches, which may lie between two, in inner samples.
pub(super) fn period(pitch: f32) -> f32 {
    INNER_RATE / LOWEST_HZ * (-pitch / PITCHES_AN_OCTAVE).exp2()
}

/// The F0 of such a place, in Hz.
pub(super) fn frequency(pitch: f32) -> f32 {
    LOWEST_HZ * (pitch / PITCHES_AN_OCTAVE).exp2()
}

/// From values at whole lags to the highest within a quarter of a semitone of each of `PITCHES`, as far as half lags
/// below the second longest lag tell one.
struct Grid {
    /// Of the lowest pitches, which have several half lags: where they begin, how far on the last of them begin that are
    /// looked through at once, and how often these are doubled.
    ranges: Vec<(usize, usize, usize)>,
    /// Of the others, the point itself, read from four lags by the cubic through them.
    points: Vec<(usize, [f32; 4])>,
}

/// Values at whole lags and between them, from the lowest on; and room for the highest of several.
const HALVES: usize = 2 * LAGS + 8;

impl Grid {
    fn new() -> Self {
        let (mut ranges, mut points) = (Vec::new(), Vec::new());
        for pitch in 0..PITCHES {
            let of = |aside: f32| period(pitch as f32 + aside);
            let (first, end) = (
                (2.0 * of(0.5)).ceil() as usize,
                (2.0 * of(-0.5)).ceil() as usize,
            );
            if points.is_empty() && end - first > 1 {
                let levels = (end - first).ilog2() as usize;
                ranges.push((first, end - first - (1 << levels), levels));
            } else {
                points.push(between(of(0.0)));
            }
        }
        Self { ranges, points }
    }

    #[inline(always)]
    fn read(&self, at_lags: &[f32; LAGS], pitches: &mut [f32]) {
        let mut halves = [[-1.0; HALVES]; 4];
        let [ones, twos, fours, eights] = &mut halves;
        for (two, x) in ones[2..].chunks_exact_mut(2).zip(at_lags.windows(4)) {
            two[0] = x[1];
            two[1] = 0.5625 * (x[1] + x[2]) - 0.0625 * (x[0] + x[3]);
        }
        higher(ones, 1, twos);
        higher(twos, 2, fours);
        higher(fours, 4, eights);
        let (low, high) = pitches.split_at_mut(self.ranges.len());
        for (y, (first, on, level)) in low.iter_mut().zip(&self.ranges) {
            let of = &halves[*level];
            *y = larger(of[*first], of[first + on]);
        }
        for (y, (first, weights)) in high.iter_mut().zip(&self.points) {
            let x = &at_lags[*first..][..4];
            *y = x[0] * weights[0] + x[1] * weights[1] + x[2] * weights[2] + x[3] * weights[3];
        }
    }
}

/// The larger of each and the one so many further on.
#[inline(always)]
fn higher(x: &[f32; HALVES], on: usize, y: &mut [f32; HALVES]) {
    let count = HALVES - on;
    for ((y, a), b) in y[..count].iter_mut().zip(&x[..count]).zip(&x[on..]) {
        *y = larger(*a, *b);
    }
}

/// The first of four lags about `lag`, and the weights of Lagrange's cubic through them.
fn between(lag: f32) -> (usize, [f32; 4]) {
    let first = (lag.floor() as usize - 1).min(LAGS - 4);
    let t = lag - first as f32;
    let weight = |n: usize| -> f32 {
        let others = (0..4).filter(|m| *m != n);
        others
            .map(|m| (t - m as f32) / (n as f32 - m as f32))
            .product()
    };
    (first, [weight(0), weight(1), weight(2), weight(3)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between -1 and 1, each time the same.
    fn noise<const N: usize>() -> [f32; N] {
        let mut state = 5u64;
        core::array::from_fn(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
    }

    #[test]
    fn every_third_of_the_low_pass_is_told() {
        let line = noise::<{ TAPS + HOP }>();
        let mut out = [0.0; INNER_HOP];
        decimate(&line, &mut out);
        for (k, y) in out.iter().enumerate() {
            let newest = &line[DECIMATION * (k + 1)..][..TAPS];
            let plain: f32 = newest.iter().zip(&TABLES.taps).map(|(x, w)| x * w).sum();
            assert!((y - plain).abs() < 1e-6, "{k}: {y}, {plain}");
        }
    }

    #[test]
    fn energies_are_sums_of_squares_at_every_length() {
        for len in [0, 1, 60, 61, 62, 150, ENERGIES - 1] {
            let x = &noise::<{ ENERGIES - 1 }>()[..len];
            let sums = energies(x);
            for n in 0..=len {
                let plain: f64 = x[..n].iter().map(|x| f64::from(x * x)).sum();
                assert!((sums[n] - plain).abs() < 1e-5, "{n} of {len}");
            }
        }
    }

    #[test]
    fn a_partial_stands_out_of_the_mean_about_it() {
        let power = noise::<READ>().map(|x| x * x);
        let mut partials = [0.0; PARTIALS];
        contrast(&power, &mut partials);
        let height = |bin: usize| 0.5 * f64::from(power[bin].max(FAINTEST)).ln();
        let plain = |bin: usize| {
            let about = bin.saturating_sub(AROUND)..bin + AROUND + 1;
            height(bin) - about.clone().map(height).sum::<f64>() / about.len() as f64
        };
        for (y, (bin, part)) in partials.iter().zip(&TABLES.partials) {
            let (a, b) = (plain(*bin), plain(bin + 1));
            let wanted = a + f64::from(*part) * (b - a);
            assert!(
                (f64::from(*y) - wanted).abs() < 1e-4,
                "{bin}: {y}, {wanted}"
            );
        }
    }

    #[test]
    fn one_transform_gives_both_spectra() {
        let mut evidence = F0Evidence::new();
        evidence.history = noise();
        let (short, long) = evidence.spectra();
        let newest = &evidence.history[HISTORY - FFT..];
        for (n, power) in [short, long].iter().enumerate() {
            for (bin, got) in power.iter().enumerate() {
                let (mut re, mut im) = (0.0, 0.0);
                for (k, x) in newest.iter().enumerate() {
                    let turn = std::f64::consts::TAU * (bin * k % FFT) as f64 / FFT as f64;
                    let x = f64::from(x * TABLES.windows[k][n]);
                    (re, im) = (re + x * turn.cos(), im - x * turn.sin());
                }
                let plain = re * re + im * im;
                assert!(
                    (f64::from(*got) - plain).abs() < 1e-3 * (1.0 + plain),
                    "{bin}"
                );
            }
        }
    }

    #[test]
    fn the_highest_about_a_pitch_is_read() {
        for pitch in [1, 20, 45, 60, 97] {
            let lag = period(pitch as f32);
            // As smooth as what passes the low-pass.
            let at_lags = core::array::from_fn(|n| (0.4 * (n as f32 - lag)).cos());
            let mut pitches = [0.0; PITCHES];
            TABLES.grid.read(&at_lags, &mut pitches);
            assert!(
                (pitches[pitch] - 1.0).abs() < 0.02,
                "{pitch}: {}",
                pitches[pitch]
            );
            let away = 0.4 * (period(pitch as f32 - 1.0) - lag);
            if away < 1.5 {
                continue;
            }
            assert!(pitches[pitch - 1] < 0.99, "{pitch}: {}", pitches[pitch - 1]);
        }
    }
}
