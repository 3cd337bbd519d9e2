//! F0 told twice: at once, and again with what comes after.

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_room, DspError};
use crate::math::curve::ln;
use crate::math::gated::logistic;
use crate::stage::{Analyzer, HOP};

use super::evidence::{
    frequency, period, F0Evidence, AHEAD, DECIMATION, HISTORY, INNER_RATE, LAGS, LOOKAHEAD,
    PITCHES, TAPS, WIDTH,
};
use super::network::{Belief, Decision, Network, UNVOICED};
use super::{vertex, SILENCE};

/// Numbers of a track, and in a frame.
const TRACK: usize = 3;
const FRAME: usize = 2 * TRACK;
const MIN_HZ: f32 = 55.0;
const MAX_HZ: f32 = 900.0;
/// Samples by which the second track is late: 57 ms. `training.f0` asks for that.
const LATE_LOOKAHEAD: usize = 1368;
const LATE_AHEAD: usize = AHEAD + (LATE_LOOKAHEAD - LOOKAHEAD) / DECIMATION;
/// Whole hops between the moments of the tracks.
const HOPS_BETWEEN: usize = (LATE_LOOKAHEAD - LOOKAHEAD) / HOP;
/// Where the period is short, the lag of so many of them is measured that it is about this long, in
/// inner samples: an error of the lag is then a smaller one of the period.
const LONG_LAG: f32 = 48.0;
/// The peak of the correlation is looked for this far on either side, as a share of the lag: 50 cents.
const SEARCH: f32 = 0.03;
/// From a peak of the first height on it is heard, at one of the second alone; below, what is believed.
const LOW_PEAK: f32 = 0.5;
const HIGH_PEAK: f32 = 0.9;
/// Confidence is held within what data could tell.
const SUREST: f32 = 0.999;

/// F0 in Hz (0 when unvoiced), confidence 0 to 1, voiced 0 or 1; and the same again of an earlier moment,
/// that what came after it has corrected: `[frames, 6]`.
///
/// What the sound says of each F0 ([`F0Evidence`]) goes through a small network that remembers. Its
/// answers are probabilities of 98 pitches, half a semitone apart, and of no voice; where in between F0
/// lies, the correlation about the moment says, as far as it is high. Confidence is calibrated: of the
/// frames with confidence p, a share p is right, that is in whether there is voice and, if so, in F0 to
/// within half a semitone.
///
/// # Streaming
/// Look-ahead 264 samples (11 ms) of the first three numbers, [`F0Tracks::LATE_LOOKAHEAD`] (1368, 57 ms)
/// of the last three. 55 to 900 Hz. A glide is followed at its moment; a jump may be believed a hop or two
/// later, so that the law which asks for it at once does not hold.
#[derive(Clone)]
pub struct F0Tracks {
    evidence: F0Evidence,
    network: Network,
    /// Whether the moment of the fast track was silent, the newest first.
    silent: [bool; HOPS_BETWEEN + 1],
}

impl Default for F0Tracks {
    fn default() -> Self {
        Self::new()
    }
}

impl F0Tracks {
    /// Samples past the moment of the second track.
    pub const LATE_LOOKAHEAD: usize = LATE_LOOKAHEAD;

    /// There is nothing to set.
    pub fn new() -> Self {
        Self {
            evidence: F0Evidence::new(),
            network: Network::new(),
            silent: [true; HOPS_BETWEEN + 1],
        }
    }

    fn frame(&mut self, frame: &mut [f32]) {
        let mut evidence = [0.0; WIDTH];
        let power = self.evidence.hear(&mut evidence);
        self.silent.rotate_right(1);
        self.silent[0] = power < SILENCE;
        let silent = [self.silent[0], self.silent[HOPS_BETWEEN]];
        let beliefs = self.network.step(&evidence);
        let parts = frame.chunks_exact_mut(TRACK).zip(&beliefs);
        for (track, (numbers, belief)) in parts.enumerate() {
            let decision = self.network.decisions()[track];
            let found = if silent[track] {
                [0.0, SUREST, 0.0]
            } else {
                self.decided(belief, decision, [AHEAD, LATE_AHEAD][track])
            };
            numbers.copy_from_slice(&found);
        }
    }

    fn decided(&self, belief: &Belief, decision: Decision, ahead: usize) -> [f32; TRACK] {
        let unvoiced = belief[UNVOICED];
        if 1.0 - unvoiced < decision.threshold {
            return [0.0, confidence(unvoiced, decision), 0.0];
        }
        let evidence = &self.evidence;
        let (f0_hz, share) = Arch::new().dispatch(Measured {
            evidence,
            ahead,
            belief,
        });
        [
            f0_hz.clamp(MIN_HZ, MAX_HZ),
            confidence(share, decision),
            1.0,
        ]
    }
}

impl Analyzer for F0Tracks {
    fn width(&self) -> usize {
        FRAME
    }

    fn window(&self) -> usize {
        DECIMATION * HISTORY + TAPS - 1
    }

    fn lookahead(&self) -> usize {
        LOOKAHEAD
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
            self.frame(row);
        }
        self.evidence.fill(rest);
        Ok(frames)
    }

    fn reset(&mut self) {
        self.evidence.reset();
        self.network.reset();
        self.silent.fill(true);
    }
}

/// F0 near the likeliest pitch, from where the correlation about the moment peaks; and how much of what is believed
/// lies about that pitch.
struct Measured<'a> {
    evidence: &'a F0Evidence,
    ahead: usize,
    belief: &'a Belief,
}

impl WithSimd for Measured<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f32, f32) {
        let (pitch, share) = likeliest(self.belief);
        let one = period(pitch);
        let many = (LONG_LAG / one).floor().max(1.0);
        let lag = one * many;
        let first = (lag * (1.0 - SEARCH)).floor() as usize - 1;
        let last = ((lag * (1.0 + SEARCH)).ceil() as usize + 1).min(LAGS - 1);
        let mut at_lags = [0.0; LAGS];
        self.evidence
            .correlate(simd, self.ahead, first..last + 1, &mut at_lags);
        let inside = first + 1..last;
        let top = inside.max_by(|&a, &b| at_lags[a].total_cmp(&at_lags[b]));
        let peak =
            |top| vertex(&at_lags, top).map(|(offset, height)| (top as f32 + offset, height));
        let f0_hz = match top.and_then(peak) {
            Some((peak, height)) if (peak - lag).abs() < SEARCH * lag => {
                let part = ((height - LOW_PEAK) / (HIGH_PEAK - LOW_PEAK)).clamp(0.0, 1.0);
                INNER_RATE / (one + part * (peak / many - one))
            }
            _ => frequency(pitch),
        };
        (f0_hz, share)
    }
}

/// The pitch about which most is believed, between its neighbours, and how much.
#[inline(always)]
fn likeliest(belief: &Belief) -> (f32, f32) {
    // From the second pitch to the last but one.
    let mut about = [0.0f32; PITCHES - 2];
    for (y, x) in about.iter_mut().zip(belief.windows(3)) {
        *y = x[0] + x[1] + x[2];
    }
    // Of numbers that are not negative, the larger has the larger bits; and whole numbers can be compared side by side.
    let share = f32::from_bits(about.iter().fold(0, |most, x| most.max(x.to_bits())));
    let best = about.iter().position(|x| *x == share).unwrap_or(0);
    let between = (belief[best + 2] - belief[best]) / (share + 1e-20);
    ((best + 1) as f32 + between, share)
}

/// Of what is believed, how much turns out to be right.
fn confidence(believed: f32, decision: Decision) -> f32 {
    let p = believed.clamp(1e-6, 1.0 - 1e-6);
    let odds = decision.slope * (ln(p) - ln(1.0 - p)) + decision.offset;
    logistic(odds).min(SUREST)
}
