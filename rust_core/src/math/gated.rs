//! Units that decide what they remember.

use pulp::{Arch, Simd, WithSimd};

use crate::math::curve::exp;
use crate::math::matrix::Linear;

/// Reset, update and new value, one after the other.
pub const GATES: usize = 3;

/// A layer of gated recurrent units.
///
/// # Source
/// Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, with the reset gate
/// after the product, as torch has it.
pub struct Gated {
    input: Linear,
    hidden: Linear,
}

impl Gated {
    /// What comes in times `input`, what is remembered times `hidden`: [`GATES`] times as many rows as
    /// there are units.
    pub fn new(input: Linear, hidden: Linear) -> Self {
        Self { input, hidden }
    }

    /// One step of `N` units; `ROOM` is `GATES` times as many.
    pub fn step<const N: usize, const ROOM: usize>(&self, x: &[f32], state: &mut [f32; N]) {
        const { assert!(ROOM == GATES * N) };
        let (mut input, mut hidden) = ([0.0; ROOM], [0.0; ROOM]);
        self.input.apply(x, &mut input);
        self.hidden.apply(state, &mut hidden);
        let (input, hidden) = (&input, &hidden);
        Arch::new().dispatch(Gates {
            input,
            hidden,
            state,
        });
    }
}

struct Gates<'a> {
    input: &'a [f32],
    hidden: &'a [f32],
    state: &'a mut [f32],
}

impl WithSimd for Gates<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let len = self.state.len();
        let (input_reset, rest) = self.input.split_at(len);
        let (input_update, input_new) = rest.split_at(len);
        let (hidden_reset, rest) = self.hidden.split_at(len);
        let (hidden_update, hidden_new) = rest.split_at(len);
        let reset = input_reset.iter().zip(hidden_reset);
        let update = input_update.iter().zip(hidden_update);
        let new = input_new.iter().zip(hidden_new);
        for (((state, reset), update), new) in self.state.iter_mut().zip(reset).zip(update).zip(new)
        {
            let reset = logistic(reset.0 + reset.1);
            let update = logistic(update.0 + update.1);
            let new = 1.0 - 2.0 * logistic(-2.0 * (new.0 + reset * new.1));
            *state = new + update * (*state - new);
        }
    }
}

/// From log-odds to a probability.
#[inline(always)]
pub fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}
