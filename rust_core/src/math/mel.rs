//! The mel scale of Slaney's Auditory Toolbox: linear below 1 kHz, logarithmic above.

/// Bands of the log-mel frames and of the vocoder's envelopes.
pub const BANDS: usize = 80;
/// Natural logarithm of an amplitude that nobody hears: the envelope of silence.
pub const SILENT: f32 = -16.0;
/// And of one louder than speech ever is.
pub const LOUDEST: f32 = 4.0;

/// Mels per hertz below the break.
const LINEAR: f64 = 3.0 / 200.0;
/// Where the scale turns logarithmic, in hertz.
const BREAK_HZ: f64 = 1000.0;
/// Mels per unit of the natural logarithm above the break: 27 mels for a factor of 6.4.
const PER_LOG: f64 = 27.0 / 1.856_297_990_365_626_2;

/// Hertz to mels.
pub fn mel_from_hz(hz: f64) -> f64 {
    if hz < BREAK_HZ {
        hz * LINEAR
    } else {
        BREAK_HZ * LINEAR + (hz / BREAK_HZ).ln() * PER_LOG
    }
}

/// Mels to hertz.
pub fn hz_from_mel(mel: f64) -> f64 {
    let at_break = BREAK_HZ * LINEAR;
    if mel < at_break {
        mel / LINEAR
    } else {
        BREAK_HZ * ((mel - at_break) / PER_LOG).exp()
    }
}

/// Frequencies of `bands` triangles from 0 Hz to `top_hz`: edge, centres, edge; `bands + 2` values.
pub fn band_edges_hz(bands: usize, top_hz: f64) -> Vec<f64> {
    let top = mel_from_hz(top_hz);
    let step = top / (bands + 1) as f64;
    (0..bands + 2)
        .map(|i| hz_from_mel(step * i as f64))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hertz_survive_the_way_to_mels_and_back() {
        for hz in [0.0, 50.0, 999.0, 1000.0, 1001.0, 6400.0, 12_000.0] {
            assert!((hz_from_mel(mel_from_hz(hz)) - hz).abs() < 1e-9 * (hz + 1.0));
        }
        assert!((mel_from_hz(6400.0) - 42.0).abs() < 1e-9);
    }

    #[test]
    fn edges_run_from_zero_to_the_top_and_rise() {
        let edges = band_edges_hz(BANDS, 12_000.0);
        assert_eq!(edges.len(), BANDS + 2);
        assert!(edges.windows(2).all(|pair| pair[1] > pair[0]));
        assert!((edges[BANDS + 1] - 12_000.0).abs() < 1e-6);
    }
}
