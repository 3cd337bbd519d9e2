//! The whole path: every stage in order, and what lies between them.

use std::sync::Arc;

use crate::delivery::Delivery;
use crate::error::{check_range, check_room, DspError};
use crate::f0::{self, F0Tracker};
use crate::features::LogMel;
use crate::level::{Limiter, Loudness};
use crate::manner::{colour, tilt_octaves, Manner};
use crate::math::mel::{BANDS, SILENT};
use crate::net::Network;
use crate::prosody::{Prosody, ProsodyTargets};
use crate::resample::Resampler;
use crate::stage::{check_rate, Analyzer, Rates, Stage, HOP, RATE};
use crate::suppress::NoiseSuppressor;
use crate::vad::Vad;
use crate::vocoder::Vocoder;

/// Hops that are worked on together at most, 80 ms: longer blocks go through in pieces.
const TOGETHER: usize = 8;
const PIECE: usize = TOGETHER * HOP;
/// Numbers that a converter answers for a frame: 80 of harmonics, 80 of noise.
const ENVELOPES: usize = 2 * BANDS;
const F0_WIDTH: usize = 4;
const VAD_WIDTH: usize = 3;
/// Peaks above this are held back: a little under full scale, for converters that overshoot.
const CEILING_DB: f64 = -1.0;
/// Log-mel below which, in every band, a frame is digital silence: -87 dB. Nobody speaks there, and
/// what the network would make of it is not speech either.
const FAINTEST_MEL: f32 = -20.0;
/// Longest look-ahead of a converter, in samples: two seconds.
const MAX_LOOKAHEAD: usize = 2 * RATE as usize;

/// What the newest hop was like, and what has gone wrong so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathStatus {
    /// Level of what came in, in dBFS.
    pub input_db: f32,
    /// Level of what goes out, in dBFS.
    pub output_db: f32,
    /// Whether somebody speaks.
    pub speech: bool,
    /// The speaker's F0, where voiced.
    pub f0_in_hz: Option<f32>,
    /// What it was shaped to.
    pub f0_out_hz: Option<f32>,
    /// Samples that were not finite, and taken as zeros.
    pub non_finite: u64,
    /// Whether the converter failed; from then on there is silence.
    pub failed: bool,
}

/// What the sound of one hop is made of.
pub(crate) struct Heard<'a> {
    pub mel: &'a [f32],
    /// Shaped, and the manner: of the moment of the envelopes.
    pub f0_hz: f32,
    pub manner: Manner,
    /// Whether there was digital silence then.
    pub silent: bool,
}

const NOTHING_YET: PathStatus = PathStatus {
    input_db: Loudness::FLOOR_DB,
    output_db: Loudness::FLOOR_DB,
    speech: false,
    f0_in_hz: None,
    f0_out_hz: None,
    non_finite: 0,
    failed: false,
};

/// All of the path but the converter, which is handed in with each block.
///
/// ```text
///   in ─ resample ─┬─ log-mel ─ less noise ─ convert ─┬─ vocode ─ wait ─ limit ─ resample ─ out
///                  ├─ F0 ─ shape ─ (wait for convert) ┘
///                  └─ VAD, level: the status
/// ```
///
/// Analysis, conversion and synthesis run hop by hop at 24 kHz; `wait` hands out as many samples as
/// came in. When the converter fails, silence is what follows, within a hop, until `reset`.
///
/// # Streaming
/// As many samples out as in. Latency: both resamplers, the converter's look-ahead, one hop, the
/// vocoder, the limiter. A sample that is not finite counts as 0.
#[derive(Clone)]
pub struct Path {
    resample_in: Resampler,
    log_mel: LogMel,
    suppressor: NoiseSuppressor,
    f0: F0Tracker,
    vad: Vad,
    loudness_in: Loudness,
    prosody: Prosody,
    vocoder: Vocoder,
    limiter: Limiter,
    loudness_out: Loudness,
    resample_out: Resampler,
    latency: usize,
    /// Input samples of a piece: no more than `PIECE` inside.
    longest: usize,
    register_hz: f32,
    /// Hops by which shaped F0 waits for the envelopes of its moment.
    f0_wait: usize,
    /// Frames from the moment of an envelope to the newest one, both counted.
    stretch: usize,
    /// How many of the newest frames were digital silence, on end.
    quiet: usize,
    status: PathStatus,
    /// Of a piece, in path order; how many samples inside, and how many frames.
    inside_len: usize,
    count: usize,
    /// Samples at 24 kHz: what was heard, then what is said.
    inside: Vec<f32>,
    mel: Vec<f32>,
    f0_frames: Vec<f32>,
    vad_frames: Vec<f32>,
    levels: Vec<f32>,
    /// Shaped F0 and the manner of its moment: `f0_wait` that are due, then those of the piece.
    shaped: Vec<f32>,
    manners: Vec<Manner>,
    tilt_octaves: Arc<[f32; BANDS]>,
    envelopes: Vec<f32>,
    /// Synthesised and not yet due, the first `waiting_len`.
    waiting: Vec<f32>,
    waiting_len: usize,
    /// At the output's rate: the first `surplus` are early by rounding, and wait for the next piece.
    late: Vec<f32>,
    surplus: usize,
}

impl Path {
    /// For a stream at `sample_rate` Hz, and a converter that looks `lookahead` samples (24 kHz)
    /// ahead; the same seed gives the same breath.
    ///
    /// # Errors
    /// `out_of_range`: sample rate, look-ahead of less than F0's own or over 2 s, targets.
    pub fn new(
        sample_rate: u32,
        lookahead: usize,
        targets: ProsodyTargets,
        seed: u64,
    ) -> Result<Self, DspError> {
        check_rate("sample_rate in Hz", sample_rate)?;
        Self::check_lookahead(lookahead)?;
        let f0 = F0Tracker::new();
        let resample_in = Resampler::minimum_phase(sample_rate, RATE)?;
        let resample_out = Resampler::minimum_phase(RATE, sample_rate)?;
        let limiter = Limiter::new(RATE, CEILING_DB)?;
        let inside = resample_in.latency() + lookahead + HOP + Vocoder::LATENCY + limiter.latency();
        let rate = sample_rate as usize;
        let (double, due) = (2 * RATE as usize, 2 * inside * rate + RATE as usize);
        let f0_wait = (lookahead - f0.lookahead()) / HOP;
        // What is early by rounding is less than a sample inside.
        let longest_out = (PIECE * rate).div_ceil(RATE as usize) + 2 * (rate / RATE as usize + 2);
        let mut made = Self {
            latency: due / double + resample_out.latency(),
            longest: (PIECE - 1) * rate / RATE as usize,
            register_hz: targets.register_hz,
            f0_wait,
            stretch: lookahead / HOP + 1,
            quiet: 0,
            status: NOTHING_YET,
            inside_len: 0,
            count: 0,
            inside: vec![0.0; PIECE],
            mel: vec![0.0; TOGETHER * BANDS],
            f0_frames: vec![0.0; TOGETHER * F0_WIDTH],
            vad_frames: vec![0.0; TOGETHER * VAD_WIDTH],
            levels: vec![0.0; TOGETHER],
            shaped: vec![0.0; f0_wait + TOGETHER],
            manners: vec![Manner::default(); f0_wait + TOGETHER],
            tilt_octaves: Arc::new(tilt_octaves()),
            envelopes: vec![0.0; TOGETHER * ENVELOPES],
            waiting: vec![0.0; PIECE + HOP],
            waiting_len: HOP,
            late: vec![0.0; longest_out],
            surplus: 0,
            resample_in,
            log_mel: LogMel::new(),
            suppressor: NoiseSuppressor::new(),
            f0,
            vad: Vad::new(),
            loudness_in: Loudness::new(),
            prosody: Prosody::new(targets)?,
            vocoder: Vocoder::new(seed),
            limiter,
            loudness_out: Loudness::new(),
            resample_out,
        };
        made.begin();
        Ok(made)
    }

    /// Refuses a converter's look-ahead that no path can keep, in samples at 24 kHz.
    ///
    /// # Errors
    /// `out_of_range`: of less than F0's own or over 2 s.
    pub fn check_lookahead(samples: usize) -> Result<(), DspError> {
        let (least, most) = (f0::LOOKAHEAD as f64, MAX_LOOKAHEAD as f64);
        check_range("lookahead in samples", samples as f64, least, most)
    }

    /// Output samples by which the output trails the input, to the nearest one.
    pub fn latency(&self) -> usize {
        self.latency
    }

    /// Of both ends, in Hz.
    pub fn sample_rate(&self) -> u32 {
        self.resample_in.rates().input
    }

    /// What the newest hop was like.
    pub fn status(&self) -> PathStatus {
        self.status
    }

    /// Steers to other targets, over 200 ms from the next hop on.
    ///
    /// # Errors
    /// `out_of_range`; the old targets stay.
    pub fn set_targets(&mut self, targets: ProsodyTargets) -> Result<(), DspError> {
        self.prosody.set_targets(targets)?;
        self.register_hz = targets.register_hz;
        Ok(())
    }

    /// Speaks in another manner until told otherwise, over 200 ms from the next hop on.
    ///
    /// # Errors
    /// As of [`Prosody::set_manner`]; the old manner stays.
    pub fn set_manner(&mut self, manner: Manner) -> Result<(), DspError> {
        self.prosody.set_manner(manner)
    }

    /// A mood, from the next hop on, of which half is left after each half-life of so many hops; 0
    /// for one that stays until the next.
    ///
    /// # Errors
    /// As of [`Prosody::express`]; the old mood stays.
    pub fn express(&mut self, mood: Manner, half_life_hops: f32) -> Result<(), DspError> {
        self.prosody.express(mood, half_life_hops)
    }

    /// Moves pitch and level otherwise than the speaker, over 200 ms from the next hop on.
    ///
    /// # Errors
    /// As of [`Prosody::set_delivery`]; the old delivery stays.
    pub fn set_delivery(&mut self, delivery: Delivery) -> Result<(), DspError> {
        self.prosody.set_delivery(delivery)
    }

    /// Writes as many samples as come in, and returns their number.
    ///
    /// `convert` gets whole log-mel frames of 80, without the room's steady noise, and writes an envelope
    /// frame of 160 for each; it answers whether it could.
    ///
    /// # Errors
    /// `output_too_short`, with nothing consumed.
    pub fn process(
        &mut self,
        input: &[f32],
        output: &mut [f32],
        mut convert: impl FnMut(&[f32], &mut [f32]) -> bool,
    ) -> Result<usize, DspError> {
        check_room(input.len(), output.len())?;
        let output = &mut output[..input.len()];
        for (piece, out) in input
            .chunks(self.longest)
            .zip(output.chunks_mut(self.longest))
        {
            self.piece(piece, out, &mut convert)?;
        }
        Ok(input.len())
    }

    /// Forgets the stream, its faults and its mood; targets and lasting manner stay.
    pub fn reset(&mut self) {
        for stage in [&mut self.resample_in, &mut self.resample_out] {
            stage.reset();
        }
        self.log_mel.reset();
        self.suppressor.reset();
        self.f0.reset();
        self.vad.reset();
        self.loudness_in.reset();
        self.prosody.reset();
        self.vocoder.reset();
        self.limiter.reset();
        self.loudness_out.reset();
        self.begin();
    }

    fn begin(&mut self) {
        self.quiet = self.stretch - 1;
        self.status = NOTHING_YET;
        self.shaped.fill(self.register_hz);
        self.manners.fill(self.prosody.manner());
        self.waiting[..HOP].fill(0.0);
        self.waiting_len = HOP;
        self.surplus = 0;
    }

    fn piece(
        &mut self,
        input: &[f32],
        output: &mut [f32],
        convert: &mut impl FnMut(&[f32], &mut [f32]) -> bool,
    ) -> Result<(), DspError> {
        self.hear(input)?;
        let failed = self.status.failed;
        let (mel, envelopes) = self.exchange();
        let could = failed || mel.is_empty() || convert(mel, envelopes);
        self.speak(could, output)
    }

    /// The first half of a piece, of `longest` samples at most: up to the frames of its hops.
    pub(crate) fn hear(&mut self, input: &[f32]) -> Result<(), DspError> {
        self.status.non_finite += input.iter().filter(|x| !x.is_finite()).count() as u64;
        self.inside_len = self.resample_in.process(input, &mut self.inside)?;
        self.count = self.analyse(self.inside_len)?;
        Ok(())
    }

    /// The log-mel frames that were heard, and room for an answer to each.
    pub(crate) fn exchange(&mut self) -> (&[f32], &mut [f32]) {
        let envelopes = &mut self.envelopes[..self.count * ENVELOPES];
        (&self.mel[..self.count * BANDS], envelopes)
    }

    /// The second half: from the envelopes, if the converter could, to as many samples as came in.
    pub(crate) fn speak(&mut self, could: bool, output: &mut [f32]) -> Result<(), DspError> {
        if self.count > 0 {
            self.believe(could);
            self.synthesise()?;
        }
        self.hand_out(output)
    }

    /// What the sound of a hop is made of, where that happens elsewhere: after `hear` of a piece that
    /// completed one, no more.
    pub(crate) fn hop(&mut self) -> Option<Heard<'_>> {
        let mel = self.mel[..self.count * BANDS].chunks_exact(BANDS).next()?;
        self.quiet = quiet_with(self.quiet, self.stretch, mel);
        Some(Heard {
            mel,
            f0_hz: self.shaped[0],
            manner: self.manners[0],
            silent: self.quiet == self.stretch,
        })
    }

    /// The second half where the sound of that hop, if there was one, was made elsewhere.
    pub(crate) fn utter(
        &mut self,
        failed: bool,
        sound: &[f32; HOP],
        output: &mut [f32],
    ) -> Result<(), DspError> {
        self.status.failed |= failed;
        if self.count > 0 {
            self.waiting[self.waiting_len..][..HOP].copy_from_slice(sound);
            self.waiting_len += HOP;
            self.forget_spoken();
        }
        self.hand_out(output)
    }

    /// As many samples as came in, of those that wait.
    fn hand_out(&mut self, output: &mut [f32]) -> Result<(), DspError> {
        let len = self.inside_len;
        self.limiter
            .process(&self.waiting[..len], &mut self.inside)?;
        self.waiting.copy_within(len..self.waiting_len, 0);
        self.waiting_len -= len;
        let limited = &self.inside[..len];
        let levels = self.loudness_out.process(limited, &mut self.levels)?;
        if let Some(newest) = self.levels[..levels].last() {
            self.status.output_db = *newest;
        }
        let room = &mut self.late[self.surplus..];
        let ready = self.surplus + self.resample_out.process(limited, room)?;
        output.copy_from_slice(&self.late[..output.len()]);
        self.late.copy_within(output.len()..ready, 0);
        self.surplus = ready - output.len();
        Ok(())
    }

    /// Frames of the hops that the first `len` samples inside complete; how many.
    fn analyse(&mut self, len: usize) -> Result<usize, DspError> {
        let inside = &self.inside[..len];
        let count = self.log_mel.process(inside, &mut self.mel)?;
        self.f0.process(inside, &mut self.f0_frames)?;
        self.vad.process(inside, &mut self.vad_frames)?;
        self.loudness_in.process(inside, &mut self.levels)?;
        let f0_frames = &self.f0_frames[..count * F0_WIDTH];
        for (k, frame) in f0_frames.chunks_exact(F0_WIDTH).enumerate() {
            let at = self.f0_wait + k;
            self.prosody.process(frame, &mut self.shaped[at..])?;
            self.manners[at] = self.prosody.manner();
            let mel = &mut self.mel[k * BANDS..][..BANDS];
            self.suppressor.process(mel, frame[2] > 0.5);
        }
        if let Some(f0) = f0_frames.chunks_exact(F0_WIDTH).last() {
            let voiced = f0[2] > 0.5;
            self.status.input_db = self.levels[count - 1];
            self.status.speech = self.vad_frames[count * VAD_WIDTH - 2] > 0.5;
            self.status.f0_in_hz = voiced.then_some(f0[0]);
            self.status.f0_out_hz = voiced.then_some(self.shaped[self.f0_wait + count - 1]);
        }
        Ok(count)
    }

    /// Envelopes of silence where there was digital silence, and from the converter's first failure
    /// on.
    fn believe(&mut self, could: bool) {
        let envelopes = &mut self.envelopes[..self.count * ENVELOPES];
        self.status.failed |= !could;
        let frames = self.mel.chunks_exact(BANDS);
        for (mel, envelope) in frames.zip(envelopes.chunks_exact_mut(ENVELOPES)) {
            self.quiet = quiet_with(self.quiet, self.stretch, mel);
            self.status.failed |= envelope.iter().any(|x| !x.is_finite());
            if self.status.failed || self.quiet == self.stretch {
                envelope.fill(SILENT);
            }
        }
    }

    fn synthesise(&mut self) -> Result<(), DspError> {
        let envelopes = self.envelopes[..self.count * ENVELOPES].chunks_exact(ENVELOPES);
        let moments = self.shaped.iter().zip(&self.manners);
        for (envelope, (f0_hz, manner)) in envelopes.zip(moments) {
            let mut frame = [0.0; Vocoder::WIDTH];
            frame[0] = *f0_hz;
            frame[1..].copy_from_slice(envelope);
            colour(*manner, &self.tilt_octaves, &mut frame[1..]);
            let room = &mut self.waiting[self.waiting_len..];
            self.waiting_len += self.vocoder.process(&frame, room)?;
        }
        self.forget_spoken();
        Ok(())
    }

    /// F0 and manners of the hops that have been said.
    fn forget_spoken(&mut self) {
        let due = self.count..self.count + self.f0_wait;
        self.shaped.copy_within(due.clone(), 0);
        self.manners.copy_within(due, 0);
    }
}

/// How many of the newest frames are digital silence, on end, with one more; `most` stands for any more.
fn quiet_with(before: usize, most: usize, mel: &[f32]) -> usize {
    if mel.iter().all(|band| *band < FAINTEST_MEL) {
        (before + 1).min(most)
    } else {
        0
    }
}

/// The whole path with the network in it, as one stage.
///
/// # Streaming
/// As [`Path`]; latency as it states.
#[derive(Clone)]
pub struct Chain {
    path: Path,
    network: Network,
}

impl Chain {
    /// Any number of chains may share the weights of one network.
    pub fn new(path: Path, network: Network) -> Self {
        Self { path, network }
    }

    /// What the newest hop was like.
    pub fn status(&self) -> PathStatus {
        self.path.status()
    }

    /// Steers to other targets, over 200 ms from the next hop on.
    ///
    /// # Errors
    /// `out_of_range`; the old targets stay.
    pub fn set_targets(&mut self, targets: ProsodyTargets) -> Result<(), DspError> {
        self.path.set_targets(targets)
    }

    /// As [`Path::set_manner`].
    ///
    /// # Errors
    /// `out_of_range`; the old manner stays.
    pub fn set_manner(&mut self, manner: Manner) -> Result<(), DspError> {
        self.path.set_manner(manner)
    }

    /// As [`Path::express`].
    ///
    /// # Errors
    /// `out_of_range`; the old mood stays.
    pub fn express(&mut self, mood: Manner, half_life_hops: f32) -> Result<(), DspError> {
        self.path.express(mood, half_life_hops)
    }

    /// As [`Path::set_delivery`].
    ///
    /// # Errors
    /// `out_of_range`; the old delivery stays.
    pub fn set_delivery(&mut self, delivery: Delivery) -> Result<(), DspError> {
        self.path.set_delivery(delivery)
    }
}

impl Stage for Chain {
    fn rates(&self) -> Rates {
        let rate = self.path.sample_rate();
        Rates {
            input: rate,
            output: rate,
        }
    }

    fn latency(&self) -> usize {
        self.path.latency()
    }

    fn output_len(&self, input_len: usize) -> usize {
        input_len
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let network = &mut self.network;
        self.path
            .process(input, output, |mel, out| network.process(mel, out).is_ok())
    }

    fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError> {
        const ZEROS: [f32; HOP] = [0.0; HOP];
        let due = self.latency();
        check_room(due, output.len())?;
        for out in output[..due].chunks_mut(HOP) {
            self.process(&ZEROS[..out.len()], out)?;
        }
        self.reset();
        Ok(due)
    }

    fn reset(&mut self) {
        self.path.reset();
        self.network.reset();
    }
}
