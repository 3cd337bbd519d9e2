//! The network of the F0 tracks, with its weights compiled in.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};

use crate::math::curve::exp;
use crate::math::gated::{Gated, GATES};
use crate::math::matrix::{bfloat16s, next, Linear};

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
const ROOM: usize = 128;
const ROW: usize = BEFORE + ROOM + AFTER;
/// Registers that are summed side by side.
const ABREAST: usize = 4;
const ENTER: usize = 48;
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
    taps: Vec<f32>,
    told: Linear,
    /// Of the fast track, and of the late one.
    out: [Vec<f32>; 2],
    enter: Linear,
    gated: Gated,
    tracks: [Linear; 2],
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

/// A probability for each pitch, and for none.
pub struct Belief {
    pub pitches: [f32; PITCHES],
    pub unvoiced: f32,
}

/// The network and what it remembers.
#[derive(Clone)]
pub struct Network {
    weights: &'static Weights,
    state: [f32; STATE],
    /// Scores for the late track, the newest first, with zeros about them.
    past: [[f32; ROOM + 2 * NEAR]; HOPS_BACK],
}

impl Network {
    pub fn new() -> Self {
        Self {
            weights: LazyLock::force(&WEIGHTS),
            state: [0.0; STATE],
            past: [[0.0; ROOM + 2 * NEAR]; HOPS_BACK],
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
        Arch::new().dispatch(Scores {
            evidence,
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
        self.past.rotate_right(1);
        self.past[0][NEAR..][..PITCHES].copy_from_slice(&scores[1][..PITCHES]);
        let late = summed(&self.past, &self.weights.back);
        [(0, &scores[0]), (1, &late)].map(|(track, scores)| {
            let mut logits = [0.0; STATES];
            self.weights.tracks[track].apply(&self.state, &mut logits);
            for (logit, score) in logits[..PITCHES].iter_mut().zip(scores) {
                *logit += score;
            }
            believed(&logits)
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
    evidence: &'a [f32; WIDTH],
    told: &'a [f32; HIDDEN],
    weights: &'static Weights,
    scores: &'a mut [[f32; ROOM]; 2],
}

impl WithSimd for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (plain, rest) = self.evidence.split_at(PITCHES);
        let (flat, rest) = rest.split_at(PITCHES);
        let mut rows = [[0.0; ROW]; ROWS];
        rows[0][BEFORE..][..PITCHES].copy_from_slice(plain);
        rows[1][BEFORE..][..PITCHES].copy_from_slice(flat);
        rows[2][BEFORE..][..PARTIALS].copy_from_slice(&rest[..PARTIALS]);
        let shifts = [LAG_SHIFTS, LAG_SHIFTS, PARTIAL_SHIFTS];
        let block = ABREAST * S::F32_LANES;
        for (h, taps) in self.weights.taps.chunks_exact(ROWS * TAPS).enumerate() {
            for from in (0..ROOM).step_by(block) {
                let mut sums = [simd.splat_f32s(self.told[h]); ABREAST];
                let of_rows = rows.iter().zip(shifts).zip(taps.chunks_exact(TAPS));
                for ((row, shifts), taps) in of_rows {
                    for (shift, tap) in shifts.iter().zip(taps) {
                        let first = (BEFORE as i32 + shift) as usize + from;
                        let tap = simd.splat_f32s(*tap);
                        let (x, _) = S::as_simd_f32s(&row[first..first + block]);
                        for (sum, x) in sums.iter_mut().zip(x) {
                            *sum = simd.mul_add_e_f32s(*x, tap, *sum);
                        }
                    }
                }
                for (scores, out) in self.scores.iter_mut().zip(&self.weights.out) {
                    let out = simd.splat_f32s(out[h]);
                    let (scores, _) = S::as_mut_simd_f32s(&mut scores[from..from + block]);
                    for (score, sum) in scores.iter_mut().zip(&sums) {
                        let above = simd.max_f32s(*sum, simd.splat_f32s(0.0));
                        *score = simd.mul_add_e_f32s(above, out, *score);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn add(to: &mut [f32; ROOM], times: f32, x: &[f32]) {
    for (y, x) in to.iter_mut().zip(&x[..ROOM]) {
        *y += times * x;
    }
}

/// The scores of the hops so far, each with a weight of its own.
fn summed(past: &[[f32; ROOM + 2 * NEAR]; HOPS_BACK], back: &[f32]) -> [f32; ROOM] {
    let mut sum = [0.0; ROOM];
    // The first weights are those of the oldest hop.
    let of_hops = past.iter().rev().zip(back.chunks_exact(2 * NEAR + 1));
    for (scores, weights) in of_hops {
        for (shift, weight) in weights.iter().enumerate() {
            add(&mut sum, *weight, &scores[shift..]);
        }
    }
    sum
}

fn believed(logits: &[f32; STATES]) -> Belief {
    let top = logits.iter().fold(f32::MIN, |top, x| top.max(*x));
    let mut all = logits.map(|x| exp(x - top));
    let scale = 1.0 / all.iter().sum::<f32>();
    for p in &mut all {
        *p *= scale;
    }
    let mut pitches = [0.0; PITCHES];
    pitches.copy_from_slice(&all[..PITCHES]);
    Belief {
        pitches,
        unvoiced: all[PITCHES],
    }
}

impl Weights {
    fn new(file: &[u8]) -> Self {
        let all = bfloat16s(file);
        let mut rest = all.as_slice();
        let mut take = |count: usize| next(&mut rest, count);
        let taps = take(HIDDEN * ROWS * TAPS).to_vec();
        let told = linear(&mut take, HIDDEN, GIVEN);
        let out = [(); 2].map(|()| take(HIDDEN).to_vec());
        let enter = linear(&mut take, ENTER, PITCHES + GIVEN);
        let input = linear(&mut take, GATES * STATE, ENTER);
        let gated = Gated::new(input, linear(&mut take, GATES * STATE, STATE));
        let tracks = [(); 2].map(|()| linear(&mut take, STATES, STATE));
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
