//! What a single sample may be.

/// Louder than any sound, and far enough below `f32::MAX` that sums of filters stay finite.
pub const LOUDEST: f32 = 1e30;

/// The sample held within [`LOUDEST`]; one that is no number counts as silence.
#[inline]
pub fn tame(x: f32) -> f32 {
    if x.is_finite() {
        x.clamp(-LOUDEST, LOUDEST)
    } else {
        0.0
    }
}

/// `f32::max` of numbers, which all processors have.
#[inline(always)]
pub fn larger(a: f32, b: f32) -> f32 {
    if a > b {
        a
    } else {
        b
    }
}
