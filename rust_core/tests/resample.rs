//! How flat, how clean and how late the resampler is.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::{PI, TAU};

use persona_dsp::{Resampler, Stage};

/// Down, up, common and odd ones; the last two have too many phases for a row each.
const PAIRS: [(u32, u32); 12] = [
    (48_000, 24_000),
    (24_000, 48_000),
    (44_100, 24_000),
    (24_000, 44_100),
    (16_000, 24_000),
    (24_000, 16_000),
    (22_050, 24_000),
    (8_000, 24_000),
    (96_000, 24_000),
    (192_000, 8_000),
    (24_000, 11_027),
    (47_999, 24_000),
];

fn run(pair: (u32, u32), input: &[f32]) -> Vec<f32> {
    let mut stage = Resampler::new(pair.0, pair.1).unwrap();
    let mut output = vec![f32::NAN; stage.output_len(input.len())];
    stage.process(input, &mut output).unwrap();
    output
}

fn latency(pair: (u32, u32)) -> usize {
    Resampler::new(pair.0, pair.1).unwrap().latency()
}

fn tone(f_hz: f64, rate: u32, from: i64, len: usize) -> Vec<f32> {
    let at = |n: usize| (TAU * f_hz * (n as i64 + from) as f64 / f64::from(rate)).sin() as f32;
    (0..len).map(at).collect()
}

/// Power of the second half over that of a full-scale sine: the first holds the onset.
fn level_db(x: &[f32]) -> f64 {
    let settled = &x[x.len() / 2..];
    let power: f64 = settled.iter().map(|x| f64::from(*x).powi(2)).sum();
    10.0 * (2.0 * power / settled.len() as f64).log10()
}

fn difference(a: &[f32], b: &[f32], gain: f32) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a * gain - b).collect()
}

fn lower_nyquist_hz(pair: (u32, u32)) -> f64 {
    f64::from(pair.0.min(pair.1)) / 2.0
}

/// What differs from the same tone at the other rate, `late` samples later, in dB.
fn error_db(pair: (u32, u32), f_hz: f64, late: usize, gain: f32) -> f64 {
    let output = run(pair, &tone(f_hz, pair.0, 0, pair.0 as usize / 8));
    let expected = tone(f_hz, pair.1, -(late as i64), output.len());
    level_db(&difference(&output, &expected, gain))
}

#[test]
fn tones_to_nine_tenths_of_nyquist_come_out_as_they_are() {
    for pair in PAIRS {
        for tenths in [0.1, 1.0, 2.5, 5.0, 7.3, 8.5, 9.0] {
            let f_hz = lower_nyquist_hz(pair) * tenths / 10.0;
            let error = error_db(pair, f_hz, latency(pair), 1.0);
            assert!(error < -85.0, "{pair:?} at {f_hz} Hz: {error:.1} dB");
        }
    }
}

#[test]
fn that_test_hears_a_sample_and_a_hundredth_of_a_decibel() {
    for pair in PAIRS {
        let f_hz = lower_nyquist_hz(pair) * 0.5;
        assert!(error_db(pair, f_hz, latency(pair) + 1, 1.0) > -85.0);
        assert!(error_db(pair, f_hz, latency(pair) - 1, 1.0) > -85.0);
        assert!(error_db(pair, f_hz, latency(pair), 1.001_15) > -85.0);
    }
}

#[test]
fn tones_above_are_gone() {
    for pair in PAIRS.into_iter().filter(|pair| pair.0 > pair.1) {
        let top = f64::from(pair.0) / 2.0 / lower_nyquist_hz(pair);
        for part in [1.1, 1.13, 1.2, 1.37, 1.6, 1.9, 2.5, 3.9, 10.0] {
            if part >= top {
                break;
            }
            let f_hz = lower_nyquist_hz(pair) * part;
            let alias = level_db(&run(pair, &tone(f_hz, pair.0, 0, pair.0 as usize / 8)));
            assert!(
                alias < -90.0,
                "{pair:?} at {part} of Nyquist: {alias:.1} dB"
            );
        }
        let near = lower_nyquist_hz(pair) * 1.02;
        let alias = level_db(&run(pair, &tone(near, pair.0, 0, pair.0 as usize / 8)));
        assert!(
            top < 1.02 || alias > -90.0,
            "the test cannot hear an alias: {alias:.1} dB"
        );
    }
}

/// The filter's formula, in f64, at the exact time of each output.
fn plainly(pair: (u32, u32), input: &[f32], count: usize) -> Vec<f64> {
    let slower = f64::from(pair.0.max(pair.1)) / f64::from(pair.1);
    let half = (31.0 * slower).ceil();
    let bessel = |x: f64| {
        let next = |(term, sum): (f64, f64), k: u32| {
            let term = term * (x / 2.0 / f64::from(k)).powi(2);
            (term, sum + term)
        };
        (1..40).fold((1.0, 1.0), next).1
    };
    let beta = 0.1102 * (96.0 - 8.7);
    let kernel = |x: f64| {
        let angle = PI * x / slower;
        let sinc = if x == 0.0 { 1.0 } else { angle.sin() / angle };
        let edge = (1.0 - (x / half).powi(2)).max(0.0).sqrt();
        sinc / slower * bessel(beta * edge) / bessel(beta)
    };
    let late = latency(pair) as f64;
    let at = |m: usize| {
        let t = (m as f64 - late) * f64::from(pair.0) / f64::from(pair.1);
        let (first, last) = ((t - half).ceil().max(0.0), (t + half).floor().max(0.0));
        (first as usize..=last as usize)
            .filter(|&n| n < input.len() && (n as f64 - t).abs() <= half)
            .map(|n| f64::from(input[n]) * kernel(n as f64 - t))
            .sum()
    };
    (0..count).map(at).collect()
}

#[test]
fn the_fast_code_is_the_formula() {
    for pair in PAIRS {
        let mut state = 1u64;
        let mut noise = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let input: Vec<f32> = (0..700).map(|_| noise()).collect();
        let output = run(pair, &input);
        let expected: Vec<f32> = plainly(pair, &input, output.len())
            .iter()
            .map(|y| *y as f32)
            .collect();
        let error = level_db(&difference(&output, &expected, 1.0));
        assert!(error < -90.0, "{pair:?}: {error:.1} dB");
        let shifted = level_db(&difference(&output[1..], &expected, 1.0));
        assert!(shifted > -90.0, "{pair:?}: shifted {shifted:.1} dB");
    }
}

#[test]
fn a_constant_stays_constant() {
    for pair in PAIRS {
        let output = run(pair, &vec![0.7; pair.0 as usize / 10]);
        let settled = &output[output.len() / 2..];
        assert!(settled.iter().all(|y| (y - 0.7).abs() < 2e-6), "{pair:?}");
    }
}

#[test]
fn the_card_and_back_take_under_two_milliseconds_each() {
    assert_eq!(latency((48_000, 24_000)), 31);
    assert_eq!(latency((24_000, 48_000)), 62);
    assert_eq!(latency((24_000, 24_000)), 0);
}

#[test]
fn equal_rates_pass_samples_as_they_are() {
    let input = [0.1, -0.2, 1e-40, 3.0, 0.0];
    assert_eq!(run((44_100, 44_100), &input), input);
}

#[test]
fn what_is_no_number_counts_as_silence() {
    for pair in [(48_000, 24_000), (24_000, 24_000)] {
        let mut broken = tone(440.0, pair.0, 0, 2000);
        let mut silent = broken.clone();
        for (n, x) in [
            (100, f32::NAN),
            (500, f32::INFINITY),
            (501, f32::NEG_INFINITY),
        ] {
            (broken[n], silent[n]) = (x, 0.0);
        }
        assert_eq!(run(pair, &broken), run(pair, &silent));
    }
}

#[test]
fn every_pair_of_rates_keeps_its_length_to_the_end() {
    for input_rate in [8_000, 11_025, 12_345, 24_000, 44_100, 65_537, 192_000] {
        for output_rate in [8_000, 9_999, 24_000, 48_000, 176_400, 191_999] {
            let mut stage = Resampler::new(input_rate, output_rate).unwrap();
            let mut written = 0;
            for n in 1..300u64 {
                let mut y = vec![0.0; stage.output_len(1)];
                written += stage.process(&[1.0], &mut y).unwrap() as u64;
                let due = (n * u64::from(output_rate)).div_ceil(u64::from(input_rate));
                assert_eq!(written, due, "{input_rate} to {output_rate} after {n}");
            }
            let mut y = vec![0.0; stage.latency()];
            assert_eq!(stage.flush(&mut y), Ok(stage.latency()));
        }
    }
}

#[test]
fn rates_out_of_range_are_refused() {
    let refusal = |pair: (u32, u32)| Resampler::new(pair.0, pair.1).err().unwrap();
    let error = refusal((7_999, 24_000));
    assert_eq!(error.code(), "out_of_range");
    assert_eq!(
        error.to_string(),
        "input_rate in Hz must lie in 8000..=192000, got 7999"
    );
    let error = refusal((24_000, 192_001));
    assert_eq!(
        error.to_string(),
        "output_rate in Hz must lie in 8000..=192000, got 192001"
    );
}
