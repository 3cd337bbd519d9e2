//! Falls silent when told to, and speaks on, without a click either way.

use crate::error::{check_range, check_room, DspError};
use crate::math::curve::sin_cos;
use crate::math::sample::tame;
use crate::stage::{check_rate, Rates, Stage};

/// Time in which it opens: too slow to click, too fast to swallow a plosive's burst.
const RISE_MS: f64 = 10.0;
/// Of a whole fade.
const OPEN: u32 = 1 << 24;

/// Fades to silence within a time that is asked for, 10 to 80 ms, and opens again within 10.
///
/// Closed while it still opens, it does both at once; to be opened while it still falls, it falls to its
/// end first: the gain has no corner.
///
/// ```text
///   close ─┐        resume ─┐ wait ┐
///     ‾‾‾‾‾‾╲_______________________╱‾‾‾‾
/// ```
///
/// Closed, it writes zeros whatever goes in. It begins open.
///
/// # Streaming
/// Latency 0. A sample that is not finite counts as 0.
#[derive(Clone)]
pub struct Fade {
    sample_rate: u32,
    open: bool,
    /// What is left of a fall, and how far it has risen: both `OPEN` when all goes through.
    left: u32,
    risen: u32,
    fall: u32,
    rise: u32,
    /// Samples that stay silent before it opens.
    wait: usize,
}

impl Fade {
    /// Open.
    ///
    /// # Errors
    /// `out_of_range`: sample rate outside 8000 to 192000 Hz.
    pub fn new(sample_rate: u32) -> Result<Self, DspError> {
        check_rate("sample_rate in Hz", sample_rate)?;
        Ok(Self {
            sample_rate,
            open: true,
            left: OPEN,
            risen: OPEN,
            fall: 0,
            rise: step(sample_rate, RISE_MS),
            wait: 0,
        })
    }

    /// From the next sample on, falls silent within `release_ms`. A fall that has begun keeps its time.
    ///
    /// # Errors
    /// `out_of_range`: less than 10 or more than 80 ms; nothing changes.
    pub fn close(&mut self, release_ms: f64) -> Result<(), DspError> {
        check_range("release_ms", release_ms, 10.0, 80.0)?;
        if self.left == OPEN {
            self.fall = step(self.sample_rate, release_ms);
        }
        self.open = false;
        self.wait = 0;
        Ok(())
    }

    /// Opens `wait` samples on: as many as the stages before still hold of what is not to be heard. Where
    /// it is open already, nothing changes.
    pub fn resume(&mut self, wait: usize) {
        if !self.open {
            self.open = true;
            self.wait = wait;
        }
    }

    /// Whether it is open, opening or to open.
    pub fn open(&self) -> bool {
        self.open
    }

    /// Whether it lets nothing through.
    pub fn silent(&self) -> bool {
        self.left == 0 && (!self.open || self.wait > 0)
    }

    /// Whether all goes through as it is.
    pub fn idle(&self) -> bool {
        self.open && self.wait == 0 && self.left == OPEN && self.risen == OPEN
    }

    fn step(&mut self, x: f32) -> f32 {
        if self.open && self.wait == 0 && self.left == 0 {
            (self.left, self.risen) = (OPEN, 0);
        }
        self.risen = (self.risen + self.rise).min(OPEN);
        if !self.open || self.wait > 0 || self.left < OPEN {
            self.left = self.left.saturating_sub(self.fall);
        }
        self.wait = self.wait.saturating_sub(1);
        tame(x) * gain(self.left) * gain(self.risen)
    }
}

/// So that a whole fade takes no longer.
fn step(sample_rate: u32, ms: f64) -> u32 {
    let samples = (ms * f64::from(sample_rate) / 1000.0) as u32;
    OPEN.div_ceil(samples)
}

/// Half a turn of the cosine.
fn gain(position: u32) -> f32 {
    match position {
        0 => 0.0,
        OPEN => 1.0,
        _ => {
            let half_turn = core::f32::consts::PI / OPEN as f32;
            let (sin, _) = sin_cos(position as f32 * half_turn * 0.5);
            sin * sin
        }
    }
}

impl Stage for Fade {
    fn rates(&self) -> Rates {
        Rates {
            input: self.sample_rate,
            output: self.sample_rate,
        }
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
        self.left = if self.open { OPEN } else { 0 };
        self.risen = OPEN;
        self.wait = 0;
    }
}
