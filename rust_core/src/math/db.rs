//! Decibels.

/// Amplitude ratio of a level difference.
pub fn amplitude_from_db(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}

/// Level difference of a power ratio; minus infinity for 0.
pub fn db_from_power(power: f64) -> f64 {
    10.0 * power.log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_decibels_are_ten_in_amplitude_and_a_hundred_in_power() {
        assert!((amplitude_from_db(20.0) - 10.0).abs() < 1e-12);
        assert!((amplitude_from_db(-6.020_6) - 0.5).abs() < 1e-5);
        assert!((db_from_power(100.0) - 20.0).abs() < 1e-12);
    }
}
