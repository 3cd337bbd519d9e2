//! What the meter says, what the limiter holds back, how the fade sounds.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::TAU;

use persona_dsp::{Analyzer, Fade, Limiter, Loudness, Stage, HOP};

fn sine(f_hz: f64, amplitude: f32, len: usize) -> Vec<f32> {
    let at = |n: usize| (TAU * f_hz * n as f64 / 24_000.0).sin() as f32 * amplitude;
    (0..len).map(at).collect()
}

fn noise(len: usize) -> Vec<f32> {
    let mut state = 3u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn run<S: Stage>(stage: &mut S, input: &[f32]) -> Vec<f32> {
    let mut output = vec![f32::NAN; input.len()];
    stage.process(input, &mut output).unwrap();
    output
}

fn levels(input: &[f32]) -> Vec<f32> {
    let mut output = vec![f32::NAN; input.len() / HOP];
    Loudness::new().process(input, &mut output).unwrap();
    output
}

/// Largest change from one sample to the next.
fn steepest(x: &[f32]) -> f32 {
    x.windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .fold(0.0, f32::max)
}

#[test]
fn levels_are_those_of_the_textbook() {
    let close = |got: &[f32], db: f32| got.iter().all(|level| (level - db).abs() < 0.01);
    assert!(close(&levels(&[1.0; 480]), 0.0));
    assert!(close(&levels(&sine(500.0, 1.0, 480)), -3.01));
    assert!(close(&levels(&sine(500.0, 0.1, 480)), -23.01));
    assert!(
        !close(&levels(&sine(500.0, 0.1012, 480)), -23.01),
        "cannot hear 0.1 dB"
    );
    assert_eq!(levels(&[1e-9; 480]), [-120.0; 2]);
    assert_eq!(levels(&[f32::NAN; 480]), [-120.0; 2]);
}

#[test]
fn a_level_is_of_its_own_hop() {
    let input = [&[1.0; HOP][..], &[0.0; HOP], &[0.1; HOP]].concat();
    let expected = [0.0, -120.0, -20.0];
    assert!(levels(&input)
        .iter()
        .zip(expected)
        .all(|(a, b)| (a - b).abs() < 0.01));
}

/// Loud things: noise, steps, single samples, a sine, far too much.
fn loud() -> Vec<Vec<f32>> {
    let spikes = |every: usize| {
        (0..5000)
            .map(|n| if n % every == 0 { 9.0 } else { 0.0 })
            .collect()
    };
    vec![
        noise(20_000).iter().map(|x| x * 4.0).collect(),
        vec![3.0; 5000],
        spikes(36),
        spikes(37),
        spikes(1999),
        sine(110.0, 2.0, 24_000),
        noise(5000).iter().map(|x| x * 1e30).collect(),
    ]
}

fn peak(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |peak, x| peak.max(x.abs()))
}

#[test]
fn nothing_passes_the_ceiling() {
    for ceiling_db in [0.0, -1.0, -20.0] {
        let ceiling = 10f32.powf(ceiling_db as f32 / 20.0);
        for input in loud() {
            assert!(
                peak(&input) > ceiling * 1.01,
                "the input was never too loud"
            );
            let output = run(&mut Limiter::new(ceiling_db).unwrap(), &input);
            assert!(peak(&output) <= ceiling * 1.000_001, "{}", peak(&output));
        }
    }
}

#[test]
fn below_the_ceiling_every_sample_is_the_same_36_later() {
    let input: Vec<f32> = noise(10_000).iter().map(|x| x * 0.89).collect();
    let output = run(&mut Limiter::new(-1.0).unwrap(), &input);
    assert_eq!(output[36..], input[..input.len() - 36]);
    assert_ne!(output[35..9_999], input[..9_964], "cannot tell one sample");
}

/// Gain that the limiter applied, where the signal is large enough to tell.
fn gains(input: &[f32], output: &[f32]) -> Vec<f32> {
    input
        .iter()
        .zip(output)
        .filter(|(x, _)| x.abs() > 0.01)
        .map(|(x, y)| y / x)
        .collect()
}

/// Steepest change of gain allowed in one sample, for a reduction to a third: the raised cosine's
/// `2/3 * pi / 2 / 37 = 0.028`.
const STEEPEST_GAIN: f32 = 0.03;

#[test]
fn the_gain_turns_down_before_the_peak_and_never_jumps() {
    // A quiet tone, then three times too loud; the cosine is never near 0.
    let mut input = vec![0.3; 3000];
    input.extend([3.0; 3000]);
    input.extend([0.3; 3000]);
    let output = run(&mut Limiter::new(0.0).unwrap(), &input);
    let smooth = gains(&input[..8964], &output[36..]);
    assert!(steepest(&smooth) < STEEPEST_GAIN, "{}", steepest(&smooth));
    let clipped: Vec<f32> = input.iter().map(|x| x.clamp(-1.0, 1.0)).collect();
    assert!(
        steepest(&gains(&input, &clipped)) > STEEPEST_GAIN,
        "a clipper passes"
    );
}

#[test]
fn rounding_is_all_that_the_last_clamp_takes_off() {
    // With the gain right, a constant too loud comes out just at the ceiling, not below.
    let output = run(&mut Limiter::new(-6.0).unwrap(), &[2.0; 4000]);
    let ceiling = 10f32.powf(-0.3);
    assert!(output[100..]
        .iter()
        .all(|y| (y / ceiling - 1.0).abs() < 1e-5));
}

/// Power outside the tone's own bin over that inside, in dB: the last 2400 samples, 10 Hz a bin.
fn distortion_db(x: &[f32], f_hz: f64) -> f64 {
    let x = &x[x.len() - 2400..];
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in x.iter().enumerate() {
        let turn = TAU * f_hz * n as f64 / 24_000.0;
        re += f64::from(*x) * turn.cos();
        im += f64::from(*x) * turn.sin();
    }
    let tone = 2.0 * (re * re + im * im) / 2400.0;
    let all: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
    10.0 * ((all - tone) / tone).log10()
}

#[test]
fn a_loud_tone_stays_a_tone() {
    let input = sine(200.0, 2.0, 24_000);
    let output = run(&mut Limiter::new(-1.0).unwrap(), &input);
    let limited = distortion_db(&output, 200.0);
    assert!(limited < -35.0, "{limited:.1} dB");
    let clipped: Vec<f32> = input.iter().map(|x| x.clamp(-0.89, 0.89)).collect();
    assert!(distortion_db(&clipped, 200.0) > -15.0, "a clipper passes");
}

#[test]
fn after_a_peak_the_limiter_comes_to_rest() {
    let mut input = vec![0.5; 48_000];
    input[10] = 8.0;
    let output = run(&mut Limiter::new(0.0).unwrap(), &input);
    assert!(output[100] < 0.2);
    assert_eq!(output[24_000..], [0.5; 24_000]);
}

#[test]
fn one_bad_sample_reaches_nobody() {
    let mut broken = sine(300.0, 0.5, 2000);
    let mut silent = broken.clone();
    for (n, x) in [(700, f32::NAN), (800, f32::INFINITY)] {
        (broken[n], silent[n]) = (x, 0.0);
    }
    let limited = |x: &[f32]| run(&mut Limiter::new(-1.0).unwrap(), x);
    assert_eq!(limited(&broken), limited(&silent));
    assert_eq!(
        run(&mut Fade::new(), &broken),
        run(&mut Fade::new(), &silent)
    );
}

#[test]
fn a_ceiling_out_of_range_is_refused() {
    for (got, text) in [(0.5, "0.5"), (-61.0, "-61"), (f64::NAN, "NaN")] {
        let error = Limiter::new(got).err().unwrap();
        assert_eq!(error.code(), "out_of_range");
        assert_eq!(
            error.to_string(),
            format!("ceiling_db must lie in -60..=0, got {text}")
        );
    }
}

/// A full-scale constant through a fade, closed at 100 and opened at `open_at`.
fn faded(open_at: usize) -> Vec<f32> {
    let mut fade = Fade::new();
    let mut output = run(&mut fade, &vec![1.0; 100]);
    fade.set_open(false);
    output.extend(run(&mut fade, &vec![1.0; open_at - 100]));
    fade.set_open(true);
    output.extend(run(&mut fade, &vec![1.0; 1000]));
    output
}

#[test]
fn a_fade_takes_480_samples_each_way() {
    let output = faded(1000);
    assert_eq!(output[..100], [1.0; 100]);
    assert!(output[100] < 1.0 && output[578] > 0.0);
    assert_eq!(output[579..1000], [0.0; 421]);
    assert!(output[1000] > 0.0 && output[1478] < 1.0);
    assert_eq!(output[1479..], [1.0; 521]);
}

#[test]
fn a_fade_turned_round_does_not_jump() {
    // The steepest step of the raised cosine: pi / 2 / 480.
    const STEEPEST: f32 = 0.003_28;
    for open_at in [101, 200, 340, 500, 579, 580, 1000] {
        assert!(steepest(&faded(open_at)) < STEEPEST, "turned at {open_at}");
    }
    assert!(
        steepest(&[1.0, 0.99]) > STEEPEST,
        "a jump of a hundredth passes"
    );
}

#[test]
fn closed_it_is_silent_whatever_goes_in() {
    let mut fade = Fade::new();
    fade.set_open(false);
    assert!(!fade.silent());
    run(&mut fade, &[0.0; 480]);
    assert!(fade.silent());
    let output = run(&mut fade, &[f32::NAN, f32::INFINITY, f32::MAX, -1.0]);
    assert!(output.iter().all(|y| *y == 0.0), "{output:?}");
    fade.reset();
    assert!(
        fade.silent() && !fade.open(),
        "the setting went with the stream"
    );
}
