//! Any rate to any rate, streaming.

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_room, DspError};
use crate::math::dot::dots;
use crate::math::kernel::{Kernel, Rows, LINEAR, MINIMUM};
use crate::math::sample::{tame, LOUDEST};
use crate::stage::{check_rate, Rates, Stage};

/// Up to so many phases each has its own row: every pair of the common rates.
const MAX_EXACT_PHASES: usize = 1024;
/// Rows otherwise. A straight line between rows is off by at most `(pi / 512)^2 / 8`, -107 dB.
const TABLE_PHASES: usize = 512;
/// Up to so many phases, and input samples from one output of a phase to the next, outputs are made
/// side by side.
const FEW: usize = 8;
/// Rows are filled up to whole multiples of this otherwise: a register.
const WIDE: usize = 8;
/// Input samples that are worked on at a time: more than 10 ms at 48 kHz.
const PIECE: usize = 512;

/// Changes the sample rate: flat to 0.9 of the lower Nyquist frequency within 0.012 dB, stopped from 1.1
/// of it on. Sound between the two may alias, faintly.
///
/// Of linear phase, or of minimum phase; the first is [`LINEAR`], stopped by 105 dB, the second
/// [`MINIMUM`], by 91 dB.
///
/// # Streaming
/// Latency of linear phase: 25 samples of the slower stream, up to the next output sample; 25 at 48 to
/// 24 kHz, 50 at 24 to 48 kHz, 1.04 ms both. Of minimum phase: 2.36 such samples to the nearest output
/// sample, 2 and 5, 0.1 ms; that is for low tones, and those at 0.8 of Nyquist are 0.1 ms later. Equal
/// rates: none, samples pass unchanged. A sample that is not finite counts as 0.
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
    arch: Arch,
}

impl Resampler {
    /// Of linear phase: all frequencies come as late.
    ///
    /// # Errors
    /// `out_of_range`: either rate outside 8000 to 192000 Hz.
    pub fn new(input_rate: u32, output_rate: u32) -> Result<Self, DspError> {
        Self::with(&LINEAR, input_rate, output_rate)
    }

    /// Of minimum phase: as soon as may be.
    ///
    /// # Errors
    /// As of [`Resampler::new`].
    pub fn minimum_phase(input_rate: u32, output_rate: u32) -> Result<Self, DspError> {
        Self::with(&MINIMUM, input_rate, output_rate)
    }

    fn with(kernel: &Kernel, input_rate: u32, output_rate: u32) -> Result<Self, DspError> {
        check_rate("input_rate in Hz", input_rate)?;
        check_rate("output_rate in Hz", output_rate)?;
        let divisor = gcd(input_rate, output_rate);
        let up = (output_rate / divisor) as usize;
        let down = (input_rate / divisor) as usize;
        let late = kernel.delay * up as f64 / up.min(down) as f64;
        // What delays all alike waits for the next output sample.
        let latency = match (up == down, kernel.even()) {
            (true, _) => 0.0,
            (_, true) => late.ceil(),
            (_, false) => late.round(),
        };
        let wait = match kernel.even() {
            true => (latency - late).max(0.0) * up.min(down) as f64 / up as f64,
            false => 0.0,
        };
        Ok(Self {
            rates: Rates {
                input: input_rate,
                output: output_rate,
            },
            up,
            down,
            ahead: 0,
            filter: (up != down).then(|| Filter::new(kernel, up, down, wait)),
            latency: latency as usize,
            arch: Arch::new(),
        })
    }

    /// Consumes `input` until it ends or `output` is full; returns how many samples were written.
    fn advance(&mut self, input: &[f32], output: &mut [f32]) -> usize {
        let Some(filter) = &mut self.filter else {
            for (y, x) in output.iter_mut().zip(input) {
                *y = tame(*x);
            }
            return input.len().min(output.len());
        };
        self.arch.dispatch(Advance {
            filter,
            ahead: &mut self.ahead,
            input,
            output,
        })
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

/// What `advance` does, compiled for the processor at hand.
struct Advance<'a> {
    filter: &'a mut Filter,
    ahead: &'a mut usize,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Advance<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let Self { filter, ahead, .. } = self;
        let Filter { up, down, .. } = *filter;
        let mut written = 0;
        for piece in self.input.chunks(PIECE) {
            filter.take(piece);
            let due = (piece.len() * up).saturating_sub(*ahead).div_ceil(down);
            let room = &mut self.output[written..];
            let count = due.min(room.len());
            let room = &mut room[..count];
            if filter.dealt.is_empty() {
                filter.one_by_one(simd, *ahead, room);
            } else {
                // Registers that the outputs of a tile fill.
                match S::F32_LANES {
                    16 => filter.side_by_side::<S, 2>(simd, *ahead, room),
                    8 => filter.side_by_side::<S, 4>(simd, *ahead, room),
                    4 => filter.side_by_side::<S, 8>(simd, *ahead, room),
                    _ => filter.side_by_side::<S, TILE>(simd, *ahead, room),
                }
            }
            written += count;
            // Of a flush that ends here, what is ahead does not matter any more.
            *ahead = (*ahead + due * down).saturating_sub(piece.len() * up);
            filter.forget(piece.len());
        }
        written
    }
}

/// Outputs of a tile.
const TILE: usize = 32;

/// The rows of the filter, and the input that it still sees.
///
/// ```text
///   line    [ what a row spans | the piece at hand ]
///   dealt   the same like cards into `down` hands: what outputs of a phase need lies side by side
///   made    outputs of each phase, side by side
/// ```
#[derive(Clone)]
struct Filter {
    /// One for each phase, or a table of them to go between.
    rows: Rows,
    phases: usize,
    up: usize,
    down: usize,
    line: Vec<f32>,
    /// Empty where phases are many, and the outputs of each few.
    dealt: Vec<f32>,
    made: Vec<f32>,
}

impl Filter {
    fn new(kernel: &Kernel, up: usize, down: usize, wait: f64) -> Self {
        let phases = if up <= MAX_EXACT_PHASES {
            up
        } else {
            TABLE_PHASES
        };
        let few = up <= FEW && down <= FEW;
        let apart = up.min(down) as f64 / down as f64;
        let rows = kernel.rows(phases, apart, wait, if few { 1 } else { WIDE });
        let line = rows.len() + PIECE;
        // What is read past the end belongs to outputs that are not due.
        let hand = line.div_ceil(down) + TILE;
        let of_phase = PIECE.div_ceil(down) + TILE;
        Self {
            phases,
            up,
            down,
            line: vec![0.0; line],
            dealt: vec![0.0; if few { hand * down } else { 0 }],
            made: vec![0.0; if few { of_phase * up } else { 0 }],
            rows,
        }
    }

    #[inline(always)]
    fn take(&mut self, piece: &[f32]) {
        for (y, x) in self.line[self.rows.len()..].iter_mut().zip(piece) {
            *y = tame(*x);
        }
    }

    #[inline(always)]
    fn forget(&mut self, count: usize) {
        self.line.copy_within(count..count + self.rows.len(), 0);
    }

    /// Outputs from the one due `ahead` (in samples times `up`) after the first input of the piece.
    #[inline(always)]
    fn side_by_side<S: Simd, const WIDE: usize>(
        &mut self,
        simd: S,
        ahead: usize,
        output: &mut [f32],
    ) {
        let Self { up, down, .. } = *self;
        match down {
            1 => self.dealt[..self.line.len()].copy_from_slice(&self.line),
            2 => deal::<2>(&self.line, &mut self.dealt),
            3 => deal::<3>(&self.line, &mut self.dealt),
            _ => deal_any(&self.line, &mut self.dealt, down),
        }
        let (hand, of_phase) = (self.dealt.len() / down, self.made.len() / up);
        for first in 0..up.min(output.len()) {
            let time = ahead + first * down;
            let (newest, phase) = (time / up, time % up);
            let row = self.rows.row(phase);
            let count = (output.len() - first).div_ceil(up);
            let made = &mut self.made[first * of_phase..][..of_phase];
            for (tile, at) in made.chunks_exact_mut(TILE).zip((0..count).step_by(TILE)) {
                let y = S::as_mut_simd_f32s(tile).0;
                y.fill(simd.splat_f32s(0.0));
                for from in 0..down.min(row.len()) {
                    let oldest = newest + 1 + from;
                    let x = &self.dealt[oldest % down * hand + oldest / down + at..];
                    add_products::<S, WIDE>(simd, &row[from..], down, x, y);
                }
            }
        }
        match up {
            1 => weave::<1>(&self.made, output),
            2 => weave::<2>(&self.made, output),
            3 => weave::<3>(&self.made, output),
            _ => weave_any(&self.made, up, output),
        }
    }

    /// The same where a phase comes up a few times at most: those of one phase share its row.
    #[inline(always)]
    fn one_by_one<S: Simd>(&self, simd: S, ahead: usize, output: &mut [f32]) {
        let Self { up, down, .. } = *self;
        if self.phases != up {
            for (y, m) in output.iter_mut().zip(0..) {
                let time = ahead + m * down;
                *y = self.between(simd, time / up, time % up);
            }
            return;
        }
        for first in 0..up.min(output.len()) {
            let time = ahead + first * down;
            let row = self.rows.row(time % up);
            let x = |k: usize| &self.line[time / up + 1 + k * down..][..row.len()];
            let count = (output.len() - first).div_ceil(up);
            let mut k = 0;
            while k + 3 <= count {
                let sums = dots(simd, [x(k), x(k + 1), x(k + 2)], row);
                for n in 0..3 {
                    output[first + (k + n) * up] = hold(sums[n]);
                }
                k += 3;
            }
            while k < count {
                output[first + k * up] = hold(dots(simd, [x(k)], row)[0]);
                k += 1;
            }
        }
    }

    /// One output, due `late` (in samples times `up`) after the input at `newest` of the piece, on a
    /// straight line between two rows.
    #[inline(always)]
    fn between<S: Simd>(&self, simd: S, newest: usize, late: usize) -> f32 {
        let x = &self.line[newest + 1..][..self.rows.len()];
        let (index, part) = (late * self.phases / self.up, late * self.phases % self.up);
        hold(
            self.rows
                .between(simd, x, index, part as f32 / self.up as f32),
        )
    }
}

/// Adds what a hand contributes to a tile, by every `down`th weight: each output's samples lie one further
/// than those of the output before. From both ends to the middle, so that sums stay small, and so exact,
/// as long as may be; and no chain waits for the other.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // indices become registers; iterators over them do not
fn add_products<S: Simd, const WIDE: usize>(
    simd: S,
    weights: &[f32],
    down: usize,
    x: &[f32],
    y: &mut [S::f32s],
) {
    let count = weights.len().div_ceil(down);
    let x = &x[..count + TILE];
    let mut sums = [[simd.splat_f32s(0.0); WIDE]; 2];
    for k in 0..count / 2 {
        for (chain, k) in [k, count - 1 - k].into_iter().enumerate() {
            let weight = simd.splat_f32s(weights[k * down]);
            let x = S::as_simd_f32s(&x[k..k + TILE]).0;
            for wide in 0..WIDE {
                sums[chain][wide] = simd.mul_add_e_f32s(weight, x[wide], sums[chain][wide]);
            }
        }
    }
    if count % 2 == 1 {
        let weight = simd.splat_f32s(weights[count / 2 * down]);
        let x = S::as_simd_f32s(&x[count / 2..][..TILE]).0;
        for wide in 0..WIDE {
            sums[0][wide] = simd.mul_add_e_f32s(weight, x[wide], sums[0][wide]);
        }
    }
    for wide in 0..WIDE {
        y[wide] = simd.add_f32s(y[wide], simd.add_f32s(sums[0][wide], sums[1][wide]));
    }
}

/// Deals samples into as many hands.
#[inline(always)]
fn deal<const HANDS: usize>(line: &[f32], dealt: &mut [f32]) {
    let hand = dealt.len() / HANDS;
    let mut hands = dealt.chunks_exact_mut(hand);
    let hands: [&mut [f32]; HANDS] = core::array::from_fn(|_| hands.next().unwrap_or_default());
    let rounds = line.chunks_exact(HANDS);
    for (k, x) in rounds.remainder().iter().enumerate() {
        hands[k][line.len() / HANDS] = *x;
    }
    for (n, round) in rounds.enumerate().take(hand) {
        for k in 0..HANDS {
            hands[k][n] = round[k];
        }
    }
}

#[inline(always)]
fn deal_any(line: &[f32], dealt: &mut [f32], hands: usize) {
    let hand = dealt.len() / hands;
    for (first, hand) in dealt.chunks_exact_mut(hand).enumerate() {
        for (y, x) in hand.iter_mut().zip(line[first..].iter().step_by(hands)) {
            *y = *x;
        }
    }
}

/// Takes an output of each phase by turns.
#[inline(always)]
fn weave<const PHASES: usize>(made: &[f32], output: &mut [f32]) {
    let of_phase = made.len() / PHASES;
    let mut each = made.chunks_exact(of_phase);
    let phases: [&[f32]; PHASES] = core::array::from_fn(|_| each.next().unwrap_or_default());
    let whole = output.len() / PHASES;
    let mut turns = output.chunks_exact_mut(PHASES);
    for (n, turn) in (0..of_phase.min(whole)).zip(&mut turns) {
        for k in 0..PHASES {
            turn[k] = hold(phases[k][n]);
        }
    }
    for (y, phase) in turns.into_remainder().iter_mut().zip(phases) {
        *y = hold(phase[whole]);
    }
}

#[inline(always)]
fn weave_any(made: &[f32], phases: usize, output: &mut [f32]) {
    let of_phase = made.len() / phases;
    for (first, phase) in made.chunks_exact(of_phase).enumerate() {
        let outputs = output.iter_mut().skip(first).step_by(phases);
        for (y, made) in outputs.zip(phase) {
            *y = hold(*made);
        }
    }
}

#[inline(always)]
fn hold(y: f32) -> f32 {
    y.clamp(-LOUDEST, LOUDEST)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the plainest registers, which some processors have alone.
    fn plainly(mut stage: Resampler, input: &[f32], output: &mut [f32]) {
        if let Some(filter) = &mut stage.filter {
            let ahead = &mut stage.ahead;
            let all = Advance {
                filter,
                ahead,
                input,
                output,
            };
            all.with_simd(pulp::Scalar);
        }
    }

    #[test]
    fn every_processor_gives_the_same_samples_but_for_rounding() -> Result<(), DspError> {
        let number = |n: usize| ((n * 7919 % 2003) as f32 - 1001.0) / 1024.0;
        let input: Vec<f32> = (0..3 * PIECE + 7).map(number).collect();
        for (from, to) in [
            (48_000, 16_000),
            (24_000, 48_000),
            (16_000, 24_000),
            (96_000, 24_000),
            (8_000, 48_000),
            (44_100, 24_000),
            (24_000, 44_100),
            (24_000, 11_027),
        ] {
            for stage in [
                Resampler::new(from, to)?,
                Resampler::minimum_phase(from, to)?,
            ] {
                let mut expected = vec![f32::NAN; stage.output_len(input.len())];
                let mut output = expected.clone();
                plainly(stage.clone(), &input, &mut expected);
                stage.clone().process(&input, &mut output)?;
                for (y, expected) in output.iter().zip(&expected) {
                    assert!(
                        (y - expected).abs() < 1e-5,
                        "{from} to {to}: {y} {expected}"
                    );
                }
            }
        }
        Ok(())
    }
}
