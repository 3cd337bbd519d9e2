//! Functions of many numbers at once, in operations that every processor has and rounds alike.

use core::f32::consts::LOG2_E;

use pulp::{Arch, Simd, WithSimd};

/// Adding this leaves whole numbers in the lowest bits.
const WHOLE: f32 = 12_582_912.0;
/// Beyond these the result would not be a normal number.
const LEAST: f32 = -87.0;
const MOST: f32 = 88.0;
/// ln 2 is this and the rest; times a whole number this is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Taylor's series from the third power on; up to ln(2) / 2 what comes after is below 1e-8.
const SERIES: [f32; 5] = [
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
];

/// `e^x` within three units in the last place; held at its ends outside -87 to 88.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(LEAST, MOST);
    let whole = x * LOG2_E + WHOLE;
    let n = whole - WHOLE;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut series = 0.0;
    for term in SERIES {
        series = series * r + term;
    }
    let y = (series * r + 0.5) * (r * r) + r + 1.0;
    f32::from_bits(y.to_bits().wrapping_add(whole.to_bits() << 23))
}

/// Each `x` to `x * (1 + tanh(u)) / 2` with `u = sqrt(2 / pi) * (x + 0.044715 x^3)` (Hendrycks &
/// Gimpel 2016).
pub fn gelu(x: &mut [f32]) {
    struct Gelu<'a>(&'a mut [f32]);
    impl WithSimd for Gelu<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for x in self.0 {
                let u = 0.797_884_6 * (*x + 0.044_715 * *x * *x * *x);
                *x /= 1.0 + exp(-2.0 * u);
            }
        }
    }
    Arch::new().dispatch(Gelu(x));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_three_units_in_the_last_place() {
        for k in -8_700..=8_800 {
            let x = k as f32 / 100.0;
            let right = f64::from(x).exp();
            let off = (f64::from(exp(x)) / right - 1.0).abs();
            assert!(off < 3.0 * f64::from(f32::EPSILON) / 2.0, "{x}: {off:e}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!((LN_2_HIGH + LN_2_LOW - core::f32::consts::LN_2).abs() < 1e-7);
    }

    #[test]
    fn exp_of_anything_is_finite() {
        for x in [
            f32::MIN,
            -1e4,
            1e4,
            f32::MAX,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ] {
            assert!(exp(x).is_finite() && exp(x) > 0.0, "{x}");
        }
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn gelu_lets_the_large_through_and_stops_the_small() {
        let mut x = [-1e30, -20.0, -1.0, 0.0, 1.0, 20.0, 1e30];
        gelu(&mut x);
        let expected = [0.0, 0.0, -0.158_808, 0.0, 0.841_192, 20.0, 1e30];
        for (got, expected) in x.iter().zip(expected) {
            assert!(
                (got - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                "{got}"
            );
        }
    }
}
