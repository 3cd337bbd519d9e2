//! Any rate to any rate, streaming.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_room, DspError};
use crate::math::dot::dot;
use crate::math::sample::{tame, LOUDEST};
use crate::math::window::{kaiser, kaiser_beta};
use crate::stage::{check_rate, Rates, Stage};

/// How far the filter lets through what it should stop; 80 is audible to nobody, the rest is margin
/// for rounding and for tables between phases.
const ATTENUATION_DB: f64 = 96.0;
/// Half the filter, in samples of the slower stream. Kaiser's formula for 96 dB between 0.9 and 1.1
/// of its Nyquist frequency: `(96 - 7.95) / (2.285 * 0.2 * pi) / 2 = 30.7`.
const HALF_WIDTH: usize = 31;
/// Up to so many phases each has its own row: every pair of the common rates.
const MAX_EXACT_PHASES: usize = 1024;
/// Rows otherwise. A straight line between rows is off by at most `(pi / 512)^2 / 24`, -116 dB.
const TABLE_PHASES: usize = 512;
/// Rows are filled up to whole multiples of this: what registers hold is never left in part.
const WIDE: usize = 32;
/// Up to so many phases, and input samples from one output of a phase to the next, outputs are made
/// side by side, and so many.
const FEW: usize = 8;
const SIDE_BY_SIDE: usize = 64;
/// Input samples that are worked on at a time.
const PIECE: usize = 256;

/// Changes the sample rate, by a linear-phase filter: flat to 0.9 of the lower Nyquist frequency
/// within 0.001 dB, more than 90 dB down from 1.1 of it. Sound between the two may alias, faintly.
///
/// ```text
///   input          ·  ·  ·  ·  ·  ·  ·  ·  ·  q           q: newest sample when output m is due
///   filter          ╱‾‾‾‾‾‾‾‾‾t‾‾‾‾‾‾‾‾‾╲                t = (m - latency) * input / output
///                   ├─── K ───┤─── K ───┤                 t + K <= m * input / output
/// ```
///
/// # Streaming
/// Latency `ceil(K * output / input)` output samples, where K is 31 samples of the slower stream:
/// 31 at 48 to 24 kHz, 62 at 24 to 48 kHz, 1.3 ms both. Equal rates: none, samples pass unchanged.
/// A sample that is not finite counts as 0.
///
/// # Source
/// Polyphase filters: Crochiere & Rabiner (1983), Multirate Digital Signal Processing, ch. 3.
#[derive(Clone)]
pub struct Resampler {
    rates: Rates,
    /// Output and input rate over their greatest common divisor.
    up: usize,
    down: usize,
    /// Time of the next output minus time of the next input, in input samples times `up`.
    ahead: usize,
    /// `None` for equal rates.
    filter: Option<Filter>,
    latency: usize,
}

impl Resampler {
    /// # Errors
    /// `out_of_range`: either rate outside 8000 to 192000 Hz.
    pub fn new(input_rate: u32, output_rate: u32) -> Result<Self, DspError> {
        check_rate("input_rate in Hz", input_rate)?;
        check_rate("output_rate in Hz", output_rate)?;
        let divisor = gcd(input_rate, output_rate);
        let up = (output_rate / divisor) as usize;
        let down = (input_rate / divisor) as usize;
        let rates = Rates {
            input: input_rate,
            output: output_rate,
        };
        let half = (HALF_WIDTH * up.max(down)).div_ceil(up);
        let latency = if up == down {
            0
        } else {
            (half * up).div_ceil(down)
        };
        let filter = (up != down).then(|| Filter::new(up, down, half, latency));
        Ok(Self {
            rates,
            up,
            down,
            ahead: 0,
            filter,
            latency,
        })
    }

    /// Consumes `input` until it ends or `output` is full; returns how many samples were written.
    fn advance(&mut self, input: &[f32], output: &mut [f32]) -> usize {
        let Self { up, down, .. } = *self;
        let Some(filter) = &mut self.filter else {
            for (y, x) in output.iter_mut().zip(input) {
                *y = tame(*x);
            }
            return input.len().min(output.len());
        };
        let arch = filter.arch;
        arch.dispatch(Advance {
            filter,
            ahead: &mut self.ahead,
            up,
            down,
            input,
            output,
        })
    }
}

/// What `advance` does, compiled for the processor at hand.
struct Advance<'a> {
    filter: &'a mut Filter,
    ahead: &'a mut usize,
    up: usize,
    down: usize,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Advance<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let Self {
            filter, up, down, ..
        } = self;
        let mut written = 0;
        for piece in self.input.chunks(PIECE) {
            filter.take(piece);
            let due = (piece.len() * up)
                .saturating_sub(*self.ahead)
                .div_ceil(down);
            let room = &mut self.output[written..];
            let count = due.min(room.len());
            let room = &mut room[..count];
            if filter.sorted.is_empty() {
                for (y, m) in room.iter_mut().zip(0..) {
                    let time = *self.ahead + m * down;
                    *y = filter.at(simd, time / up, time % up);
                }
            } else {
                filter.sort(down);
                filter.many(simd, down, *self.ahead, room);
            }
            written += count;
            // Of a flush that ends here, what is ahead does not matter any more.
            *self.ahead = (*self.ahead + due * down).saturating_sub(piece.len() * up);
            filter.forget(piece.len());
        }
        written
    }
}

impl Stage for Resampler {
    fn rates(&self) -> Rates {
        self.rates
    }

    fn latency(&self) -> usize {
        self.latency
    }

    fn output_len(&self, input_len: usize) -> usize {
        (input_len * self.up)
            .saturating_sub(self.ahead)
            .div_ceil(self.down)
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let due = self.output_len(input.len());
        check_room(due, output.len())?;
        Ok(self.advance(input, &mut output[..due]))
    }

    fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError> {
        check_room(self.latency, output.len())?;
        let mut written = 0;
        while written < self.latency {
            written += self.advance(&[0.0; PIECE], &mut output[written..self.latency]);
        }
        self.reset();
        Ok(written)
    }

    fn reset(&mut self) {
        self.ahead = 0;
        if let Some(filter) = &mut self.filter {
            filter.line.fill(0.0);
        }
    }
}

/// The rows of the filter, and the input that it still sees.
#[derive(Clone)]
struct Filter {
    /// `phases` rows of `row`, or one more where the rows are interpolated: zeros, then the taps.
    rows: Arc<[f32]>,
    row: usize,
    half: usize,
    phases: usize,
    up: usize,
    /// How far the middle of the filter lies behind the newest sample: whole samples and the rest,
    /// in samples times `up`.
    behind: usize,
    rest: usize,
    /// The last `span` samples, then those of the piece at hand.
    line: Vec<f32>,
    /// The same in as many rows as input samples go by from one output of a phase to the next: what such
    /// outputs need then lies side by side. Empty where phases are many, and the outputs of each few.
    sorted: Vec<f32>,
    span: usize,
    arch: Arch,
}

impl Filter {
    fn new(up: usize, down: usize, half: usize, latency: usize) -> Self {
        let exact = up <= MAX_EXACT_PHASES;
        let phases = if exact { up } else { TABLE_PHASES };
        let rows = phases + usize::from(!exact);
        let cutoff = (up as f64 / down as f64).min(1.0);
        let row = (2 * half).next_multiple_of(WIDE);
        let nothing = vec![0.0; row - 2 * half];
        let taps = |row| phase_row(row as f64 / phases as f64, half, cutoff);
        let behind = latency * down / up;
        let span = behind + row - half + 1;
        let few = up <= FEW && down <= FEW;
        let sorted = if few {
            (span + PIECE).div_ceil(down) + SIDE_BY_SIDE
        } else {
            0
        };
        Self {
            rows: (0..rows)
                .flat_map(|row| [nothing.clone(), taps(row)].concat())
                .collect(),
            row,
            half,
            phases,
            up,
            behind,
            rest: latency * down % up,
            line: vec![0.0; span + PIECE],
            sorted: vec![0.0; sorted * down],
            span,
            arch: Arch::new(),
        }
    }

    #[inline(always)]
    fn take(&mut self, piece: &[f32]) {
        for (y, x) in self.line[self.span..].iter_mut().zip(piece) {
            *y = tame(*x);
        }
    }

    #[inline(always)]
    fn forget(&mut self, count: usize) {
        self.line.copy_within(count..count + self.span, 0);
    }

    #[inline(always)]
    fn sort(&mut self, down: usize) {
        let length = self.sorted.len() / down;
        let rows = self.sorted.chunks_exact_mut(length);
        for (first, row) in rows.enumerate() {
            for (y, x) in row.iter_mut().zip(self.line[first..].iter().step_by(down)) {
                *y = *x;
            }
        }
    }

    /// Where the row of an output begins in the line, and its phase: due `ahead` (in samples times `up`)
    /// after the input at `newest` of the piece.
    #[inline(always)]
    fn place(&self, newest: usize, ahead: usize) -> (usize, usize) {
        // The middle lies `ahead - rest` after the sample `behind` the newest one; where that is
        // negative, it lies after the sample before.
        let earlier = usize::from(ahead < self.rest);
        let phase = ahead + earlier * self.up - self.rest;
        let end = self.span + newest + 1 - self.behind + self.half - earlier;
        (end - self.row, phase)
    }

    /// Outputs from the one due `ahead` after the first input of the piece: phase by phase, those of each
    /// side by side.
    #[inline(always)]
    fn many<S: Simd>(&self, simd: S, down: usize, ahead: usize, output: &mut [f32]) {
        let length = self.sorted.len() / down;
        for first in 0..self.up.min(output.len()) {
            let time = ahead + first * down;
            let (start, phase) = self.place(time / self.up, time % self.up);
            let row = &self.rows[phase * self.row..(phase + 1) * self.row];
            let count = (output.len() - first).div_ceil(self.up);
            for at in (0..count).step_by(SIDE_BY_SIDE) {
                let mut sums = [0.0; SIDE_BY_SIDE];
                let held = S::as_mut_simd_f32s(&mut sums).0;
                for (tap, weight) in row.iter().enumerate() {
                    let x = &self.sorted[(start + tap) % down * length..][..length];
                    let x = &x[(start + tap) / down + at..][..SIDE_BY_SIDE];
                    let weight = simd.splat_f32s(*weight);
                    for (sum, x) in held.iter_mut().zip(S::as_simd_f32s(x).0) {
                        *sum = simd.mul_add_e_f32s(weight, *x, *sum);
                    }
                }
                let room = output[first + at * self.up..].iter_mut();
                for (y, sum) in room.step_by(self.up).zip(&sums) {
                    *y = sum.clamp(-LOUDEST, LOUDEST);
                }
            }
        }
    }

    /// One output, which is due `ahead` after the input at `newest` of the piece.
    #[inline(always)]
    fn at<S: Simd>(&self, simd: S, newest: usize, ahead: usize) -> f32 {
        let (start, phase) = self.place(newest, ahead);
        let x = &self.line[start..][..self.row];
        let row = |row: usize| &self.rows[row * self.row..(row + 1) * self.row];
        let y = if self.phases == self.up {
            dot(simd, x, row(phase))
        } else {
            let (index, part) = (phase * self.phases / self.up, phase * self.phases % self.up);
            let part = part as f32 / self.up as f32;
            dot(simd, x, row(index)) * (1.0 - part) + dot(simd, x, row(index + 1)) * part
        };
        y.clamp(-LOUDEST, LOUDEST)
    }
}

/// Weights of the samples around a moment `phase` of a sample after the sample `half - 1` of them.
/// They sum to 1, so that a constant stays constant at every phase.
fn phase_row(phase: f64, half: usize, cutoff: f64) -> Vec<f32> {
    let beta = kaiser_beta(ATTENUATION_DB);
    let weight = |tap: usize| {
        let x = tap as f64 - (half - 1) as f64 - phase;
        sinc(cutoff * x) * kaiser(x / half as f64, beta)
    };
    let weights: Vec<f64> = (0..2 * half).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| (w / sum) as f32).collect()
}

fn sinc(x: f64) -> f64 {
    let angle = core::f64::consts::PI * x;
    if x == 0.0 {
        1.0
    } else {
        angle.sin() / angle
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}
