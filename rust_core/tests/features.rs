//! LogMel against a plain reference, and what its numbers mean.
use std::f64::consts::TAU;

use persona_dsp::math::mel::{band_edges_hz, BANDS};
use persona_dsp::{Analyzer, LogMel};

const WINDOW: usize = 768;

fn speechlike(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| {
            let t = i as f64 / 24_000.0;
            let voice: f64 = (1..30)
                .map(|h| (TAU * 180.0 * f64::from(h) * t).sin() / f64::from(h))
                .sum();
            (0.1 * voice * (TAU * 3.0 * t).sin()) as f32
        })
        .collect()
}

/// The definition, word for word: windowed DFT of 1024, triangles of unit sum, logarithm.
fn reference(window: &[f32]) -> Vec<f64> {
    let hann = |i: usize| 0.5 - 0.5 * (TAU * i as f64 / WINDOW as f64).cos();
    let gain = 2.0 / (0..WINDOW).map(hann).sum::<f64>();
    let power: Vec<f64> = (0..=512)
        .map(|bin| {
            let (mut re, mut im) = (0.0, 0.0);
            for (i, &x) in window.iter().enumerate() {
                let angle = -TAU * (bin * i % 1024) as f64 / 1024.0;
                let y = f64::from(x) * hann(i) * gain;
                re += y * angle.cos();
                im += y * angle.sin();
            }
            re * re + im * im
        })
        .collect();
    let edges = band_edges_hz(BANDS, 12_000.0);
    edges
        .windows(3)
        .map(|e| {
            let weight = |bin: usize| {
                let f = bin as f64 * 24_000.0 / 1024.0;
                ((f - e[0]) / (e[1] - e[0]))
                    .min((e[2] - f) / (e[2] - e[1]))
                    .max(0.0)
            };
            let total: f64 = (0..=512).map(weight).sum();
            let sum: f64 = (0..=512).map(|bin| weight(bin) * power[bin]).sum();
            (sum / total + 1e-10).ln()
        })
        .collect()
}

fn largest_difference(offset: usize) -> f64 {
    let x = speechlike(24_000);
    let mut frames = vec![0.0; 100 * BANDS];
    let count = LogMel::new().process(&x, &mut frames);
    assert_eq!(count, Ok(100));
    [10, 37, 99]
        .into_iter()
        .flat_map(|k| {
            let end = (k + 1) * 240 - offset;
            let wanted = reference(&x[end - WINDOW..end]);
            let got = frames[k * BANDS..(k + 1) * BANDS].to_vec();
            wanted
                .into_iter()
                .zip(got)
                .map(|(w, g)| (w - f64::from(g)).abs())
        })
        .fold(0.0, f64::max)
}

#[test]
fn frames_are_the_definition_within_a_hundredth_of_a_neper() {
    assert!(largest_difference(0) < 0.01, "{}", largest_difference(0));
}

#[test]
fn a_window_one_sample_early_would_be_noticed() {
    assert!(largest_difference(1) > 0.02, "{}", largest_difference(1));
}

#[test]
fn a_full_scale_sine_reads_near_zero_and_silence_reads_the_floor() {
    let tone: Vec<f32> = (0..4800)
        .map(|i| (TAU * 1007.8125 * f64::from(i) / 24_000.0).sin() as f32)
        .collect();
    let mut frames = vec![0.0; 20 * BANDS];
    assert_eq!(LogMel::new().process(&tone, &mut frames), Ok(20));
    let peak = frames[19 * BANDS..]
        .iter()
        .copied()
        .fold(f32::MIN, f32::max);
    assert!((-1.5..=0.0).contains(&peak), "{peak}");
    assert_eq!(LogMel::new().process(&vec![0.0; 240], &mut frames), Ok(1));
    assert!((frames[0] - 1e-10f32.ln()).abs() < 1e-3);
}
