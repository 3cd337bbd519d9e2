//! Fundamental frequency and voicing, hop by hop.

mod belief;
mod evidence;
mod weights;

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_range, check_room, DspError};
use crate::math::curve::{exp, ln};
use crate::stage::{Analyzer, HOP};

use belief::{Belief, States, MOST_LATE};
use evidence::{frequency, period, AHEAD, INNER_HOP, INNER_RATE, LAGS, PITCHES, SILENCE, WIDTH};
use weights::{CALIBRATION, VOICED};

pub use evidence::F0Evidence;
pub(crate) use evidence::LOOKAHEAD;

/// Numbers in a frame.
const FRAME: usize = 4;
const MIN_HZ: f32 = 55.0;
const MAX_HZ: f32 = 900.0;
const QUIETEST_DB: f32 = -70.0;
/// Where the period is short, the lag of so many of them is measured that it is about this long, in
/// inner samples: an error of the lag is then a smaller one of the period.
const LONG_LAG: f32 = 48.0;
/// The peak of the correlation is looked for this far on either side, as a share of the lag.
const SEARCH: f32 = 0.03;
/// A peak lower than this says less of where F0 lies than what is believed.
const LOW_PEAK: f32 = 0.3;
/// Confidence is held within what data could tell.
const SUREST: f32 = 0.999;

/// F0 in Hz (0 when unvoiced), confidence 0 to 1, voiced 0 or 1, level below 2 kHz in dBFS (-70 at
/// least): `[frames, 4]`.
///
/// What the sound says of each F0 ([`F0Evidence`]) is taken into what is believed; where a decision may
/// wait, what comes after speaks too. Confidence is calibrated: of the frames with confidence p, a share
/// p is right, that is in whether there is voice and, if so, in F0 to within half a semitone.
///
/// # Streaming
/// Look-ahead 240 samples (10 ms), and 240 more for each hop that the decision comes late. 55 to 900 Hz.
#[derive(Clone)]
pub struct F0Tracker {
    evidence: F0Evidence,
    belief: Belief,
    late: usize,
    /// Of the newest hops, the newest last.
    level_db: [f32; MOST_LATE + 1],
}

impl F0Tracker {
    /// With decisions so many hops late: 0 for what is known at once, 3 for 40 ms of look-ahead.
    ///
    /// # Errors
    /// `out_of_range`: 0 to 5.
    pub fn new(late_hops: usize) -> Result<Self, DspError> {
        check_range("late_hops", late_hops as f64, 0.0, MOST_LATE as f64)?;
        Ok(Self {
            evidence: F0Evidence::new(),
            belief: Belief::new(),
            late: late_hops,
            level_db: [QUIETEST_DB; MOST_LATE + 1],
        })
    }

    /// As late as `lookahead` samples allow.
    pub(crate) fn within(lookahead: usize) -> Self {
        let late = lookahead.saturating_sub(LOOKAHEAD) / HOP;
        Self {
            evidence: F0Evidence::new(),
            belief: Belief::new(),
            late: late.min(MOST_LATE),
            level_db: [QUIETEST_DB; MOST_LATE + 1],
        }
    }

    #[inline(always)]
    fn frame<S: Simd>(&mut self, simd: S) -> [f32; FRAME] {
        let mut evidence = [0.0; WIDTH];
        let power = self.evidence.frame(simd, &mut evidence);
        self.belief.hear(&evidence, power < SILENCE);
        self.level_db.rotate_left(1);
        self.level_db[MOST_LATE] = 10.0 * power.max(SILENCE).log10();
        let level_db = self.level_db[MOST_LATE - self.late];
        let states = self.belief.of(self.late);
        if 1.0 - states.unvoiced < VOICED {
            return [0.0, confidence(states.unvoiced), 0.0, level_db];
        }
        let (pitch, share) = likeliest(&states);
        let f0_hz = self.measured(simd, pitch).clamp(MIN_HZ, MAX_HZ);
        [f0_hz, confidence(share), 1.0, level_db]
    }

    /// F0 where the correlation about the moment peaks, near a pitch.
    #[inline(always)]
    fn measured<S: Simd>(&self, simd: S, pitch: f32) -> f32 {
        let one = period(pitch);
        let many = (LONG_LAG / one).floor().max(1.0);
        let lag = one * many;
        let first = (lag * (1.0 - SEARCH)).floor() as usize - 1;
        let last = ((lag * (1.0 + SEARCH)).ceil() as usize + 1).min(LAGS - 1);
        let mut at_lags = [0.0; LAGS];
        let ahead = AHEAD + self.late * INNER_HOP;
        self.evidence
            .correlate(simd, ahead, first..last + 1, &mut at_lags);
        let inside = first + 1..last;
        let top = inside.max_by(|&a, &b| at_lags[a].total_cmp(&at_lags[b]));
        let found = top.and_then(|top| vertex(&at_lags, top));
        match found {
            Some((lag, height)) if height > LOW_PEAK => INNER_RATE * many / lag,
            _ => frequency(pitch),
        }
    }
}

/// The pitch about which most is believed, between its neighbours, and how much.
fn likeliest(states: &States) -> (f32, f32) {
    let p = |pitch: usize| states.voiced[pitch];
    let about = |pitch: usize| p(pitch - 1) + p(pitch) + p(pitch + 1);
    let inside = 1..PITCHES - 1;
    let best = inside
        .max_by(|&a, &b| about(a).total_cmp(&about(b)))
        .unwrap_or(1);
    let share = about(best);
    (
        best as f32 + (p(best + 1) - p(best - 1)) / (share + 1e-20),
        share,
    )
}

/// Of what is believed, how much turns out to be right.
fn confidence(believed: f32) -> f32 {
    let p = believed.clamp(1e-6, 1.0 - 1e-6);
    let [slope, offset] = CALIBRATION;
    let odds = slope * (ln(p) - ln(1.0 - p)) + offset;
    (1.0 / (1.0 + exp(-odds))).min(SUREST)
}

/// Where between its neighbours, and how high, the parabola through a peak at `at` has its top.
fn vertex(values: &[f32], at: usize) -> Option<(f32, f32)> {
    let (before, here, after) = (values[at - 1], values[at], values[at + 1]);
    if here < before || here <= after {
        return None;
    }
    let offset = 0.5 * (before - after) / (before - 2.0 * here + after);
    Some((at as f32 + offset, here - 0.25 * (before - after) * offset))
}

/// One frame, compiled for the processor at hand.
struct Frame<'a>(&'a mut F0Tracker);

impl WithSimd for Frame<'_> {
    type Output = [f32; FRAME];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f32; FRAME] {
        self.0.frame(simd)
    }
}

impl Analyzer for F0Tracker {
    fn width(&self) -> usize {
        FRAME
    }

    fn window(&self) -> usize {
        self.evidence.window() + self.late * HOP
    }

    fn lookahead(&self) -> usize {
        LOOKAHEAD + self.late * HOP
    }

    fn frames(&self, input_len: usize) -> usize {
        self.evidence.frames(input_len)
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let frames = self.frames(input.len());
        check_room(frames * FRAME, output.len())?;
        let mut rest = input;
        for row in output.chunks_exact_mut(FRAME).take(frames) {
            rest = self.evidence.fill(rest);
            row.copy_from_slice(&Arch::new().dispatch(Frame(self)));
        }
        self.evidence.fill(rest);
        Ok(frames)
    }

    fn reset(&mut self) {
        self.evidence.reset();
        self.belief = Belief::new();
        self.level_db = [QUIETEST_DB; MOST_LATE + 1];
    }
}
