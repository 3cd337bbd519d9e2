//! Fundamental frequency and voicing, hop by hop.

use std::sync::Arc;

use crate::error::{check_room, DspError};
use crate::stage::{Analyzer, HOP, RATE};

/// Inside, the tracker works on every second sample of what the low-pass leaves.
const DECIMATION: usize = 2;
const INNER_RATE: f32 = RATE as f32 / DECIMATION as f32;
/// Taps of the low-pass; its delay is half of that.
const TAPS: usize = 63;
/// Harmonics above this help little and carry most of the noise.
const LOWPASS_HZ: f64 = 2000.0;
/// Pole of the filter that removes the mean and rumble: corner at about 40 Hz.
const DC_POLE: f32 = 0.98;
/// Samples that are compared, 17 ms: longer stretches blur a moving F0; and the longest and shortest lag, 55 and 700 Hz.
const WINDOW: usize = 200;
const MAX_LAG: usize = 219;
const MIN_LAG: usize = 16;
const LAGS: usize = MAX_LAG + 1;
/// History: the comparison at the longest lag spans `WINDOW + MAX_LAG`, about its middle.
const SPAN: usize = WINDOW + MAX_LAG + 2;
const LOOKAHEAD: usize = 720;
const CENTRE: usize = (LOOKAHEAD - TAPS / 2) / DECIMATION;
const HISTORY: usize = CENTRE + SPAN / 2 + 1;
const HISTORY_RING: usize = HISTORY + HOP / DECIMATION;
/// Voiced candidates followed from frame to frame.
const CANDIDATES: usize = 6;
const STATES: usize = CANDIDATES + 1;
/// Correlation below which a peak is not worth following.
const MIN_PEAK: f32 = 0.3;
/// What it takes to be voiced: the strength of the unvoiced state.
const UNVOICED: f32 = 0.45;
/// Price of an octave of lag, so that of two equal peaks the shorter lag wins.
const LAG_PRICE: f32 = 0.025;
/// Price of a jump of an octave between frames, and of a change of voicing.
const JUMP_PRICE: f32 = 0.6;
const SWITCH_PRICE: f32 = 0.12;
/// Mean square below which nothing is voiced: -70 dBFS.
const SILENCE: f32 = 1e-7;
/// A stretch this many dB below the loudest one lately needs to be far more periodic to count as
/// voiced: rooms hum, and noise of a narrow band looks periodic for a moment.
const FAINT_DB: f32 = 24.0;
/// The price then rises by this much over the next 10 dB.
const FAINT_PRICE: f32 = 0.45;
/// What was loud is forgotten at 3 dB a second.
const FORGET: f32 = 0.993_1;

#[derive(Clone, Copy)]
struct State {
    /// log2 of the lag; of no meaning in the unvoiced state, which is the last.
    octaves: f32,
    strength: f32,
    score: f32,
}

const NOBODY: State = State {
    octaves: 0.0,
    strength: 0.0,
    score: f32::MIN / 4.0,
};

/// F0 in Hz (0 when unvoiced), strength of voicing 0 to 1, voiced 0 or 1: `[frames, 3]`.
///
/// Two stretches of 17 ms, one lag apart and placed evenly about the moment in question, are
/// compared by normalised cross-correlation; the peaks are followed from frame to frame, with a
/// price on jumps and on changes of voicing.
///
/// # Streaming
/// Look-ahead 720 samples (30 ms). 55 to 700 Hz.
///
/// # Source
/// Correlation of evenly placed stretches: Talkin (1995), A robust algorithm for pitch tracking,
/// in Speech Coding and Synthesis; prices after Boersma (1993), Accurate short-term analysis of the
/// fundamental frequency. Here decided frame by frame, without the way back.
#[derive(Clone)]
pub struct F0Tracker {
    taps: Arc<[f32]>,
    /// Input of the low-pass, twice over, so that any `TAPS` in a row are at hand.
    line: [f32; 2 * TAPS],
    at: usize,
    odd: bool,
    dc_in: f32,
    dc_out: f32,
    history: Vec<f32>,
    /// Samples of `history` in use.
    held: usize,
    in_hop: usize,
    correlation: Vec<f32>,
    /// Sum of squares before each sample of the span compared.
    energy: Vec<f64>,
    states: [State; STATES],
    /// Mean square of the loudest stretch lately.
    loudest: f32,
}

impl Default for F0Tracker {
    fn default() -> Self {
        Self::new()
    }
}

impl F0Tracker {
    /// There is nothing to set.
    pub fn new() -> Self {
        Self {
            taps: lowpass().into(),
            line: [0.0; 2 * TAPS],
            at: 0,
            odd: false,
            dc_in: 0.0,
            dc_out: 0.0,
            history: vec![0.0; HISTORY_RING],
            held: HISTORY,
            in_hop: 0,
            correlation: vec![0.0; LAGS],
            energy: vec![0.0; SPAN + 1],
            states: begin(),
            loudest: SILENCE,
        }
    }

    /// One sample through mean removal, low-pass and decimation.
    fn take(&mut self, x: f32) {
        let x = if x.is_finite() {
            x.clamp(-8.0, 8.0)
        } else {
            0.0
        };
        self.line[self.at] = x;
        self.line[self.at + TAPS] = x;
        self.at = (self.at + 1) % TAPS;
        self.odd = !self.odd;
        if self.odd {
            return;
        }
        let newest = &self.line[self.at..self.at + TAPS];
        let low: f32 = newest
            .iter()
            .zip(self.taps.iter())
            .map(|(a, b)| a * b)
            .sum();
        let flat = low - self.dc_in + DC_POLE * self.dc_out;
        self.dc_in = low;
        self.dc_out = if flat.abs() < 1e-18 { 0.0 } else { flat };
        self.history[self.held] = self.dc_out;
        self.held += 1;
    }

    fn frame(&mut self, out: &mut [f32]) {
        self.history.copy_within(self.held - HISTORY..self.held, 0);
        self.held = HISTORY;
        let power = self.correlate();
        let mut candidates = [NOBODY; STATES];
        let found = self.peaks(&mut candidates, power);
        self.follow(&mut candidates, found, power);
        let best =
            (0..STATES).max_by(|&a, &b| self.states[a].score.total_cmp(&self.states[b].score));
        let best = best.unwrap_or(CANDIDATES);
        let strongest = self.states[..CANDIDATES]
            .iter()
            .map(|s| s.strength)
            .fold(0.0, f32::max);
        let voiced = best < CANDIDATES;
        out[0] = if voiced {
            INNER_RATE / self.states[best].octaves.exp2()
        } else {
            0.0
        };
        out[1] = if voiced {
            self.states[best].strength
        } else {
            strongest
        }
        .clamp(0.0, 1.0);
        out[2] = f32::from(u8::from(voiced));
    }

    /// Fills `correlation` for every lag; returns the mean square about the moment.
    fn correlate(&mut self) -> f32 {
        let x = &self.history[HISTORY - 1 - CENTRE - SPAN / 2..][..SPAN];
        let mut sum = 0.0;
        for (before, v) in self.energy.iter_mut().zip(x) {
            *before = sum;
            sum += f64::from(v * v);
        }
        self.energy[SPAN] = sum;
        let within = |from: usize| (self.energy[from + WINDOW] - self.energy[from]) as f32;
        let mut power = 0.0;
        for lag in MIN_LAG - 1..=MAX_LAG {
            let first = SPAN / 2 - (WINDOW + lag) / 2;
            let dot = product(
                &x[first..first + WINDOW],
                &x[first + lag..first + lag + WINDOW],
            );
            let energy = within(first) + within(first + lag);
            self.correlation[lag] = 2.0 * dot / (energy + 1e-12);
            power = energy / (2.0 * WINDOW as f32);
        }
        power
    }

    /// The strongest peaks of the correlation, best first; how many there are.
    fn peaks(&self, found: &mut [State; STATES], power: f32) -> usize {
        let mut count = 0;
        if power < SILENCE {
            return 0;
        }
        for lag in MIN_LAG..MAX_LAG {
            let (before, here, after) = (
                self.correlation[lag - 1],
                self.correlation[lag],
                self.correlation[lag + 1],
            );
            if here < MIN_PEAK || here < before || here <= after {
                continue;
            }
            let bend = before - 2.0 * here + after;
            let offset = if bend < 0.0 {
                0.5 * (before - after) / bend
            } else {
                0.0
            };
            let height = here - 0.25 * (before - after) * offset;
            let octaves = (lag as f32 + offset).log2();
            let strength = height - LAG_PRICE * (octaves - (MIN_LAG as f32).log2());
            let state = State {
                octaves,
                strength,
                score: 0.0,
            };
            let mut place = count.min(CANDIDATES - 1);
            if count == CANDIDATES && found[place].strength >= strength {
                continue;
            }
            while place > 0 && found[place - 1].strength < strength {
                found[place] = found[place - 1];
                place -= 1;
            }
            found[place] = state;
            count = (count + 1).min(CANDIDATES);
        }
        count
    }

    /// One step of Viterbi's forward pass: each candidate's best way from the last frame's states.
    fn follow(&mut self, candidates: &mut [State; STATES], found: usize, power: f32) {
        self.loudest = (self.loudest * FORGET).max(power).max(SILENCE);
        let below_db = 10.0 * (self.loudest / power.max(SILENCE)).log10();
        let faint = ((below_db - FAINT_DB) / 10.0).clamp(0.0, 1.0);
        let strength = UNVOICED + FAINT_PRICE * faint;
        candidates[CANDIDATES] = State {
            octaves: 0.0,
            strength,
            score: 0.0,
        };
        let mut top = f32::MIN;
        for (index, state) in candidates.iter_mut().enumerate() {
            if index >= found && index != CANDIDATES {
                *state = NOBODY;
                continue;
            }
            let voiced = index != CANDIDATES;
            let from = |(earlier, past): (usize, &State)| {
                let price = match (voiced, earlier != CANDIDATES) {
                    (true, true) => JUMP_PRICE * (state.octaves - past.octaves).abs(),
                    (false, false) => 0.0,
                    _ => SWITCH_PRICE,
                };
                past.score - price
            };
            let best = self
                .states
                .iter()
                .enumerate()
                .map(from)
                .fold(f32::MIN, f32::max);
            state.score = best + state.strength;
            top = top.max(state.score);
        }
        for state in candidates.iter_mut() {
            state.score = (state.score - top).max(f32::MIN / 4.0);
        }
        self.states = *candidates;
    }
}

/// Sum of products of two stretches of a multiple of eight samples, in eight running sums.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (x, y) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum()
}

fn begin() -> [State; STATES] {
    let mut states = [NOBODY; STATES];
    states[CANDIDATES].score = 0.0;
    states
}

/// Hamming-windowed sinc of unit sum.
fn lowpass() -> Vec<f32> {
    let middle = (TAPS / 2) as f64;
    let tap = |i: usize| {
        let t = i as f64 - middle;
        let x = 2.0 * LOWPASS_HZ / f64::from(RATE) * t;
        let sinc = if t == 0.0 {
            1.0
        } else {
            (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x)
        };
        sinc * (0.54 + 0.46 * (std::f64::consts::PI * t / (middle + 1.0)).cos())
    };
    let sum: f64 = (0..TAPS).map(tap).sum();
    (0..TAPS).map(|i| (tap(i) / sum) as f32).collect()
}

impl Analyzer for F0Tracker {
    fn width(&self) -> usize {
        3
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
        check_room(frames * self.width(), output.len())?;
        let mut written = 0;
        for &x in input {
            self.take(x);
            self.in_hop += 1;
            if self.in_hop == HOP {
                self.in_hop = 0;
                self.frame(&mut output[3 * written..3 * written + 3]);
                written += 1;
            }
        }
        Ok(written)
    }

    fn reset(&mut self) {
        self.line.fill(0.0);
        self.at = 0;
        self.odd = false;
        self.dc_in = 0.0;
        self.dc_out = 0.0;
        self.history.fill(0.0);
        self.held = HISTORY;
        self.in_hop = 0;
        self.states = begin();
        self.loudest = SILENCE;
    }
}
