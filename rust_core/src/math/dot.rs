//! Sums of products.

use pulp::Simd;

/// Registers that are summed side by side, so that none waits for another.
const ABREAST: usize = 4;

/// Sum of products of two stretches of one length, for the processor of `simd`. Inlined, so that it
/// takes the registers of whom it is part of.
#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (a, a_few) = S::as_simd_f32s(a);
    let (b, b_few) = S::as_simd_f32s(b);
    let (a_all, b_all) = (a.chunks_exact(ABREAST), b.chunks_exact(ABREAST));
    let (a_rest, b_rest) = (a_all.remainder(), b_all.remainder());
    let mut sums = [simd.splat_f32s(0.0); ABREAST];
    for (a, b) in a_all.zip(b_all) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = simd.mul_add_e_f32s(*a, *b, *sum);
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum = simd.mul_add_e_f32s(*a, *b, *sum);
    }
    let pairs = simd.add_f32s(sums[0], sums[1]);
    let others = simd.add_f32s(sums[2], sums[3]);
    let all = simd.add_f32s(pairs, others);
    if a_few.is_empty() {
        return simd.reduce_sum_f32s(all);
    }
    let (a, b) = (simd.partial_load_f32s(a_few), simd.partial_load_f32s(b_few));
    simd.reduce_sum_f32s(simd.mul_add_e_f32s(a, b, all))
}

/// Sums of products of several stretches with one that is as long, each the same as it would be alone.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // indices become registers; iterators over them do not
pub fn dots<S: Simd, const N: usize>(simd: S, a: [&[f32]; N], b: &[f32]) -> [f32; N] {
    let (b, b_few) = S::as_simd_f32s(b);
    let few = a.map(|a| S::as_simd_f32s(a).1);
    let a = a.map(|a| &S::as_simd_f32s(a).0[..b.len()]);
    let mut sums = [[simd.splat_f32s(0.0); N]; 2];
    for pair in 0..b.len() / 2 {
        for half in 0..2 {
            for n in 0..N {
                let at = 2 * pair + half;
                sums[half][n] = simd.mul_add_e_f32s(a[n][at], b[at], sums[half][n]);
            }
        }
    }
    if b.len() % 2 == 1 {
        for n in 0..N {
            sums[0][n] = simd.mul_add_e_f32s(a[n][b.len() - 1], b[b.len() - 1], sums[0][n]);
        }
    }
    if !b_few.is_empty() {
        let b = simd.partial_load_f32s(b_few);
        for n in 0..N {
            sums[1][n] = simd.mul_add_e_f32s(simd.partial_load_f32s(few[n]), b, sums[1][n]);
        }
    }
    core::array::from_fn(|n| simd.reduce_sum_f32s(simd.add_f32s(sums[0][n], sums[1][n])))
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    struct Dot<'a>(&'a [f32], &'a [f32]);

    impl WithSimd for Dot<'_> {
        type Output = f32;

        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            dot(simd, self.0, self.1)
        }
    }

    struct Dots<'a>(&'a [f32], &'a [f32]);

    impl WithSimd for Dots<'_> {
        type Output = [f32; 2];

        fn with_simd<S: Simd>(self, simd: S) -> [f32; 2] {
            dots(simd, [self.0, self.1], self.1)
        }
    }

    #[test]
    fn every_product_counts_once_at_every_length() {
        for len in 0..200 {
            let a: Vec<f32> = (0..len).map(|n| (n % 7) as f32 - 3.0).collect();
            let b: Vec<f32> = (0..len).map(|n| (n % 5) as f32 + 1.0).collect();
            let plain: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            assert_eq!(dot(pulp::Scalar, &a, &b), plain, "{len}");
            assert_eq!(Arch::new().dispatch(Dot(&a, &b)), plain, "{len}");
            let once_more = [plain, b.iter().map(|x| x * x).sum()];
            assert_eq!(dots(pulp::Scalar, [&a, &b], &b), once_more, "{len}");
            assert_eq!(Arch::new().dispatch(Dots(&a, &b)), once_more, "{len}");
        }
    }
}
