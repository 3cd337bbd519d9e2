//! Sound at any rate to the frames that the detector's network hears.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::math::curve::ln;
use crate::math::mel::{hz_from_mel, mel_from_hz};
use crate::stage::RATE;

/// Numbers in a frame, and the frequencies between which they lie: what a line at 16 kHz still has.
pub const BANDS: usize = 36;
const LOW_HZ: f64 = 70.0;
const HIGH_HZ: f64 = 7600.0;
/// Of the window, in samples at [`RATE`]: all of it, 21 ms, and its falling end, 5 ms. What is new
/// counts at once, and bands are as narrow as those of a window that falls as slowly as it rises.
pub const WINDOW: usize = 512;
const FALL: usize = 128;
/// Added to the power of a band: -100 dB of a full-scale sine.
const FLOOR: f32 = 1e-10;
/// Logarithms run from -23 to about 0: brought to about -3 to 3.
const CENTRE: f32 = -12.0;
const SPREAD: f32 = 4.0;
/// No sound is louder than this.
const LOUDEST: f32 = 8.0;

/// A frame of silence.
pub fn silence() -> [f32; BANDS] {
    [(ln(FLOOR) - CENTRE) / SPREAD; BANDS]
}

/// One triangle: its first bin, and where its weights lie.
#[derive(Clone, Copy)]
struct Band {
    bin: usize,
    from: usize,
    to: usize,
}

struct Tables {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    bands: Vec<Band>,
    weights: Vec<f32>,
}

/// What was heard last, and what its bands are found with.
#[derive(Clone)]
pub struct Bands {
    tables: Arc<Tables>,
    /// A window, then what came since the last frame.
    heard: Vec<f32>,
    filled: usize,
    /// Room to work in.
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl Bands {
    /// Of sound at so many hertz, with so many samples from a frame to the next, at most.
    pub fn new(sample_rate: u32, hop: usize) -> Self {
        let tables = Tables::new(sample_rate);
        let window = tables.window.len();
        let fft = &tables.fft;
        Self {
            heard: vec![0.0; window + hop],
            filled: window,
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            tables: Arc::new(tables),
        }
    }

    pub fn window(&self) -> usize {
        self.tables.window.len()
    }

    /// Takes what comes before the next frame. What is not finite is silence.
    pub fn hear(&mut self, samples: &[f32]) {
        let room = &mut self.heard[self.filled..];
        for (y, x) in room.iter_mut().zip(samples) {
            *y = if x.is_finite() {
                x.clamp(-LOUDEST, LOUDEST)
            } else {
                0.0
            };
        }
        self.filled += samples.len();
    }

    /// The frame of the window that ends now.
    pub fn frame(&mut self) -> [f32; BANDS] {
        let mut out = [0.0; BANDS];
        let start = self.filled - self.window();
        Arch::new().dispatch(Frame {
            tables: &self.tables,
            heard: &self.heard[start..self.filled],
            frame: &mut self.frame,
            spectrum: &mut self.spectrum,
            scratch: &mut self.scratch,
            out: &mut out,
        });
        self.heard.copy_within(start..self.filled, 0);
        self.filled -= start;
        out
    }

    pub fn reset(&mut self) {
        self.heard.fill(0.0);
        self.filled = self.window();
    }
}

/// One frame, compiled for the processor at hand.
struct Frame<'a> {
    tables: &'a Tables,
    heard: &'a [f32],
    frame: &'a mut [f32],
    spectrum: &'a mut [Complex<f32>],
    scratch: &'a mut [Complex<f32>],
    out: &'a mut [f32; BANDS],
}

impl WithSimd for Frame<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let tables = self.tables;
        let (frame, rest) = self.frame.split_at_mut(self.heard.len());
        for ((y, x), w) in frame.iter_mut().zip(self.heard).zip(&tables.window) {
            *y = x * w;
        }
        rest.fill(0.0);
        // The lengths are those that the transform was planned for, so it cannot refuse them.
        let _ = tables
            .fft
            .process_with_scratch(self.frame, self.spectrum, self.scratch);
        // The transform is done with its input.
        for (power, bin) in self.frame.iter_mut().zip(&*self.spectrum) {
            *power = bin.norm_sqr();
        }
        for (y, band) in self.out.iter_mut().zip(&tables.bands) {
            let weights = &tables.weights[band.from..band.to];
            let bins = self.frame[band.bin..].iter();
            *y = weights.iter().zip(bins).map(|(w, power)| w * power).sum();
        }
        for y in self.out {
            *y = (ln(*y + FLOOR) - CENTRE) / SPREAD;
        }
    }
}

impl Tables {
    fn new(sample_rate: u32) -> Self {
        let scaled = |len: usize| (len as f64 * f64::from(sample_rate) / f64::from(RATE)).round();
        let (len, fall) = (scaled(WINDOW), scaled(FALL));
        let shape = |i: usize| {
            let (i, rise) = (i as f64, len - fall);
            let turn = if i < rise {
                i / rise - 1.0
            } else {
                (i - rise + 0.5) / fall
            };
            0.5 + 0.5 * (std::f64::consts::PI * turn).cos()
        };
        let shape: Vec<f64> = (0..len as usize).map(shape).collect();
        // A full-scale sine then has a peak power of 1.
        let gain = 2.0 / shape.iter().sum::<f64>();
        let fft = shape.len().next_power_of_two();
        let (bands, weights) = triangles(f64::from(sample_rate) / fft as f64, fft / 2);
        Self {
            fft: RealFftPlanner::<f32>::new().plan_fft_forward(fft),
            window: shape.iter().map(|w| (w * gain) as f32).collect(),
            bands,
            weights,
        }
    }
}

/// Each band's bins up to `last` and their weights, which sum to 1; none where a band lies above.
fn triangles(bin_hz: f64, last: usize) -> (Vec<Band>, Vec<f32>) {
    let (low, high) = (mel_from_hz(LOW_HZ), mel_from_hz(HIGH_HZ));
    let edge = |k: usize| hz_from_mel(low + (high - low) * k as f64 / (BANDS + 1) as f64);
    let mut bands = Vec::with_capacity(BANDS);
    let mut all = Vec::new();
    for k in 0..BANDS {
        let [low, centre, high] = [edge(k), edge(k + 1), edge(k + 2)];
        let at = |bin: usize| {
            let hz = bin as f64 * bin_hz;
            ((hz - low) / (centre - low)).min((high - hz) / (high - centre))
        };
        let first = (low / bin_hz) as usize + 1;
        let weights: Vec<f64> = (first..=last).map(at).take_while(|&w| w > 0.0).collect();
        let sum: f64 = weights.iter().sum();
        let from = all.len();
        all.extend(weights.iter().map(|w| (w / sum) as f32));
        bands.push(Band {
            bin: first.min(last),
            from,
            to: all.len(),
        });
    }
    (bands, all)
}
