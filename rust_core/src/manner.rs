//! How the persona speaks at the moment, as against how she usually does.

use crate::error::{check_range, DspError};
use crate::math::mel::{band_edges_hz, hz_from_mel, mel_from_hz, BANDS, SILENT};
use crate::stage::RATE;

/// Hops over which a change takes effect: 200 ms.
pub(crate) const RAMP_HOPS: u32 = 20;

/// Values that lie between two others.
pub(crate) trait Between: Copy {
    /// From this so much of the way to the other, 0 to 1.
    fn towards(self, to: Self, part: f32) -> Self;
}

/// Goes over from one value to the next in [`RAMP_HOPS`].
#[derive(Clone)]
pub(crate) struct Ramp<T> {
    from: T,
    to: T,
    hops: u32,
}

impl<T: Between> Ramp<T> {
    /// There already.
    pub fn at(to: T) -> Self {
        Self {
            from: to,
            to,
            hops: RAMP_HOPS,
        }
    }

    /// To another value, from the next hop on.
    pub fn go(&mut self, to: T) {
        *self = Self {
            from: self.now(),
            to,
            hops: 0,
        };
    }

    /// One hop goes by.
    pub fn step(&mut self) {
        self.hops = (self.hops + 1).min(RAMP_HOPS);
    }

    pub fn now(&self) -> T {
        let part = self.hops as f32 / RAMP_HOPS as f32;
        self.from.towards(self.to, part)
    }

    /// Where it goes.
    pub fn end(&self) -> T {
        self.to
    }
}

/// What is left of a mood after ten half-lives nobody hears; from then on it is none.
const HALF_LIVES: f32 = 10.0;
/// About which the spectrum is tilted: there most of the energy of speech lies, and stays.
const TILT_ABOUT_HZ: f64 = 500.0;
/// Natural logarithm of the amplitude of one decibel.
const LN_OF_DB: f32 = std::f32::consts::LN_10 / 20.0;

/// Differences from how she usually speaks, in units that add up; all 0 is no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Manner {
    /// Of her F0.
    pub register_semitones: f32,
    /// Of the factor on her F0's deviations from its mean: log2.
    pub range_octaves: f32,
    /// Of all that sounds, in dB.
    pub level_db: f32,
    /// Of the noise in her voiced sounds, in dB.
    pub breath_db: f32,
    /// Of the spectrum, in dB per octave about 500 Hz.
    pub tilt_db: f32,
    /// Of the length of her vocal tract: log2. A longer one has lower formants; F0 stays.
    pub tract_octaves: f32,
}

impl Manner {
    fn check(&self) -> Result<(), DspError> {
        let of = |what, value: f32, most: f64| check_range(what, f64::from(value), -most, most);
        of("register_semitones", self.register_semitones, 12.0)?;
        of("range_octaves", self.range_octaves, 2.0)?;
        of("level_db", self.level_db, 24.0)?;
        of("breath_db", self.breath_db, 24.0)?;
        of("tilt_db", self.tilt_db, 6.0)?;
        of("tract_octaves", self.tract_octaves, 0.5)
    }

    /// This, so many times, and the other as often as `times`.
    fn and(self, part: f32, other: Self, times: f32) -> Self {
        let mix = |a: f32, b: f32| a * part + b * times;
        Self {
            register_semitones: mix(self.register_semitones, other.register_semitones),
            range_octaves: mix(self.range_octaves, other.range_octaves),
            level_db: mix(self.level_db, other.level_db),
            breath_db: mix(self.breath_db, other.breath_db),
            tilt_db: mix(self.tilt_db, other.tilt_db),
            tract_octaves: mix(self.tract_octaves, other.tract_octaves),
        }
    }
}

/// A manner that lasts, and one that passes, on top of it: a mood.
///
/// ```text
///   mood │   ╭╮
///        │  ╱  ╲__
///        │ ╱      ╲____            half of it is gone after each half-life
///        └┼──┼──────────────
///       set 200 ms
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    lasting: Course,
    mood: Course,
}

#[derive(Clone, Copy, Debug, Default)]
struct Course {
    from: Manner,
    to: Manner,
    /// Since it was set.
    hops: u32,
    /// 0 for one that lasts.
    half_life_hops: f32,
}

impl Manners {
    /// The lasting one, from the next hop on.
    pub fn last(&mut self, manner: Manner) -> Result<(), DspError> {
        manner.check()?;
        self.lasting.go(manner, 0.0);
        Ok(())
    }

    /// The passing one; 0 as half-life for one that lasts until the next.
    pub fn pass(&mut self, manner: Manner, half_life_hops: f32) -> Result<(), DspError> {
        manner.check()?;
        check_range("half-life in hops", f64::from(half_life_hops), 0.0, 1e9)?;
        self.mood.go(manner, half_life_hops);
        Ok(())
    }

    /// One hop goes by; what the manner is at its end.
    pub fn step(&mut self) -> Manner {
        self.lasting.hops = self.lasting.hops.saturating_add(1);
        self.mood.hops = self.mood.hops.saturating_add(1);
        self.now()
    }

    pub fn now(&self) -> Manner {
        self.lasting.now().and(1.0, self.mood.now(), 1.0)
    }

    /// The mood is gone, and the lasting manner reached.
    pub fn reset(&mut self) {
        self.mood = Course::default();
        self.lasting.hops = RAMP_HOPS;
    }
}

impl Course {
    fn go(&mut self, to: Manner, half_life_hops: f32) {
        *self = Self {
            from: self.now(),
            to,
            hops: 0,
            half_life_hops,
        };
    }

    fn now(&self) -> Manner {
        let part = self.hops.min(RAMP_HOPS) as f32 / RAMP_HOPS as f32;
        let half_lives = if self.half_life_hops > 0.0 {
            self.hops as f32 / self.half_life_hops
        } else {
            0.0
        };
        if half_lives > HALF_LIVES && self.hops >= RAMP_HOPS {
            return Manner::default();
        }
        self.from
            .and(1.0 - part, self.to, part * (-half_lives).exp2())
    }
}

/// Octaves of each band's centre from where the spectrum is tilted about.
pub(crate) fn tilt_octaves() -> [f32; BANDS] {
    let edges = band_edges_hz(BANDS, f64::from(RATE) / 2.0);
    std::array::from_fn(|band| (edges[band + 1] / TILT_ABOUT_HZ).log2() as f32)
}

/// Gives 80 natural logarithms of amplitude of harmonics, then 80 of noise, the tract, level, breath
/// and tilt of a manner. What is silent stays so, and without a difference all stays to the bit.
pub(crate) fn colour(manner: Manner, octaves: &[f32; BANDS], envelopes: &mut [f32]) {
    if manner.tract_octaves != 0.0 {
        lengthen(manner.tract_octaves, envelopes);
    }
    if (manner.level_db, manner.breath_db, manner.tilt_db) == (0.0, 0.0, 0.0) {
        return;
    }
    let (harmonics, noise) = envelopes.split_at_mut(BANDS);
    let breath = if manner.breath_db == 0.0 {
        0.0
    } else {
        manner.breath_db * share_of(harmonics, noise)
    };
    for (half, more_db) in [(harmonics, 0.0), (noise, breath)] {
        for (value, octaves) in half.iter_mut().zip(octaves) {
            if *value > SILENT {
                *value += (manner.level_db + more_db + manner.tilt_db * octaves) * LN_OF_DB;
            }
        }
    }
}

/// Each envelope as a tract longer by so many octaves shapes it: every formant lower by as much.
/// Between bands its logarithms lie on straight lines; above the last they stay as there.
fn lengthen(octaves: f32, envelopes: &mut [f32]) {
    let step = mel_from_hz(f64::from(RATE) / 2.0) / (BANDS + 1) as f64;
    let factor = f64::from(octaves).exp2();
    let from: [f32; BANDS] = std::array::from_fn(|band| {
        let hz = hz_from_mel(step * (band + 1) as f64) * factor;
        (mel_from_hz(hz) / step - 1.0).clamp(0.0, (BANDS - 1) as f64) as f32
    });
    for half in envelopes.chunks_exact_mut(BANDS) {
        let mut before = [0.0; BANDS];
        before.copy_from_slice(half);
        for (value, from) in half.iter_mut().zip(from) {
            let low = (from as usize).min(BANDS - 2);
            *value = before[low] + (from - low as f32) * (before[low + 1] - before[low]);
        }
    }
}

/// Of the power of both, that of the harmonics: 1 in a vowel, 0 in a fricative, whose noise is not
/// breath.
fn share_of(harmonics: &[f32], noise: &[f32]) -> f32 {
    let power = |half: &[f32]| half.iter().map(|x| (2.0 * x).exp()).sum::<f32>();
    let (of_harmonics, of_noise) = (power(harmonics), power(noise));
    of_harmonics / (of_harmonics + of_noise + f32::MIN_POSITIVE)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test that cannot go on may stop
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const MOOD: Manner = Manner {
        register_semitones: 2.0,
        range_octaves: 0.5,
        level_db: 3.0,
        breath_db: -3.0,
        tilt_db: 1.0,
        tract_octaves: 0.1,
    };

    fn after(manners: &mut Manners, hops: u32) -> Manner {
        for _ in 0..hops {
            manners.step();
        }
        manners.now()
    }

    #[test]
    fn a_mood_comes_within_200_ms_halves_and_is_gone_without_a_rest() {
        let mut manners = Manners::default();
        manners.pass(MOOD, 1000.0).unwrap();
        assert!((after(&mut manners, 10).level_db - 1.5 * (-0.01f32).exp2()).abs() < 1e-4);
        assert!((after(&mut manners, 990).level_db - 1.5).abs() < 1e-4);
        assert!((after(&mut manners, 1000).breath_db + 0.75).abs() < 1e-4);
        assert_eq!(after(&mut manners, 8001), Manner::default());
    }

    #[test]
    fn a_mood_comes_and_goes_on_top_of_what_lasts() {
        let mut manners = Manners::default();
        manners.last(MOOD).unwrap();
        assert_eq!(after(&mut manners, RAMP_HOPS), MOOD);
        manners.pass(MOOD, 100.0).unwrap();
        assert!(after(&mut manners, RAMP_HOPS).level_db > 5.0);
        assert_eq!(after(&mut manners, 1100), MOOD);
        manners.pass(MOOD, 0.0).unwrap();
        assert_eq!(after(&mut manners, 1_000_000).level_db, 6.0);
        manners.reset();
        assert_eq!(manners.now(), MOOD);
    }

    #[test]
    fn one_mood_goes_over_into_the_next_without_a_step() {
        let mut manners = Manners::default();
        manners.pass(MOOD, 500.0).unwrap();
        let mut before = after(&mut manners, 15);
        manners
            .pass(
                Manner {
                    level_db: -3.0,
                    ..MOOD
                },
                500.0,
            )
            .unwrap();
        for _ in 0..30 {
            let now = manners.step();
            assert!((now.level_db - before.level_db).abs() < 6.0 / RAMP_HOPS as f32);
            before = now;
        }
    }

    #[test]
    fn a_mood_that_is_gone_at_once_takes_its_time_to_replace_another() {
        let mut manners = Manners::default();
        manners.pass(MOOD, 0.0).unwrap();
        let mut before = after(&mut manners, RAMP_HOPS);
        manners.pass(MOOD, 0.5).unwrap();
        for _ in 0..RAMP_HOPS {
            let now = manners.step();
            assert!((now.level_db - before.level_db).abs() < 1.2 * 3.0 / RAMP_HOPS as f32);
            before = now;
        }
        assert_eq!(before, Manner::default());
    }

    #[test]
    fn what_is_no_number_or_absurd_is_refused_and_changes_nothing() {
        let mut manners = Manners::default();
        for tilt_db in [f32::NAN, f32::INFINITY, 7.0] {
            assert!(manners.last(Manner { tilt_db, ..MOOD }).is_err());
            assert!(manners.pass(Manner { tilt_db, ..MOOD }, 1.0).is_err());
        }
        for half_life in [f32::NAN, -1.0, f32::INFINITY] {
            assert!(manners.pass(MOOD, half_life).is_err());
        }
        assert_eq!(after(&mut manners, 100), Manner::default());
    }

    #[test]
    fn breath_is_the_noise_of_vowels_and_silence_stays() {
        let octaves = tilt_octaves();
        let breath = Manner {
            breath_db: 6.0,
            ..Manner::default()
        };
        let mut vowel = [[-2.0; BANDS], [-6.0; BANDS]].concat();
        colour(breath, &octaves, &mut vowel);
        assert!(vowel[..BANDS].iter().all(|x| *x == -2.0));
        assert!(vowel[BANDS..]
            .iter()
            .all(|x| (x + 6.0 - 6.0 * LN_OF_DB).abs() < 1e-3));
        let mut fricative = [[SILENT; BANDS], [-4.0; BANDS]].concat();
        colour(breath, &octaves, &mut fricative);
        assert!(fricative[..BANDS].iter().all(|x| *x == SILENT));
        assert!(fricative[BANDS..].iter().all(|x| (x + 4.0).abs() < 1e-4));
        let mut silence = [SILENT; 2 * BANDS];
        colour(MOOD, &octaves, &mut silence);
        assert_eq!(silence, [SILENT; 2 * BANDS]);
    }

    #[test]
    fn tilt_turns_about_500_hz() {
        let octaves = tilt_octaves();
        let edges = band_edges_hz(BANDS, 12_000.0);
        let mut flat = [0.0; 2 * BANDS];
        let tilted = Manner {
            tilt_db: 1.0,
            ..Manner::default()
        };
        colour(tilted, &octaves, &mut flat);
        for (band, value) in flat.iter().enumerate() {
            let wanted = (edges[band % BANDS + 1] / 500.0).log2();
            assert!((f64::from(value / LN_OF_DB) - wanted).abs() < 1e-4);
        }
    }

    #[test]
    fn a_longer_tract_moves_every_formant_down_and_nothing_else() {
        let edges = band_edges_hz(BANDS, 12_000.0);
        // Formants at 500 and 2500 Hz, smooth, so that lines between bands come near enough.
        let formants = |hz: f64| 2.0 * (TAU * (hz / 500.0).log2() / 5f64.log2()).cos() - 5.0;
        let envelope = |tract: f64| -> Vec<f32> {
            let hz = edges[1..=BANDS].iter().map(|hz| hz * tract.exp2());
            let both = hz.map(|hz| formants(hz) as f32);
            both.collect::<Vec<_>>().repeat(2)
        };
        for tract_octaves in [-0.15f32, 0.02, 0.15] {
            let longer = Manner {
                tract_octaves,
                ..Manner::default()
            };
            let mut got = envelope(0.0);
            colour(longer, &tilt_octaves(), &mut got);
            let wanted = envelope(f64::from(tract_octaves));
            let away = |to: &[f32]| -> f32 {
                let inner = (8..70).chain(BANDS + 8..BANDS + 70);
                let off = inner.map(|band| (got[band] - to[band]).abs());
                off.fold(0.0, f32::max)
            };
            let (near, unmoved) = (away(&wanted), away(&envelope(0.0)));
            assert!(near < 0.2 * unmoved, "{tract_octaves}: {near} {unmoved}");
        }
    }
}
