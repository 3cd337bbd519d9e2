//! Harmonics and noise through two spectral envelopes.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::error::{check_room, DspError};
use crate::math::curve::exp_complex;
use crate::math::mel::{band_edges_hz, BANDS};
use crate::stage::{HOP, RATE};

const FFT: usize = 1024;
const BINS: usize = FFT / 2 + 1;
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
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    between: Arc<[Between]>,
    /// Gain of the harmonics at each bin.
    fade: Arc<[f32]>,
    seed: u64,
    random: u64,
    /// Fraction of a period, 2^64 to the turn.
    phase: u64,
    f0_hz: f32,
    /// Filters of the newest frame: harmonics, noise.
    filters: [Vec<Complex<f32>>; 2],
    next: Vec<Complex<f32>>,
    sum: Vec<Complex<f32>>,
    spectrum: Vec<Complex<f32>>,
    time: Vec<f32>,
    noise: [f32; HOP],
    /// What earlier hops still have to say, the coming hop first.
    tail: Vec<f32>,
    /// The last sample into and out of the filter that removes the mean.
    mean_in: f32,
    mean_out: f32,
    scratch: Vec<Complex<f32>>,
}

impl Vocoder {
    /// Numbers in a frame.
    pub const WIDTH: usize = 1 + 2 * BANDS;

    /// Samples by which a hop trails the moments that its frames stand for.
    pub const LATENCY: usize = DELAY;

    /// The same seed gives the same noise.
    pub fn new(seed: u64) -> Self {
        let mut planner = RealFftPlanner::<f32>::new();
        let (forward, inverse) = (planner.plan_fft_forward(FFT), planner.plan_fft_inverse(FFT));
        let zero = || vec![Complex::new(0.0, 0.0); BINS];
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            between: between_bands().into(),
            fade: (0..BINS).map(fade_at).collect(),
            seed,
            random: seed,
            phase: 0,
            f0_hz: 0.0,
            filters: [zero(), zero()],
            next: zero(),
            sum: zero(),
            spectrum: zero(),
            time: vec![0.0; FFT],
            noise: [0.0; HOP],
            tail: vec![0.0; FFT],
            mean_in: 0.0,
            mean_out: 0.0,
            scratch: vec![Complex::new(0.0, 0.0); scratch],
            forward,
            inverse,
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
            self.hop(frame, out);
        }
        Ok(count * HOP)
    }

    /// Forgets the stream; the seed stays.
    pub fn reset(&mut self) {
        self.random = self.seed;
        self.phase = 0;
        self.f0_hz = 0.0;
        for filter in &mut self.filters {
            filter.fill(Complex::new(0.0, 0.0));
        }
        self.tail.fill(0.0);
        self.mean_in = 0.0;
        self.mean_out = 0.0;
    }

    fn hop(&mut self, frame: &[f32], out: &mut [f32]) {
        self.sum.fill(Complex::new(0.0, 0.0));
        let f0 = if frame[0].is_finite() {
            frame[0].clamp(0.0, MAX_F0_HZ)
        } else {
            0.0
        };
        self.minimum_phase(&frame[1..1 + BANDS]);
        for (bin, fade) in self.next.iter_mut().zip(self.fade.iter()) {
            *bin *= fade;
        }
        self.pulses(f0);
        core::mem::swap(&mut self.next, &mut self.filters[0]);
        self.minimum_phase(&frame[1 + BANDS..]);
        self.noise();
        core::mem::swap(&mut self.next, &mut self.filters[1]);
        self.f0_hz = f0;
        self.overlap(out);
    }

    /// Leaves the filter of an envelope in `next`.
    fn minimum_phase(&mut self, bands: &[f32]) {
        let value = |band: usize| {
            let v = bands[band];
            if v.is_finite() {
                v.clamp(LOG_FLOOR, LOG_CEILING)
            } else {
                LOG_FLOOR
            }
        };
        for (bin, at) in self.spectrum.iter_mut().zip(self.between.iter()) {
            let (low, high) = (value(at.low), value(at.low + 1));
            *bin = Complex::new(low + (high - low) * at.part, 0.0);
        }
        // Lengths are fixed by `new` and end bins are real: the transforms cannot refuse.
        let _ = self.inverse.process_with_scratch(
            &mut self.spectrum,
            &mut self.time,
            &mut self.scratch,
        );
        let scale = 1.0 / FFT as f32;
        self.time[0] *= scale;
        self.time[FFT / 2] *= scale;
        for x in &mut self.time[1..FFT / 2] {
            *x *= 2.0 * scale;
        }
        self.time[FFT / 2 + 1..].fill(0.0);
        let _ =
            self.forward
                .process_with_scratch(&mut self.time, &mut self.next, &mut self.scratch);
        exp_complex(&mut self.next);
    }

    /// Adds the pulses of this hop, which ends at `f0`, through the harmonic filters.
    fn pulses(&mut self, f0: f32) {
        let voiced = f0 > 0.0;
        let from = if self.f0_hz > 0.0 { self.f0_hz } else { f0 };
        let to = if voiced { f0 } else { from };
        if from <= 0.0 {
            return;
        }
        for n in 0..HOP {
            let hz = from + (to - from) * (n as f32 / HOP as f32);
            let step = (f64::from(hz) / f64::from(RATE) * 2f64.powi(64)) as u64;
            let (phase, wrapped) = self.phase.overflowing_add(step);
            self.phase = phase;
            if wrapped {
                // The turn lies between this sample and the next.
                let late = phase as f64 / step as f64;
                self.pulse(n as f32 + (1.0 - late) as f32, (RATE as f32 / hz).sqrt());
            }
        }
    }

    /// One pulse `at` samples into the hop, through the old and the new filter.
    fn pulse(&mut self, at: f32, amplitude: f32) {
        let rise = (at / HOP as f32).clamp(0.0, 1.0);
        let angle = -core::f32::consts::TAU * (at + DELAY as f32) / FFT as f32;
        let turn = Complex::new(angle.cos(), angle.sin());
        let mut z = Complex::new(amplitude, 0.0);
        for ((sum, old), new) in self.sum.iter_mut().zip(&self.filters[0]).zip(&self.next) {
            *sum += z * (old * (1.0 - rise) + new * rise);
            z *= turn;
        }
    }

    /// Adds the noise of this hop through the noise filters.
    fn noise(&mut self) {
        for x in &mut self.noise {
            *x = uniform(&mut self.random);
        }
        for rising in [false, true] {
            self.time.fill(0.0);
            for (n, (y, x)) in self.time[DELAY..].iter_mut().zip(&self.noise).enumerate() {
                let rise = n as f32 / HOP as f32;
                *y = x * if rising { rise } else { 1.0 - rise };
            }
            let _ = self.forward.process_with_scratch(
                &mut self.time,
                &mut self.spectrum,
                &mut self.scratch,
            );
            let filter = if rising { &self.next } else { &self.filters[1] };
            for ((sum, x), h) in self.sum.iter_mut().zip(&self.spectrum).zip(filter) {
                *sum += x * h;
            }
        }
    }

    /// Adds this hop's response to what is still to come and hands out the first hop of it.
    fn overlap(&mut self, out: &mut [f32]) {
        self.sum[0].im = 0.0;
        self.sum[BINS - 1].im = 0.0;
        let _ = self
            .inverse
            .process_with_scratch(&mut self.sum, &mut self.time, &mut self.scratch);
        let scale = 1.0 / FFT as f32;
        for (tail, x) in self.tail.iter_mut().zip(&self.time) {
            *tail += x * scale;
        }
        for (y, &x) in out.iter_mut().zip(&self.tail[..HOP]) {
            let flat = x - self.mean_in + MEAN_POLE * self.mean_out;
            self.mean_in = x;
            self.mean_out = if flat.abs() < FORGOTTEN { 0.0 } else { flat };
            *y = self.mean_out;
        }
        self.tail.copy_within(HOP.., 0);
        self.tail[FFT - HOP..].fill(0.0);
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
fn uniform(counter: &mut u64) -> f32 {
    *counter = counter.wrapping_add(GOLDEN);
    let mut z = *counter;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let bits = (z ^ (z >> 31)) >> 40;
    // 24 bits to -1..1, then to a standard deviation of 1.
    (bits as f32 / 8_388_608.0 - 1.0) * 1.732_050_8
}
