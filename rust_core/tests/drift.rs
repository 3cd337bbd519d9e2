//! A tone between two clocks that move: no click, and no sample too many.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::TAU;

use persona_dsp::{Drift, MAX_PPM};

const SAMPLE: i64 = 1 << 32;

/// What the clocks do, sample by sample of the input: where the second one goes, in ppm.
const PLAN: [(usize, f64); 6] = [
    (0, 0.0),
    (4_000, 500.0),
    (15_000, -500.0),
    (30_000, 37.5),
    (31_000, -500.0),
    (45_000, 0.0),
];
const INPUT: usize = 60_000;

fn tone(f: f64) -> Vec<f32> {
    let at = |n: usize| (0.5 * (TAU * f * n as f64).sin()) as f32;
    (0..INPUT).map(at).collect()
}

/// The input through the plan in blocks of `block`, and when each output was due, in input samples.
fn run(input: &[f32], block: usize) -> (Vec<f32>, Vec<f64>) {
    let mut drift = Drift::new();
    let (mut output, mut times) = (Vec::new(), Vec::new());
    let (mut time, mut step) = (0, SAMPLE);
    let ends = PLAN.iter().skip(1).map(|of| of.0).chain([INPUT]);
    for ((start, ppm), end) in PLAN.into_iter().zip(ends) {
        drift.set_ppm(ppm).unwrap();
        let wanted = (SAMPLE as f64 / (1.0 + ppm * 1e-6)).round() as i64;
        for block in input[start..end].chunks(block) {
            let mut made = vec![f32::NAN; drift.output_len(block.len())];
            assert_eq!(drift.process(block, &mut made), Ok(made.len()));
            output.extend(made);
        }
        while time < end as i64 * SAMPLE {
            times.push(time as f64 / SAMPLE as f64);
            time += step;
            step = wanted.clamp(step - 858, step + 858);
        }
    }
    (output, times)
}

/// What is not the tone of frequency `f`, sample by sample as late as stated, in dB of the tone.
fn rest_db(output: &[f32], times: &[f64], f: f64) -> f64 {
    let late = Drift::new().latency() as f64;
    let settled = || times.iter().zip(output).skip(200);
    let wave = |time: f64| (TAU * f * (time - late)).sin();
    let (mut product, mut power) = (0.0, 0.0);
    for (time, y) in settled() {
        product += wave(*time) * f64::from(*y);
        power += wave(*time).powi(2);
    }
    let gain = product / power;
    assert!((20.0 * (gain / 0.5).log10()).abs() < 0.013, "{gain}");
    let off = |(time, y): (&f64, &f32)| (f64::from(*y) - gain * wave(*time)).abs();
    20.0 * (settled().map(off).fold(0.0, f64::max) / gain).log10()
}

#[test]
fn every_sample_of_a_tone_is_in_its_place_while_the_clocks_move() {
    for (f, worst_db) in [(0.0021, -120.0), (0.11, -110.0), (0.31, -100.0)] {
        let (output, times) = run(&tone(f), 480);
        assert_eq!(output.len(), times.len());
        let rest_db = rest_db(&output, &times, f);
        assert!(rest_db < worst_db, "{f}: {rest_db:.1} dB");
    }
}

#[test]
fn that_test_hears_one_sample_lost() {
    let f = 0.0021;
    let (mut output, times) = run(&tone(f), 480);
    output.remove(20_000);
    output.push(0.0);
    assert!(rest_db(&output[..times.len() - 1], &times[..times.len() - 1], f) > -60.0);
}

#[test]
fn however_the_stream_is_cut_the_samples_are_equal() {
    let input = tone(0.013);
    let (expected, _) = run(&input, 480);
    for block in [1, 7, 512, 513, 20_000] {
        assert_eq!(run(&input, block).0, expected, "{block}");
    }
}

#[test]
fn clocks_that_part_by_the_most_stay_together() {
    for ppm in [MAX_PPM, -MAX_PPM] {
        let mut drift = Drift::new();
        drift.set_ppm(ppm).unwrap();
        let second = vec![0.25; 48_000];
        let mut made = vec![0.0; 48_100];
        let counts: Vec<f64> = (0..10)
            .map(|_| drift.process(&second, &mut made).unwrap() as f64)
            .collect();
        let nine = counts[1..].iter().sum::<f64>() / 9.0;
        assert!((nine - 48_000.0 * (1.0 + ppm * 1e-6)).abs() < 0.2, "{nine}");
        assert!((drift.ppm() - ppm).abs() < 1e-3);
        assert!(made[..48_000 - 24].iter().all(|y| (y - 0.25).abs() < 1e-6));
    }
}

#[test]
fn what_is_no_number_counts_as_silence() {
    let mut broken = tone(0.01);
    let mut silent = broken.clone();
    for n in [100, 5_000, 5_001] {
        (broken[n], silent[n]) = (f32::NAN, 0.0);
    }
    assert_eq!(run(&broken, 480).0, run(&silent, 480).0);
}

#[test]
fn clocks_further_apart_are_refused() {
    for ppm in [500.1, -501.0, f64::NAN] {
        let mut drift = Drift::new();
        let error = drift.set_ppm(ppm).err().unwrap();
        assert_eq!(error.code(), "out_of_range");
        assert_eq!(drift.wanted_ppm(), 0.0);
    }
    let error = Drift::new().set_ppm(500.1).err().unwrap();
    assert_eq!(error.to_string(), "ppm must lie in -500..=500, got 500.1");
}
