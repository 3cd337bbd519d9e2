//! Contours towards the persona's targets.

use crate::error::{check_range, check_room, DspError};

/// What the F0 contour is steered to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProsodyTargets {
    /// Where the persona's F0 lies on the whole: the geometric mean, in Hz.
    pub register_hz: f32,
    /// Her deviations from it, as a multiple of the source's, in octaves.
    pub range: f32,
}

/// Numbers in a frame that goes in: F0 in Hz, strength of voicing, voiced or not.
const WIDTH: usize = 3;
/// Speakers' mean F0 falls into two groups, in octaves over 1 Hz: about 115 and 205 Hz
/// (Hollien & Shipp 1972; Baken & Orlikoff 2000), each with a spread of two semitones.
const GROUPS: [f64; 2] = [6.845, 7.679];
const GROUP_SPREAD: f64 = 0.17;
/// Spread of one speaker's F0 about the mean: three semitones.
const SPEAKER_SPREAD: f64 = 0.25;
/// Neighbouring frames say nearly the same; each counts as this much of an independent one.
const FRAME_WEIGHT: f64 = 1.0 / 6.0;
/// What is remembered of the speaker: 15 s of voiced frames.
const MEMORY: f64 = 250.0;
/// Voicing below which a frame says nothing about the speaker's mean.
const SURE: f32 = 0.7;
/// What people's F0 lies within: outside it the tracker followed noise.
const SPEAKERS_HZ: std::ops::RangeInclusive<f32> = 60.0..=420.0;
/// Once this much is known, F0 further than an octave from the mean is a mistake of the tracker.
const KNOWN: f64 = 3.0;
const MAX_DEVIATION: f64 = 1.0;
/// Hops over which a change of targets takes effect: 200 ms.
const RAMP_HOPS: u32 = 20;
const MIN_OUT_HZ: f64 = 55.0;
const MAX_OUT_HZ: f64 = 700.0;

/// F0 of any speaker to the persona's, frame by frame.
///
/// The speaker's mean is estimated as they speak, by Bayes' rule from the two groups that speakers
/// fall into, so that the first syllable already lands in the right register; deviations from the
/// mean are kept, times `range`. Frames that are hardly periodic, an octave
/// off, or outside 60 to 420 Hz do not count. Through unvoiced frames the last F0 is held: whether harmonics
/// sound there is the envelopes' matter.
///
/// # Streaming
/// One number out for each frame in, no look-ahead.
#[derive(Clone)]
pub struct Prosody {
    from: ProsodyTargets,
    to: ProsodyTargets,
    ramp: u32,
    /// Effective number of frames heard, and the sum of their log2 F0.
    weight: f64,
    sum: f64,
    last_hz: f32,
}

impl Prosody {
    /// # Errors
    /// `out_of_range`: register 60 to 500 Hz, range 0 to 3.
    pub fn new(targets: ProsodyTargets) -> Result<Self, DspError> {
        check(targets)?;
        let last_hz = targets.register_hz;
        Ok(Self {
            from: targets,
            to: targets,
            ramp: RAMP_HOPS,
            weight: 0.0,
            sum: 0.0,
            last_hz,
        })
    }

    /// Steers to other targets, over 200 ms from the next frame on.
    ///
    /// # Errors
    /// As `new`; the old targets stay.
    pub fn set_targets(&mut self, targets: ProsodyTargets) -> Result<(), DspError> {
        check(targets)?;
        self.from = self.now();
        self.to = targets;
        self.ramp = 0;
        Ok(())
    }

    /// Frames `[n, 3]` of F0 in Hz, voicing and voiced; writes `n` values of F0 in Hz.
    ///
    /// # Errors
    /// `wrong_shape`, `output_too_short`; nothing is consumed.
    pub fn process(&mut self, frames: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        if frames.len() % WIDTH != 0 {
            return Err(DspError::Shape {
                what: "frames",
                expected: WIDTH,
                got: frames.len(),
            });
        }
        let count = frames.len() / WIDTH;
        check_room(count, output.len())?;
        for (frame, out) in frames.chunks_exact(WIDTH).zip(output.iter_mut()) {
            *out = self.step(frame[0], frame[1], frame[2] > 0.5);
        }
        Ok(count)
    }

    /// Forgets the speaker; the targets stay, and are reached.
    pub fn reset(&mut self) {
        self.from = self.to;
        self.ramp = RAMP_HOPS;
        self.weight = 0.0;
        self.sum = 0.0;
        self.last_hz = self.to.register_hz;
    }

    fn now(&self) -> ProsodyTargets {
        let part = self.ramp as f32 / RAMP_HOPS as f32;
        let mix = |a: f32, b: f32| a + (b - a) * part;
        ProsodyTargets {
            register_hz: mix(self.from.register_hz, self.to.register_hz),
            range: mix(self.from.range, self.to.range),
        }
    }

    fn step(&mut self, f0_hz: f32, voicing: f32, voiced: bool) -> f32 {
        self.ramp = (self.ramp + 1).min(RAMP_HOPS);
        if !voiced || !SPEAKERS_HZ.contains(&f0_hz) {
            return self.last_hz;
        }
        let octaves = f64::from(f0_hz).log2();
        let known = self.weight >= KNOWN;
        if known && (octaves - self.speaker_mean()).abs() > MAX_DEVIATION {
            return self.last_hz;
        }
        if voicing >= SURE {
            let keep = 1.0 - (self.weight + FRAME_WEIGHT - MEMORY).max(0.0) / MEMORY;
            self.weight = self.weight * keep + FRAME_WEIGHT;
            self.sum = self.sum * keep + FRAME_WEIGHT * octaves;
        } else if self.weight == 0.0 {
            return self.last_hz;
        }
        let targets = self.now();
        let deviation = (octaves - self.speaker_mean()) * f64::from(targets.range);
        let wanted = f64::from(targets.register_hz) * deviation.exp2();
        self.last_hz = wanted.clamp(MIN_OUT_HZ, MAX_OUT_HZ) as f32;
        self.last_hz
    }

    /// Expected mean log2 F0 of the speaker: each group's posterior mean, weighted by how well the
    /// group explains what was heard.
    fn speaker_mean(&self) -> f64 {
        let heard = self.sum / self.weight;
        let noise = SPEAKER_SPREAD * SPEAKER_SPREAD / self.weight;
        let prior = GROUP_SPREAD * GROUP_SPREAD;
        let mean = |group: f64| (group * noise + heard * prior) / (noise + prior);
        let fit = |group: f64| (heard - group).powi(2) / (2.0 * (noise + prior));
        let high = 1.0 / (1.0 + (fit(GROUPS[1]) - fit(GROUPS[0])).exp());
        mean(GROUPS[0]) * (1.0 - high) + mean(GROUPS[1]) * high
    }
}

fn check(targets: ProsodyTargets) -> Result<(), DspError> {
    check_range("register_hz", f64::from(targets.register_hz), 60.0, 500.0)?;
    check_range("range", f64::from(targets.range), 0.0, 3.0)
}
