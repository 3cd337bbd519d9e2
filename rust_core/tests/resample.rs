//! How flat, how clean and how late the resampler is.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::TAU;

use persona_dsp::math::kernel::{Kernel, LINEAR, MINIMUM};
use persona_dsp::{DspError, Resampler, Stage};

/// Down, up, common and odd ones; the last two have too many phases for a row each.
const PAIRS: [(u32, u32); 13] = [
    (48_000, 16_000),
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

type Make = fn(u32, u32) -> Result<Resampler, DspError>;

/// How each kind is made, what it is made of, and from 1.1 of the lower Nyquist frequency on its alias.
const KINDS: [(Make, &Kernel, f64); 2] = [
    (Resampler::new, &LINEAR, -105.0),
    (Resampler::minimum_phase, &MINIMUM, -90.0),
];

fn run(make: Make, pair: (u32, u32), input: &[f32]) -> Vec<f32> {
    let mut stage = make(pair.0, pair.1).unwrap();
    let mut output = vec![f32::NAN; stage.output_len(input.len())];
    stage.process(input, &mut output).unwrap();
    output
}

fn latency(make: Make, pair: (u32, u32)) -> usize {
    make(pair.0, pair.1).unwrap().latency()
}

fn tone(f_hz: f64, rate: u32, len: usize) -> Vec<f32> {
    let at = |n: usize| (TAU * f_hz * n as f64 / f64::from(rate)).sin() as f32;
    (0..len).map(at).collect()
}

/// Power of the second half over that of a full-scale sine: the first holds the onset.
fn level_db(x: &[f32]) -> f64 {
    let settled = &x[x.len() / 2..];
    let power: f64 = settled.iter().map(|x| f64::from(*x).powi(2)).sum();
    10.0 * (2.0 * power / settled.len() as f64).log10()
}

fn difference(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn lower_nyquist_hz(pair: (u32, u32)) -> f64 {
    f64::from(pair.0.min(pair.1)) / 2.0
}

/// Amplitude of the part of `x` that is a tone, how late it is in samples, to less than half of a
/// period, and the level of all else over that of the tone in dB. Of the second half.
fn heard(x: &[f32], f_hz: f64, rate: u32) -> (f64, f64, f64) {
    let from = x.len() / 2;
    let step = TAU * f_hz / f64::from(rate);
    let [mut ss, mut sc, mut cc, mut xs, mut xc] = [0.0; 5];
    for (n, x) in x.iter().enumerate().skip(from) {
        let ((sin, cos), x) = ((step * n as f64).sin_cos(), f64::from(*x));
        (ss, sc, cc) = (ss + sin * sin, sc + sin * cos, cc + cos * cos);
        (xs, xc) = (xs + x * sin, xc + x * cos);
    }
    let of = ss * cc - sc * sc;
    let (a, b) = ((xs * cc - xc * sc) / of, (xc * ss - xs * sc) / of);
    let rest = |(n, x): (usize, &f32)| {
        let (sin, cos) = (step * n as f64).sin_cos();
        (f64::from(*x) - a * sin - b * cos).powi(2)
    };
    let rest: f64 = x.iter().enumerate().skip(from).map(rest).sum();
    let power = (a * a + b * b) * (x.len() - from) as f64 / 2.0;
    let late = (-b).atan2(a) / step;
    (a.hypot(b), late, 10.0 * (rest / power).log10())
}

/// The same of a tone of that kind from one rate to the other.
fn through(make: Make, pair: (u32, u32), f_hz: f64) -> (f64, f64, f64) {
    let output = run(make, pair, &tone(f_hz, pair.0, pair.0 as usize / 8));
    heard(&output, f_hz, pair.1)
}

#[test]
fn tones_to_nine_tenths_of_nyquist_keep_their_loudness() {
    for (make, _, _) in KINDS {
        for pair in PAIRS {
            for tenths in [0.1, 1.0, 2.5, 5.0, 7.3, 8.5, 9.0] {
                let f_hz = lower_nyquist_hz(pair) * tenths / 10.0;
                let gain_db = 20.0 * through(make, pair, f_hz).0.log10();
                assert!(gain_db.abs() < 0.013, "{pair:?} at {f_hz} Hz: {gain_db} dB");
            }
            let gain_db = 20.0 * through(make, pair, 0.98 * lower_nyquist_hz(pair)).0.log10();
            assert!(gain_db < -1.0, "the test cannot hear {gain_db} dB");
        }
    }
}

#[test]
fn tones_come_as_late_as_stated() {
    let off = |make: Make, pair, part: f64| {
        let f_hz = lower_nyquist_hz(pair) * part;
        let (late, period) = (through(make, pair, f_hz).1, f64::from(pair.1) / f_hz);
        (late - latency(make, pair) as f64 + period / 2.0).rem_euclid(period) - period / 2.0
    };
    for pair in PAIRS {
        for part in [0.01, 0.3, 0.9] {
            let of_linear = off(Resampler::new, pair, part);
            assert!(of_linear.abs() < 1e-3, "{pair:?} at {part}: {of_linear}");
        }
        let of_early = off(Resampler::minimum_phase, pair, 0.01);
        assert!(of_early.abs() < 0.51, "{pair:?}: {of_early}");
    }
}

/// Images, aliases and rounding beside a tone of 997 Hz at -1 dBFS: what two rates make of it.
#[test]
fn a_tone_is_all_that_comes_of_a_tone() {
    for (pair, worst_db) in [
        ((48_000, 16_000), [-140.0, -140.0]),
        ((48_000, 24_000), [-140.0, -140.0]),
        ((24_000, 48_000), [-138.0, -96.0]),
        ((44_100, 24_000), [-135.0, -96.0]),
        ((24_000, 44_100), [-135.0, -96.0]),
        ((16_000, 24_000), [-135.0, -94.0]),
    ] {
        for ((make, _, _), worst_db) in KINDS.into_iter().zip(worst_db) {
            let input: Vec<f32> = tone(997.0, pair.0, pair.0 as usize)
                .iter()
                .map(|x| x * 0.891_25)
                .collect();
            let rest_db = heard(&run(make, pair, &input), 997.0, pair.1).2;
            println!("{pair:?}: {rest_db:.1} dB");
            assert!(rest_db < worst_db, "{pair:?}: {rest_db:.1} dB");
        }
    }
}

#[test]
fn tones_above_are_gone() {
    for (make, _, worst_db) in KINDS {
        for pair in PAIRS.into_iter().filter(|pair| pair.0 > pair.1) {
            let top = f64::from(pair.0) / 2.0 / lower_nyquist_hz(pair);
            let alias = |part: f64| {
                let f_hz = lower_nyquist_hz(pair) * part;
                level_db(&run(make, pair, &tone(f_hz, pair.0, pair.0 as usize / 8)))
            };
            for part in [1.1, 1.11, 1.13, 1.2, 1.37, 1.6, 1.9, 2.5, 3.9, 10.0] {
                let alias_db = if part < top { alias(part) } else { -200.0 };
                assert!(alias_db < worst_db, "{pair:?} at {part}: {alias_db:.1} dB");
            }
            let near_db = alias(1.02);
            assert!(
                top < 1.02 || near_db > worst_db,
                "the test cannot hear {near_db:.1} dB"
            );
        }
    }
}

/// The filter's formula, in f64, at the exact time of each output.
fn plainly(kernel: &Kernel, pair: (u32, u32), wait: f64, input: &[f32], count: usize) -> Vec<f64> {
    let slower = f64::from(pair.0.min(pair.1));
    let at = |m: usize| {
        let time = |n: usize| n as f64 / f64::from(pair.0);
        let now = m as f64 / f64::from(pair.1);
        let weight = |n: usize| kernel.weight((now - time(n)) * slower - wait);
        let past = (0..input.len()).take_while(|n| time(*n) <= now + 1e-12);
        past.map(|n| f64::from(input[n]) * weight(n) * slower / f64::from(pair.0))
            .sum()
    };
    (0..count).map(at).collect()
}

#[test]
fn the_fast_code_is_the_formula() {
    for (make, kernel, _) in KINDS {
        for pair in PAIRS {
            let mut state = 1u64;
            let mut noise = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            };
            let input: Vec<f32> = (0..1100).map(|_| noise()).collect();
            let output = run(make, pair, &input);
            let slower_per_out = f64::from(pair.0.min(pair.1)) / f64::from(pair.1);
            let wait = latency(make, pair) as f64 * slower_per_out - kernel.delay;
            let wait = if kernel.even() { wait } else { 0.0 };
            let expected: Vec<f32> = plainly(kernel, pair, wait, &input, output.len())
                .iter()
                .map(|y| *y as f32)
                .collect();
            let error = level_db(&difference(&output, &expected));
            // Rows that are gone between on straight lines differ by 100 dB less.
            assert!(error < -88.0, "{pair:?}: {error:.1} dB");
            let shifted = level_db(&difference(&output[1..], &expected));
            assert!(shifted > -60.0, "{pair:?}: shifted {shifted:.1} dB");
        }
    }
}

#[test]
fn a_constant_stays_constant_at_every_phase() {
    for (make, _, _) in KINDS {
        for pair in PAIRS {
            let output = run(make, pair, &vec![0.7; pair.0 as usize / 10]);
            let settled = &output[output.len() / 2..];
            assert!(settled.iter().all(|y| (y - 0.7).abs() < 1e-6), "{pair:?}");
        }
    }
}

#[test]
fn latencies_are_what_the_documents_say() {
    for (pair, linear, early) in [
        ((48_000, 24_000), 25, 2),
        ((24_000, 48_000), 50, 5),
        ((48_000, 16_000), 25, 2),
        ((16_000, 24_000), 38, 4),
        ((44_100, 24_000), 25, 2),
        ((24_000, 44_100), 46, 4),
        ((24_000, 24_000), 0, 0),
    ] {
        assert_eq!(latency(Resampler::new, pair), linear, "{pair:?}");
        assert_eq!(latency(Resampler::minimum_phase, pair), early, "{pair:?}");
    }
}

#[test]
fn equal_rates_pass_samples_as_they_are() {
    let input = [0.1, -0.2, 1e-40, 3.0, 0.0];
    for (make, _, _) in KINDS {
        assert_eq!(run(make, (44_100, 44_100), &input), input);
    }
}

#[test]
fn what_is_no_number_counts_as_silence() {
    for (make, _, _) in KINDS {
        for pair in [(48_000, 24_000), (44_100, 24_000), (24_000, 24_000)] {
            let mut broken = tone(440.0, pair.0, 2000);
            let mut silent = broken.clone();
            for (n, x) in [
                (100, f32::NAN),
                (500, f32::INFINITY),
                (501, f32::NEG_INFINITY),
            ] {
                (broken[n], silent[n]) = (x, 0.0);
            }
            assert_eq!(run(make, pair, &broken), run(make, pair, &silent));
        }
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
