//! Contours towards the persona's targets.

use crate::delivery::{Delivering, Delivery};
use crate::error::{check_range, check_room, DspError};
use crate::manner::{Between, Manner, Manners, Ramp};

/// What the F0 contour is steered to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProsodyTargets {
    /// Where the persona's F0 lies on the whole: the geometric mean, in Hz.
    pub register_hz: f32,
    /// Her deviations from it, as a multiple of the source's, in octaves.
    pub range: f32,
}

impl Between for ProsodyTargets {
    fn towards(self, to: Self, part: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * part;
        Self {
            register_hz: mix(self.register_hz, to.register_hz),
            range: mix(self.range, to.range),
        }
    }
}

/// Speakers' mean F0 falls into two groups, in octaves over 1 Hz: about 115 and 205 Hz
/// (Hollien & Shipp 1972; Baken & Orlikoff 2000). Their spread, that of one speaker's F0 about the mean,
/// and what a frame is worth beside its neighbours, which say nearly the same, are those with which the
/// contours of 486 recordings in thirty languages came out most like what they were.
const GROUPS: [f64; 2] = [6.845, 7.679];
const GROUP_SPREAD: f64 = 0.25;
const SPEAKER_SPREAD: f64 = 0.12;
const FRAME_WEIGHT: f64 = 1.0 / 12.0;
/// What is remembered of the speaker: 15 s of voiced frames.
const MEMORY: f64 = 125.0;
/// Voicing below which a frame says nothing about the speaker's mean.
const SURE: f32 = 0.7;
/// What people's F0 lies within: outside it the tracker followed noise, or the mains.
const SPEAKERS_HZ: std::ops::RangeInclusive<f32> = 65.0..=420.0;
/// A frame counts in full down to so many dB below the loudest, and not at all from so many on:
/// behind a speaker, machines hum and others talk.
const NEAR_DB: f64 = 12.0;
const FAR_DB: f64 = 30.0;
/// Octaves by which the middle of all that a speaker voices lies below the mean that is known, which is
/// of the loud (the median of 13 recordings): about it the range is widened, so that the middle stays.
const MIDDLE: f64 = 0.13;
/// The mean that deviations are from is the one that is known while there are no more frames than this. From then on it
/// moves by so many octaves a frame, and by the square of how many times the third number it is off, if that is more:
/// a mean that wanders while it is learnt bends the melody.
const AT_ONCE: f64 = 5.5;
const FOLLOWED: f64 = 0.5 / 1200.0;
const SLOWLY_WITHIN: f64 = 0.7 / 12.0;
/// Octaves by which speakers begin above their mean, and the frames in which that falls to a third. Chosen with the
/// three above on the contours of 420 recordings, with a look at those of the benches.
const BEGINS_ABOVE: f64 = 1.0 / 12.0;
const FALLS_IN: f64 = 80.0;
/// Once this much is known, 2.4 s of voiced frames, F0 further than an octave from the mean is a mistake of
/// the tracker; before, it may be the mean that is off.
const KNOWN: f64 = 20.0;
const MAX_DEVIATION: f64 = 1.0;
/// After so many such frames on end, 200 ms, it is the mean that was mistaken, or another speaks.
const PATIENCE: u32 = 20;
const QUIET_DB: f64 = -120.0;
const MIN_OUT_HZ: f64 = 55.0;
const MAX_OUT_HZ: f64 = 700.0;

/// F0 of any speaker to the persona's, frame by frame.
///
/// The speaker's mean is estimated as they speak, by Bayes' rule from the two groups that speakers
/// fall into, so that the first syllable already lands in the right register; and followed slowly, so that
/// what is learnt later does not bend the melody. Deviations from the middle of all that is voiced, a little
/// below that mean, are kept, times `range`. A manner, lasting or passing, comes on top of the targets. Frames
/// that are hardly periodic, much quieter than the speaker, or outside 65 to 420 Hz do not count, nor do a
/// few that lie an octave off; many on end are believed, and the mean is forgotten. Through unvoiced frames
/// the last F0 is held: whether harmonics sound there is the envelopes' matter.
///
/// # Streaming
/// One number out for each frame in, no look-ahead.
#[derive(Clone)]
pub struct Prosody {
    targets: Ramp<ProsodyTargets>,
    manners: Manners,
    delivering: Delivering,
    /// By which the newest frame's level differs for its delivery.
    delivered_db: f32,
    /// Effective number of frames heard, and the sum of their log2 F0.
    weight: f64,
    sum: f64,
    /// The mean that deviations are from.
    followed: f64,
    /// Level of the loudest frame that counted, in dBFS.
    loudest_db: f64,
    /// Frames on end that lay an octave off.
    odd: u32,
    last_hz: f32,
}

impl Prosody {
    /// Numbers in a frame that goes in: F0 in Hz, strength of voicing, voiced or not, level in dBFS.
    pub const WIDTH: usize = 4;

    /// # Errors
    /// `out_of_range`: register 60 to 500 Hz, range 0 to 3.
    pub fn new(targets: ProsodyTargets) -> Result<Self, DspError> {
        check(targets)?;
        let last_hz = targets.register_hz;
        Ok(Self {
            targets: Ramp::at(targets),
            manners: Manners::default(),
            delivering: Delivering::new(),
            delivered_db: 0.0,
            weight: 0.0,
            sum: 0.0,
            followed: 0.0,
            loudest_db: QUIET_DB,
            odd: 0,
            last_hz,
        })
    }

    /// Steers to other targets, over 200 ms from the next frame on.
    ///
    /// # Errors
    /// As `new`; the old targets stay.
    pub fn set_targets(&mut self, targets: ProsodyTargets) -> Result<(), DspError> {
        check(targets)?;
        self.targets.go(targets);
        Ok(())
    }

    /// Speaks in another manner until told otherwise, over 200 ms from the next frame on.
    ///
    /// # Errors
    /// `out_of_range`: 12 semitones, 2 octaves of range, 24 dB of level and breath, 6 dB of tilt each
    /// way; the old manner stays.
    pub fn set_manner(&mut self, manner: Manner) -> Result<(), DspError> {
        self.manners.last(manner)
    }

    /// A mood: a manner on top of the lasting one, which comes over 200 ms and of which half is left
    /// after each half-life of so many frames; 0 for one that stays until the next.
    ///
    /// # Errors
    /// As `set_manner`; half-life 0 to 1e9.
    pub fn express(&mut self, mood: Manner, half_life_hops: f32) -> Result<(), DspError> {
        self.manners.pass(mood, half_life_hops)
    }

    /// Moves pitch and level otherwise than the speaker, over 200 ms from the next frame on.
    ///
    /// # Errors
    /// `out_of_range`: dynamics 0 to 2, vibrato 0 to 1 semitone, jitter 0 to 0.05, onset -6 to 6 dB; the
    /// old delivery stays.
    pub fn set_delivery(&mut self, delivery: Delivery) -> Result<(), DspError> {
        self.delivering.set(delivery)
    }

    /// The manner of the newest frame, mood and delivery included.
    pub fn manner(&self) -> Manner {
        let mut manner = self.manners.now();
        manner.level_db += self.delivered_db;
        manner
    }

    /// Frames `[n, 4]` of F0 in Hz, voicing, voiced and level in dBFS; writes `n` values of F0 in Hz.
    ///
    /// # Errors
    /// `wrong_shape`, `output_too_short`; nothing is consumed.
    pub fn process(&mut self, frames: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        if !frames.len().is_multiple_of(Self::WIDTH) {
            return Err(DspError::Shape {
                what: "frames",
                expected: Self::WIDTH,
                got: frames.len(),
            });
        }
        let count = frames.len() / Self::WIDTH;
        check_room(count, output.len())?;
        for (frame, out) in frames.chunks_exact(Self::WIDTH).zip(output.iter_mut()) {
            self.targets.step();
            let manner = self.manners.step();
            let voiced = frame[2] > 0.5 && SPEAKERS_HZ.contains(&frame[0]);
            let level_db = frame[3].max(QUIET_DB as f32).min(0.0);
            if voiced {
                let octaves = f64::from(frame[0]).log2();
                self.voiced(octaves, frame[1] >= SURE, f64::from(level_db), manner);
            }
            let (factor, more_db) = self.delivering.step(voiced, level_db);
            self.delivered_db = more_db;
            *out = self.last_hz * factor;
        }
        Ok(count)
    }

    /// Forgets the speaker and the mood; targets and lasting manner stay, and are reached.
    pub fn reset(&mut self) {
        self.targets = Ramp::at(self.targets.end());
        self.manners.reset();
        self.delivering.reset();
        self.delivered_db = 0.0;
        self.forget();
        self.last_hz = self.targets.end().register_hz;
    }

    fn forget(&mut self) {
        self.weight = 0.0;
        self.sum = 0.0;
        self.loudest_db = QUIET_DB;
        self.odd = 0;
    }

    /// Moves `last_hz` to what a voiced frame is shaped to.
    fn voiced(&mut self, octaves: f64, sure: bool, level_db: f64, manner: Manner) {
        if sure && level_db > self.loudest_db {
            // What was quieter than this is worth less, by its share of power.
            let share = 10f64.powf((self.loudest_db - level_db) / 10.0);
            self.weight *= share;
            self.sum *= share;
            self.loudest_db = level_db;
        }
        if self.is_odd(octaves) {
            return;
        }
        if sure {
            let below_db = self.loudest_db - level_db;
            let near = ((FAR_DB - below_db) / (FAR_DB - NEAR_DB)).clamp(0.0, 1.0);
            let keep = 1.0 - (self.weight + FRAME_WEIGHT - MEMORY).max(0.0) / MEMORY;
            self.weight = self.weight * keep + FRAME_WEIGHT * near;
            self.sum = self.sum * keep + FRAME_WEIGHT * near * octaves;
            self.follow();
        }
        if self.weight == 0.0 {
            return;
        }
        let targets = self.targets.now();
        let range = f64::from(targets.range) * f64::from(manner.range_octaves).exp2();
        let widened = (range - 1.0) * (octaves - self.speaker_mean() + MIDDLE);
        let deviation = octaves - self.followed + widened;
        let moved = f64::from(manner.register_semitones) / 12.0;
        let wanted = f64::from(targets.register_hz) * (deviation + moved).exp2();
        self.last_hz = wanted.clamp(MIN_OUT_HZ, MAX_OUT_HZ) as f32;
    }

    /// Towards the mean that is known by now.
    fn follow(&mut self) {
        let frames = self.weight / FRAME_WEIGHT;
        let mean = self.speaker_mean() - BEGINS_ABOVE * (-frames / FALLS_IN).exp();
        let off = mean - self.followed;
        let most = FOLLOWED * (off.abs() / SLOWLY_WITHIN).max(1.0).powi(2);
        let at_once = frames < AT_ONCE;
        self.followed += if at_once { off } else { off.clamp(-most, most) };
    }

    /// Whether this is an octave from what is known of the speaker, and not for long yet.
    fn is_odd(&mut self, octaves: f64) -> bool {
        let known = self.weight >= KNOWN;
        if !known || (octaves - self.speaker_mean()).abs() <= MAX_DEVIATION {
            self.odd = 0;
            return false;
        }
        self.odd += 1;
        if self.odd < PATIENCE {
            return true;
        }
        self.forget();
        false
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
