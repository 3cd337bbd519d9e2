//! The envelopes: what the vocoder was told is what is found in its sound.
use persona_dsp::math::mel::{BANDS, SILENT};
use persona_dsp::{Envelopes, Vocoder, HOP};

/// Two envelopes with formants, and F0.
fn frame(f0: f32, noise_lower: f32) -> Vec<f32> {
    let shape = |band: usize| -4.0 + (band as f32 / 7.0).sin();
    let mut values = vec![f0];
    values.extend((0..BANDS).map(shape));
    values.extend((0..BANDS).map(|band| shape(band) - noise_lower));
    values
}

/// What is found, on the mean over a second, in the sound of a frame.
fn found(frame: &[f32], f0: f32) -> Vec<f32> {
    let mut sound = vec![0.0; 150 * HOP];
    let written = Vocoder::new(5).process(&frame.repeat(150), &mut sound);
    assert_eq!(written, Ok(150 * HOP));
    let row = |hop: &[f32]| [hop, &[f0]].concat();
    let rows: Vec<f32> = sound.chunks_exact(HOP).flat_map(row).collect();
    let mut frames = vec![f32::NAN; 150 * Envelopes::WIDTH_OUT];
    assert_eq!(Envelopes::new().process(&rows, &mut frames), Ok(150));
    let late = frames.chunks_exact(Envelopes::WIDTH_OUT).skip(50);
    let mut mean = vec![0.0; Envelopes::WIDTH_OUT];
    for one in late {
        for (y, x) in mean.iter_mut().zip(one) {
            *y += x / 100.0;
        }
    }
    mean
}

/// Root mean square distance in nepers over the bands that the vocoder sounds in full.
fn off(got: &[f32], wanted: &[f32]) -> f32 {
    let inner = 4..70;
    let count = inner.len() as f32;
    let squares = inner.map(|band| (got[band] - wanted[band]).powi(2));
    (squares.sum::<f32>() / count).sqrt()
}

#[test]
fn the_envelope_of_a_voice_is_found() {
    for f0 in [90.0, 140.0, 250.0] {
        let told = frame(f0, 12.0);
        let got = found(&told, f0);
        let away = off(&got[1..=BANDS], &told[1..=BANDS]);
        // 0.115 nepers are 1 dB.
        assert!(away < 0.23, "{f0} Hz: {away} nepers");
        // The mutant: an envelope of a tract 12 % longer.
        let other: Vec<f32> = (0..BANDS)
            .map(|band| told[(band + 4).min(BANDS - 1) + 1])
            .collect();
        let away = off(&got[1..=BANDS], &other);
        assert!(away > 0.3, "{f0} Hz: {away} nepers");
        assert!((got[0] - f0).abs() < 1e-3);
    }
}

#[test]
fn noise_without_f0_is_noise_alone() {
    let mut told = frame(0.0, 1.0);
    told[1..=BANDS].fill(SILENT);
    let got = found(&told, 0.0);
    assert!(got[1..=BANDS].iter().all(|x| (x - SILENT).abs() < 1e-3));
    // The mean of a logarithm of noise lies below that of its power.
    let away = off(&got[1 + BANDS..], &told[1 + BANDS..]);
    assert!(away < 0.4, "{away} nepers");
}

#[test]
fn of_what_differs_between_periods_the_square_is_noise() {
    for lower in [0.5, 1.0, 1.5, 2.0] {
        let got = found(&frame(140.0, lower), 140.0);
        let below = |band: usize| got[1 + band] - got[1 + BANDS + band];
        let mean = (8..70).map(below).sum::<f32>() / 62.0;
        let share = 1.0 / (1.0 + (2.0 * lower).exp());
        let expected = 0.5 * (1.0 / (share * share) - 1.0).ln();
        assert!(
            (mean - expected).abs() < 0.6,
            "{mean} nepers for {expected}"
        );
    }
}

#[test]
fn what_is_no_row_is_refused_and_what_is_no_number_is_silence() {
    let mut envelopes = Envelopes::new();
    let mut out = vec![0.0; Envelopes::WIDTH_OUT];
    let refused = envelopes.process(&[0.0; HOP], &mut out);
    assert_eq!(refused.map_err(|error| error.code()), Err("wrong_shape"));
    let short = envelopes.process(&[0.0; HOP + 1], &mut out[1..]);
    assert_eq!(short.map_err(|error| error.code()), Err("output_too_short"));
    assert_eq!(envelopes.process(&[f32::NAN; HOP + 1], &mut out), Ok(1));
    assert!(out[1..].iter().all(|x| (x - SILENT).abs() < 1e-3) && out[0] == 0.0);
}
