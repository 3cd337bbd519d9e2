//! The frames that the converter was trained on: log-mel, 80 bands, every 10 ms.

use std::sync::{Arc, LazyLock};

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::error::{check_room, DspError};
use crate::math::curve::ln;
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

struct Tables {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    bands: Vec<Band>,
    weights: Vec<f32>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

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
    /// The last `WINDOW` samples; those of the hop at hand are written at its end.
    history: [f32; WINDOW],
    in_hop: usize,
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
        Self {
            history: [0.0; WINDOW],
            in_hop: 0,
            scratch: TABLES.fft.make_scratch_vec(),
        }
    }
}

/// One frame, compiled for the processor at hand.
struct Frame<'a> {
    history: &'a [f32; WINDOW],
    scratch: &'a mut [Complex<f32>],
    out: &'a mut [f32],
}

impl WithSimd for Frame<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let tables = &*TABLES;
        let mut frame = [0.0; FFT];
        for ((y, x), w) in frame.iter_mut().zip(self.history).zip(&tables.window) {
            *y = if x.is_finite() { x * w } else { 0.0 };
        }
        let mut spectrum = [Complex::default(); FFT / 2 + 1];
        // The lengths are those that the transform was planned for, so it cannot refuse them.
        let _ = tables
            .fft
            .process_with_scratch(&mut frame, &mut spectrum, self.scratch);
        let mut powers = [0.0; FFT / 2 + 1];
        for (power, bin) in powers.iter_mut().zip(&spectrum) {
            *power = bin.norm_sqr();
        }
        for (y, band) in self.out.iter_mut().zip(&tables.bands) {
            let weights = &tables.weights[band.from..band.to];
            let bins = powers[band.bin..].iter();
            let power: f32 = weights.iter().zip(bins).map(|(w, power)| w * power).sum();
            *y = (power + FLOOR).min(f32::MAX);
        }
        for y in self.out {
            *y = ln(*y);
        }
    }
}

impl Tables {
    fn new() -> Self {
        let hann = |i: usize| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / WINDOW as f64).cos();
        // A full-scale sine then has a peak power of 1.
        let gain = 2.0 / (0..WINDOW).map(hann).sum::<f64>();
        let (bands, weights) = triangles();
        Self {
            fft: RealFftPlanner::<f32>::new().plan_fft_forward(FFT),
            window: (0..WINDOW).map(|i| (hann(i) * gain) as f32).collect(),
            bands,
            weights,
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
        let mut rows = output.chunks_exact_mut(BANDS);
        let mut rest = input;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(HOP - self.in_hop));
            let at = WINDOW - HOP + self.in_hop;
            self.history[at..at + now.len()].copy_from_slice(now);
            self.in_hop += now.len();
            rest = later;
            if self.in_hop < HOP {
                break;
            }
            if let Some(out) = rows.next() {
                let (history, scratch) = (&self.history, self.scratch.as_mut_slice());
                Arch::new().dispatch(Frame {
                    history,
                    scratch,
                    out,
                });
            }
            self.history.copy_within(HOP.., 0);
            self.in_hop = 0;
        }
        Ok(frames)
    }

    fn reset(&mut self) {
        self.history.fill(0.0);
        self.in_hop = 0;
    }
}
