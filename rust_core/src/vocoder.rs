//! Harmonics and noise through two spectral envelopes.

use std::sync::{Arc, LazyLock};

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};
use rustfft::{Fft, FftPlanner};

use crate::error::{check_room, DspError};
use crate::math::curve::{exp, sin_cos};
use crate::math::mel::{band_edges_hz, BANDS};
use crate::stage::{HOP, RATE};

const FFT: usize = 1024;
const BINS: usize = FFT / 2 + 1;
/// Bins that are turned at a time, and room for all of them in such parts.
const ABREAST: usize = 16;
const ROOM: usize = BINS.next_multiple_of(ABREAST);
/// Envelope values are held within these before use: silence, and louder than speech ever is.
const LOG_FLOOR: f32 = -16.0;
const LOG_CEILING: f32 = 4.0;
/// Samples by which everything is late, so that the ringing before a pulse that falls between
/// samples is not cut off at the start of its hop.
const DELAY: usize = 16;
/// From here to half the sample rate harmonics fade out, which keeps that ringing short.
const FADE_FROM_HZ: f32 = 10_000.0;
/// Pole of the filter that takes away the mean which a train of pulses has: corner at 19 Hz.
const MEAN_POLE: f32 = 0.995;
/// Below this the filter's memory is let go, before it turns denormal.
const FORGOTTEN: f32 = 1e-15;
/// F0 above this would put pulses closer than the phase counter can part.
const MAX_F0_HZ: f32 = 2000.0;

/// A bin's value lies between those of band `low` and the next.
#[derive(Clone, Copy)]
struct Between {
    low: usize,
    part: f32,
}

/// Frames of F0 and two envelopes to sound: one hop of 240 samples for each frame.
///
/// A frame is 161 numbers: F0 in Hz (0: no harmonics), then 80 natural logarithms of amplitude for
/// the harmonics and 80 for the noise, at the centres of the mel bands of [`crate::LogMel`]. A
/// train of pulses of unit power, or noise of unit power, goes through the minimum-phase filter of
/// its envelope. Hop `k` lies between the moments of frames `k - 1` and `k`: filters cross over
/// linearly, F0 runs in a straight line, and the phase of the pulses is a counter that is never
/// reset by a change of parameters.
///
/// ```text
///   moment k-1            moment k
///      │  filter k-1 ╲╱ filter k │      pulses and noise of the hop, each weighted by both
///      └────────── hop k ────────┘      slopes, through both filters; tails overlap and add
/// ```
///
/// # Streaming
/// A hop is written as soon as the frame at its end is known, and `LATENCY` samples late: 16, for
/// the ringing before a pulse. The responses of earlier hops go on for at most 1024 samples.
///
/// # Source
/// Minimum phase by folding the cepstrum: Oppenheim & Schafer, Discrete-Time Signal Processing,
/// ch. 13. Pulses lie between samples by their exact phase in the spectrum.
#[derive(Clone)]
pub struct Vocoder {
    seed: u64,
    random: u64,
    /// Fraction of a period, 2^64 to the turn.
    phase: u64,
    f0_hz: f32,
    /// Of the newest frame.
    harmonics: Box<Filter>,
    noise: Box<Filter>,
    /// What earlier hops still have to say, the coming hop first.
    tail: Box<[f32; FFT]>,
    /// The last sample into and out of the filter that removes the mean.
    mean_in: f32,
    mean_out: f32,
    scratch: Vec<Complex<f32>>,
}

/// A complex number for each bin: real parts, imaginary parts.
#[derive(Clone)]
struct Filter {
    re: [f32; ROOM],
    im: [f32; ROOM],
}

impl Filter {
    const NOTHING: Self = Self {
        re: [0.0; ROOM],
        im: [0.0; ROOM],
    };
}

struct Tables {
    /// Two real transforms at a time: one in the real parts, one in the imaginary ones.
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    between: Vec<Between>,
    /// Gain of the harmonics at each bin.
    fade: Vec<f32>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    forward: FftPlanner::new().plan_fft_forward(FFT),
    inverse: RealFftPlanner::new().plan_fft_inverse(FFT),
    between: between_bands(),
    fade: (0..BINS).map(fade_at).collect(),
});

impl Vocoder {
    /// Numbers in a frame.
    pub const WIDTH: usize = 1 + 2 * BANDS;

    /// Samples by which a hop trails the moments that its frames stand for.
    pub const LATENCY: usize = DELAY;

    /// The same seed gives the same noise.
    pub fn new(seed: u64) -> Self {
        let (forward, inverse) = (&TABLES.forward, &TABLES.inverse);
        let scratch = forward.get_inplace_scratch_len();
        let scratch = scratch.max(inverse.get_scratch_len());
        Self {
            seed,
            random: seed,
            phase: 0,
            f0_hz: 0.0,
            harmonics: Box::new(Filter::NOTHING),
            noise: Box::new(Filter::NOTHING),
            tail: Box::new([0.0; FFT]),
            mean_in: 0.0,
            mean_out: 0.0,
            scratch: vec![Complex::default(); scratch],
        }
    }

    /// Writes one hop for each frame of `frames` and returns the samples written.
    ///
    /// # Errors
    /// `wrong_shape` if `frames` is not whole frames, `output_too_short`; nothing is consumed.
    pub fn process(&mut self, frames: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        if !frames.len().is_multiple_of(Self::WIDTH) {
            let (expected, got) = (Self::WIDTH, frames.len());
            return Err(DspError::Shape {
                what: "frames",
                expected,
                got,
            });
        }
        let count = frames.len() / Self::WIDTH;
        check_room(count * HOP, output.len())?;
        for (frame, out) in frames
            .chunks_exact(Self::WIDTH)
            .zip(output.chunks_exact_mut(HOP))
        {
            Arch::new().dispatch(Hop(self, frame, out));
        }
        Ok(count * HOP)
    }

    /// Forgets the stream; the seed stays.
    pub fn reset(&mut self) {
        self.random = self.seed;
        self.phase = 0;
        self.f0_hz = 0.0;
        *self.harmonics = Filter::NOTHING;
        *self.noise = Filter::NOTHING;
        self.tail.fill(0.0);
        self.mean_in = 0.0;
        self.mean_out = 0.0;
    }

    #[inline(always)]
    fn hop(&mut self, frame: &[f32], out: &mut [f32]) {
        let mut sum = [Complex::default(); BINS];
        let f0 = if frame[0].is_finite() {
            frame[0].clamp(0.0, MAX_F0_HZ)
        } else {
            0.0
        };
        let (harmonics, noise) = frame[1..].split_at(BANDS);
        let [mut filter, breath] = self.minimum_phases([harmonics, noise]);
        for (k, fade) in TABLES.fade.iter().enumerate() {
            filter.re[k] *= fade;
            filter.im[k] *= fade;
        }
        self.pulses(f0, &filter, &mut sum);
        *self.harmonics = filter;
        self.breath(&breath, &mut sum);
        *self.noise = breath;
        self.f0_hz = f0;
        self.overlap(&mut sum, out);
    }

    /// The filters of two envelopes. Cepstra of real and even logarithms are real and even; with the sign
    /// turned for the second half of time, their transform is the phase.
    #[inline(always)]
    fn minimum_phases(&mut self, envelopes: [&[f32]; 2]) -> [Filter; 2] {
        let mut values = [[0.0; 2]; BANDS];
        for (value, (a, b)) in values.iter_mut().zip(envelopes[0].iter().zip(envelopes[1])) {
            *value = [a, b].map(|v| {
                if v.is_finite() {
                    v.clamp(LOG_FLOOR, LOG_CEILING)
                } else {
                    LOG_FLOOR
                }
            });
        }
        let mut filters = [Filter::NOTHING; 2];
        let [a, b] = &mut filters;
        let mut both = [Complex::default(); FFT];
        for (k, at) in TABLES.between.iter().enumerate() {
            let (low, high) = (values[at.low], values[at.low + 1]);
            a.re[k] = low[0] + (high[0] - low[0]) * at.part;
            b.re[k] = low[1] + (high[1] - low[1]) * at.part;
            both[k] = Complex::new(a.re[k], b.re[k]);
        }
        let (first, second) = both.split_at_mut(FFT / 2);
        for (mirrored, bin) in second[1..].iter_mut().zip(first[1..].iter().rev()) {
            *mirrored = *bin;
        }
        // Lengths are those that were planned for: the transforms cannot refuse.
        TABLES
            .forward
            .process_with_scratch(&mut both, &mut self.scratch);
        const SCALE: f32 = 1.0 / FFT as f32;
        let (first, second) = both.split_at_mut(FFT / 2);
        first.iter_mut().for_each(|x| *x *= SCALE);
        second.iter_mut().for_each(|x| *x *= -SCALE);
        (first[0], second[0]) = (Complex::default(), Complex::default());
        TABLES
            .forward
            .process_with_scratch(&mut both, &mut self.scratch);
        for (k, bin) in both[..BINS].iter().enumerate() {
            (a.im[k], b.im[k]) = (bin.im, -bin.re);
        }
        for filter in &mut filters {
            for (re, im) in filter.re.iter_mut().zip(&mut filter.im) {
                let size = exp(*re);
                let (sin, cos) = sin_cos(*im);
                (*re, *im) = (size * cos, size * sin);
            }
        }
        filters
    }

    /// Adds the pulses of this hop, which ends at `f0` and in `new`.
    #[inline(always)]
    fn pulses(&mut self, f0: f32, new: &Filter, sum: &mut [Complex<f32>; BINS]) {
        let from = if self.f0_hz > 0.0 { self.f0_hz } else { f0 };
        let to = if f0 > 0.0 { f0 } else { from };
        if from <= 0.0 {
            return;
        }
        let hz = |n: usize| from + (to - from) * (n as f32 / HOP as f32);
        let step = |n: usize| (f64::from(hz(n)) / f64::from(RATE) * 2f64.powi(64)) as u64;
        let steps: [u64; HOP] = core::array::from_fn(step);
        let (mut falling, mut rising) = (Filter::NOTHING, Filter::NOTHING);
        let mut any = false;
        for (n, step) in steps.into_iter().enumerate() {
            let (phase, wrapped) = self.phase.overflowing_add(step);
            self.phase = phase;
            if wrapped {
                // The turn lies between this sample and the next.
                let late = phase as f64 / step as f64;
                let at = n as f32 + (1.0 - late) as f32;
                let amplitude = (RATE as f32 / hz(n)).sqrt();
                let rise = (at / HOP as f32).clamp(0.0, 1.0);
                pulse(
                    at,
                    [amplitude * (1.0 - rise), amplitude * rise],
                    [&mut falling, &mut rising],
                );
                any = true;
            }
        }
        if any {
            add_product(&falling, &self.harmonics, sum);
            add_product(&rising, new, sum);
        }
    }

    /// Adds the noise of this hop, which ends in `new`.
    #[inline(always)]
    fn breath(&mut self, new: &Filter, sum: &mut [Complex<f32>; BINS]) {
        let noise: [f32; HOP] = core::array::from_fn(|_| uniform(&mut self.random));
        // Falling in the real parts, rising in the imaginary ones.
        let mut both = [Complex::default(); FFT];
        for (n, (y, x)) in both[DELAY..].iter_mut().zip(&noise).enumerate() {
            let rise = n as f32 / HOP as f32;
            *y = Complex::new(x * (1.0 - rise), x * rise);
        }
        TABLES
            .forward
            .process_with_scratch(&mut both, &mut self.scratch);
        let old = &*self.noise;
        for (k, sum) in sum.iter_mut().enumerate() {
            let (here, mirrored) = (both[k], both[(FFT - k) % FFT]);
            let falling = 0.5 * Complex::new(here.re + mirrored.re, here.im - mirrored.im);
            let rising = 0.5 * Complex::new(here.im + mirrored.im, mirrored.re - here.re);
            *sum += falling * Complex::new(old.re[k], old.im[k]);
            *sum += rising * Complex::new(new.re[k], new.im[k]);
        }
    }

    /// Adds this hop's response to what is still to come and hands out the first hop of it.
    #[inline(always)]
    fn overlap(&mut self, sum: &mut [Complex<f32>; BINS], out: &mut [f32]) {
        sum[0].im = 0.0;
        sum[BINS - 1].im = 0.0;
        let mut time = [0.0; FFT];
        let inverse = &TABLES.inverse;
        let _ = inverse.process_with_scratch(sum, &mut time, &mut self.scratch);
        let scale = 1.0 / FFT as f32;
        for (tail, x) in self.tail.iter_mut().zip(&time) {
            *tail += x * scale;
        }
        for (y, &x) in out.iter_mut().zip(&self.tail[..HOP]) {
            let flat = x - self.mean_in + MEAN_POLE * self.mean_out;
            self.mean_in = x;
            self.mean_out = flat;
            *y = flat;
        }
        if self.mean_out.abs() < FORGOTTEN {
            self.mean_out = 0.0;
        }
        self.tail.copy_within(HOP.., 0);
        self.tail[FFT - HOP..].fill(0.0);
    }
}

/// One hop, compiled for the processor at hand.
struct Hop<'a>(&'a mut Vocoder, &'a [f32], &'a mut [f32]);

impl WithSimd for Hop<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.hop(self.1, self.2);
    }
}

/// Adds a pulse `at` samples into the hop, in two sizes.
#[inline(always)]
fn pulse(at: f32, sizes: [f32; 2], [a, b]: [&mut Filter; 2]) {
    let angle = -core::f32::consts::TAU * (at + DELAY as f32) / FFT as f32;
    let (mut re, mut im) = ([0.0f32; ABREAST], [0.0f32; ABREAST]);
    for (k, (re, im)) in re.iter_mut().zip(&mut im).enumerate() {
        (*im, *re) = sin_cos(angle * k as f32);
    }
    // From bins to those so many further on.
    let (turn_im, turn_re) = sin_cos(angle * ABREAST as f32);
    for start in (0..ROOM).step_by(ABREAST) {
        for k in 0..ABREAST {
            a.re[start + k] += sizes[0] * re[k];
            a.im[start + k] += sizes[0] * im[k];
            b.re[start + k] += sizes[1] * re[k];
            b.im[start + k] += sizes[1] * im[k];
            let turned = re[k] * turn_re - im[k] * turn_im;
            im[k] = re[k] * turn_im + im[k] * turn_re;
            re[k] = turned;
        }
    }
}

#[inline(always)]
fn add_product(a: &Filter, b: &Filter, sum: &mut [Complex<f32>; BINS]) {
    for (k, sum) in sum.iter_mut().enumerate() {
        sum.re += a.re[k] * b.re[k] - a.im[k] * b.im[k];
        sum.im += a.re[k] * b.im[k] + a.im[k] * b.re[k];
    }
}

/// For each bin the bands it lies between; flat outside the first and last centre.
fn between_bands() -> Vec<Between> {
    let edges = band_edges_hz(BANDS, f64::from(RATE) / 2.0);
    let centres = &edges[1..=BANDS];
    let at = |bin: usize| {
        let f = bin as f64 * f64::from(RATE) / FFT as f64;
        let above = centres.partition_point(|&c| c <= f).clamp(1, BANDS - 1);
        let (low, high) = (centres[above - 1], centres[above]);
        Between {
            low: above - 1,
            part: ((f - low) / (high - low)).clamp(0.0, 1.0) as f32,
        }
    };
    (0..BINS).map(at).collect()
}

/// 1 up to `FADE_FROM_HZ`, then half a cosine down to 0 at half the sample rate.
fn fade_at(bin: usize) -> f32 {
    let hz = bin as f32 * RATE as f32 / FFT as f32;
    let part = ((hz - FADE_FROM_HZ) / (RATE as f32 / 2.0 - FADE_FROM_HZ)).clamp(0.0, 1.0);
    0.5 + 0.5 * (core::f32::consts::PI * part).cos()
}

/// Step of the noise's counter: odd, the golden ratio of 2^64.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Uniform noise of unit power: a counter, mixed (splitmix64; Steele, Lea & Flood 2014). Each number
/// follows from the seed and its place alone, so that many can be made at once.
#[inline(always)]
pub(crate) fn uniform(counter: &mut u64) -> f32 {
    *counter = counter.wrapping_add(GOLDEN);
    let mut z = *counter;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let bits = (z ^ (z >> 31)) >> 40;
    // 24 bits to -1..1, then to a standard deviation of 1.
    (bits as f32 / 8_388_608.0 - 1.0) * 1.732_050_8
}
