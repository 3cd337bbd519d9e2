//! Natural speech as frames that the vocoder can sound: F0, and envelopes of harmonics and noise.

use std::sync::{Arc, LazyLock};

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::error::{check_room, DspError};
use crate::math::curve::{exp, ln, sin_cos};
use crate::math::mel::{band_edges_hz, BANDS, LOUDEST, SILENT};
use crate::stage::{HOP, RATE};

/// Samples past the moment of a frame that it needs: one and a half periods of the lowest voice, and as
/// late as F0 is known.
const LOOKAHEAD: usize = 720;
const HISTORY: usize = 2 * LOOKAHEAD;
const FFT: usize = 1024;
const BINS: usize = FFT / 2 + 1;
const HZ_A_BIN: f32 = RATE as f32 / FFT as f32;
const MIN_F0_HZ: f32 = 55.0;
const MAX_F0_HZ: f32 = 700.0;
/// What is unvoiced is looked at as a voice of this F0 would be: 10 ms at a time.
const UNVOICED_HZ: f32 = 300.0;
/// Weights that give back what the smoothing over F0 takes from the envelope (Morise 2015).
const KEEP: f32 = 1.18;
const SIDE: f32 = -0.09;
/// Half of what periods are compared over, at least: of fewer bins noise looks like harmonics.
const COMPARED_HZ: f32 = 400.0;
/// Power of nothing.
const FLOOR: f32 = 1e-15;
/// What voiced sound always has of noise, and of harmonics: their logarithms stay finite.
const LEAST: f32 = 1e-4;

/// Hops of 240 samples, each with the F0 of its frame, to frames for [`crate::Vocoder`].
///
/// The power spectrum under a window of three periods, smoothed over two thirds of F0 and then with F0
/// itself, is the envelope of both. How alike one period is to the next, band by band, says how much of
/// it is of harmonics; of the rest's share the square is noise. Steady noise beside a voice so becomes less than it was; speech
/// sounded again is more natural (DNSMOS 3.06 to 3.14 over thirteen recordings) and as like the speaker. Without F0 all is noise.
///
/// # Streaming
/// A row is 241 numbers: the newest hop, and F0 in Hz (0: unvoiced) as `F0Tracker` answers for that hop.
/// Both stand for the moment 720 samples before the hop's end. One frame out for each row in.
///
/// # Source
/// Envelope: Morise (2015), CheapTrick, a spectral envelope estimator for high-quality speech synthesis,
/// Speech Communication 67; of its steps the last is taken over bands of the mel scale. The division into
/// harmonics and noise is by coherence of neighbouring periods, not that of D4C (Morise 2016).
#[derive(Clone)]
pub struct Envelopes {
    history: Box<[f32; HISTORY]>,
    work: Box<Work>,
}

/// What a frame needs while it is made.
#[derive(Clone)]
struct Work {
    time: [f32; FFT],
    spectrum: [Complex<f32>; BINS],
    other: [Complex<f32>; BINS],
    power: [f32; BINS],
    sums: [f64; BINS + 1],
    scratch: Vec<Complex<f32>>,
}

struct Tables {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    edges_hz: Vec<f32>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut planner = RealFftPlanner::<f32>::new();
    Tables {
        forward: planner.plan_fft_forward(FFT),
        inverse: planner.plan_fft_inverse(FFT),
        edges_hz: band_edges_hz(BANDS, f64::from(RATE) / 2.0)
            .iter()
            .map(|hz| *hz as f32)
            .collect(),
    }
});

impl Default for Envelopes {
    fn default() -> Self {
        Self::new()
    }
}

impl Envelopes {
    /// Numbers in a row that goes in: a hop, and F0 in Hz.
    pub const WIDTH_IN: usize = HOP + 1;
    /// Numbers in a frame: F0 in Hz, and natural logarithms of amplitude of harmonics, and of noise.
    pub const WIDTH_OUT: usize = 1 + 2 * BANDS;
    /// Samples past the moment that a frame stands for which it needs.
    pub const LOOKAHEAD: usize = LOOKAHEAD;

    /// There is nothing to set.
    pub fn new() -> Self {
        let (forward, inverse) = (&TABLES.forward, &TABLES.inverse);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            history: Box::new([0.0; HISTORY]),
            work: Box::new(Work {
                time: [0.0; FFT],
                spectrum: [Complex::default(); BINS],
                other: [Complex::default(); BINS],
                power: [0.0; BINS],
                sums: [0.0; BINS + 1],
                scratch: vec![Complex::default(); scratch],
            }),
        }
    }

    /// Writes a frame for each row and returns their number.
    ///
    /// # Errors
    /// `wrong_shape` if `rows` is not whole rows, `output_too_short`; nothing is consumed.
    pub fn process(&mut self, rows: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        if !rows.len().is_multiple_of(Self::WIDTH_IN) {
            return Err(DspError::Shape {
                what: "rows",
                expected: Self::WIDTH_IN,
                got: rows.len(),
            });
        }
        let count = rows.len() / Self::WIDTH_IN;
        check_room(count * Self::WIDTH_OUT, output.len())?;
        let frames = output.chunks_exact_mut(Self::WIDTH_OUT);
        for (row, frame) in rows.chunks_exact(Self::WIDTH_IN).zip(frames) {
            self.history.copy_within(HOP.., 0);
            let newest = &mut self.history[HISTORY - HOP..];
            for (y, x) in newest.iter_mut().zip(row) {
                // As loud as the vocoder sounds at most, and squares that stay exact.
                *y = if x.is_finite() {
                    x.clamp(-8.0, 8.0)
                } else {
                    0.0
                };
            }
            let f0 = row[HOP];
            let f0 = if f0.is_finite() && f0 > 0.0 {
                f0.clamp(MIN_F0_HZ, MAX_F0_HZ)
            } else {
                0.0
            };
            Arch::new().dispatch(Frame(self, f0, frame));
        }
        Ok(count)
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.history.fill(0.0);
    }

    #[inline(always)]
    fn frame(&mut self, f0: f32, frame: &mut [f32]) {
        let work = &mut *self.work;
        let seen = if f0 > 0.0 { f0 } else { UNVOICED_HZ };
        work.envelope(&self.history, seen);
        frame[0] = f0;
        let (harmonics, noise) = frame[1..].split_at_mut(BANDS);
        let edges = &TABLES.edges_hz;
        running_sum(&work.power, &mut work.sums);
        for (band, y) in noise.iter_mut().enumerate() {
            let (low, high) = (edges[band], edges[band + 2]);
            *y = mean_between(
                &work.sums,
                0.5 * (low + edges[band + 1]),
                0.5 * (edges[band + 1] + high),
            );
        }
        let bounded = |power: f32| (0.5 * ln(power.max(FLOOR))).clamp(SILENT, LOUDEST);
        if f0 == 0.0 {
            harmonics.fill(SILENT);
            noise.iter_mut().for_each(|y| *y = bounded(*y));
            return;
        }
        harmonics.copy_from_slice(noise);
        let mut shares = [0.0; BANDS];
        work.shares(&self.history, f0, &mut shares);
        for ((h, n), share) in harmonics.iter_mut().zip(noise).zip(shares) {
            // What differs from period to period is not all heard as noise: F0 and level move, and rooms ring.
            let unlike = ((1.0 - share) * (1.0 - share)).clamp(LEAST, 1.0 - LEAST);
            *h = bounded(*h * (1.0 - unlike));
            *n = bounded(*n * unlike);
        }
    }
}

impl Work {
    /// Leaves in `power` the envelope about the middle of `history`, as power.
    #[inline(always)]
    fn envelope(&mut self, history: &[f32; HISTORY], f0: f32) {
        let Self {
            time,
            spectrum,
            power,
            sums,
            scratch,
            ..
        } = self;
        let half = (1.5 * RATE as f32 / f0).min((FFT / 2 - 1) as f32);
        windowed(history, 0.0, half, time);
        let (forward, inverse) = (&TABLES.forward, &TABLES.inverse);
        // Lengths are those that were planned for and end bins are real: the transforms cannot refuse.
        let _ = forward.process_with_scratch(time, spectrum, scratch);
        for (y, x) in power.iter_mut().zip(spectrum.iter()) {
            *y = x.norm_sqr() + FLOOR;
        }
        // Below F0 there is nothing but what leaks from it; what is mirrored there makes up for the rest.
        let mirrored = (f0 / HZ_A_BIN) as usize;
        for k in 0..mirrored / 2 + 1 {
            let image = power[mirrored - k];
            power[k] += image;
        }
        running_sum(power, sums);
        for (k, y) in power.iter_mut().enumerate() {
            let hz = k as f32 * HZ_A_BIN;
            *y = mean_between(sums, hz - f0 / 3.0, hz + f0 / 3.0);
        }
        for (y, x) in spectrum.iter_mut().zip(power.iter()) {
            *y = Complex::new(ln(x.max(FLOOR)), 0.0);
        }
        let _ = inverse.process_with_scratch(spectrum, time, scratch);
        let turn = core::f32::consts::PI * f0 / RATE as f32;
        let scale = 1.0 / FFT as f32;
        for (n, y) in time[..BINS].iter_mut().enumerate() {
            let x = turn * n as f32;
            let (sin, _) = sin_cos(x);
            let (_, cos) = sin_cos(2.0 * x);
            let smooth = if n == 0 { 1.0 } else { sin / x };
            *y *= smooth * (KEEP + 2.0 * SIDE * cos) * scale;
        }
        for n in 1..FFT / 2 {
            time[FFT - n] = time[n];
        }
        let _ = forward.process_with_scratch(time, spectrum, scratch);
        for (y, x) in power.iter_mut().zip(spectrum.iter()) {
            *y = exp(x.re);
        }
    }

    /// Of each band's power what is of harmonics: how alike two periods and the next two are.
    #[inline(always)]
    fn shares(&mut self, history: &[f32; HISTORY], f0: f32, shares: &mut [f32; BANDS]) {
        let Self {
            time,
            spectrum,
            other,
            power,
            sums,
            scratch,
        } = self;
        let period = RATE as f32 / f0;
        let forward = &TABLES.forward;
        // A period apart in whole samples; what is left is a turn of the phase.
        let apart = period.round();
        let early = -(0.5 * apart).floor();
        windowed(history, early, period, time);
        let _ = forward.process_with_scratch(time, spectrum, scratch);
        windowed(history, early + apart, period, time);
        let _ = forward.process_with_scratch(time, other, scratch);
        let half = COMPARED_HZ.max(1.5 * f0);
        let mut means = [[0.0; BANDS]; 4];
        for (what, means) in means.iter_mut().enumerate() {
            for ((y, a), b) in power.iter_mut().zip(spectrum.iter()).zip(other.iter()) {
                let both = a * b.conj();
                *y = [both.re, both.im, a.norm_sqr(), b.norm_sqr()][what];
            }
            running_sum(power, sums);
            for (band, y) in means.iter_mut().enumerate() {
                let hz = TABLES.edges_hz[band + 1];
                *y = mean_between(sums, hz - half, hz + half);
            }
        }
        // Of noise so many independent values give this much by chance.
        let chance = 0.5 * f0 / half;
        for (band, share) in shares.iter_mut().enumerate() {
            let [re, im, a, b] = means.map(|of| of[band]);
            let alike = (re * re + im * im) / (a * b + FLOOR * FLOOR);
            *share = ((alike - chance) / (1.0 - chance)).clamp(0.0, 1.0).sqrt();
        }
    }
}

/// Hann-windowed samples about one `off` the middle of the history, `half` to each side, without their
/// mean and with unit power of the window.
#[inline(always)]
fn windowed(history: &[f32; HISTORY], off: f32, half: f32, time: &mut [f32; FFT]) {
    let reach = half as usize;
    let first = (LOOKAHEAD as f32 + off) as usize - reach;
    let turn = core::f32::consts::PI / half;
    let weight = |n: usize| {
        let (_, cos) = sin_cos(turn * (n as f32 - reach as f32));
        0.5 + 0.5 * cos
    };
    let len = 2 * reach + 1;
    let (mut sum, mut weights, mut squares) = (0.0, 0.0, 0.0);
    for (n, (y, x)) in time[..len].iter_mut().zip(&history[first..]).enumerate() {
        let w = weight(n);
        *y = x * w;
        sum += *y;
        weights += w;
        squares += w * w;
    }
    let (mean, gain) = (sum / weights, 1.0 / f32::sqrt(squares));
    for (n, y) in time[..len].iter_mut().enumerate() {
        *y = (*y - mean * weight(n)) * gain;
    }
    time[len..].fill(0.0);
}

/// Sums of all before each bin; in double, so that what is quiet is not lost beside what is loud.
#[inline(always)]
fn running_sum(values: &[f32; BINS], sums: &mut [f64; BINS + 1]) {
    let mut sum = 0.0;
    for (y, x) in sums.iter_mut().zip(values) {
        *y = sum;
        sum += f64::from(*x);
    }
    sums[BINS] = sum;
}

/// Mean between two frequencies, mirrored at 0 and held at the top.
#[inline(always)]
fn mean_between(sums: &[f64; BINS + 1], low_hz: f32, high_hz: f32) -> f32 {
    // A bin reaches half a bin to either side; the sum up to a frequency below 0 is minus that up to its
    // image.
    let at = |hz: f32| {
        let bin = f64::from(hz / HZ_A_BIN);
        let size = (bin.abs() + 0.5).min(BINS as f64 - 1e-6);
        let whole = size as usize;
        let sum = sums[whole] + (sums[whole + 1] - sums[whole]) * (size - whole as f64);
        // Half of the bin at 0 lies on either side.
        (
            (sum - 0.5 * sums[1]).copysign(bin),
            (size - 0.5).copysign(bin),
        )
    };
    let ((low, from), (high, to)) = (at(low_hz), at(high_hz));
    ((high - low) / (to - from).max(1e-3)) as f32
}

/// One frame, compiled for the processor at hand.
struct Frame<'a>(&'a mut Envelopes, f32, &'a mut [f32]);

impl WithSimd for Frame<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.frame(self.1, self.2);
    }
}
