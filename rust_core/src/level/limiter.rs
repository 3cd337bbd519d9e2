//! Holds the wave within a ceiling, between the samples too.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_range, check_room, DspError};
use crate::level::peaks::{largest, size, top, Quarters, TOP_TO_POINT, WIDE};
use crate::math::db::amplitude_from_db;
use crate::math::sample::{larger, tame};
use crate::math::window::raised_cosine;
use crate::stage::{check_rate, Rates, Stage};

/// How far the limiter sees ahead: enough to turn down without a click.
const AHEAD_MS: f64 = 1.5;
/// Of these, samples that tell what lies between two: a third, and no more than this.
const MOST_BETWEEN: usize = 12;
/// Time in which a reduction falls to 1/e: longer than a period of the lowest voice, so that the
/// gain does not follow the wave.
const RELEASE_MS: f64 = 60.0;
/// A reduction below this is none: -120 dB, so that the limiter comes to rest.
const AT_REST: f32 = 1e-6;
/// Samples that are worked on at a time.
const PIECE: usize = 2 * WIDE;

/// Holds the wave within a ceiling, turning down smoothly before a peak and up after it. A peak between
/// two samples counts, as loudspeakers and resamplers make it one.
///
/// ```text
///   reduction wanted   ____|____          what the wave about the sample at hand needs
///   held               |‾‾‾‾‾‾‾‾╲___      largest of the last 25, then falling in 60 ms
///   smoothed         __╱‾‾‾‾‾‾‾‾╲╲__      weighted mean of the last 25: all of them at least
///   signal                      |         what is wanted 24 samples ago, when this comes out
/// ```
///
/// Twelve more are what the wave between two samples needs: 36 in all, at 24 kHz.
///
/// # Streaming
/// Latency 1.5 ms. While the wave is below the ceiling the samples pass unchanged. A sample that is not
/// finite counts as 0.
#[derive(Clone)]
pub struct Limiter {
    sample_rate: u32,
    ceiling: f32,
    release: f32,
    /// No wave through samples this small is above the ceiling.
    quiet: f32,
    ahead: usize,
    /// Samples by which the gain sees ahead of what it is for.
    seen: usize,
    weights: Arc<[f32]>,
    quarters: Quarters,
    /// Of each line the past that is still needed, then the piece at hand.
    signal: Vec<f32>,
    wanted: Vec<f32>,
    held: Vec<f32>,
    /// Largest reduction that any of the last `seen + 1` wants, as `wanted`.
    needed: Vec<f32>,
    later: Vec<f32>,
    last_held: f32,
    /// The newest interval's largest, and the last quarter before it.
    last_top: f32,
    last_quarter: f32,
    /// Samples on end that wanted no reduction while none was held; enough of them, and all is rest.
    calm: usize,
    arch: Arch,
}

impl Limiter {
    /// # Errors
    /// `out_of_range`: sample rate outside 8000 to 192000 Hz, ceiling outside -60 to 0 dBFS.
    pub fn new(sample_rate: u32, ceiling_db: f64) -> Result<Self, DspError> {
        check_rate("sample_rate in Hz", sample_rate)?;
        check_range("ceiling_db", ceiling_db, -60.0, 0.0)?;
        let rate = f64::from(sample_rate);
        let ahead = (AHEAD_MS * rate / 1000.0) as usize;
        let quarters = Quarters::new(MOST_BETWEEN.min(ahead / 3));
        let seen = ahead - quarters.half();
        let slope = |i: usize| {
            let at = |i: usize| raised_cosine(i as f64 / (seen + 1) as f64);
            (at(i + 1) - at(i)) as f32
        };
        let ceiling = amplitude_from_db(ceiling_db) as f32;
        let mut made = Self {
            sample_rate,
            ceiling,
            release: (-1000.0 / (RELEASE_MS * rate)).exp() as f32,
            quiet: ceiling / quarters.most(),
            ahead,
            seen,
            weights: (0..=seen).map(slope).collect(),
            signal: vec![0.0; ahead + quarters.half() + PIECE],
            wanted: vec![0.0; seen + PIECE],
            held: vec![0.0; seen + PIECE],
            needed: vec![0.0; seen + PIECE],
            later: vec![0.0; seen + PIECE],
            last_held: 0.0,
            last_top: 0.0,
            last_quarter: 0.0,
            calm: 0,
            quarters,
            arch: Arch::new(),
        };
        made.reset();
        Ok(made)
    }

    /// Samples after which nothing of what was loud is left in any line.
    fn enough(&self) -> usize {
        self.ahead + self.seen + 2 * self.quarters.half()
    }

    /// As many samples as `output` holds, `PIECE` at most; without input, silence.
    fn piece(&mut self, input: Option<&[f32]>, output: &mut [f32]) {
        let len = output.len();
        let past = self.signal.len() - PIECE;
        let room = &mut self.signal[past..past + len];
        match input {
            Some(input) => room.iter_mut().zip(input).for_each(|(y, x)| *y = tame(*x)),
            None => room.fill(0.0),
        }
        let loudest = size(room);
        let calm = loudest <= self.quiet && self.last_held == 0.0;
        self.calm = if calm {
            (self.calm + len).min(1 << 20)
        } else {
            0
        };
        let delayed = past - self.ahead;
        if self.calm >= self.enough() + len {
            // Every reduction, wanted and held, is zero already.
            output.copy_from_slice(&self.signal[delayed..delayed + len]);
        } else {
            let arch = self.arch;
            arch.dispatch(Limit(self, output));
        }
        self.signal.copy_within(len..len + past, 0);
    }

    /// What each sample of the piece wants: of the wave from the sample before it to the one after.
    #[inline(always)]
    fn want<S: Simd>(&mut self, simd: S, len: usize) {
        let half = self.quarters.half();
        // Intervals begin `half` samples before those of the piece.
        let first = self.signal.len() - PIECE - 2 * half + 1;
        let newest = &mut self.wanted[self.seen..];
        for start in (0..len).step_by(WIDE) {
            let line = &self.signal[first + start..];
            let between = self.quarters.between(simd, line);
            let count = WIDE.min(len - start);
            let at = &line[half - 1..];
            let mut tops = [0.0; WIDE];
            let edges = larger(self.last_quarter.abs(), at[WIDE].abs());
            let highest = larger(largest(at, &between, WIDE), edges);
            if highest * TOP_TO_POINT > self.ceiling {
                tops = tops_of(at, &between, self.last_quarter);
            }
            let mut before = self.last_top;
            for (y, top) in newest[start..].iter_mut().zip(&tops[..count]) {
                let size = larger(larger(before, *top), self.ceiling);
                *y = 1.0 - self.ceiling / size;
                before = *top;
            }
            self.last_top = before;
            self.last_quarter = between[2][count - 1];
        }
    }

    /// The largest of the last `seen + 1` of `wanted`, then falling.
    #[inline(always)]
    fn hold(&mut self, len: usize) {
        let all = self.seen + len;
        self.needed[..all].copy_from_slice(&self.wanted[..all]);
        // Each pass, every number becomes the largest of up to twice as many that begin with it.
        let mut spans = 1;
        while spans <= self.seen {
            let by = spans.min(self.seen + 1 - spans);
            self.later[..all].copy_from_slice(&self.needed[..all]);
            for (y, later) in self.needed[..all - by].iter_mut().zip(&self.later[by..]) {
                *y = larger(*y, *later);
            }
            spans += by;
        }
        for (y, needed) in self.held[self.seen..].iter_mut().zip(&self.needed[..len]) {
            let falling = self.last_held * self.release;
            self.last_held = larger(*needed, if falling > AT_REST { falling } else { 0.0 });
            *y = self.last_held;
        }
    }
}

/// What `piece` does where something is loud, compiled for the processor at hand.
struct Limit<'a>(&'a mut Limiter, &'a mut [f32]);

impl WithSimd for Limit<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(limiter, output) = self;
        let len = output.len();
        limiter.want(simd, len);
        limiter.hold(len);
        let (ceiling, seen) = (limiter.ceiling, limiter.seen);
        let delayed = limiter.signal.len() - PIECE - limiter.ahead;
        let mut smoothed = [0.0f32; PIECE];
        for (n, weight) in limiter.weights.iter().enumerate() {
            let held = &limiter.held[n..];
            let held = &held[..PIECE.min(held.len())];
            for (y, held) in smoothed.iter_mut().zip(held) {
                *y += held * weight;
            }
        }
        let signal = &limiter.signal[delayed..];
        for ((y, x), reduction) in output.iter_mut().zip(signal).zip(&smoothed) {
            // The clamp takes off what rounding leaves above the ceiling.
            *y = (x * (1.0 - reduction)).clamp(-ceiling, ceiling);
        }
        for line in [&mut limiter.wanted, &mut limiter.held] {
            line.copy_within(len..len + seen, 0);
        }
    }
}

/// The largest about each point of `WIDE` intervals: its beginning and its quarters.
#[inline(always)]
fn tops_of(at: &[f32], between: &[[f32; WIDE]; 3], last_quarter: f32) -> [f32; WIDE] {
    let [one, two, three] = between;
    let at = &at[..=WIDE];
    let mut before = [last_quarter; WIDE];
    before[1..].copy_from_slice(&three[..WIDE - 1]);
    let mut tops = [0.0f32; WIDE];
    for n in 0..WIDE {
        let early = larger(top(before[n], at[n], one[n]), top(at[n], one[n], two[n]));
        let late = larger(
            top(one[n], two[n], three[n]),
            top(two[n], three[n], at[n + 1]),
        );
        tops[n] = larger(early, late);
    }
    tops
}

impl Stage for Limiter {
    fn rates(&self) -> Rates {
        Rates {
            input: self.sample_rate,
            output: self.sample_rate,
        }
    }

    fn latency(&self) -> usize {
        self.ahead
    }

    fn output_len(&self, input_len: usize) -> usize {
        input_len
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        check_room(input.len(), output.len())?;
        for (input, output) in input.chunks(PIECE).zip(output.chunks_mut(PIECE)) {
            self.piece(Some(input), &mut output[..input.len()]);
        }
        Ok(input.len())
    }

    fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError> {
        check_room(self.ahead, output.len())?;
        for output in output[..self.ahead].chunks_mut(PIECE) {
            self.piece(None, output);
        }
        self.reset();
        Ok(self.ahead)
    }

    fn reset(&mut self) {
        for line in [&mut self.signal, &mut self.wanted, &mut self.held] {
            line.fill(0.0);
        }
        self.last_held = 0.0;
        self.last_top = 0.0;
        self.last_quarter = 0.0;
        self.calm = 2 * self.enough();
    }
}
