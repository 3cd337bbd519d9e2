//! Fundamental frequency and voicing, hop by hop.

mod evidence;
mod network;
mod tracks;

use std::sync::{Arc, LazyLock};

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::error::{check_room, DspError};
use crate::math::dot::dot;
use crate::stage::{Analyzer, HOP, RATE};

pub use evidence::F0Evidence;
pub use tracks::F0Tracks;

/// Numbers in a frame.
const WIDTH: usize = 4;
/// Inside, the tracker works on every second sample of what the low-pass leaves.
const DECIMATION: usize = 2;
const INNER_RATE: f32 = RATE as f32 / DECIMATION as f32;
/// Taps of the low-pass; its delay is half of that.
const TAPS: usize = 63;
/// Harmonics above this help little and carry most of the noise.
const LOWPASS_HZ: f64 = 2000.0;
/// Pole of the filter that removes the mean and rumble: corner at about 40 Hz.
const MEAN_POLE: f32 = 0.98;
const MIN_HZ: f32 = 55.0;
const MAX_HZ: f32 = 700.0;
/// Lags compared: one beyond `INNER_RATE / MIN_HZ`, one short of `INNER_RATE / MAX_HZ`.
const MAX_LAG: usize = 219;
const MIN_LAG: usize = 16;
const LAGS: usize = MAX_LAG + 1;
/// Samples that are compared, 17 ms: longer stretches blur a moving F0.
const WINDOW: usize = 200;
/// The comparison at the longest lag spans `WINDOW + MAX_LAG`, about its middle.
const SPAN: usize = WINDOW + MAX_LAG + 1;
/// Of the flattened spectrum; room for the span and the longest lag without meeting its own tail.
const FFT: usize = 768;
/// Bins of it that count: 47 Hz up to where the low-pass ends.
const BINS: std::ops::RangeInclusive<usize> = 3..=140;
/// The window's overlap with itself vanishes at long lags; below this nothing is made up for.
const MIN_OVERLAP: f32 = 0.25;
/// Share of the flattened correlation; the rest is the plain one's.
const FLAT_SHARE: f32 = 0.6;

pub(crate) const LOOKAHEAD: usize = 720;
/// Frames by which the decision waits for what comes next.
const DECISION_HOPS: usize = 1;
/// Inner samples from the middle of the span to the newest one.
const CENTRE: usize = (LOOKAHEAD - DECISION_HOPS * HOP - TAPS / 2) / DECIMATION;
const HISTORY: usize = CENTRE + SPAN / 2 + 1;
/// Inner samples of a hop.
const INNER_HOP: usize = HOP / DECIMATION;
/// The taps, with a zero before them: what registers hold is not left in part.
const ROW: usize = TAPS + 1;

/// Voiced candidates followed from frame to frame.
const CANDIDATES: usize = 6;
const UNVOICED: usize = CANDIDATES;
const STATES: usize = CANDIDATES + 1;
/// Likeness below which a peak is not worth following.
const MIN_PEAK: f32 = 0.2;
/// What it takes to be voiced: the strength of the unvoiced state. Chosen on speech, with the
/// prices, for as many voiced frames missed as unvoiced ones taken.
const UNVOICED_STRENGTH: f32 = 0.3;
/// Price of an octave of lag, so that of two equal peaks the shorter lag wins.
const LAG_PRICE: f32 = 0.02;
/// Price of a jump of an octave between frames, and of a change of voicing.
const JUMP_PRICE: f32 = 0.6;
const SWITCH_PRICE: f32 = 0.18;
/// Mean square below which nothing is voiced: -70 dBFS.
const SILENCE: f32 = 1e-7;
const QUIETEST_DB: f32 = -70.0;
/// A stretch this many dB below the loudest one lately needs to be far more periodic to count as
/// voiced: rooms hum, and noise of a narrow band looks periodic for a moment.
const FAINT_DB: f32 = 24.0;
/// The price then rises by this much over the next 10 dB.
const FAINT_PRICE: f32 = 0.45;
/// Before anything was heard, speech is expected at -36 dBFS.
const EXPECTED: f32 = 2.5e-4;
/// What was loud is forgotten at 3 dB a second.
const FORGET: f32 = 0.993_1;

/// F0 in Hz (0 when unvoiced), strength of voicing 0 to 1, voiced 0 or 1, level below 2 kHz in dBFS
/// (-70 at least): `[frames, 4]`.
///
/// Two stretches of 17 ms, one lag apart and placed evenly about the moment in question, are
/// compared by normalised cross-correlation. A strong formant makes the plain correlation peak at
/// its own period; so the correlation of the same stretch with a flattened spectrum, where every
/// harmonic counts nearly alike, chooses along. The peaks are followed from frame to frame, with a
/// price on jumps and on changes of voicing, and the way is decided one frame later. Voicing is the
/// plain correlation at the lag that was chosen.
///
/// # Streaming
/// Look-ahead 720 samples (30 ms): 31 of the low-pass, 449 of half the span, 240 of the decision.
/// 55 to 700 Hz.
///
/// # Source
/// Correlation of evenly placed stretches: Talkin (1995), A robust algorithm for pitch tracking,
/// in Speech Coding and Synthesis. Flattened spectrum: Tolonen & Karjalainen (2000), A
/// computationally efficient multipitch analysis model, IEEE TSAP 8(6), with exponent 1 in place of
/// 0.67. Prices after Boersma (1993), Accurate short-term analysis of the fundamental frequency.
#[derive(Clone)]
pub struct F0Tracker {
    /// The newest `ROW` samples before the hop at hand, and that hop, of which `in_hop` have come.
    line: [f32; ROW + HOP],
    in_hop: usize,
    mean: MeanFilter,
    /// The newest inner samples.
    history: [f32; HISTORY],
    path: Path,
    scratch: Vec<Complex<f32>>,
}

impl Default for F0Tracker {
    fn default() -> Self {
        Self::new()
    }
}

impl F0Tracker {
    /// There is nothing to set.
    pub fn new() -> Self {
        let (forward, inverse) = (&TABLES.forward, &TABLES.inverse);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            line: [0.0; ROW + HOP],
            in_hop: 0,
            mean: MeanFilter::new(MEAN_POLE),
            history: [0.0; HISTORY],
            path: Path::new(),
            scratch: vec![Complex::default(); scratch],
        }
    }

    fn fill<'a>(&mut self, input: &'a [f32]) -> &'a [f32] {
        fill(&mut self.line[ROW..], &mut self.in_hop, input)
    }

    #[inline(always)]
    fn frame<S: Simd>(&mut self, simd: S) -> [f32; WIDTH] {
        self.history.copy_within(INNER_HOP.., 0);
        let inner = &mut self.history[HISTORY - INNER_HOP..];
        for (k, y) in inner.iter_mut().enumerate() {
            let newest = &self.line[DECIMATION * (k + 1)..][..ROW];
            *y = dot(simd, newest, &TABLES.taps);
        }
        self.mean.take_away(inner);
        self.line.copy_within(HOP.., 0);
        let span = &self.history[HISTORY - 1 - CENTRE - SPAN / 2..][..SPAN];
        let (periodicity, power) = Periodicity::of(simd, span, &mut self.scratch);
        let mut found = [NOBODY; STATES];
        if power >= SILENCE {
            periodicity.peaks(&mut found);
        }
        self.path.follow(found, power);
        self.path.decided()
    }
}

/// One frame, compiled for the processor at hand.
struct Frame<'a>(&'a mut F0Tracker);

impl WithSimd for Frame<'_> {
    type Output = [f32; WIDTH];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f32; WIDTH] {
        self.0.frame(simd)
    }
}

impl Analyzer for F0Tracker {
    fn width(&self) -> usize {
        WIDTH
    }

    fn window(&self) -> usize {
        DECIMATION * HISTORY + TAPS - 1
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
            row.copy_from_slice(&Arch::new().dispatch(Frame(self)));
        }
        self.fill(rest);
        Ok(frames)
    }

    fn reset(&mut self) {
        self.line.fill(0.0);
        self.in_hop = 0;
        self.mean = MeanFilter::new(MEAN_POLE);
        self.history.fill(0.0);
        self.path = Path::new();
    }
}

/// Takes as much of `input` as belongs to the hop at hand, of which `in_hop` samples have come; what is left.
fn fill<'a>(hop: &mut [f32], in_hop: &mut usize, input: &'a [f32]) -> &'a [f32] {
    let (now, later) = input.split_at(input.len().min(HOP - *in_hop));
    for (y, x) in hop[*in_hop..].iter_mut().zip(now) {
        // Eight times full scale: far too loud for speech, and its squares are still exact enough.
        *y = if x.is_finite() {
            x.clamp(-8.0, 8.0)
        } else {
            0.0
        };
    }
    *in_hop = (*in_hop + now.len()) % HOP;
    later
}

/// Takes the mean away, and rumble.
#[derive(Clone)]
struct MeanFilter {
    pole: f32,
    low: f32,
    flat: f32,
}

impl MeanFilter {
    fn new(pole: f32) -> Self {
        let (low, flat) = (0.0, 0.0);
        Self { pole, low, flat }
    }

    fn take_away(&mut self, samples: &mut [f32]) {
        for y in samples {
            let low = *y;
            let flat = low - self.low + self.pole * self.flat;
            self.low = low;
            self.flat = flat;
            // Denormals would slow everything behind them down.
            *y = if flat.abs() < 1e-18 { 0.0 } else { flat };
        }
        // A hop makes none of what is larger.
        if self.flat.abs() < 1e-18 {
            self.flat = 0.0;
        }
    }
}

struct Tables {
    taps: [f32; ROW],
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
    /// The window's correlation with itself, lag by lag.
    overlap: Vec<f32>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

impl Tables {
    fn new() -> Self {
        let mut planner = RealFftPlanner::<f32>::new();
        let hann =
            |i: usize| 0.5 - 0.5 * (std::f32::consts::TAU * (i as f32 + 0.5) / SPAN as f32).cos();
        let window: Vec<f32> = (0..SPAN).map(hann).collect();
        let with_itself =
            |lag: usize| -> f32 { window[lag..].iter().zip(&window).map(|(a, b)| a * b).sum() };
        let overlap = |lag: usize| (with_itself(lag) / with_itself(0)).max(MIN_OVERLAP);
        let mut taps = [0.0; ROW];
        taps[ROW - TAPS..].copy_from_slice(&lowpass(TAPS));
        Self {
            taps,
            forward: planner.plan_fft_forward(FFT),
            inverse: planner.plan_fft_inverse(FFT),
            overlap: (0..LAGS).map(overlap).collect(),
            window,
        }
    }
}

/// Hamming-windowed sinc of unit sum.
fn lowpass(taps: usize) -> Vec<f32> {
    let middle = (taps / 2) as f64;
    let tap = |i: usize| {
        let t = i as f64 - middle;
        let x = std::f64::consts::PI * 2.0 * LOWPASS_HZ / f64::from(RATE) * t;
        let sinc = if t == 0.0 { 1.0 } else { x.sin() / x };
        sinc * (0.54 + 0.46 * (std::f64::consts::PI * t / (middle + 1.0)).cos())
    };
    let sum: f64 = (0..taps).map(tap).sum();
    (0..taps).map(|i| (tap(i) / sum) as f32).collect()
}

/// One way to be: voiced at some lag, or unvoiced.
#[derive(Clone, Copy)]
struct State {
    /// log2 of the lag; of no meaning in the unvoiced state.
    octaves: f32,
    /// What speaks for it in this frame alone.
    strength: f32,
    /// Plain correlation at the lag.
    voicing: f32,
    /// What speaks for the best way that ends in it.
    score: f32,
}

const NOBODY: State = State {
    octaves: 0.0,
    strength: 0.0,
    voicing: 0.0,
    score: f32::MIN / 4.0,
};

/// How alike a span is to itself, lag by lag.
struct Periodicity {
    /// Plain normalised cross-correlation.
    plain: [f32; LAGS],
    /// The same mixed with that of the flattened spectrum.
    likeness: [f32; LAGS],
}

impl Periodicity {
    /// Compares a span with itself at every lag; also its mean square.
    #[inline(always)]
    fn of<S: Simd>(simd: S, x: &[f32], scratch: &mut [Complex<f32>]) -> (Self, f32) {
        let flat = flattened(x, scratch);
        // Sum of squares before each sample of the span.
        let mut energy = [0.0f64; SPAN + 1];
        let mut sum = 0.0;
        for (before, v) in energy.iter_mut().zip(x) {
            *before = sum;
            sum += f64::from(v * v);
        }
        energy[SPAN] = sum;
        let within = |from: usize| (energy[from + WINDOW] - energy[from]) as f32;
        let whole = flat[0] + 1e-12;
        let (mut plain, mut likeness) = ([0.0; LAGS], [0.0; LAGS]);
        for lag in MIN_LAG - 1..=MAX_LAG {
            let first = SPAN / 2 - (WINDOW + lag) / 2;
            let energy = within(first) + within(first + lag);
            let (a, b) = (&x[first..][..WINDOW], &x[first + lag..][..WINDOW]);
            plain[lag] = 2.0 * dot(simd, a, b) / (energy + 1e-12);
            let flat = flat[lag] / (whole * TABLES.overlap[lag]);
            likeness[lag] = plain[lag] + FLAT_SHARE * (flat - plain[lag]);
        }
        (Self { plain, likeness }, sum as f32 / SPAN as f32)
    }

    /// Fills the front of `found` with the strongest peaks, best first.
    fn peaks(&self, found: &mut [State; STATES]) {
        let mut count = 0;
        for lag in MIN_LAG..MAX_LAG {
            let Some((offset, height)) = vertex(&self.likeness, lag) else {
                continue;
            };
            if height < MIN_PEAK {
                continue;
            }
            let (exact, voicing) = self.refine(lag, lag as f32 + offset);
            let octaves = exact.log2();
            let strength = height - LAG_PRICE * (octaves - (MIN_LAG as f32).log2());
            let place = found[..count]
                .iter()
                .position(|other| other.strength < strength)
                .unwrap_or(count);
            if place == CANDIDATES {
                continue;
            }
            count = (count + 1).min(CANDIDATES);
            found[place..count].rotate_right(1);
            found[place] = State {
                octaves,
                strength,
                voicing,
                score: 0.0,
            };
        }
    }

    /// Lag and height of the plain correlation's peak near `lag`, where it has one: the flattened
    /// spectrum knows better which peak it is, the plain one where it lies.
    fn refine(&self, lag: usize, otherwise: f32) -> (f32, f32) {
        let near = lag.saturating_sub(2).max(MIN_LAG)..=(lag + 2).min(MAX_LAG - 1);
        let top = near
            .max_by(|&a, &b| self.plain[a].total_cmp(&self.plain[b]))
            .unwrap_or(lag);
        match vertex(&self.plain, top) {
            Some((offset, height)) => (top as f32 + offset, height),
            None => (otherwise, self.plain[lag]),
        }
    }
}

/// The correlation of the windowed span with its spectrum flattened: of the power of each bin only the
/// root is kept.
#[inline(always)]
fn flattened(x: &[f32], scratch: &mut [Complex<f32>]) -> [f32; FFT] {
    let mut work = [0.0; FFT];
    for ((y, v), w) in work.iter_mut().zip(x).zip(&TABLES.window) {
        *y = v * w;
    }
    let mut spectrum = [Complex::default(); FFT / 2 + 1];
    // The lengths are those that the transforms were planned for, so they cannot refuse them.
    let forward = &TABLES.forward;
    let _ = forward.process_with_scratch(&mut work, &mut spectrum, scratch);
    let mut roots = [Complex::default(); FFT / 2 + 1];
    for (root, value) in roots[BINS].iter_mut().zip(&spectrum[BINS]) {
        root.re = value.norm_sqr().sqrt();
    }
    let inverse = &TABLES.inverse;
    let _ = inverse.process_with_scratch(&mut roots, &mut work, scratch);
    work
}

/// Where between its neighbours, and how high, the parabola through a peak at `at` has its top.
fn vertex(values: &[f32], at: usize) -> Option<(f32, f32)> {
    let (before, here, after) = (values[at - 1], values[at], values[at + 1]);
    if here < before || here <= after {
        return None;
    }
    let offset = 0.5 * (before - after) / (before - 2.0 * here + after);
    Some((offset, here - 0.25 * (before - after) * offset))
}

/// Viterbi's search for the best way through the candidates, decided `DECISION_HOPS` later.
#[derive(Clone)]
struct Path {
    states: [State; STATES],
    /// The states of the frame before, and from which of them each of `states` comes.
    before: [State; STATES],
    from: [usize; STATES],
    /// Mean square of the loudest stretch lately.
    loudest: f32,
    /// Of the newest stretch and of the one before.
    level_db: [f32; 2],
}

impl Path {
    fn new() -> Self {
        let mut states = [NOBODY; STATES];
        states[UNVOICED].score = 0.0;
        Self {
            states,
            before: states,
            from: [UNVOICED; STATES],
            loudest: EXPECTED,
            level_db: [QUIETEST_DB; 2],
        }
    }

    /// One step: each candidate's best way from the last frame's states.
    fn follow(&mut self, mut next: [State; STATES], power: f32) {
        next[UNVOICED].strength = self.unvoiced_strength(power);
        next[UNVOICED].score = 0.0;
        let mut top = f32::MIN;
        for (index, state) in next.iter_mut().enumerate() {
            if state.score < 0.0 {
                continue;
            }
            let (from, score) = self.best_way(index, state.octaves);
            self.from[index] = from;
            state.score = score + state.strength;
            top = top.max(state.score);
        }
        for state in &mut next {
            state.score = (state.score - top).max(NOBODY.score);
        }
        self.before = std::mem::replace(&mut self.states, next);
        self.level_db = [10.0 * power.max(SILENCE).log10(), self.level_db[0]];
    }

    fn unvoiced_strength(&mut self, power: f32) -> f32 {
        self.loudest = (self.loudest * FORGET).max(power).max(SILENCE);
        let below_db = 10.0 * (self.loudest / power.max(SILENCE)).log10();
        let faint = ((below_db - FAINT_DB) / 10.0).clamp(0.0, 1.0);
        UNVOICED_STRENGTH + FAINT_PRICE * faint
    }

    /// The state to come from, and the score so far.
    fn best_way(&self, to: usize, octaves: f32) -> (usize, f32) {
        let mut best = (UNVOICED, f32::MIN);
        for (index, past) in self.states.iter().enumerate() {
            let price = match (to == UNVOICED, index == UNVOICED) {
                (true, true) => 0.0,
                (false, false) => JUMP_PRICE * (octaves - past.octaves).abs(),
                _ => SWITCH_PRICE,
            };
            if past.score - price > best.1 {
                best = (index, past.score - price);
            }
        }
        best
    }

    /// The frame before the newest, as the best way up to now passes through it.
    fn decided(&self) -> [f32; WIDTH] {
        let by_score = |&a: &usize, &b: &usize| {
            let (a, b) = (self.states[a].score, self.states[b].score);
            a.total_cmp(&b)
        };
        let newest = (0..STATES).max_by(by_score).unwrap_or(UNVOICED);
        let state = self.from[newest];
        if state == UNVOICED {
            let voiced = &self.before[..CANDIDATES];
            let voicing = voiced.iter().map(|s| s.voicing).fold(0.0, f32::max);
            return [0.0, voicing.min(1.0), 0.0, self.level_db[1]];
        }
        let State {
            octaves, voicing, ..
        } = self.before[state];
        let f0_hz = (INNER_RATE / octaves.exp2()).clamp(MIN_HZ, MAX_HZ);
        [f0_hz, voicing.clamp(0.0, 1.0), 1.0, self.level_db[1]]
    }
}
