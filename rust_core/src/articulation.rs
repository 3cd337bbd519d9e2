//! What the speaker's own sound says better than the network: how they articulate.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};

use crate::error::DspError;
use crate::math::curve::exp;
use crate::math::dot::dot;
use crate::math::mel::{BANDS, LOUDEST, SILENT};

/// Two envelopes of a frame: harmonics, noise.
const WIDTH: usize = 2 * BANDS;
/// Cepstra that are compared, from the first; the one before is the level, those after are the grain of
/// the recording: harmonics, noise, holes that codecs leave.
const CEPSTRA: usize = 21;
/// Vocal tracts that are tried on the speaker: formants moved by so many bands above 1 kHz, where a band
/// is 4.4 %, and by less below, in proportion to the frequency.
const TRACTS: usize = 9;
const MOST_MOVED: f32 = 3.7;
/// Band at 1 kHz.
const BREAK_BAND: f32 = 23.0;
/// Squared distance by which a tract moved the most is thought unlikely, and after how many hops of speech
/// what is heard counts for as much.
const UNLIKELY: f32 = 0.1;
const PRIOR_HOPS: f32 = 50.0;
/// Squared distance by which one tract must be nearer than another to be preferred clearly.
const CLEARLY: f32 = 0.02;
/// Part of the way to the likeliest tract that is gone in a hop of speech.
const TRACT_STEP: f32 = 0.05;
/// Of how many hops of speech the speaker's colour is the mean, and from how many on it is believed.
const COLOUR_HOPS: f32 = 500.0;
const BELIEVED_HOPS: f32 = 30.0;
/// Power that a cepstrum of the answers must have had, summed over the hops of speech, until half of what the
/// regression on it has shown is believed.
const REGRESSION_PRIOR: f32 = 800.0;
/// What is put back of what remains: with all of it more words are kept, and she is less herself.
const PUT_BACK: f32 = 0.8;
/// A hop is speech down to about so far below the loudest of late (mean log amplitude of the bands), and
/// never below `SILENCE`.
const QUIETER: f32 = 4.5;
const SILENCE: f32 = -11.0;
const STEEPNESS: f32 = 1.5;
/// By how much the loudest is forgotten in a hop.
const FADING: f32 = 0.002;
/// Log amplitudes of the speaker below this are as good as silent.
const FLOOR: f32 = -14.0;

struct Tables {
    /// DCT-II, orthonormal, from the first cepstrum on.
    cosines: [[f32; BANDS]; CEPSTRA],
    /// Each tract's own envelope to its cepstra.
    tracts: Vec<[[f32; BANDS]; CEPSTRA]>,
    unlikely: [f32; TRACTS],
}

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

/// Gives envelopes back what the mean of all likely answers lacks: the speaker's articulation.
///
/// Where the network is in doubt, it answers between two sounds. The speaker's own envelope is certain of
/// the sound, and wrong about the voice: other formants, another colour. So it is heard through the vocal
/// tract that brings it nearest to the answers, what is different on the whole is taken off, the colour, and
/// what follows from the answer by linear regression (all learnt as the speaker speaks): that is the speaker's
/// way of saying what the network knows. What then remains, from 1 to 21 half waves over the bands, it did not
/// know; that is added to both envelopes.
///
/// # Streaming
/// One frame out for each in, no look-ahead. A stream begins with the answers as they are.
///
/// # Source
/// Warping to a speaker: Lee & Rose (1998); means taken off: Atal (1974); linear regression between
/// speakers: Leggetter & Woodland (1995), all turned from recognition to conversion. The regression is learnt
/// by normalised least mean squares, with a step for each cepstrum.
#[derive(Clone)]
pub struct Articulation {
    /// Running mean, by tract, of what the speaker's cepstra differ by: the colour.
    colour: [[f32; CEPSTRA]; TRACTS],
    /// Running mean square of what remains without it.
    distance: [f32; TRACTS],
    /// Running mean of the answer's cepstra, and the power of each about it, summed.
    mean: [f32; CEPSTRA],
    power: [f32; CEPSTRA],
    /// Of what remains on what the answer differs from its mean.
    regression: [[f32; CEPSTRA]; CEPSTRA],
    /// Hops of speech that the colours are the mean of, and the distances.
    heard: f32,
    compared: f32,
    /// The tract, from 0 to `TRACTS - 1`.
    tract: f32,
    loudest: f32,
}

impl Default for Articulation {
    fn default() -> Self {
        Self::new()
    }
}

impl Articulation {
    /// Of a speaker who has not spoken yet; there is nothing to set.
    pub fn new() -> Self {
        Self {
            colour: [[0.0; CEPSTRA]; TRACTS],
            distance: TABLES.unlikely,
            mean: [0.0; CEPSTRA],
            power: [0.0; CEPSTRA],
            regression: [[0.0; CEPSTRA]; CEPSTRA],
            heard: 0.0,
            compared: PRIOR_HOPS,
            tract: (TRACTS / 2) as f32,
            loudest: SILENT,
        }
    }

    /// Changes envelopes `[n, 160]`, 80 log amplitudes of harmonics and 80 of noise; `own` are the
    /// speaker's log amplitudes at the same moments, `[n, 80]`.
    ///
    /// # Errors
    /// `wrong_shape`, with nothing changed.
    pub fn process(&mut self, own: &[f32], envelopes: &mut [f32]) -> Result<(), DspError> {
        if !envelopes.len().is_multiple_of(WIDTH) {
            let (what, expected, got) = ("envelopes", WIDTH, envelopes.len());
            return Err(DspError::Shape {
                what,
                expected,
                got,
            });
        }
        let (what, expected, got) = ("own", envelopes.len() / 2, own.len());
        if got != expected {
            return Err(DspError::Length {
                what,
                expected,
                got,
            });
        }
        let frames = own.chunks_exact(BANDS);
        for (own, envelopes) in frames.zip(envelopes.chunks_exact_mut(WIDTH)) {
            self.apply(own, envelopes);
        }
        Ok(())
    }

    /// Forgets the speaker.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// `own` are the speaker's log amplitudes at the moment of `answer`.
    pub(crate) fn apply(&mut self, own: &[f32], answer: &mut [f32]) {
        Arch::new().dispatch(Frame(self, own, answer));
    }

    #[inline(always)]
    fn frame<S: Simd>(&mut self, simd: S, own: &[f32], answer: &mut [f32]) {
        let (harmonics, noise) = answer.split_at_mut(BANDS);
        let mut whole = [0.0; BANDS];
        for ((whole, a), b) in whole.iter_mut().zip(harmonics.iter()).zip(noise.iter()) {
            *whole = a.max(*b);
        }
        let speech = self.speech(whole.iter().sum::<f32>() / BANDS as f32);
        if speech == 0.0 {
            return;
        }
        let (differences, answered) = differences(simd, own, &whole);
        self.learn(&differences, speech);
        let mut remains = self.remains(&differences);
        self.without_regression(&mut remains, &answered, speech);
        let share = PUT_BACK * speech * self.heard / (self.heard + BELIEVED_HOPS);
        let mut more = [0.0; BANDS];
        for (cepstrum, cosines) in remains.iter().zip(&TABLES.cosines) {
            for (more, cosine) in more.iter_mut().zip(cosines) {
                *more += share * cepstrum * cosine;
            }
        }
        for band in [harmonics, noise] {
            for (y, more) in band.iter_mut().zip(&more) {
                *y = (*y + more).clamp(SILENT, LOUDEST);
            }
        }
    }

    /// How sure it is that somebody speaks, from the mean log amplitude.
    fn speech(&mut self, level: f32) -> f32 {
        self.loudest = level.max(self.loudest - FADING);
        // Not so either where an envelope is no number.
        if level < SILENCE || level.is_nan() {
            return 0.0;
        }
        1.0 / (1.0 + exp(-STEEPNESS * (level - self.loudest + QUIETER)))
    }

    fn learn(&mut self, differences: &[[f32; CEPSTRA]; TRACTS], speech: f32) {
        self.heard += speech * (1.0 - self.heard / COLOUR_HOPS);
        self.compared += speech * (1.0 - self.compared / COLOUR_HOPS);
        let (newer, nearer) = (speech / self.heard, speech / self.compared);
        let mut least = f32::MAX;
        let tracts = self.colour.iter_mut().zip(&mut self.distance);
        for ((colour, distance), of) in tracts.zip(differences) {
            let mut sum = 0.0;
            for (colour, of) in colour.iter_mut().zip(of) {
                *colour += newer * (of - *colour);
                sum += (of - *colour) * (of - *colour);
            }
            *distance += nearer * (sum / CEPSTRA as f32 - *distance);
            least = least.min(*distance);
        }
        let (mut place, mut all) = (0.0, 0.0);
        for (tract, distance) in self.distance.iter().enumerate() {
            let likely = exp((least - distance) / CLEARLY);
            place += likely * tract as f32;
            all += likely;
        }
        self.tract += TRACT_STEP * speech * (place / all - self.tract);
    }

    /// The differences through the speaker's tract, without the colour.
    fn remains(&self, differences: &[[f32; CEPSTRA]; TRACTS]) -> [f32; CEPSTRA] {
        let low = (self.tract as usize).min(TRACTS - 2);
        let part = self.tract - low as f32;
        let mut remains = [0.0; CEPSTRA];
        for (k, remains) in remains.iter_mut().enumerate() {
            let of = |tract: usize| differences[tract][k] - self.colour[tract][k];
            *remains = of(low) + part * (of(low + 1) - of(low));
        }
        remains
    }

    /// Takes off what follows from the answer, and learns it from what the answer does not yet explain.
    #[inline(always)]
    fn without_regression(
        &mut self,
        remains: &mut [f32; CEPSTRA],
        answered: &[f32; CEPSTRA],
        speech: f32,
    ) {
        let newer = speech / self.heard;
        let (mut deviation, mut step) = ([0.0; CEPSTRA], [0.0; CEPSTRA]);
        let mut all = 1.0;
        for (k, answered) in answered.iter().enumerate() {
            self.mean[k] += newer * (answered - self.mean[k]);
            deviation[k] = answered - self.mean[k];
            let square = deviation[k] * deviation[k];
            self.power[k] += speech * (square - self.power[k] / COLOUR_HOPS);
            step[k] = speech * deviation[k] / (REGRESSION_PRIOR + self.power[k]);
            all += step[k] * deviation[k];
        }
        for (remains, row) in remains.iter_mut().zip(&mut self.regression) {
            for (of, deviation) in row.iter().zip(&deviation) {
                *remains -= of * deviation;
            }
            for (of, step) in row.iter_mut().zip(&step) {
                *of += *remains * step / all;
            }
        }
    }
}

/// One frame, compiled for the processor at hand.
struct Frame<'a>(&'a mut Articulation, &'a [f32], &'a mut [f32]);

impl WithSimd for Frame<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.frame(simd, self.1, self.2);
    }
}

/// Of each tract: the speaker's cepstra less the answer's; and the answer's.
#[inline(always)]
fn differences<S: Simd>(
    simd: S,
    own: &[f32],
    whole: &[f32; BANDS],
) -> ([[f32; CEPSTRA]; TRACTS], [f32; CEPSTRA]) {
    let mut heard = [0.0; BANDS];
    for (heard, own) in heard.iter_mut().zip(own) {
        let known = if own.is_nan() { FLOOR } else { *own };
        *heard = known.clamp(FLOOR, LOUDEST);
    }
    let mut answered = [0.0; CEPSTRA];
    for (cepstrum, cosines) in answered.iter_mut().zip(&TABLES.cosines) {
        *cepstrum = dot(simd, cosines, whole);
    }
    let mut differences = [[0.0; CEPSTRA]; TRACTS];
    for (of, rows) in differences.iter_mut().zip(&TABLES.tracts) {
        for ((of, row), answered) in of.iter_mut().zip(rows).zip(&answered) {
            *of = dot(simd, row, &heard) - answered;
        }
    }
    (differences, answered)
}

impl Tables {
    fn new() -> Self {
        let mut cosines = [[0.0; BANDS]; CEPSTRA];
        for (k, row) in cosines.iter_mut().enumerate() {
            for (band, cosine) in row.iter_mut().enumerate() {
                let angle = (k + 1) as f64 * (band as f64 + 0.5) / BANDS as f64;
                *cosine =
                    ((std::f64::consts::PI * angle).cos() * (2.0 / BANDS as f64).sqrt()) as f32;
            }
        }
        let middle = (TRACTS / 2) as f32;
        let moved = |tract: usize| (tract as f32 - middle) / middle;
        let tracts = (0..TRACTS).map(|tract| through(moved(tract) * MOST_MOVED, &cosines));
        let mut unlikely = [0.0; TRACTS];
        for (tract, unlikely) in unlikely.iter_mut().enumerate() {
            *unlikely = UNLIKELY * moved(tract) * moved(tract);
        }
        Self {
            tracts: tracts.collect(),
            cosines,
            unlikely,
        }
    }
}

/// Cepstra of envelopes whose bands are read `moved` bands further up.
fn through(moved: f32, cosines: &[[f32; BANDS]; CEPSTRA]) -> [[f32; BANDS]; CEPSTRA] {
    let mut rows = [[0.0; BANDS]; CEPSTRA];
    for band in 0..BANDS {
        let at = band as f32 + moved * (band as f32 / BREAK_BAND).min(1.0);
        let at = at.clamp(0.0, (BANDS - 1) as f32);
        let low = (at as usize).min(BANDS - 2);
        let part = at - low as f32;
        for (row, cosines) in rows.iter_mut().zip(cosines) {
            row[low] += (1.0 - part) * cosines[band];
            row[low + 1] += part * cosines[band];
        }
    }
    rows
}
