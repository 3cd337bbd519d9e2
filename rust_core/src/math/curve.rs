//! Functions of many numbers at once, in operations that every processor has and rounds alike.

use core::f32::consts::{FRAC_2_PI, LOG2_E};

use pulp::{Arch, Simd, WithSimd};
use realfft::num_complex::Complex;

/// Adding this leaves whole numbers in the lowest bits.
const WHOLE: f32 = 12_582_912.0;
/// Beyond these the result would not be a normal number.
const LEAST: f32 = -87.0;
const MOST: f32 = 88.0;
/// ln 2 is this and the rest; times a whole number this is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Of the square root of a half.
const ROOT_HALF_BITS: i32 = 0x3f35_04f3;
/// A quarter turn is these three; times a whole number of up to ten thousand the first two are exact.
const QUARTER_HIGH: f32 = 1.570_312_5;
const QUARTER_MIDDLE: f32 = 4.837_513e-4;
const QUARTER_LOW: f32 = 7.549_79e-8;
/// 2 to the power of up to a half, the highest coefficient first; off by 2e-7 at most. By numpy:
/// `Chebyshev.interpolate(exp2, 5, [-0.5, 0.5])`.
#[allow(clippy::approx_constant)] // that ln 2 is among them does not make them follow from it
const POWER_OF_TWO: [f32; 6] = [
    0.001_339_086_3,
    0.009_676_032,
    0.055_503_57,
    0.240_221_07,
    0.693_147_2,
    1.0,
];
/// GELU of less than this is as good as nothing, -8e-11, and never a denormal number.
const NOTHING_BELOW: f32 = -6.0;
/// -2 sqrt(2 / pi) / ln 2.
const BEND: f32 = -2.302_208_2;
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

/// The natural logarithm of a normal positive number, within three units in the last place of the result
/// or 2e-7.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // To the power of two that leaves between root half and root two.
    let whole = (x.to_bits() as i32 - ROOT_HALF_BITS) >> 23;
    let m = f32::from_bits((x.to_bits() as i32 - (whole << 23)) as u32);
    let s = (m - 1.0) / (m + 1.0);
    let t = s * s;
    // Of the series of artanh; what comes after is below 1e-9.
    let series = (((t / 9.0 + 1.0 / 7.0) * t + 0.2) * t + 1.0 / 3.0) * t;
    let n = whole as f32;
    n * LN_2_LOW + 2.0 * s * series + 2.0 * s + n * LN_2_HIGH
}

/// Sine and cosine within 2e-7, for angles up to a few thousand turns.
#[inline(always)]
pub fn sin_cos(x: f32) -> (f32, f32) {
    let whole = x * FRAC_2_PI + WHOLE;
    let n = whole - WHOLE;
    let quarter = whole.to_bits();
    let r = x - n * QUARTER_HIGH - n * QUARTER_MIDDLE - n * QUARTER_LOW;
    let s = r * r;
    // Taylor's series; up to a quarter of pi what comes after is below 2e-8.
    let sin = (((s / 362_880.0 - 1.0 / 5040.0) * s + 1.0 / 120.0) * s - 1.0 / 6.0) * s * r + r;
    let cos = (((s / 40_320.0 - 1.0 / 720.0) * s + 1.0 / 24.0) * s - 0.5) * s + 1.0;
    // Odd quarters change the two, and half of the quarters the sign.
    let odd = (quarter & 1).wrapping_neg();
    let (sin, cos) = (sin.to_bits(), cos.to_bits());
    let one = (sin & !odd) | (cos & odd);
    let other = (cos & !odd) | (sin & odd);
    let sign = |turned: u32| (turned & 2) << 30;
    (
        f32::from_bits(one ^ sign(quarter)),
        f32::from_bits(other ^ sign(quarter.wrapping_add(1))),
    )
}

/// Each `z` to `e^z`; angles up to a few thousand turns.
pub fn exp_complex(z: &mut [Complex<f32>]) {
    struct Exp<'a>(&'a mut [Complex<f32>]);
    impl WithSimd for Exp<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for z in self.0 {
                let size = exp(z.re);
                let (sin, cos) = sin_cos(z.im);
                *z = Complex::new(size * cos, size * sin);
            }
        }
    }
    Arch::new().dispatch(Exp(z));
}

/// `x * (1 + tanh(u)) / 2` of each, with `u = sqrt(2 / pi) * (x + 0.044715 x^3)` (Hendrycks & Gimpel
/// 2016), within 1e-6 of it or of 1. Inlined, so that it takes the registers of whom it is part of.
#[inline(always)]
pub fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (whole_bits, least) = (simd.splat_f32s(WHOLE), simd.splat_f32s(-126.0));
    let (bend, cube) = (simd.splat_f32s(BEND), simd.splat_f32s(0.044_715 * BEND));
    let x = simd.max_f32s(simd.splat_f32s(NOTHING_BELOW), x);
    // e^-2u as a power of two.
    let steepness = simd.mul_add_e_f32s(simd.mul_f32s(x, x), cube, bend);
    let power = simd.max_f32s(least, simd.mul_f32s(x, steepness));
    let whole = simd.add_f32s(power, whole_bits);
    let r = simd.sub_f32s(power, simd.sub_f32s(whole, whole_bits));
    let mut part = simd.splat_f32s(0.0);
    for term in POWER_OF_TWO {
        part = simd.mul_add_e_f32s(part, r, simd.splat_f32s(term));
    }
    let doublings = simd.transmute_u32s_f32s(whole);
    let doublings = simd.wrapping_dyn_shl_u32s(doublings, simd.splat_u32s(23));
    let bits = simd.add_u32s(simd.transmute_u32s_f32s(part), doublings);
    simd.div_f32s(
        x,
        simd.add_f32s(simd.splat_f32s(1.0), simd.transmute_f32s_u32s(bits)),
    )
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
    fn ln_is_right_to_rounding_from_the_least_to_the_largest() {
        let mut x = f32::MIN_POSITIVE;
        while x < f32::MAX / 1.02 {
            let right = f64::from(x).ln();
            let off = (f64::from(ln(x)) - right).abs();
            assert!(off < (right.abs() * 3.0 * 6e-8).max(2e-7), "{x}: {off:e}");
            x *= 1.013;
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn complex_exp_is_right_at_every_angle() {
        let angles = (-4000..=4000).map(|k| k as f32 / 100.0);
        for angle in angles.chain([1000.0, -5000.0, 0.0, -0.0]) {
            let mut z = [Complex::new(0.0, angle), Complex::new(-3.0, angle)];
            exp_complex(&mut z);
            let (sin, cos) = f64::from(angle).sin_cos();
            for (z, size) in z.iter().zip([1.0, (-3f64).exp()]) {
                let off =
                    (f64::from(z.re) - size * cos).abs() + (f64::from(z.im) - size * sin).abs();
                assert!(off < 6e-7 * size, "{angle}: {off:e}");
            }
        }
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

    struct Gelu(Vec<f32>);

    impl WithSimd for Gelu {
        type Output = Vec<f32>;

        fn with_simd<S: Simd>(mut self, simd: S) -> Vec<f32> {
            for x in S::as_mut_simd_f32s(&mut self.0).0 {
                *x = gelu(simd, *x);
            }
            self.0
        }
    }

    #[test]
    fn gelu_is_right_to_rounding_and_never_denormal() {
        let x: Vec<f32> = (-1600..1600).map(|k| k as f32 / 100.0).collect();
        for got in [
            Gelu(x.clone()).with_simd(pulp::Scalar),
            Arch::new().dispatch(Gelu(x.clone())),
        ] {
            for (x, got) in x.iter().zip(got) {
                let right = f64::from(*x);
                let u = (2.0 / core::f64::consts::PI).sqrt() * (right + 0.044_715 * right.powi(3));
                let right = 0.5 * right * (1.0 + u.tanh());
                let off = (f64::from(got) - right).abs();
                assert!(off < 1e-6 * right.abs().max(0.5), "{x}: {off:e}");
                assert!(got == 0.0 || got.is_normal(), "{x}: {got:e}");
            }
        }
    }

    #[test]
    fn gelu_lets_the_large_through_and_stops_the_small() {
        let x = vec![-1e30, -20.0, 0.0, 20.0, 1e30, 0.0, 0.0, f32::NAN];
        let got = Gelu(x).with_simd(pulp::Scalar);
        assert!(got[0].abs() < 1e-10 && got[1].abs() < 1e-10, "{got:?}");
        assert_eq!(got[2..5], [0.0, 20.0, 1e30]);
    }
}
