//! Any rate to any rate, streaming.

use core::slice::ChunksExact;
use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_room, DspError};
use crate::math::kernel::{Kernel, Rows, LINEAR, MINIMUM};
use crate::math::sample::{tame, LOUDEST};
use crate::stage::{check_rate, Rates, Stage};

/// Up to so many phases each has its own weights: every pair of the common rates.
const MAX_EXACT_PHASES: usize = 1024;
/// Rows otherwise. A straight line between rows is off by at most `(pi / 512)^2 / 8`, -107 dB.
const TABLE_PHASES: usize = 512;
/// Outputs of a group, unless a register holds more.
const GROUP: usize = 8;
/// So many rows of weights, or fewer, are summed by themselves.
const PART: usize = 48;
/// Sums that rows are added to by turns.
const CHAINS: usize = 2;
/// Numbers in a cache line.
const CACHE_LINE: usize = 16;
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
    /// When the next output is due.
    due: Due,
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
            due: Due::default(),
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
            due: &mut self.due,
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
            .saturating_sub(self.due.ahead)
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
        self.due = Due::default();
        if let Some(filter) = &mut self.filter {
            filter.line.fill(0.0);
        }
    }
}

/// When the next output is due, and where it stands in its period.
#[derive(Clone, Copy, Default)]
struct Due {
    /// Its time minus that of the next input, in input samples times `up`.
    ahead: usize,
    /// Its number among the outputs of a period of [`Groups`].
    number: usize,
}

/// What `advance` does, compiled for the processor at hand.
struct Advance<'a> {
    filter: &'a mut Filter,
    due: &'a mut Due,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Advance<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let Self { filter, due, .. } = self;
        let Filter { up, down, past, .. } = *filter;
        let mut written = 0;
        for piece in self.input.chunks(PIECE) {
            for (y, x) in filter.line[past..].iter_mut().zip(piece) {
                *y = tame(*x);
            }
            let all = (piece.len() * up).saturating_sub(due.ahead).div_ceil(down);
            let room = &mut self.output[written..];
            let count = all.min(room.len());
            filter.outputs(simd, *due, &mut room[..count]);
            written += count;
            // Of a flush that ends here, what is due does not matter any more.
            due.ahead = (due.ahead + all * down).saturating_sub(piece.len() * up);
            due.number = (due.number + all) % filter.period();
            filter.line.copy_within(piece.len()..piece.len() + past, 0);
        }
        written
    }
}

/// The weights, and the input that they still are for.
#[derive(Clone)]
struct Filter {
    weights: Weights,
    up: usize,
    down: usize,
    /// `past` samples, then the piece at hand, then what weighs nothing yet.
    line: Vec<f32>,
    past: usize,
    /// Outputs of the piece at hand, with room for the rest of a group on both sides.
    made: Vec<f32>,
}

#[derive(Clone)]
enum Weights {
    Exact(Groups),
    /// A table to go between, where phases are too many.
    Between(Rows),
}

impl Filter {
    fn new(kernel: &Kernel, up: usize, down: usize, wait: f64) -> Self {
        let weights = if up <= MAX_EXACT_PHASES {
            Weights::Exact(Groups::new(kernel, up, down, wait))
        } else {
            let apart = up.min(down) as f64 / down as f64;
            Weights::Between(kernel.rows(TABLE_PHASES, apart, wait))
        };
        let (past, beyond, made) = match &weights {
            Weights::Exact(of) => {
                let made = (PIECE * up).div_ceil(down) + 2 * of.width;
                (of.len, of.len, made)
            }
            Weights::Between(rows) => (rows.len(), 0, 0),
        };
        Self {
            weights,
            up,
            down,
            line: vec![0.0; past + PIECE + beyond],
            past,
            made: vec![0.0; made],
        }
    }

    fn period(&self) -> usize {
        match &self.weights {
            Weights::Exact(groups) => groups.period,
            Weights::Between(_) => 1,
        }
    }

    #[inline(always)]
    fn outputs<S: Simd>(&mut self, simd: S, due: Due, output: &mut [f32]) {
        let groups = match &self.weights {
            Weights::Exact(groups) => groups,
            Weights::Between(rows) => {
                for (y, m) in output.iter_mut().zip(0..) {
                    *y = self.between(simd, rows, due.ahead + m * self.down);
                }
                return;
            }
        };
        let due = Outputs {
            line: &self.line,
            first: groups.first(self.past * self.up + due.ahead, due.number),
            number: due.number,
            count: output.len(),
        };
        // Registers that a group fills.
        match groups.width / S::F32_LANES {
            1 => groups.apply::<S, 1>(simd, &due, &mut self.made),
            2 => groups.apply::<S, 2>(simd, &due, &mut self.made),
            8 => groups.apply::<S, 8>(simd, &due, &mut self.made),
            _ => groups.apply::<S, 16>(simd, &due, &mut self.made),
        }
        output.copy_from_slice(&self.made[groups.width..][..output.len()]);
    }

    /// One output, due `late` (in samples times `up`) after the first input of the piece, on a straight
    /// line between two rows.
    #[inline(always)]
    fn between<S: Simd>(&self, simd: S, rows: &Rows, late: usize) -> f32 {
        let (newest, late) = (late / self.up, late % self.up);
        let x = &self.line[newest + 1..][..rows.len()];
        let (index, part) = (late * TABLE_PHASES / self.up, late * TABLE_PHASES % self.up);
        hold(rows.between(simd, x, index, part as f32 / self.up as f32))
    }
}

/// Weights of outputs that are made side by side. After a period all comes again: every phase, as often as
/// it takes to fill groups.
///
/// ```text
///   samples, oldest first      x  x  x  x  x  x  x  x  x
///   weigh in output 0          w  w  w  w  w  .  .  .  .
///                   1          .  .  w  w  w  w  w  .  .
///                   2          .  .  .  .  w  w  w  w  w
/// ```
#[derive(Clone)]
struct Groups {
    /// `[groups, samples, outputs]`, after what there is before the first cache line.
    weights: Arc<Vec<f32>>,
    begin: usize,
    /// Samples of a group, in parts, and how many of them its first output may see.
    len: usize,
    part: usize,
    taps: usize,
    /// From the first sample of the first group to that of each.
    skips: Arc<[usize]>,
    /// Outputs of a group and of a period, and samples of that.
    width: usize,
    period: usize,
    samples: usize,
    up: usize,
    down: usize,
}

impl Groups {
    fn new(kernel: &Kernel, up: usize, down: usize, wait: f64) -> Self {
        let width = Arch::new().dispatch(Lanes).max(GROUP);
        let empty = |turns: usize| (turns * up).next_multiple_of(width) - turns * up;
        let full = |turns: &usize| 16 * empty(*turns) < turns * up;
        let period = up * (1..width).find(full).unwrap_or(width);
        let apart = up.min(down) as f64 / down as f64;
        let taps = ((kernel.length as f64 + wait) / apart).ceil() as usize;
        let seen = taps + ((width - 1) * down).div_ceil(up);
        let part = seen.div_ceil(seen.div_ceil(PART)).next_multiple_of(CHAINS);
        let len = seen.next_multiple_of(part);
        let groups = period.div_ceil(width);
        let mut weights = vec![0.0; groups * len * width + CACHE_LINE];
        let to_line = weights.as_ptr().align_offset(CACHE_LINE * size_of::<f32>());
        let begin = to_line.min(CACHE_LINE);
        for output in 0..period {
            let (group, place) = (output / width, output % width);
            // In samples, from the first that the group sees.
            let late = (group * width * down % up + place * down) as f64 / up as f64;
            let of_output = kernel.weights((taps - 1) as f64 + late, apart, wait, len);
            let group = &mut weights[begin + group * len * width..];
            let places = group.iter_mut().skip(place).step_by(width);
            places.zip(of_output).for_each(|(y, weight)| *y = weight);
        }
        Self {
            weights: weights.into(),
            begin,
            len,
            part,
            taps,
            skips: (0..groups).map(|of| of * width * down / up).collect(),
            width,
            period,
            samples: period / up * down,
            up,
            down,
        }
    }

    /// Where the first sample of a period lies that began before output `number`, which is `late` after the
    /// line begins: a period further, so that none lies below 0.
    #[inline(always)]
    fn first(&self, late: usize, number: usize) -> usize {
        (late + self.samples * self.up - number * self.down) / self.up + 1 - self.taps
    }

    /// Writes outputs to `made` from `width` on. What is about them is of no use.
    #[inline(always)]
    fn apply<S: Simd, const WIDE: usize>(&self, simd: S, due: &Outputs, made: &mut [f32]) {
        let Self {
            width,
            period,
            samples,
            ..
        } = *self;
        let weights = self.weights[self.begin..].chunks_exact(self.len * width);
        let end = due.number + due.count;
        let (whole, rest) = (end / period, end % period);
        // The last group may reach into the next period, whose first is written after it.
        for ((group, weights), skip) in weights.enumerate().zip(&*self.skips).rev() {
            let place = group * width;
            let count = whole + usize::from(place < rest);
            let mut n = usize::from(place + width <= due.number);
            while n < count {
                let line = &due.line[due.first + skip + n * samples - samples..];
                let made = &mut made[width + place + n * period - due.number..];
                let apart = (samples, period);
                let parts = weights.chunks_exact(self.part * width);
                n += match count - n {
                    1 => sums::<S, WIDE, 1>(simd, parts, line, made, apart),
                    2 => sums::<S, WIDE, 2>(simd, parts, line, made, apart),
                    3 => sums::<S, WIDE, 3>(simd, parts, line, made, apart),
                    _ => sums::<S, WIDE, 4>(simd, parts, line, made, apart),
                };
            }
        }
    }
}

/// How many numbers a register holds.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> usize {
        S::F32_LANES
    }
}

/// Outputs of a piece, from number `number` of a period on.
struct Outputs<'a> {
    line: &'a [f32],
    first: usize,
    number: usize,
    count: usize,
}

/// A group of `N` periods, whose samples and outputs are `apart`; gives `N`. Rows are summed by parts, so
/// that sums stay small, and so exact; and in chains, so that none waits for another.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // indices become registers; iterators over them do not
fn sums<S: Simd, const WIDE: usize, const N: usize>(
    simd: S,
    parts: ChunksExact<f32>,
    line: &[f32],
    made: &mut [f32],
    apart: (usize, usize),
) -> usize {
    let mut all = [[simd.splat_f32s(0.0); WIDE]; N];
    let mut line = line;
    for rows in parts {
        let (rows, _) = pulp::as_arrays::<WIDE, _>(S::as_simd_f32s(rows).0);
        let (turns, _) = rows.as_chunks::<CHAINS>();
        let x: [&[[f32; CHAINS]]; N] = core::array::from_fn(|n| {
            let x = &line[n * apart.0..][..turns.len() * CHAINS];
            &x.as_chunks().0[..turns.len()]
        });
        let mut sums = [[[simd.splat_f32s(0.0); WIDE]; N]; CHAINS];
        for turn in 0..turns.len() {
            for chain in 0..CHAINS {
                for n in 0..N {
                    let x = simd.splat_f32s(x[n][turn][chain]);
                    for wide in 0..WIDE {
                        let sum = &mut sums[chain][n][wide];
                        *sum = simd.mul_add_e_f32s(turns[turn][chain][wide], x, *sum);
                    }
                }
            }
        }
        for n in 0..N {
            for wide in 0..WIDE {
                let of_part = simd.add_f32s(sums[0][n][wide], sums[1][n][wide]);
                all[n][wide] = simd.add_f32s(all[n][wide], of_part);
            }
        }
        line = &line[rows.len()..];
    }
    let (least, most) = (simd.splat_f32s(-LOUDEST), simd.splat_f32s(LOUDEST));
    for (n, sums) in all.into_iter().enumerate() {
        let y = S::as_mut_simd_f32s(&mut made[n * apart.1..][..WIDE * S::F32_LANES]).0;
        for (y, sum) in y.iter_mut().zip(sums) {
            *y = simd.max_f32s(least, simd.min_f32s(most, sum));
        }
    }
    N
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
            let due = &mut stage.due;
            let all = Advance {
                filter,
                due,
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
