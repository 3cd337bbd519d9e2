//! The vocoder: what it is asked for is what it sounds.
use persona_dsp::math::mel::{band_edges_hz, BANDS};
use persona_dsp::{Vocoder, HOP};

const SILENT: f32 = -16.0;
const RATE: f64 = 24_000.0;

fn frame(f0: f32, harmonics: f32, noise: f32) -> Vec<f32> {
    let mut values = vec![f0];
    values.extend([harmonics; BANDS]);
    values.extend([noise; BANDS]);
    values
}

fn run(vocoder: &mut Vocoder, frames: &[f32]) -> Vec<f32> {
    let mut out = vec![f32::NAN; frames.len() / Vocoder::WIDTH * HOP];
    assert_eq!(vocoder.process(frames, &mut out), Ok(out.len()));
    out
}

/// Amplitude of the sine at `hz` in `x`, by correlation over whole seconds.
fn amplitude(x: &[f32], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, &v) in x.iter().enumerate() {
        let angle = std::f64::consts::TAU * hz * n as f64 / RATE;
        re += f64::from(v) * angle.cos();
        im += f64::from(v) * angle.sin();
    }
    2.0 * re.hypot(im) / x.len() as f64
}

fn rms(x: &[f32]) -> f64 {
    (x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / x.len() as f64).sqrt()
}

#[test]
fn a_flat_envelope_gives_harmonics_of_equal_amplitude_at_multiples_of_f0() {
    let y = run(
        &mut Vocoder::new(1),
        &frame(200.0, -3.0, SILENT).repeat(200),
    );
    let x = &y[24_000..];
    // Unit power in 120-sample periods: pulses of sqrt(120), each harmonic 2 sqrt(120) / 120.
    let wanted = 2.0 / 120f64.sqrt() * (-3f64).exp();
    for h in [1, 2, 7, 30, 49] {
        let got = amplitude(x, 200.0 * f64::from(h));
        assert!(
            (20.0 * (got / wanted).log10()).abs() < 0.1,
            "harmonic {h}: {got} {wanted}"
        );
        let between = amplitude(x, 200.0 * f64::from(h) + 100.0);
        // What of the ringing before a pulse is longer than the delay; -46 dB.
        assert!(
            between < 5e-3 * wanted,
            "between harmonics {h} and the next: {between}"
        );
    }
}

#[test]
fn envelopes_are_followed_band_by_band() {
    let mut values = frame(100.0, SILENT, SILENT);
    let edges = band_edges_hz(BANDS, 12_000.0);
    for (band, value) in values[1..=BANDS].iter_mut().enumerate() {
        *value = -4.0 + (band as f32 / 9.0).sin();
    }
    let y = run(&mut Vocoder::new(1), &values.repeat(200));
    let flat = 2.0 / 240f64.sqrt();
    for band in [10, 25, 40, 55, 70] {
        let hz = (edges[band + 1] / 100.0).round() * 100.0;
        let exact = -4.0 + ((band as f64) / 9.0).sin();
        let got = (amplitude(&y[24_000..], hz) / flat).ln();
        assert!(
            (got - exact).abs() < 0.12,
            "band {band} at {hz} Hz: {got} for {exact}"
        );
    }
}

#[test]
fn noise_has_the_power_its_envelope_says_and_its_seed_decides_it() {
    let frames = frame(0.0, SILENT, -4.0).repeat(400);
    let y = run(&mut Vocoder::new(1), &frames);
    let off_db = 20.0 * (rms(&y[2400..]) / (-4f64).exp()).log10();
    // Two neighbouring hops cross over on the same noise, so the power is that of one filter.
    assert!(off_db.abs() < 0.2, "{off_db}");
    assert_eq!(run(&mut Vocoder::new(1), &frames), y);
    assert_ne!(run(&mut Vocoder::new(2), &frames), y);
}

#[test]
fn cuts_and_resets_and_clones_change_nothing() {
    let frames: Vec<f32> = (0..60)
        .flat_map(|k| {
            let wave = (k as f32 / 5.0).sin();
            frame(150.0 + 60.0 * wave, -4.0 + wave, -6.0 - wave)
        })
        .collect();
    let whole = run(&mut Vocoder::new(3), &frames);
    let mut vocoder = Vocoder::new(3);
    let mut parts = Vec::new();
    for cut in [0, 1, 2, 0, 17, 20] {
        let from = parts.len() / HOP * Vocoder::WIDTH;
        parts.extend(run(
            &mut vocoder,
            &frames[from..from + cut * Vocoder::WIDTH],
        ));
    }
    let rest = &frames[40 * Vocoder::WIDTH..];
    let twin = run(&mut vocoder.clone(), rest);
    parts.extend(run(&mut vocoder, rest));
    assert_eq!(parts, whole);
    assert_eq!(twin, whole[40 * HOP..]);
    vocoder.reset();
    assert_eq!(run(&mut vocoder, &frames), whole);
}

#[test]
fn no_jump_of_parameters_clicks() {
    // From one envelope and F0 to others at once: no sample-to-sample step may exceed what the
    // louder steady state has by more than 3 dB.
    let (a, b) = (frame(110.0, -5.0, -9.0), frame(330.0, -3.0, -8.0));
    let step = |y: &[f32]| {
        y.windows(2)
            .map(|w| f64::from((w[1] - w[0]).abs()))
            .fold(0.0, f64::max)
    };
    let steady = step(&run(&mut Vocoder::new(1), &b.repeat(100))[4800..])
        .max(step(&run(&mut Vocoder::new(1), &a.repeat(100))[4800..]));
    let jumping: Vec<f32> = [a.repeat(10), b.repeat(10)].concat().repeat(10);
    let worst = step(&run(&mut Vocoder::new(1), &jumping)[4800..]);
    assert!(
        20.0 * (worst / steady).log10() < 3.0,
        "{worst} against {steady}"
    );
}

#[test]
fn silence_is_silent_and_bad_frames_are_silence() {
    let silent = run(
        &mut Vocoder::new(1),
        &frame(150.0, SILENT, SILENT).repeat(50),
    );
    assert!(rms(&silent) < 1e-6);
    let bad = run(
        &mut Vocoder::new(1),
        &frame(f32::NAN, f32::NAN, f32::INFINITY).repeat(50),
    );
    assert!(rms(&bad) < 1e-6);
    let loud = run(&mut Vocoder::new(1), &frame(1e9, 1e9, 1e9).repeat(50));
    assert!(loud.iter().all(|x| x.is_finite()));
}

#[test]
fn a_part_of_a_frame_and_a_short_output_are_refused_and_nothing_is_lost() {
    let mut vocoder = Vocoder::new(1);
    let frames = frame(150.0, -4.0, -6.0).repeat(4);
    let mut out = vec![0.0; 4 * HOP];
    assert_eq!(
        vocoder
            .process(&frames[1..], &mut out)
            .map_err(|e| e.code()),
        Err("wrong_shape")
    );
    let short = vocoder.process(&frames, &mut out[1..]);
    assert_eq!(short.map_err(|e| e.code()), Err("output_too_short"));
    assert_eq!(
        run(&mut vocoder, &frames),
        run(&mut Vocoder::new(1), &frames)
    );
}
