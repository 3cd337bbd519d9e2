//! The frames that the converter was trained on: log-mel, 80 bands, every 10 ms.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::error::{check_room, DspError};
use crate::math::mel::{band_edges_hz, BANDS};
use crate::stage::{Analyzer, HOP, RATE};

/// Samples that one frame looks at: 32 ms, two periods of the lowest voices.
const WINDOW: usize = 768;
const FFT: usize = 1024;
/// Added to the power of a band before the logarithm: -100 dB of a full-scale sine.
const FLOOR: f32 = 1e-10;

/// One triangle: its first bin, and where its weights lie.
#[derive(Clone, Copy)]
struct Band {
    bin: usize,
    from: usize,
    to: usize,
}

/// Natural logarithm of the power in 80 mel bands, `[frames, 80]`.
///
/// A full-scale sine gives about 0 in its band, silence `ln(1e-10)`, about -23.
///
/// # Streaming
/// Window 768 samples (32 ms, Hann), which end where the frame's hop ends; look-ahead 384 samples:
/// the frame stands for the middle of its window.
///
/// # Source
/// Mel scale of Slaney (1998), Auditory Toolbox; triangles of unit sum over the power spectrum.
#[derive(Clone)]
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Arc<[f32]>,
    bands: Arc<[Band]>,
    weights: Arc<[f32]>,
    /// The last `WINDOW` samples as a ring; `position` is the next to write, the oldest.
    history: [f32; WINDOW],
    position: usize,
    in_hop: usize,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl Default for LogMel {
    fn default() -> Self {
        Self::new()
    }
}

impl LogMel {
    /// As trained on; there is nothing to set.
    pub fn new() -> Self {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(FFT);
        let hann = |i: usize| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / WINDOW as f64).cos();
        // A full-scale sine then has a peak power of 1.
        let gain = 2.0 / (0..WINDOW).map(hann).sum::<f64>();
        let (bands, weights) = triangles();
        Self {
            window: (0..WINDOW).map(|i| (hann(i) * gain) as f32).collect(),
            bands: bands.into(),
            weights: weights.into(),
            history: [0.0; WINDOW],
            position: 0,
            in_hop: 0,
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    fn analyse(&mut self, out: &mut [f32]) {
        let (newer, older) = self.history.split_at(self.position);
        let samples = older.iter().chain(newer);
        for ((y, x), w) in self.frame.iter_mut().zip(samples).zip(self.window.iter()) {
            *y = if x.is_finite() { x * w } else { 0.0 };
        }
        self.frame[WINDOW..].fill(0.0);
        // The lengths are fixed by `new`, so the transform cannot refuse them.
        let _ =
            self.fft
                .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch);
        for (y, band) in out.iter_mut().zip(self.bands.iter()) {
            let weights = &self.weights[band.from..band.to];
            let bins = &self.spectrum[band.bin..];
            let power: f32 = weights
                .iter()
                .zip(bins)
                .map(|(w, c)| w * c.norm_sqr())
                .sum();
            *y = (power + FLOOR).min(f32::MAX).ln();
        }
    }
}

/// Each band's bins and weights; every triangle spans at least one bin, and its weights sum to 1.
fn triangles() -> (Vec<Band>, Vec<f32>) {
    let edges = band_edges_hz(BANDS, f64::from(RATE) / 2.0);
    let bin_hz = f64::from(RATE) / FFT as f64;
    let mut bands = Vec::with_capacity(BANDS);
    let mut all = Vec::new();
    for e in edges.windows(3) {
        let at = |bin: usize| {
            let f = bin as f64 * bin_hz;
            ((f - e[0]) / (e[1] - e[0]))
                .min((e[2] - f) / (e[2] - e[1]))
                .max(0.0)
        };
        let first = (0..FFT / 2).find(|&bin| at(bin) > 0.0).unwrap_or(0);
        let weights: Vec<f64> = (first..=FFT / 2).map(at).take_while(|&w| w > 0.0).collect();
        let sum: f64 = weights.iter().sum();
        let from = all.len();
        all.extend(weights.iter().map(|w| (w / sum) as f32));
        bands.push(Band {
            bin: first,
            from,
            to: all.len(),
        });
    }
    (bands, all)
}

impl Analyzer for LogMel {
    fn width(&self) -> usize {
        BANDS
    }

    fn window(&self) -> usize {
        WINDOW
    }

    fn lookahead(&self) -> usize {
        WINDOW / 2
    }

    fn frames(&self, input_len: usize) -> usize {
        (self.in_hop + input_len) / HOP
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let frames = self.frames(input.len());
        check_room(frames * BANDS, output.len())?;
        let mut written = 0;
        for &x in input {
            self.history[self.position] = x;
            self.position = (self.position + 1) % WINDOW;
            self.in_hop += 1;
            if self.in_hop == HOP {
                self.in_hop = 0;
                self.analyse(&mut output[written * BANDS..(written + 1) * BANDS]);
                written += 1;
            }
        }
        Ok(written)
    }

    fn reset(&mut self) {
        self.history.fill(0.0);
        self.position = 0;
        self.in_hop = 0;
    }
}
