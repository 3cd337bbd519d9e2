//! Brings speech of any level to one, slowly.

use crate::error::{check_range, check_room, DspError};
use crate::math::db::{amplitude_from_db, db_from_power};
use crate::math::sample::{tame, LOUDEST};
use crate::stage::{check_rate, Rates, Stage};

/// Hops of speech, 1.5 s, in which the gain may go fast: nobody has got used to a level yet.
const BEGINNING: u32 = 150;
/// How far it goes in a hop then, and later: 80 dB a second, and 6.
const FAST_DB: f64 = 0.8;
const SLOW_DB: f64 = 0.06;
/// The level is the mean of so many loud hops, some 10 s of speech: longer than a sentence, so that
/// one that is meant to be quiet stays so.
const LONG: f64 = 600.0;
/// The speaker has moved, or is another, when the mean of so many loud hops, taken anew each time, is
/// further from it than this. Sentences of one speaker differ by less.
const MOVED_DB: f64 = 8.0;
const MOVED_HOPS: u32 = 80;
/// A hop counts as loud if it is no further than this below the mean, in dB, of speech with its pauses.
const GATE_DB: f64 = 3.0;
/// What the mean of such hops is above that of all less than 10 dB below the mean of all, which is what
/// is called the level: of recordings of nine people.
const ABOVE_DB: f64 = 1.0;
/// Hops of that mean, 1 s.
const GATE_HOPS: f64 = 100.0;
/// What swings less than this about its mean, in dB, is a machine and no speech: noise of a hop 0.3,
/// speech 3 and more. Smoothed over 0.1 and 0.15 s; it begins as speech.
const STEADY_DB: f64 = 1.2;
const SMOOTH_MEAN: f64 = 0.1;
const SMOOTH_SWING: f64 = 0.07;
const SWING_AT_FIRST_DB: f64 = 6.0;
/// Mean square below which nobody speaks, -75 dBFS.
const QUIET: f64 = 3e-8;
/// How far the gain goes.
const LEAST_DB: f64 = -30.0;
const MOST_DB: f64 = 40.0;

/// Brings speech to a level, in dBFS of its loud hops: in the first 1.5 s of it quickly, then by 6 dB a
/// second at most, towards the mean of some 10 s. While nobody speaks the gain stays as it is.
///
/// It is told who speaks: of a detector beside it, which hears what goes in and not what comes out.
///
/// # Streaming
/// Latency 0. What was heard in a hop of 10 ms moves the gain in the next, sample by sample. Louder than
/// full scale may come out: a limiter follows. A sample that is not finite counts as 0.
#[derive(Clone)]
pub struct Leveller {
    sample_rate: u32,
    hop: usize,
    target_db: f64,
    speech: bool,
    in_hop: usize,
    energy: f64,
    level: Level,
    /// At the beginning and at the end of the hop at hand.
    from_db: f64,
    to_db: f64,
    from: f32,
    to: f32,
}

/// How loud speech is: mean squares, unless in dB.
#[derive(Clone, Copy)]
struct Level {
    /// Of speech with its pauses, lately; and its hops so far.
    all_db: f64,
    hops: u32,
    mean_db: f64,
    swing_db: f64,
    /// Of loud hops: the mean, and of how many it is.
    long: f64,
    loud: f64,
    /// Of those since the mean was last held against it: their sum, and how many.
    sum: f64,
    summed: u32,
}

impl Level {
    const NEW: Self = Self {
        all_db: 0.0,
        hops: 0,
        mean_db: 0.0,
        swing_db: SWING_AT_FIRST_DB,
        long: 0.0,
        loud: 0.0,
        sum: 0.0,
        summed: 0,
    };

    fn hear(&mut self, power: f64) {
        if power < QUIET {
            return;
        }
        self.hops = self.hops.saturating_add(1);
        let db = db_from_power(power);
        if self.steady(db) {
            return;
        }
        self.all_db += (db - self.all_db) / f64::from(self.hops).min(GATE_HOPS);
        if db > self.all_db - GATE_DB {
            self.count(power);
        }
    }

    fn steady(&mut self, db: f64) -> bool {
        if self.hops == 1 {
            self.mean_db = db;
        }
        self.mean_db += SMOOTH_MEAN * (db - self.mean_db);
        self.swing_db += SMOOTH_SWING * ((db - self.mean_db).abs() - self.swing_db);
        self.swing_db < STEADY_DB
    }

    fn count(&mut self, power: f64) {
        self.loud = (self.loud + 1.0).min(LONG);
        self.long += (power - self.long) / self.loud;
        self.sum += power;
        self.summed += 1;
        if self.summed == MOVED_HOPS {
            let lately = self.sum / f64::from(MOVED_HOPS);
            if db_from_power(lately / self.long).abs() > MOVED_DB {
                (self.long, self.loud) = (lately, f64::from(MOVED_HOPS));
            }
            (self.sum, self.summed) = (0.0, 0);
        }
    }
}

impl Leveller {
    /// # Errors
    /// `out_of_range`: sample rate outside 8000 to 192000 Hz, target outside -40 to -10 dBFS.
    pub fn new(sample_rate: u32, target_db: f64) -> Result<Self, DspError> {
        check_rate("sample_rate in Hz", sample_rate)?;
        check_range("target_db", target_db, -40.0, -10.0)?;
        Ok(Self {
            sample_rate,
            hop: (sample_rate as usize + 50) / 100,
            target_db,
            speech: false,
            in_hop: 0,
            energy: 0.0,
            level: Level::NEW,
            from_db: 0.0,
            to_db: 0.0,
            from: 1.0,
            to: 1.0,
        })
    }

    /// Whether somebody speaks in what follows. It begins with nobody.
    pub fn set_speech(&mut self, speech: bool) {
        self.speech = speech;
    }

    /// The gain that the hop at hand ends with.
    pub fn gain_db(&self) -> f64 {
        self.to_db
    }

    fn decide(&mut self) {
        let power = self.energy / self.hop as f64;
        (self.in_hop, self.energy) = (0, 0.0);
        (self.from_db, self.from) = (self.to_db, self.to);
        if !self.speech {
            return;
        }
        self.level.hear(power);
        if self.level.loud > 0.0 {
            let wanted = self.target_db - (db_from_power(self.level.long) - ABOVE_DB);
            let most = if self.level.hops < BEGINNING {
                FAST_DB
            } else {
                SLOW_DB
            };
            let by = (wanted.clamp(LEAST_DB, MOST_DB) - self.from_db).clamp(-most, most);
            self.to_db = self.from_db + by;
            self.to = amplitude_from_db(self.to_db) as f32;
        }
    }
}

impl Stage for Leveller {
    fn rates(&self) -> Rates {
        Rates {
            input: self.sample_rate,
            output: self.sample_rate,
        }
    }

    fn latency(&self) -> usize {
        0
    }

    fn output_len(&self, input_len: usize) -> usize {
        input_len
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        check_room(input.len(), output.len())?;
        let mut rest = (input, output);
        while !rest.0.is_empty() {
            let len = rest.0.len().min(self.hop - self.in_hop);
            let (x, later) = rest.0.split_at(len);
            let (y, room) = rest.1.split_at_mut(len);
            let slope = (self.to - self.from) / self.hop as f32;
            for ((y, x), n) in y.iter_mut().zip(x).zip(self.in_hop..) {
                let x = tame(*x);
                self.energy += f64::from(x) * f64::from(x);
                *y = (x * (self.from + slope * n as f32)).clamp(-LOUDEST, LOUDEST);
            }
            self.in_hop += len;
            rest = (later, room);
            if self.in_hop == self.hop {
                self.decide();
            }
        }
        Ok(input.len())
    }

    fn flush(&mut self, _output: &mut [f32]) -> Result<usize, DspError> {
        self.reset();
        Ok(0)
    }

    fn reset(&mut self) {
        (self.in_hop, self.energy) = (0, 0.0);
        self.level = Level::NEW;
        (self.from_db, self.to_db) = (0.0, 0.0);
        (self.from, self.to) = (1.0, 1.0);
    }
}
