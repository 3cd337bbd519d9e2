//! The detector's network: two layers of gated units, with the weights compiled in.

use std::sync::LazyLock;

use super::bands::{silence, BANDS};
use crate::math::gated::{logistic, Gated, GATES};
use crate::math::matrix::{bfloat16s, next, Linear};

/// Numbers between layers.
const ENTER: usize = 32;
const WIDE: usize = 64;
const NARROW: usize = 32;
/// Numbers in the weights file.
const COUNT: usize = ENTER * (2 * BANDS + 1)
    + GATES * WIDE * (ENTER + WIDE + 2)
    + GATES * NARROW * (WIDE + NARROW + 2)
    + NARROW
    + 1;
/// As bfloat16, little-endian, made by `training.vad`.
static FILE: &[u8; 2 * COUNT] = include_bytes!("network.weights");

static WEIGHTS: LazyLock<Weights> = LazyLock::new(|| Weights::new(FILE));

struct Weights {
    enter: Linear,
    wide: Gated,
    narrow: Gated,
    head: Vec<f32>,
}

/// The network and what it remembers.
#[derive(Clone)]
pub struct Network {
    weights: &'static Weights,
    /// The frame before and the one at hand.
    heard: [f32; 2 * BANDS],
    wide: [f32; WIDE],
    narrow: [f32; NARROW],
}

impl Network {
    pub fn new() -> Self {
        let mut made = Self {
            weights: LazyLock::force(&WEIGHTS),
            heard: [0.0; 2 * BANDS],
            wide: [0.0; WIDE],
            narrow: [0.0; NARROW],
        };
        made.reset();
        made
    }

    /// Probability that the newest hop is speech.
    pub fn step(&mut self, frame: &[f32; BANDS]) -> f32 {
        self.heard.copy_within(BANDS.., 0);
        self.heard[BANDS..].copy_from_slice(frame);
        let mut entered = [0.0; ENTER];
        self.weights.enter.apply(&self.heard, &mut entered);
        for x in &mut entered {
            *x = x.max(0.0);
        }
        self.weights
            .wide
            .step::<WIDE, { GATES * WIDE }>(&entered, &mut self.wide);
        self.weights
            .narrow
            .step::<NARROW, { GATES * NARROW }>(&self.wide, &mut self.narrow);
        let (weights, bias) = self.weights.head.split_at(NARROW);
        let products = self.narrow.iter().zip(weights).map(|(x, w)| x * w);
        logistic(products.sum::<f32>() + bias[0])
    }

    pub fn reset(&mut self) {
        let (before, now) = self.heard.split_at_mut(BANDS);
        before.copy_from_slice(&silence());
        now.copy_from_slice(&silence());
        self.wide.fill(0.0);
        self.narrow.fill(0.0);
    }
}

impl Weights {
    fn new(file: &[u8]) -> Self {
        let all = bfloat16s(file);
        let mut rest = all.as_slice();
        let mut take = |count: usize| next(&mut rest, count);
        let enter = Linear::new(take(ENTER * 2 * BANDS), take(ENTER));
        let mut gated = |inputs: usize, len: usize| {
            let (input, hidden) = (take(GATES * len * inputs), take(GATES * len * len));
            let input = Linear::new(input, take(GATES * len));
            Gated::new(input, Linear::new(hidden, take(GATES * len)))
        };
        Self {
            enter,
            wide: gated(ENTER, WIDE),
            narrow: gated(WIDE, NARROW),
            head: take(NARROW + 1).to_vec(),
        }
    }
}
