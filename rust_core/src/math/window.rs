//! Windows that shape filters.

/// The Kaiser window at `x`, which runs from -1 to 1; 0 outside.
///
/// # Source
/// Kaiser (1974), Nonrecursive digital filter design using the I0-sinh window function.
pub fn kaiser(x: f64, beta: f64) -> f64 {
    if x.abs() > 1.0 {
        return 0.0;
    }
    bessel_i0(beta * (1.0 - x * x).sqrt()) / bessel_i0(beta)
}

/// The shape that parts pass band from stop band by `attenuation_db`, which is above 50.
pub fn kaiser_beta(attenuation_db: f64) -> f64 {
    0.1102 * (attenuation_db - 8.7)
}

/// Modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * f64::EPSILON {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// Rises from 0 at `x = 0` to 1 at `x = 1` along half a turn of the cosine.
pub fn raised_cosine(x: f64) -> f64 {
    0.5 - 0.5 * (core::f64::consts::PI * x.clamp(0.0, 1.0)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bessel_meets_the_tables() {
        // Abramowitz & Stegun, table 9.8.
        for (x, expected) in [(0.0, 1.0), (1.0, 1.266_065_878), (5.0, 27.239_871_82)] {
            assert!((bessel_i0(x) / expected - 1.0).abs() < 1e-9, "I0({x})");
        }
    }

    #[test]
    fn kaiser_is_even_peaks_at_one_and_ends() {
        let beta = kaiser_beta(96.0);
        assert_eq!(kaiser(0.0, beta), 1.0);
        assert_eq!(kaiser(0.3, beta), kaiser(-0.3, beta));
        assert!(kaiser(1.0, beta) < 1e-3 && kaiser(1.0, beta) > 0.0);
        assert_eq!(kaiser(1.001, beta), 0.0);
    }

    #[test]
    fn raised_cosine_is_even_about_its_middle() {
        assert_eq!(raised_cosine(0.0), 0.0);
        assert_eq!(raised_cosine(1.0), 1.0);
        for x in [0.1, 0.25, 0.4] {
            assert!((raised_cosine(x) + raised_cosine(1.0 - x) - 1.0).abs() < 1e-12);
        }
    }
}
