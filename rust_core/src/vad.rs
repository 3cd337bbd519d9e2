//! Whether someone is speaking, hop by hop.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::error::{check_room, DspError};
use crate::stage::{Analyzer, HOP, RATE};

const FFT: usize = 512;
/// Bands that carry speech, in hertz; in each the level is held against the noise there.
const EDGES_HZ: [f32; 7] = [120.0, 300.0, 600.0, 1000.0, 1700.0, 2800.0, 4500.0];
const BANDS: usize = EDGES_HZ.len() - 1;
/// Mean square in a band below which nobody speaks: about -75 dBFS.
const QUIET: f32 = 3e-8;
/// The noise of a band rises by at most 3 dB a second, and falls with the level at once.
const NOISE_RISE: f32 = 1.0069;
/// Smoothing of the levels: 30 ms.
const SMOOTH: f32 = 0.28;
/// Mean excess over the noise, in dB, at which speech is as likely as not, and dB per unit of odds.
const EVEN_DB: f32 = 9.0;
const ODDS_DB: f32 = 2.0;
/// Speech begins above `ENTER` and ends below `LEAVE` held for `HANGOVER` hops: pauses shorter than
/// 200 ms are closures of plosives.
const ENTER: f32 = 0.6;
const LEAVE: f32 = 0.35;
const HANGOVER: u32 = 20;

/// Speech probability 0 to 1, and speech 0 or 1 after hysteresis: `[frames, 2]`.
///
/// The level of six bands is held against the steady noise of each, which is followed downwards at
/// once and upwards slowly. Whatever stands out and moves is taken for speech: music is, too.
///
/// # Streaming
/// Window 512 samples (21 ms), look-ahead 0. The noise starts as the first frame's level.
///
/// # Source
/// Noise by following minima: Martin (1994), Spectral subtraction based on minimum statistics; here
/// with a limited rise in place of a search.
#[derive(Clone)]
pub struct Vad {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Arc<[f32]>,
    history: [f32; FFT],
    position: usize,
    in_hop: usize,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    level: [f32; BANDS],
    noise: [f32; BANDS],
    started: bool,
    speech: bool,
    quiet_hops: u32,
}

impl Default for Vad {
    fn default() -> Self {
        Self::new()
    }
}

impl Vad {
    /// There is nothing to set.
    pub fn new() -> Self {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(FFT);
        let hann = |i: usize| {
            let turn = std::f32::consts::TAU * i as f32 / FFT as f32;
            // A unit-power sine then has a power of about 1 over its bins.
            (0.5 - 0.5 * turn.cos()) * (8.0f32 / 3.0).sqrt() * (2.0f32).sqrt() / FFT as f32
        };
        Self {
            window: (0..FFT).map(hann).collect(),
            history: [0.0; FFT],
            position: 0,
            in_hop: 0,
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            level: [0.0; BANDS],
            noise: [QUIET; BANDS],
            started: false,
            speech: false,
            quiet_hops: 0,
        }
    }

    fn frame(&mut self, out: &mut [f32]) {
        let (newer, older) = self.history.split_at(self.position);
        for ((y, x), w) in self
            .frame
            .iter_mut()
            .zip(older.iter().chain(newer))
            .zip(self.window.iter())
        {
            *y = x * w;
        }
        // The lengths are fixed by `new`, so the transform cannot refuse them.
        let _ =
            self.fft
                .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch);
        let bin = |hz: f32| (hz * FFT as f32 / RATE as f32).round() as usize;
        let mut excess_db = 0.0;
        for band in 0..BANDS {
            let bins = &self.spectrum[bin(EDGES_HZ[band])..bin(EDGES_HZ[band + 1])];
            let power: f32 = bins.iter().map(Complex::norm_sqr).sum();
            let level = &mut self.level[band];
            *level += SMOOTH * (power - *level);
            let noise = &mut self.noise[band];
            *noise = if self.started {
                (*noise * NOISE_RISE).min(*level)
            } else {
                *level
            }
            .max(QUIET);
            let above = 10.0 * ((*level + 1e-20) / *noise).max(1.0).log10();
            excess_db += above.min(25.0) / BANDS as f32;
        }
        self.started = true;
        let probability = 1.0 / (1.0 + ((EVEN_DB - excess_db) / ODDS_DB).exp());
        self.decide(probability);
        out[0] = probability;
        out[1] = f32::from(u8::from(self.speech));
    }

    fn decide(&mut self, probability: f32) {
        self.quiet_hops = if probability < LEAVE {
            self.quiet_hops + 1
        } else {
            0
        };
        if probability > ENTER {
            self.speech = true;
        } else if self.quiet_hops > HANGOVER {
            self.speech = false;
            self.quiet_hops = HANGOVER;
        }
    }
}

impl Analyzer for Vad {
    fn width(&self) -> usize {
        2
    }

    fn window(&self) -> usize {
        FFT
    }

    fn lookahead(&self) -> usize {
        0
    }

    fn frames(&self, input_len: usize) -> usize {
        (self.in_hop + input_len) / HOP
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let frames = self.frames(input.len());
        check_room(frames * self.width(), output.len())?;
        let mut written = 0;
        for &x in input {
            self.history[self.position] = if x.is_finite() {
                x.clamp(-8.0, 8.0)
            } else {
                0.0
            };
            self.position = (self.position + 1) % FFT;
            self.in_hop += 1;
            if self.in_hop == HOP {
                self.in_hop = 0;
                self.frame(&mut output[2 * written..2 * written + 2]);
                written += 1;
            }
        }
        Ok(written)
    }

    fn reset(&mut self) {
        self.history.fill(0.0);
        self.position = 0;
        self.in_hop = 0;
        self.level = [0.0; BANDS];
        self.noise = [QUIET; BANDS];
        self.started = false;
        self.speech = false;
        self.quiet_hops = 0;
    }
}
