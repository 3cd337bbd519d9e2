//! The small movements of a voice: how far its level swings, how it trembles, how sharply it begins.

use crate::error::{check_range, DspError};
use crate::manner::{Between, Ramp};
use crate::vocoder::uniform;

/// Of vibrato: the middle of what singers and speakers show (Sundberg 1994).
const VIBRATO_HZ: f32 = 5.5;
const HOPS_PER_S: f32 = 100.0;
/// Vibrato begins after so many hops of a voiced sound, and is whole after as many again.
const SETTLED: f32 = 20.0;
/// Of how many voiced hops the level is the mean.
const LEVEL_HOPS: f32 = 300.0;
/// Levels further from the mean than this count as so far: pauses get no quieter without end.
const LOWEST_DB: f32 = -20.0;
const HIGHEST_DB: f32 = 10.0;
/// Share of the newest hop in the slow level that a rise is taken against, and the rise in dB at which a
/// sound begins, and begins as sharply as any.
const SLOW: f32 = 0.2;
const RISE_DB: f32 = 3.0;
const SHARPEST_DB: f32 = 15.0;

/// What of the speaker's level is kept, and what is added to pitch and level that was not there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// Deviations of the level from its mean, as a multiple of the speaker's: 0 to 2.
    pub dynamics: f32,
    /// How far F0 swings up and down 5.5 times a second in sounds that last: 0 to 1 semitone.
    pub vibrato_semitones: f32,
    /// Standard deviation of F0 from hop to hop, as a share of it: 0 to 0.05.
    pub jitter: f32,
    /// More level where a sound begins, in dB: -6 to 6.
    pub onset_db: f32,
}

impl Default for Delivery {
    /// As the speaker does.
    fn default() -> Self {
        Self {
            dynamics: 1.0,
            vibrato_semitones: 0.0,
            jitter: 0.0,
            onset_db: 0.0,
        }
    }
}

impl Delivery {
    fn check(&self) -> Result<(), DspError> {
        let of = |what, value: f32, least, most| check_range(what, f64::from(value), least, most);
        of("dynamics", self.dynamics, 0.0, 2.0)?;
        of("vibrato_semitones", self.vibrato_semitones, 0.0, 1.0)?;
        of("jitter", self.jitter, 0.0, 0.05)?;
        of("onset_db", self.onset_db, -6.0, 6.0)
    }
}

impl Between for Delivery {
    fn towards(self, to: Self, part: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * part;
        Self {
            dynamics: mix(self.dynamics, to.dynamics),
            vibrato_semitones: mix(self.vibrato_semitones, to.vibrato_semitones),
            jitter: mix(self.jitter, to.jitter),
            onset_db: mix(self.onset_db, to.onset_db),
        }
    }
}

/// Carries a delivery out, hop by hop.
#[derive(Clone)]
pub(crate) struct Delivering {
    delivery: Ramp<Delivery>,
    /// Mean level of voiced hops in dBFS, and of how many.
    mean_db: f32,
    heard: f32,
    slow_db: Option<f32>,
    voiced_hops: f32,
    /// Of vibrato, in turns.
    phase: f32,
    random: u64,
}

impl Delivering {
    pub fn new() -> Self {
        Self {
            delivery: Ramp::at(Delivery::default()),
            mean_db: 0.0,
            heard: 0.0,
            slow_db: None,
            voiced_hops: 0.0,
            phase: 0.0,
            random: 0,
        }
    }

    /// Over 200 ms from the next hop on.
    pub fn set(&mut self, delivery: Delivery) -> Result<(), DspError> {
        delivery.check()?;
        self.delivery.go(delivery);
        Ok(())
    }

    /// Forgets the speaker; the delivery stays, and is reached.
    pub fn reset(&mut self) {
        *self = Self {
            delivery: Ramp::at(self.delivery.end()),
            ..Self::new()
        };
    }

    /// A hop of the speaker's; by which factor F0 differs, and by how many dB the level.
    pub fn step(&mut self, voiced: bool, level_db: f32) -> (f32, f32) {
        self.delivery.step();
        let now = self.delivery.now();
        self.voiced_hops = if voiced { self.voiced_hops + 1.0 } else { 0.0 };
        if voiced {
            self.heard = (self.heard + 1.0).min(LEVEL_HOPS);
            self.mean_db += (level_db - self.mean_db) / self.heard;
        }
        (self.pitch(now), self.level_db(now, level_db))
    }

    fn pitch(&mut self, now: Delivery) -> f32 {
        self.phase = (self.phase + VIBRATO_HZ / HOPS_PER_S).fract();
        let lasts = ((self.voiced_hops - SETTLED) / SETTLED).clamp(0.0, 1.0);
        let swing = (core::f32::consts::TAU * self.phase).sin();
        let octaves = now.vibrato_semitones / 12.0 * lasts * swing;
        octaves.exp2() * (1.0 + now.jitter * uniform(&mut self.random))
    }

    fn level_db(&mut self, now: Delivery, level_db: f32) -> f32 {
        let slow = self.slow_db.unwrap_or(level_db);
        self.slow_db = Some(slow + SLOW * (level_db - slow));
        let sharp = ((level_db - slow - RISE_DB) / (SHARPEST_DB - RISE_DB)).clamp(0.0, 1.0);
        let off = if self.heard == 0.0 {
            0.0
        } else {
            (level_db - self.mean_db).clamp(LOWEST_DB, HIGHEST_DB)
        };
        (now.dynamics - 1.0) * off + now.onset_db * sharp
    }
}
