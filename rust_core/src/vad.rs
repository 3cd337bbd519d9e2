//! Whether someone is speaking, hop by hop.

use std::sync::{Arc, LazyLock};

use pulp::{Arch, Simd, WithSimd};
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
/// Mean square of all bands below which a frame says nothing about the room: -100 dBFS. Sound cards
/// and speech synthesis begin with such frames, and pause with them.
const MUTE: f32 = 1e-10;
/// Smoothing of the levels that are held against the noise, 30 ms, and of those that the noise is
/// found from, 100 ms: the least of many rough values would lie far below their mean.
const FAST: f32 = 0.28;
const SLOW: f32 = 0.1;
/// The noise of a band is its least level of the last `BLOCKS` blocks and the one at hand: 3 to
/// 3.25 s. Few phrases go on that long without a dip in a band.
const BLOCKS: usize = 12;
const BLOCK_HOPS: usize = 25;
/// What the least lies below the mean of steady noise: 2 dB.
const LEAST_TO_MEAN: f32 = 1.585;
/// Speech need not stand out everywhere: this many bands are averaged, the best ones.
const BEST: usize = 3;
/// In one band, more than this says no more, and would only ring longer: 25 dB.
const MAX_EXCESS: f32 = 316.0;
/// Far below any noise: in long silence a level would fall to denormal numbers, and stay there.
const AT_REST: f32 = 1e-20;
/// Excess over the noise, in dB, at which speech is as likely as not, and dB per unit of odds.
const EVEN_DB: f32 = 7.5;
const ODDS_DB: f32 = 1.5;
/// Hops until the window has been filled.
const FILLING: u32 = (FFT / HOP) as u32;
/// Speech begins above `ENTER` and ends below `LEAVE` held for `HANGOVER` hops: pauses shorter than
/// 200 ms are closures of plosives.
const ENTER: f32 = 0.6;
const LEAVE: f32 = 0.35;
const HANGOVER: u32 = 20;

/// Speech probability 0 to 1, and speech 0 or 1 after hysteresis: `[frames, 2]`.
///
/// The level of six bands is held against the steady noise of each, the least level of the last
/// three seconds. Whatever stands out of that is taken for speech: music is, too, and a fan for the
/// three seconds after it was switched on.
///
/// # Streaming
/// Window 512 samples (21 ms), look-ahead 0. The first two frames, whose window is not yet full,
/// are no speech.
///
/// # Source
/// Noise by minima of smoothed levels: Martin (1994), Spectral subtraction based on minimum
/// statistics, EUSIPCO; with a fixed smoothing and bias.
#[derive(Clone)]
pub struct Vad {
    /// The last `FFT` samples; those of the hop at hand are written at its end.
    history: [f32; FFT],
    in_hop: usize,
    scratch: Vec<Complex<f32>>,
    fast: [f32; BANDS],
    room: Room,
    /// Frames so far, up to `FILLING`.
    filled: u32,
    speech: bool,
    quiet_hops: u32,
}

struct Tables {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let hann = |i: usize| {
        let turn = std::f32::consts::TAU * i as f32 / FFT as f32;
        // A unit-power sine then has a power of about 1 over its bins.
        (0.5 - 0.5 * turn.cos()) * (8.0f32 / 3.0).sqrt() * (2.0f32).sqrt() / FFT as f32
    };
    Tables {
        fft: RealFftPlanner::<f32>::new().plan_fft_forward(FFT),
        window: (0..FFT).map(hann).collect(),
    }
});

/// The least level of each band, lately.
#[derive(Clone)]
struct Room {
    slow: [f32; BANDS],
    /// The last frame was mute, so that `slow` begins anew.
    mute: bool,
    /// Of the block at hand, and how many hops of it have been.
    least: [f32; BANDS],
    hops: usize,
    /// Of the blocks before, and where the next goes.
    before: [[f32; BANDS]; BLOCKS],
    at: usize,
}

impl Default for Vad {
    fn default() -> Self {
        Self::new()
    }
}

impl Vad {
    /// There is nothing to set.
    pub fn new() -> Self {
        Self {
            history: [0.0; FFT],
            in_hop: 0,
            scratch: TABLES.fft.make_scratch_vec(),
            fast: [0.0; BANDS],
            room: Room::new(),
            filled: 0,
            speech: false,
            quiet_hops: 0,
        }
    }

    fn frame(&mut self, out: &mut [f32]) {
        let probability = if self.filled < FILLING {
            self.filled += 1;
            0.0
        } else {
            let (history, scratch) = (&self.history, self.scratch.as_mut_slice());
            let power = Arch::new().dispatch(BandPowers { history, scratch });
            self.room.hear(&power);
            let excess_db = self.excess_db(&power);
            1.0 / (1.0 + ((EVEN_DB - excess_db) / ODDS_DB).exp())
        };
        self.decide(probability);
        out[0] = probability;
        out[1] = f32::from(u8::from(self.speech));
    }

    /// By how much the best bands stand out of the noise.
    fn excess_db(&mut self, power: &[f32; BANDS]) -> f32 {
        let mut above = [0.0; BANDS];
        for band in 0..BANDS {
            let noise = self.room.noise(band);
            let fast = &mut self.fast[band];
            *fast = (*fast + FAST * (power[band] - *fast)).clamp(AT_REST, noise * MAX_EXCESS);
            above[band] = 10.0 * (*fast / noise).max(1.0).log10();
        }
        above.sort_unstable_by(|a, b| b.total_cmp(a));
        above[..BEST].iter().sum::<f32>() / BEST as f32
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

/// Mean square of each band in the window that ends now.
struct BandPowers<'a> {
    history: &'a [f32; FFT],
    scratch: &'a mut [Complex<f32>],
}

impl WithSimd for BandPowers<'_> {
    type Output = [f32; BANDS];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f32; BANDS] {
        let mut frame = [0.0; FFT];
        for ((y, x), w) in frame.iter_mut().zip(self.history).zip(&TABLES.window) {
            *y = x * w;
        }
        let mut spectrum = [Complex::default(); FFT / 2 + 1];
        // The lengths are those that the transform was planned for, so it cannot refuse them.
        let _ = TABLES
            .fft
            .process_with_scratch(&mut frame, &mut spectrum, self.scratch);
        let bin = |hz: f32| (hz * FFT as f32 / RATE as f32).round() as usize;
        std::array::from_fn(|band| {
            let bins = &spectrum[bin(EDGES_HZ[band])..bin(EDGES_HZ[band + 1])];
            bins.iter().map(Complex::norm_sqr).sum()
        })
    }
}

impl Room {
    fn new() -> Self {
        Self {
            slow: [0.0; BANDS],
            mute: true,
            least: [f32::MAX; BANDS],
            hops: 0,
            before: [[f32::MAX; BANDS]; BLOCKS],
            at: 0,
        }
    }

    fn hear(&mut self, power: &[f32; BANDS]) {
        let was_mute = std::mem::replace(&mut self.mute, power.iter().sum::<f32>() < MUTE);
        if self.mute {
            return;
        }
        let share = if was_mute { 1.0 } else { SLOW };
        for ((slow, least), now) in self.slow.iter_mut().zip(&mut self.least).zip(power) {
            *slow += share * (now - *slow);
            *least = least.min(*slow);
        }
        self.hops += 1;
        if self.hops == BLOCK_HOPS {
            self.before[self.at] = std::mem::replace(&mut self.least, [f32::MAX; BANDS]);
            self.at = (self.at + 1) % BLOCKS;
            self.hops = 0;
        }
    }

    fn noise(&self, band: usize) -> f32 {
        let before = self.before.iter().map(|block| block[band]);
        let least = before.fold(self.least[band], f32::min);
        if least == f32::MAX {
            QUIET
        } else {
            (least * LEAST_TO_MEAN).max(QUIET)
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
        let mut rows = output.chunks_exact_mut(2);
        let mut rest = input;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(HOP - self.in_hop));
            let history = &mut self.history[FFT - HOP + self.in_hop..];
            for (y, x) in history.iter_mut().zip(now) {
                *y = if x.is_finite() {
                    x.clamp(-8.0, 8.0)
                } else {
                    0.0
                };
            }
            self.in_hop += now.len();
            rest = later;
            if self.in_hop < HOP {
                break;
            }
            if let Some(row) = rows.next() {
                self.frame(row);
            }
            self.history.copy_within(HOP.., 0);
            self.in_hop = 0;
        }
        Ok(frames)
    }

    fn reset(&mut self) {
        self.history.fill(0.0);
        self.in_hop = 0;
        self.fast = [0.0; BANDS];
        self.room = Room::new();
        self.filled = 0;
        self.speech = false;
        self.quiet_hops = 0;
    }
}
