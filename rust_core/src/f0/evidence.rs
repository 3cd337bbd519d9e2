//! What speaks for each F0, hop by hop.

use std::sync::{Arc, LazyLock};

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::error::{check_room, DspError};
use crate::math::curve::ln;
use crate::math::dot::dot;
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
/// The taps, with a zero before them: what registers hold is not left in part.
const ROW: usize = TAPS + 1;

/// Lags that are compared: those of [`PITCHES`], and what is needed to read between them.
const MIN_LAG: usize = 7;
const MAX_LAG: usize = 148;
pub(super) const LAGS: usize = MAX_LAG + 1;
/// Inner samples that are compared, 12 ms: longer stretches blur a moving F0.
const WINDOW: usize = 96;
/// Inner samples of the flattened spectrum, 40 ms.
const LONG: usize = 320;
/// Length of the transforms, 64 ms: no lag meets its own tail. All of it for the partials.
const FFT: usize = 512;
/// Bins to either side, 156 Hz, whose mean a partial is measured against.
const AROUND: usize = 10;
/// The last bin of the spectrum that is read.
const LAST: usize = 124;
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
/// alike: a strong formant makes the plain one peak at its own period. At each F0 the highest value
/// within a quarter of a semitone. Then how far each partial of the newest 64 ms stands out, in nepers.
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
    /// The newest `ROW` samples before the hop at hand, and that hop, of which `in_hop` have come.
    line: [f32; ROW + HOP],
    in_hop: usize,
    mean: MeanFilter,
    /// The newest inner samples.
    history: [f32; HISTORY],
    /// Mean square of the loudest and the quietest hop lately.
    loudest: f32,
    quietest: f32,
    /// Sums of squares of the hop before: below the low-pass, and of differences of all of it.
    before: [f32; 2],
    scratch: Vec<Complex<f32>>,
}

impl Default for F0Evidence {
    fn default() -> Self {
        Self::new()
    }
}

impl F0Evidence {
    /// There is nothing to set.
    pub fn new() -> Self {
        let (forward, inverse) = (&TABLES.forward, &TABLES.inverse);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            line: [0.0; ROW + HOP],
            in_hop: 0,
            mean: MeanFilter::new(MEAN_POLE),
            history: [0.0; HISTORY],
            loudest: EXPECTED,
            quietest: SILENCE,
            before: [0.0; 2],
            scratch: vec![Complex::default(); scratch],
        }
    }

    /// Takes as much of `input` as belongs to the hop at hand; what is left.
    pub(super) fn fill<'a>(&mut self, input: &'a [f32]) -> &'a [f32] {
        fill(&mut self.line[ROW..], &mut self.in_hop, input)
    }

    /// The frame of the hop that is complete; the mean square of the newest two below the low-pass.
    pub(super) fn hear(&mut self, frame: &mut [f32; WIDTH]) -> f32 {
        Arch::new().dispatch(Frame(self, frame))
    }

    #[inline(always)]
    fn frame<S: Simd>(&mut self, simd: S, frame: &mut [f32; WIDTH]) -> f32 {
        self.history.copy_within(INNER_HOP.., 0);
        let inner = &mut self.history[HISTORY - INNER_HOP..];
        for (k, y) in inner.iter_mut().enumerate() {
            let newest = &self.line[DECIMATION * (k + 1)..][..ROW];
            *y = dot(simd, newest, &TABLES.taps);
        }
        self.mean.take_away(inner);
        let (plain, rest) = frame.split_at_mut(PITCHES);
        let (flat, rest) = rest.split_at_mut(PITCHES);
        let (partials, whole) = rest.split_at_mut(PARTIALS);
        let mut at_lags = [0.0; LAGS];
        self.correlate(simd, AHEAD, MIN_LAG..LAGS, &mut at_lags);
        TABLES.grid.read(&at_lags, plain);
        let (whole, bands) = whole.split_at_mut(WHOLE - BANDS);
        let correlation = self.flattened(bands);
        let scale = 1.0 / (correlation[0] + 1e-12);
        for (y, (x, overlap)) in at_lags
            .iter_mut()
            .zip(correlation.iter().zip(&TABLES.overlap))
        {
            *y = x * scale * overlap;
        }
        TABLES.grid.read(&at_lags, flat);
        self.contrast(partials);
        let power = self.whole(whole);
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
        // Sum of squares before each sample, from the first that is compared to the last.
        let origin = start(longest).min(start(lags.start));
        let end = HISTORY - ahead + ((WINDOW + longest) / 2).min(ahead);
        let mut energy = [0.0f64; HISTORY + 1];
        let mut sum = 0.0;
        for (after, x) in energy[1..].iter_mut().zip(&self.history[origin..end]) {
            sum += f64::from(x * x);
            *after = sum;
        }
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

    /// The correlation of the newest 40 ms with their spectrum flattened: of the power of each bin only
    /// the root is kept. Also the level of each band.
    #[inline(always)]
    fn flattened(&mut self, bands: &mut [f32]) -> [f32; FFT] {
        let mut work = [0.0; FFT];
        let newest = &self.history[HISTORY - LONG..];
        for ((y, v), w) in work.iter_mut().zip(newest).zip(&TABLES.window) {
            *y = v * w;
        }
        let mut spectrum = [Complex::default(); FFT / 2 + 1];
        // The lengths are those that the transforms were planned for, so they cannot refuse them.
        let (forward, inverse) = (&TABLES.forward, &TABLES.inverse);
        let _ = forward.process_with_scratch(&mut work, &mut spectrum, &mut self.scratch);
        for (band, edges) in bands.iter_mut().zip(TABLES.edges.windows(2)) {
            let power: f32 = spectrum[edges[0]..edges[1]]
                .iter()
                .map(|z| z.norm_sqr())
                .sum();
            *band = ln(power.max(QUIETEST)) / 9.2 + 0.5;
        }
        let mut roots = [Complex::default(); FFT / 2 + 1];
        for (root, value) in roots[BINS].iter_mut().zip(&spectrum[BINS]) {
            root.re = value.norm_sqr().sqrt();
        }
        let _ = inverse.process_with_scratch(&mut roots, &mut work, &mut self.scratch);
        work
    }

    /// How far each partial stands out of what lies about it, in nepers, over the newest 64 ms.
    #[inline(always)]
    fn contrast(&mut self, partials: &mut [f32]) {
        let mut work = [0.0; FFT];
        let newest = &self.history[HISTORY - FFT..];
        for ((y, v), w) in work.iter_mut().zip(newest).zip(&TABLES.long_window) {
            *y = v * w;
        }
        let mut spectrum = [Complex::default(); FFT / 2 + 1];
        let forward = &TABLES.forward;
        let _ = forward.process_with_scratch(&mut work, &mut spectrum, &mut self.scratch);
        let mut height = [0.0; LAST + AROUND + 1];
        for (y, z) in height.iter_mut().zip(&spectrum) {
            *y = 0.5 * ln(z.norm_sqr().max(FAINTEST));
        }
        let mut before = [0.0; LAST + AROUND + 2];
        let mut sum = 0.0;
        for (after, x) in before[1..].iter_mut().zip(&height) {
            sum += x;
            *after = sum;
        }
        let mut out = [0.0; LAST + 1];
        for (bin, y) in out.iter_mut().enumerate() {
            let (from, to) = (bin.saturating_sub(AROUND), bin + AROUND + 1);
            *y = height[bin] - (before[to] - before[from]) / (to - from) as f32;
        }
        for (y, (bin, part)) in partials.iter_mut().zip(&TABLES.partials) {
            *y = out[*bin] + part * (out[bin + 1] - out[*bin]);
        }
    }

    /// The numbers about the whole; the mean square of the newest two hops below the low-pass.
    #[inline(always)]
    fn whole(&mut self, whole: &mut [f32]) -> f32 {
        let low: f32 = self.history[HISTORY - INNER_HOP..]
            .iter()
            .map(|x| x * x)
            .sum();
        let new = &self.line[ROW - 1..];
        let high: f32 = new.windows(2).map(|x| (x[1] - x[0]) * (x[1] - x[0])).sum();
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
    taps: [f32; ROW],
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
    long_window: Vec<f32>,
    /// Bins at which bands begin and end.
    edges: Vec<usize>,
    /// Of each partial, the bin before it, and how far it lies beyond.
    partials: Vec<(usize, f32)>,
    /// One over the long window's correlation with itself, lag by lag.
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
        let window = hann(LONG);
        let bin_hz = INNER_RATE / FFT as f32;
        let partial = |k: usize| {
            let place = frequency(k as f32) / bin_hz;
            (place as usize, place.fract())
        };
        let with_itself =
            |lag: usize| -> f32 { window[lag..].iter().zip(&window).map(|(a, b)| a * b).sum() };
        let overlap = |lag: usize| 1.0 / (with_itself(lag) / with_itself(0)).max(MIN_OVERLAP);
        let mut taps = [0.0; ROW];
        taps[ROW - TAPS..].copy_from_slice(&lowpass(TAPS));
        Self {
            taps,
            forward: planner.plan_fft_forward(FFT),
            inverse: planner.plan_fft_inverse(FFT),
            overlap: (0..LAGS).map(overlap).collect(),
            window,
            long_window: hann(FFT),
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

/// From values at whole lags to the highest about each of `PITCHES`.
struct Grid {
    /// Points no more than a sample apart, each read from four lags by the cubic through them.
    points: Vec<(usize, [f32; 4])>,
    /// How many of them belong to each pitch.
    counts: Vec<usize>,
}

impl Grid {
    fn new() -> Self {
        let (mut points, mut counts) = (Vec::new(), Vec::new());
        for pitch in 0..PITCHES {
            let pitch = pitch as f32;
            let (longest, shortest) = (period(pitch - 0.5), period(pitch + 0.5));
            let count = (longest - shortest).ceil() as usize;
            for n in 0..count {
                let part = (n as f32 + 0.5) / count as f32;
                points.push(between(shortest + part * (longest - shortest)));
            }
            counts.push(count);
        }
        Self { points, counts }
    }

    #[inline(always)]
    fn read(&self, at_lags: &[f32; LAGS], pitches: &mut [f32]) {
        let mut points = self.points.iter();
        for (y, count) in pitches.iter_mut().zip(&self.counts) {
            let mut highest = -1.0f32;
            for (first, weights) in points.by_ref().take(*count) {
                let x = &at_lags[*first..][..4];
                let value =
                    x[0] * weights[0] + x[1] * weights[1] + x[2] * weights[2] + x[3] * weights[3];
                highest = highest.max(value);
            }
            *y = highest;
        }
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
