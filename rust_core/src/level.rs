//! Loudness, limiter, fades.

use std::sync::Arc;

use crate::error::{check_range, check_room, DspError};
use crate::math::db::{amplitude_from_db, db_from_power};
use crate::math::sample::tame;
use crate::math::window::raised_cosine;
use crate::stage::{Analyzer, Rates, Stage, HOP, RATE};

const INSIDE: Rates = Rates {
    input: RATE,
    output: RATE,
};

/// Level of each hop in dBFS: a constant of 1 gives 0, a full-scale sine -3.01, silence -120.
///
/// # Streaming
/// Window 240 samples, the hop itself; no look-ahead. A sample that is not finite counts as 0.
#[derive(Clone, Default)]
pub struct Loudness {
    energy: f64,
    in_hop: usize,
}

impl Loudness {
    /// What silence gives: below the noise of any 16-bit recording.
    pub const FLOOR_DB: f32 = -120.0;

    /// There is nothing to set.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Analyzer for Loudness {
    fn width(&self) -> usize {
        1
    }

    fn window(&self) -> usize {
        HOP
    }

    fn lookahead(&self) -> usize {
        0
    }

    fn frames(&self, input_len: usize) -> usize {
        (self.in_hop + input_len) / HOP
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let frames = self.frames(input.len());
        check_room(frames, output.len())?;
        let mut rows = output.iter_mut();
        let mut rest = input;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(HOP - self.in_hop));
            for x in now {
                let x = f64::from(tame(*x));
                self.energy += x * x;
            }
            self.in_hop += now.len();
            rest = later;
            if self.in_hop == HOP {
                let level = db_from_power(self.energy / HOP as f64) as f32;
                if let Some(y) = rows.next() {
                    *y = level.max(Self::FLOOR_DB);
                }
                self.reset();
            }
        }
        Ok(frames)
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Samples by which the limiter sees ahead: 1.5 ms, enough to turn down without a click.
const AHEAD: usize = 36;
/// Samples that one gain answers for: the one at hand and those ahead.
const SEEN: usize = AHEAD + 1;
/// Time in which a reduction falls to 1/e: longer than a period of the lowest voice, so that the
/// gain does not follow the wave.
const RELEASE_MS: f64 = 60.0;
/// A reduction below this is none: -120 dB, so that the limiter comes to rest.
const AT_REST: f32 = 1e-6;

/// Holds the signal within a ceiling, turning down smoothly before a peak and up after it.
///
/// ```text
///   reduction wanted   ____|____          what the peak at hand needs
///   held               |‾‾‾‾‾‾‾‾╲___      largest of the last 37, then falling in 60 ms
///   smoothed         __╱‾‾‾‾‾‾‾‾╲╲__      weighted mean of the last 37: all of them at least
///   signal                      |         what is wanted 36 samples ago, when this comes out
/// ```
///
/// # Streaming
/// Latency 36 samples (1.5 ms). Below the ceiling the samples pass unchanged. A sample that is not
/// finite counts as 0.
#[derive(Clone)]
pub struct Limiter {
    ceiling: f32,
    release: f32,
    weights: Arc<[f32]>,
    signal: [f32; SEEN],
    wanted: [f32; SEEN],
    held: [f32; SEEN],
    last_held: f32,
    /// Samples on end that wanted no reduction while none was held; `SEEN` of them, and all is rest.
    calm: usize,
    /// Where the newest of each ring goes; the next one after it is the oldest.
    position: usize,
}

impl Limiter {
    /// # Errors
    /// `out_of_range`: ceiling outside -60 to 0 dBFS.
    pub fn new(ceiling_db: f64) -> Result<Self, DspError> {
        check_range("ceiling_db", ceiling_db, -60.0, 0.0)?;
        let slope = |i: usize| {
            let at = |i: usize| raised_cosine(i as f64 / SEEN as f64);
            (at(i + 1) - at(i)) as f32
        };
        let release_samples = RELEASE_MS * f64::from(RATE) / 1000.0;
        Ok(Self {
            ceiling: amplitude_from_db(ceiling_db) as f32,
            release: (-1.0 / release_samples).exp() as f32,
            weights: (0..SEEN).map(slope).collect(),
            signal: [0.0; SEEN],
            wanted: [0.0; SEEN],
            held: [0.0; SEEN],
            last_held: 0.0,
            calm: SEEN,
            position: 0,
        })
    }

    fn step(&mut self, x: f32) -> f32 {
        let newest = self.position;
        let oldest = (newest + 1) % SEEN;
        self.signal[newest] = x;
        if self.calm >= SEEN && x.abs() <= self.ceiling {
            // Every reduction, wanted and held, is zero already.
            self.position = oldest;
            return self.signal[oldest];
        }
        self.wanted[newest] = 1.0 - self.ceiling / x.abs().max(self.ceiling);
        let needed = self.wanted.iter().fold(0.0f32, |a, &b| a.max(b));
        let falling = self.last_held * self.release;
        self.last_held = needed.max(if falling > AT_REST { falling } else { 0.0 });
        self.held[newest] = self.last_held;
        self.calm = if self.last_held == 0.0 {
            self.calm + 1
        } else {
            0
        };
        self.position = oldest;
        // The clamp takes off what rounding leaves above the ceiling.
        let gain = 1.0 - self.smoothed(oldest);
        (self.signal[oldest] * gain).clamp(-self.ceiling, self.ceiling)
    }

    fn smoothed(&self, oldest: usize) -> f32 {
        let (newer, older) = self.held.split_at(oldest);
        let in_order = older.iter().chain(newer);
        in_order
            .zip(self.weights.iter())
            .map(|(held, w)| held * w)
            .sum()
    }
}

impl Stage for Limiter {
    fn rates(&self) -> Rates {
        INSIDE
    }

    fn latency(&self) -> usize {
        AHEAD
    }

    fn output_len(&self, input_len: usize) -> usize {
        input_len
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        check_room(input.len(), output.len())?;
        for (x, y) in input.iter().zip(output) {
            *y = self.step(tame(*x));
        }
        Ok(input.len())
    }

    fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError> {
        check_room(AHEAD, output.len())?;
        for y in &mut output[..AHEAD] {
            *y = self.step(0.0);
        }
        self.reset();
        Ok(AHEAD)
    }

    fn reset(&mut self) {
        for ring in [&mut self.signal, &mut self.wanted, &mut self.held] {
            ring.fill(0.0);
        }
        self.last_held = 0.0;
        self.calm = SEEN;
        self.position = 0;
    }
}

/// Samples of a whole fade: 20 ms, too slow to click, too fast to be waited for.
const FADE: usize = 480;

/// Fades to silence and back, in 20 ms each way; turned round midway it goes back from there.
///
/// Closed, it writes zeros whatever goes in. It begins open.
///
/// # Streaming
/// Latency 0. A sample that is not finite counts as 0.
#[derive(Clone)]
pub struct Fade {
    gains: Arc<[f32]>,
    open: bool,
    /// Index of the next sample's gain: 0 is closed, `FADE` open.
    position: usize,
}

impl Default for Fade {
    fn default() -> Self {
        Self::new()
    }
}

impl Fade {
    /// Open.
    pub fn new() -> Self {
        let gains = (0..=FADE)
            .map(|i| raised_cosine(i as f64 / FADE as f64) as f32)
            .collect();
        Self {
            gains,
            open: true,
            position: FADE,
        }
    }

    /// From the next sample on, opens or closes.
    pub fn set_open(&mut self, open: bool) {
        self.open = open;
    }

    /// Whether it is open or opening.
    pub fn open(&self) -> bool {
        self.open
    }

    /// Whether it lets nothing through.
    pub fn silent(&self) -> bool {
        !self.open && self.position == 0
    }

    fn step(&mut self, x: f32) -> f32 {
        self.position = match self.open {
            true => (self.position + 1).min(FADE),
            false => self.position.saturating_sub(1),
        };
        tame(x) * self.gains[self.position]
    }
}

impl Stage for Fade {
    fn rates(&self) -> Rates {
        INSIDE
    }

    fn latency(&self) -> usize {
        0
    }

    fn output_len(&self, input_len: usize) -> usize {
        input_len
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        check_room(input.len(), output.len())?;
        for (x, y) in input.iter().zip(output) {
            *y = self.step(*x);
        }
        Ok(input.len())
    }

    fn flush(&mut self, _output: &mut [f32]) -> Result<usize, DspError> {
        self.reset();
        Ok(0)
    }

    fn reset(&mut self) {
        self.position = if self.open { FADE } else { 0 };
    }
}
