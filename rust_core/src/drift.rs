//! A stream from one clock to another.

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_range, check_room, DspError};
use crate::math::kernel::{Rows, LINEAR};
use crate::math::sample::{tame, LOUDEST};

/// By so much one clock may be faster than the other, in parts per million.
pub const MAX_PPM: f64 = 500.0;
/// Positions are counted in parts of a sample.
const SAMPLE: u64 = 1 << 32;
/// What a step changes by from one output to the next, in such parts: from one end to the other in
/// 5000 samples, 0.1 s at 48 kHz, so that nobody hears it.
const SLEW: u64 = SAMPLE / 1_000_000 / 5;
/// Rows of the filter, as bits of a position.
const PHASE_BITS: u32 = 9;
/// Input samples that are worked on at a time.
const PIECE: usize = 512;

/// Gives more samples than it takes, or fewer: as many as the other clock counts in the same time, to
/// 500 ppm either way, and that may change while sound goes through. At any sample rate.
///
/// ```text
///   input    ·  ·  ·  ·  ·  ·  ·  ·      where the output's clock is faster: steps below a sample
///   output   ·  · ·  ·  ·  · ·  ·  ·
/// ```
///
/// # Streaming
/// No stage: how many samples come out depends on the clocks. `output_len` says how many the next call
/// gives. They trail by 25 samples. However the stream is cut they are the same, where the clocks part at
/// the same sample. A sample that is not finite counts as 0.
#[derive(Clone)]
pub struct Drift {
    rows: Rows,
    /// What a row spans, then the piece at hand.
    line: Vec<f32>,
    /// Time of the next output minus time of the next input.
    ahead: u64,
    /// From the next output to the one after it, and what that goes over to.
    step: u64,
    wanted: u64,
    arch: Arch,
}

impl Default for Drift {
    fn default() -> Self {
        Self::new()
    }
}

impl Drift {
    /// Between clocks that agree.
    pub fn new() -> Self {
        let rows = LINEAR.rows(1 << PHASE_BITS, 1.0, 0.0);
        Self {
            line: vec![0.0; rows.len() + PIECE],
            rows,
            ahead: 0,
            step: SAMPLE,
            wanted: SAMPLE,
            arch: Arch::new(),
        }
    }

    /// From here on the output's clock is faster by `ppm` than the input's; it gets there by 0.2 ppm a
    /// sample.
    ///
    /// # Errors
    /// `out_of_range`: more than 500 either way.
    pub fn set_ppm(&mut self, ppm: f64) -> Result<(), DspError> {
        check_range("ppm", ppm, -MAX_PPM, MAX_PPM)?;
        self.wanted = (SAMPLE as f64 / (1.0 + ppm * 1e-6)).round() as u64;
        Ok(())
    }

    /// By how much the output's clock is taken to be faster now.
    pub fn ppm(&self) -> f64 {
        (SAMPLE as f64 / self.step as f64 - 1.0) * 1e6
    }

    /// What that goes over to.
    pub fn wanted_ppm(&self) -> f64 {
        (SAMPLE as f64 / self.wanted as f64 - 1.0) * 1e6
    }

    /// Output samples by which the output trails the input.
    pub fn latency(&self) -> usize {
        LINEAR.length / 2
    }

    /// Exactly how many samples the next `process` writes for `input_len` samples.
    pub fn output_len(&self, input_len: usize) -> usize {
        self.course().due(input_len as u64 * SAMPLE)
    }

    /// Consumes all of `input`, writes `output_len(input.len())` samples and returns their number.
    ///
    /// # Errors
    /// `output_too_short`, with nothing consumed.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let due = self.output_len(input.len());
        check_room(due, output.len())?;
        Ok(self.advance(input, &mut output[..due]))
    }

    /// Ends the stream: writes the last `latency()` samples, then is as new.
    ///
    /// # Errors
    /// `output_too_short`, with nothing written.
    pub fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError> {
        check_room(self.latency(), output.len())?;
        let rest = &mut output[..LINEAR.length / 2];
        let written = self.advance(&[0.0; LINEAR.length], rest);
        self.reset();
        Ok(written)
    }

    /// Forgets the stream, and begins again where the clocks agree; what is wanted stays.
    pub fn reset(&mut self) {
        self.line.fill(0.0);
        (self.ahead, self.step) = (0, SAMPLE);
    }

    fn advance(&mut self, input: &[f32], output: &mut [f32]) -> usize {
        let arch = self.arch;
        arch.dispatch(Advance {
            drift: self,
            input,
            output,
        })
    }

    fn course(&self) -> Course {
        Course {
            ahead: self.ahead,
            step: self.step,
            wanted: self.wanted,
        }
    }
}

/// When outputs are due.
struct Course {
    ahead: u64,
    step: u64,
    wanted: u64,
}

impl Course {
    #[inline(always)]
    fn go_on(&mut self) {
        self.ahead += self.step;
        self.step = self.wanted.clamp(self.step - SLEW, self.step + SLEW);
    }

    /// How many are, before `end`.
    fn due(&mut self, end: u64) -> usize {
        let mut count = 0;
        while self.ahead < end && self.step != self.wanted {
            self.go_on();
            count += 1;
        }
        count + end.saturating_sub(self.ahead).div_ceil(self.step) as usize
    }
}

/// What `advance` does, compiled for the processor at hand.
struct Advance<'a> {
    drift: &'a mut Drift,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Advance<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let mut course = self.drift.course();
        let Drift { rows, line, .. } = self.drift;
        let mut outputs = self.output.iter_mut();
        let mut written = 0;
        for piece in self.input.chunks(PIECE) {
            for (y, x) in line[rows.len()..].iter_mut().zip(piece) {
                *y = tame(*x);
            }
            let end = piece.len() as u64 * SAMPLE;
            while course.ahead < end {
                let Some(y) = outputs.next() else {
                    break;
                };
                let (newest, late) = ((course.ahead / SAMPLE) as usize, course.ahead % SAMPLE);
                let (phase, rest) = (late >> (32 - PHASE_BITS), late << PHASE_BITS & (SAMPLE - 1));
                let part = rest as f32 / SAMPLE as f32;
                let x = &line[newest + 1..][..rows.len()];
                let sum = rows.between(simd, x, phase as usize, part);
                *y = sum.clamp(-LOUDEST, LOUDEST);
                course.go_on();
                written += 1;
            }
            // Of a flush that ends here, what is ahead does not matter any more.
            course.ahead = course.ahead.saturating_sub(end);
            line.copy_within(piece.len()..piece.len() + rows.len(), 0);
        }
        (self.drift.ahead, self.drift.step) = (course.ahead, course.step);
        written
    }
}
