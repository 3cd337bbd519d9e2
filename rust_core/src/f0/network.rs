//! The network of the F0 tracks, with its weights compiled in.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};

use crate::math::curve::exp;
use crate::math::gated::{Gated, GATES};
use crate::math::matrix::{bfloat16s, next, Linear};
use crate::math::sample::larger;

use super::evidence::{PARTIALS, PITCHES, WHOLE, WIDTH};

/// At each pitch so many numbers are made of the evidence about it.
const HIDDEN: usize = 8;
/// Numbers that each of them is told: those about the whole, and the height of the highest of each correlation.
const GIVEN: usize = WHOLE + 2;
/// Pitches away that a pitch sees the correlations: octaves, twelfths, fifths, thirds, and what is next to it.
const LAG_SHIFTS: [i32; TAPS] = [-48, -38, -24, -14, -2, -1, 0, 1, 2, 14, 24, 38, 48];
/// And the spectrum: its first seven harmonics, the tenth, and what would lie between if it were wrong.
const PARTIAL_SHIFTS: [i32; TAPS] = [-24, 0, 14, 24, 32, 38, 43, 48, 56, 62, 67, 72, 80];
const TAPS: usize = 13;
const ROWS: usize = 3;
/// Zeros before and after each row of the evidence, as far as the shifts reach.
const BEFORE: usize = 48;
const AFTER: usize = 80;
/// As many numbers as fill registers; what lies beyond `PITCHES` is not read.
const ROOM: usize = 112;
const ROW: usize = BEFORE + ROOM + AFTER;
/// Registers that are summed side by side: of every processor's, whole blocks of so many are `ROOM`.
const ABREAST: usize = 7;
const _: () = assert!(ROOM.is_multiple_of(16 * ABREAST));
const ENTER: usize = 32;
const STATE: usize = 64;
/// The scores are handed to the units divided by this.
const SCORES_DOWN: f32 = 4.0;
/// Hops whose scores the late track sums, and pitches to either side.
const HOPS_BACK: usize = 8;
const NEAR: usize = 2;
/// Pitches, and no voice.
const STATES: usize = PITCHES + 1;

/// Numbers in the weights file.
const COUNT: usize = HIDDEN * ROWS * TAPS
    + HIDDEN * (GIVEN + 1)
    + 2 * HIDDEN
    + ENTER * (PITCHES + GIVEN + 1)
    + GATES * STATE * (ENTER + STATE + 2)
    + 2 * STATES * (STATE + 1)
    + HOPS_BACK * (2 * NEAR + 1)
    + 2 * DECISION;
/// Threshold of voice, slope and offset of confidence.
const DECISION: usize = 3;
/// As bfloat16, little-endian, made by `training.f0`.
static FILE: &[u8; 2 * COUNT] = include_bytes!("network.weights");

static WEIGHTS: LazyLock<Weights> = LazyLock::new(|| Weights::new(FILE));

struct Weights {
    /// Where in the rows the first pitch is seen, and the tap of each hidden number there.
    taps: Vec<(usize, [f32; HIDDEN])>,
    told: Linear,
    /// Of the fast track, and of the late one.
    out: [[f32; HIDDEN]; 2],
    enter: Linear,
    gated: Gated,
    /// Of both tracks, one below the other.
    tracks: Linear,
    back: Vec<f32>,
    decisions: [Decision; 2],
}

/// How a track decides.
#[derive(Clone, Copy)]
pub struct Decision {
    /// Voiced from so much on.
    pub threshold: f32,
    /// Of the log-odds of being right, against those of what is believed.
    pub slope: f32,
    pub offset: f32,
}

/// A probability for each pitch, for none, and next to nothing behind them.
pub type Belief = [f32; ROOM];
/// Where that for none is.
pub const UNVOICED: usize = PITCHES;

/// The network, what it works on and what it remembers.
#[derive(Clone)]
pub struct Network {
    weights: &'static Weights,
    state: [f32; STATE],
    /// The evidence about each pitch, with zeros about it.
    rows: [[f32; ROW]; ROWS],
    /// Scores for the late track, with zeros about them; at `oldest`, those that are overwritten next.
    past: [[f32; ROOM + 2 * NEAR]; HOPS_BACK],
    oldest: usize,
}

impl Network {
    pub fn new() -> Self {
        Self {
            weights: LazyLock::force(&WEIGHTS),
            state: [0.0; STATE],
            rows: [[0.0; ROW]; ROWS],
            past: [[0.0; ROOM + 2 * NEAR]; HOPS_BACK],
            oldest: 0,
        }
    }

    /// Of the fast track, and of the late one.
    pub fn decisions(&self) -> &[Decision; 2] {
        &self.weights.decisions
    }

    /// What is believed after one more hop, by the fast track and by the late one.
    pub fn step(&mut self, evidence: &[f32; WIDTH]) -> [Belief; 2] {
        let given = given(evidence);
        let mut told = [0.0; HIDDEN];
        self.weights.told.apply(&given, &mut told);
        let mut scores = [[0.0; ROOM]; 2];
        let mut rest = evidence.as_slice();
        for (row, count) in self.rows.iter_mut().zip([PITCHES, PITCHES, PARTIALS]) {
            row[BEFORE..][..count].copy_from_slice(next(&mut rest, count));
        }
        Arch::new().dispatch(Scores {
            rows: &self.rows,
            told: &told,
            weights: self.weights,
            scores: &mut scores,
        });
        let mut entered = [0.0; PITCHES + GIVEN];
        for (y, x) in entered.iter_mut().zip(&scores[0][..PITCHES]) {
            *y = x / SCORES_DOWN;
        }
        entered[PITCHES..].copy_from_slice(&given);
        let mut heard = [0.0; ENTER];
        self.weights.enter.apply(&entered, &mut heard);
        for x in &mut heard {
            *x = x.max(0.0);
        }
        let gated = &self.weights.gated;
        gated.step::<STATE, { GATES * STATE }>(&heard, &mut self.state);
        self.past[self.oldest][NEAR..][..PITCHES].copy_from_slice(&scores[1][..PITCHES]);
        self.oldest = (self.oldest + 1) % HOPS_BACK;
        let mut logits = [0.0; 2 * STATES];
        self.weights.tracks.apply(&self.state, &mut logits);
        Arch::new().dispatch(Beliefs {
            network: self,
            fast: &scores[0],
            logits: &logits,
        })
    }

    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

fn given(evidence: &[f32; WIDTH]) -> [f32; GIVEN] {
    let (rows, whole) = evidence.split_at(WIDTH - WHOLE);
    let mut given = [0.0; GIVEN];
    given[..WHOLE].copy_from_slice(whole);
    for (top, row) in given[WHOLE..].iter_mut().zip(rows.chunks_exact(PITCHES)) {
        *top = row.iter().fold(-1.0f32, |top, x| top.max(*x));
    }
    given
}

/// What speaks for each pitch in this hop alone, compiled for the processor at hand.
struct Scores<'a> {
    rows: &'a [[f32; ROW]; ROWS],
    told: &'a [f32; HIDDEN],
    weights: &'static Weights,
    scores: &'a mut [[f32; ROOM]; 2],
}

impl WithSimd for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.rows.as_flattened();
        let told = self.told.map(|told| simd.splat_f32s(told));
        let nothing = simd.splat_f32s(0.0);
        for from in (0..ROOM).step_by(S::F32_LANES) {
            // A register of each, so that what is read once serves all.
            let mut hidden = told;
            for (place, taps) in &self.weights.taps {
                let x = S::as_simd_f32s(&rows[place + from..][..S::F32_LANES]).0[0];
                for h in 0..HIDDEN {
                    hidden[h] = simd.mul_add_e_f32s(x, simd.splat_f32s(taps[h]), hidden[h]);
                }
            }
            for (scores, out) in self.scores.iter_mut().zip(&self.weights.out) {
                let mut sum = nothing;
                for h in 0..HIDDEN {
                    let above = simd.max_f32s(hidden[h], nothing);
                    sum = simd.mul_add_e_f32s(above, simd.splat_f32s(out[h]), sum);
                }
                let (scores, _) = S::as_mut_simd_f32s(&mut scores[from..from + S::F32_LANES]);
                scores[0] = sum;
            }
        }
    }
}

/// What both tracks make of their scores and of what the units say.
struct Beliefs<'a> {
    network: &'a Network,
    fast: &'a [f32; ROOM],
    logits: &'a [f32; 2 * STATES],
}

impl WithSimd for Beliefs<'_> {
    type Output = [Belief; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [Belief; 2] {
        let mut beliefs = [*self.fast, summed(simd, self.network)];
        for (belief, logits) in beliefs.iter_mut().zip(self.logits.chunks_exact(STATES)) {
            belief[UNVOICED] = 0.0;
            belief[STATES..].fill(f32::MIN);
            for (x, logit) in belief.iter_mut().zip(logits) {
                *x += logit;
            }
            to_probabilities(belief);
        }
        beliefs
    }
}

/// The scores of the hops so far, each with a weight of its own.
#[inline(always)]
fn summed<S: Simd>(simd: S, network: &Network) -> [f32; ROOM] {
    const EACH: usize = 2 * NEAR + 1;
    let past = network.past.as_flattened();
    let mut all = [0.0; ROOM];
    let block = ABREAST * S::F32_LANES;
    for from in (0..ROOM).step_by(block) {
        let mut sums = [simd.splat_f32s(0.0); ABREAST];
        // The first weights are those of the oldest hop.
        for (n, weight) in network.weights.back.iter().enumerate() {
            let hop = (network.oldest + n / EACH) % HOPS_BACK;
            let place = hop * (ROOM + 2 * NEAR) + n % EACH + from;
            let weight = simd.splat_f32s(*weight);
            let (x, _) = S::as_simd_f32s(&past[place..][..block]);
            if let Some(x) = x.first_chunk::<ABREAST>() {
                for n in 0..ABREAST {
                    sums[n] = simd.mul_add_e_f32s(x[n], weight, sums[n]);
                }
            }
        }
        let (all, _) = S::as_mut_simd_f32s(&mut all[from..from + block]);
        all.copy_from_slice(&sums);
    }
    all
}

/// From logits, in as many sums side by side as fill registers.
#[inline(always)]
fn to_probabilities(logits: &mut [f32; ROOM]) {
    const SIDE_BY_SIDE: usize = 16;
    const { assert!(ROOM.is_multiple_of(SIDE_BY_SIDE)) };
    let mut tops = [f32::MIN; SIDE_BY_SIDE];
    for logits in logits.chunks_exact(SIDE_BY_SIDE) {
        for (top, x) in tops.iter_mut().zip(logits) {
            *top = larger(*top, *x);
        }
    }
    let top = tops.iter().fold(f32::MIN, |top, x| top.max(*x));
    let mut sums = [0.0; SIDE_BY_SIDE];
    for logits in logits.chunks_exact_mut(SIDE_BY_SIDE) {
        for (sum, x) in sums.iter_mut().zip(logits) {
            *x = exp(*x - top);
            *sum += *x;
        }
    }
    let scale = 1.0 / sums.iter().sum::<f32>();
    for x in logits {
        *x *= scale;
    }
}

impl Weights {
    fn new(file: &[u8]) -> Self {
        let all = bfloat16s(file);
        let mut rest = all.as_slice();
        let mut take = |count: usize| next(&mut rest, count);
        let by_hidden = take(HIDDEN * ROWS * TAPS);
        let shifts = [LAG_SHIFTS, LAG_SHIFTS, PARTIAL_SHIFTS];
        let of_place = |(n, shift): (usize, &i32)| {
            let place = n / TAPS * ROW + (BEFORE as i32 + shift) as usize;
            (
                place,
                core::array::from_fn(|h| by_hidden[h * ROWS * TAPS + n]),
            )
        };
        let taps = shifts
            .as_flattened()
            .iter()
            .enumerate()
            .map(of_place)
            .collect();
        let told = linear(&mut take, HIDDEN, GIVEN);
        let out = [(); 2].map(|()| *take(HIDDEN).first_chunk().unwrap_or(&[0.0; HIDDEN]));
        let enter = linear(&mut take, ENTER, PITCHES + GIVEN);
        let input = linear(&mut take, GATES * STATE, ENTER);
        let gated = Gated::new(input, linear(&mut take, GATES * STATE, STATE));
        let [fast, late] = [(); 2].map(|()| (take(STATES * STATE), take(STATES)));
        let tracks = Linear::new(&[fast.0, late.0].concat(), &[fast.1, late.1].concat());
        let back = take(HOPS_BACK * (2 * NEAR + 1)).to_vec();
        let decisions = [(); 2].map(|()| {
            let of = take(DECISION);
            Decision {
                threshold: of[0],
                slope: of[1],
                offset: of[2],
            }
        });
        Self {
            taps,
            told,
            out,
            enter,
            gated,
            tracks,
            back,
            decisions,
        }
    }
}

/// Weights row by row, then what is added.
fn linear<'a>(take: &mut impl FnMut(usize) -> &'a [f32], rows: usize, columns: usize) -> Linear {
    let weight = take(rows * columns);
    Linear::new(weight, take(rows))
}
