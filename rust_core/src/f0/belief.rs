//! What is believed about F0, from all evidence so far and of the next few hops.

use crate::math::curve::exp;

use super::evidence::{PITCHES, WHOLE, WIDTH};
use super::weights::{
    BIAS, GIVEN, HIDDEN, JUMP, KERNEL, OFFSET, OUT, OUTSIDE, SHIFTS, TAPS, TO_UNVOICED, TO_VOICED,
    WHOLE_TO_HIDDEN, WHOLE_TO_OUT,
};

/// Hops that may come before a decision, at most.
pub const MOST_LATE: usize = 5;
/// As many numbers as fill vectors; those beyond `PITCHES` are 0.
const ROOM: usize = 104;
/// The furthest shift.
const REACH: usize = 48;
/// Of the kernel, to either side.
const NEAR: usize = KERNEL.len() - 1;
const KEPT: usize = MOST_LATE + 1;
/// Evidence of one hop says no more than this, in nepers.
const STRONGEST: f32 = 12.0;

/// A probability for each pitch, and for none.
#[derive(Clone, Copy)]
pub struct States {
    pub voiced: [f32; ROOM],
    pub unvoiced: f32,
}

const NOTHING: States = States {
    voiced: [0.0; ROOM],
    unvoiced: 1.0,
};

/// A hidden Markov model over pitches. What speaks for a pitch is a small network's answer, the same
/// for all pitches: it sees the correlations there and where a wrong octave, or a third, would have
/// them. F0 moves by up to two semitones a hop, seldom jumps, and voicing seldom changes; filtering
/// gives what is believed now, and a few steps of smoothing what is believed of a few hops ago.
///
/// # Source
/// Rabiner (1989), A tutorial on hidden Markov models, Proc. IEEE 77(2): forward and backward
/// recursions. All numbers are learnt together, through the recursions (`training/f0.py`).
#[derive(Clone)]
pub struct Belief {
    /// The newest last.
    filtered: [States; KEPT],
    likelihoods: [States; KEPT],
}

impl Belief {
    pub fn new() -> Self {
        Self {
            filtered: [NOTHING; KEPT],
            likelihoods: [NOTHING; KEPT],
        }
    }

    /// One hop on; in silence nothing is voiced.
    #[inline(always)]
    pub fn hear(&mut self, evidence: &[f32; WIDTH], silent: bool) {
        let likelihood = if silent {
            NOTHING
        } else {
            likelihood(evidence)
        };
        let mut now = forward(&self.filtered[KEPT - 1]);
        weigh(&mut now, &likelihood);
        self.filtered.rotate_left(1);
        self.filtered[KEPT - 1] = now;
        self.likelihoods.rotate_left(1);
        self.likelihoods[KEPT - 1] = likelihood;
    }

    /// What is believed of the hop `late` before the newest.
    #[inline(always)]
    pub fn of(&self, late: usize) -> States {
        let mut after = States {
            voiced: [1.0; ROOM],
            unvoiced: 1.0,
        };
        for likelihood in self.likelihoods[KEPT - late..].iter().rev() {
            weigh(&mut after, likelihood);
            after = backward(&after);
        }
        let mut then = self.filtered[KEPT - 1 - late];
        weigh(&mut then, &after);
        then
    }
}

/// `states` times how likely each is, of sum 1.
#[inline(always)]
fn weigh(states: &mut States, by: &States) {
    let mut sum = states.unvoiced * by.unvoiced;
    states.unvoiced = sum;
    for (p, l) in states.voiced.iter_mut().zip(&by.voiced) {
        *p *= l;
    }
    sum += states.voiced[..PITCHES].iter().sum::<f32>();
    let scale = 1.0 / (sum + 1e-20);
    states.unvoiced *= scale;
    for p in &mut states.voiced {
        *p = if *p > 1e-20 { *p * scale } else { 0.0 };
    }
}

#[inline(always)]
fn forward(states: &States) -> States {
    let voiced: f32 = states.voiced[..PITCHES].iter().sum();
    let anywhere = (JUMP * voiced + TO_VOICED * states.unvoiced) / PITCHES as f32;
    States {
        voiced: moved(&states.voiced, anywhere),
        unvoiced: TO_UNVOICED * voiced + (1.0 - TO_VOICED) * states.unvoiced,
    }
}

/// For each state, what follows from it, given how likely each is a hop later.
#[inline(always)]
fn backward(later: &States) -> States {
    let mean = later.voiced[..PITCHES].iter().sum::<f32>() / PITCHES as f32;
    let anywhere = JUMP * mean + TO_UNVOICED * later.unvoiced;
    States {
        voiced: moved(&later.voiced, anywhere),
        unvoiced: TO_VOICED * mean + (1.0 - TO_VOICED) * later.unvoiced,
    }
}

/// Each pitch goes to those about it.
#[inline(always)]
fn moved(voiced: &[f32; ROOM], anywhere: f32) -> [f32; ROOM] {
    let mut around = [0.0; ROOM + 2 * NEAR];
    around[NEAR..][..PITCHES].copy_from_slice(&voiced[..PITCHES]);
    let mut to = [anywhere; ROOM];
    for k in 0..=2 * NEAR {
        let share = (1.0 - JUMP - TO_UNVOICED) * KERNEL[k.abs_diff(NEAR)];
        add(&mut to, share, &around[k..]);
    }
    to
}

/// How likely the evidence is at each pitch against where there is none; the largest is 1.
#[inline(always)]
fn likelihood(evidence: &[f32; WIDTH]) -> States {
    let scores = scores(evidence);
    let top = scores[..PITCHES].iter().fold(0.0f32, |top, x| top.max(*x));
    let mut voiced = [0.0; ROOM];
    for (l, score) in voiced[..PITCHES].iter_mut().zip(&scores) {
        *l = exp(score - top);
    }
    States {
        voiced,
        unvoiced: exp(-top),
    }
}

/// Log-likelihood ratios.
#[inline(always)]
fn scores(evidence: &[f32; WIDTH]) -> [f32; ROOM] {
    let (at_pitches, about) = evidence.split_at(WIDTH - WHOLE);
    let mut whole = [0.0; GIVEN];
    whole[..WHOLE].copy_from_slice(about);
    let mut rows = [[0.0; REACH + ROOM + REACH]; 2];
    for (n, (row, values)) in rows
        .iter_mut()
        .zip(at_pitches.chunks_exact(PITCHES))
        .enumerate()
    {
        row[..REACH].fill(OUTSIDE[n][0]);
        row[REACH..][..PITCHES].copy_from_slice(values);
        row[REACH + PITCHES..].fill(OUTSIDE[n][1]);
        whole[WHOLE + n] = values.iter().fold(-1.0f32, |top, x| top.max(*x));
    }
    let weighed = |weights: &[f32; GIVEN]| -> f32 {
        weights.iter().zip(&whole).map(|(w, x)| w * x).sum::<f32>()
    };
    let mut scores = [OFFSET + weighed(&WHOLE_TO_OUT); ROOM];
    for h in 0..HIDDEN {
        let mut hidden = [BIAS[h] + weighed(&WHOLE_TO_HIDDEN[h]); ROOM];
        for (row, taps) in rows.iter().zip(&TAPS[h]) {
            for (shift, tap) in SHIFTS.iter().zip(taps) {
                let from = (REACH as i32 + shift) as usize;
                add(&mut hidden, *tap, &row[from..]);
            }
        }
        for (score, x) in scores.iter_mut().zip(&hidden) {
            *score += OUT[h] * x.max(0.0);
        }
    }
    scores.map(|x| x.clamp(-STRONGEST, STRONGEST))
}

#[inline(always)]
fn add(to: &mut [f32; ROOM], times: f32, x: &[f32]) {
    for (y, x) in to.iter_mut().zip(x) {
        *y += times * x;
    }
}
