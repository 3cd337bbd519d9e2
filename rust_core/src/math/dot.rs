//! Sums of products, in an order that no processor changes.

/// Running sums of the wide part: four registers of eight, so that none waits for another.
const WIDE: usize = 32;
const LANES: usize = 8;

/// Sum of products of two stretches of one length. Inlined, so that it takes the registers of whom
/// it is part of.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_wide, b_wide) = (a.chunks_exact(WIDE), b.chunks_exact(WIDE));
    let (a_rest, b_rest) = (a_wide.remainder(), b_wide.remainder());
    let mut wide = [0.0f32; WIDE];
    for (x, y) in a_wide.zip(b_wide) {
        for ((sum, x), y) in wide.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let mut lanes = [0.0f32; LANES];
    for eight in wide.chunks_exact(LANES) {
        for (lane, sum) in lanes.iter_mut().zip(eight) {
            *lane += sum;
        }
    }
    let (a_lanes, b_lanes) = (a_rest.chunks_exact(LANES), b_rest.chunks_exact(LANES));
    let (a_few, b_few) = (a_lanes.remainder(), b_lanes.remainder());
    for (x, y) in a_lanes.zip(b_lanes) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    let few: f32 = a_few.iter().zip(b_few).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + few
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_counts_once_at_every_length() {
        for len in 0..200 {
            let a: Vec<f32> = (0..len).map(|n| (n % 7) as f32 - 3.0).collect();
            let b: Vec<f32> = (0..len).map(|n| (n % 5) as f32 + 1.0).collect();
            let plain: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            assert_eq!(dot(&a, &b), plain, "{len}");
        }
    }
}
