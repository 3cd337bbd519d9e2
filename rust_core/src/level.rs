//! Loudness, gain, limiter, fades.

mod fade;
mod leveller;
mod limiter;
mod meter;
mod peaks;

pub use fade::Fade;
pub use leveller::Leveller;
pub use limiter::Limiter;
pub use meter::Meter;

use crate::error::{check_room, DspError};
use crate::math::db::db_from_power;
use crate::math::sample::tame;
use crate::stage::{Analyzer, HOP};

/// Level of each hop in dBFS: a constant of 1 gives 0, a full-scale sine -3.01, silence -120.
///
/// # Streaming
/// Window 240 samples, the hop itself; no look-ahead. A sample that is not finite counts as 0.
#[derive(Clone, Default)]
pub struct Loudness {
    energy: f64,
    in_hop: usize,
}

impl Loudness {
    /// What silence gives: below the noise of any 16-bit recording.
    pub const FLOOR_DB: f32 = -120.0;

    /// There is nothing to set.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Analyzer for Loudness {
    fn width(&self) -> usize {
        1
    }

    fn window(&self) -> usize {
        HOP
    }

    fn lookahead(&self) -> usize {
        0
    }

    fn frames(&self, input_len: usize) -> usize {
        (self.in_hop + input_len) / HOP
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let frames = self.frames(input.len());
        check_room(frames, output.len())?;
        let mut rows = output.iter_mut();
        let mut rest = input;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(HOP - self.in_hop));
            for x in now {
                let x = f64::from(tame(*x));
                self.energy += x * x;
            }
            self.in_hop += now.len();
            rest = later;
            if self.in_hop == HOP {
                let level = db_from_power(self.energy / HOP as f64) as f32;
                if let Some(y) = rows.next() {
                    *y = level.max(Self::FLOOR_DB);
                }
                self.reset();
            }
        }
        Ok(frames)
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}
