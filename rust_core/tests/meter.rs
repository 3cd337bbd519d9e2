//! Loudness against closed forms and against a plain reference, true peaks against known waves.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::TAU;

use persona_dsp::{Analyzer, Meter};

const RATES: [u32; 7] = [8_000, 16_000, 24_000, 44_100, 48_000, 96_000, 192_000];

fn sine(rate: u32, hz: f64, amplitude: f64, seconds: f64) -> Vec<f32> {
    let at = |n: usize| (TAU * hz * n as f64 / f64::from(rate) + 0.1).sin() * amplitude;
    (0..(seconds * f64::from(rate)) as usize)
        .map(|n| at(n) as f32)
        .collect()
}

/// Momentary, short-term, true peak of each hop.
fn measured(rate: u32, x: &[f32]) -> Vec<[f32; 3]> {
    let mut meter = Meter::new(rate).unwrap();
    let mut output = vec![f32::NAN; meter.frames(x.len()) * 3];
    meter.process(x, &mut output).unwrap();
    output.chunks_exact(3).map(|f| [f[0], f[1], f[2]]).collect()
}

fn close(got: f32, expected: f64, by: f64) -> bool {
    (f64::from(got) - expected).abs() < by
}

#[test]
fn a_sine_of_997_hz_is_as_loud_as_the_standard_says() {
    // BS.1770-5, annex 1: full scale in one channel gives -3.01 LUFS; 23 below is -23 in two channels.
    for rate in RATES {
        let frames = measured(rate, &sine(rate, 997.0, 0.1, 4.0));
        let [momentary, short, _] = *frames.last().unwrap();
        // At 8 kHz the shelf that the bilinear transform gives is not that of 48 kHz.
        let by = if rate < 16_000 { 0.1 } else { 0.05 };
        assert!(close(momentary, -23.01, by), "{rate}: {momentary}");
        assert!(close(short, -23.01, by), "{rate}: {short}");
        assert!(!close(short + 0.1, -23.01, by), "cannot hear 0.1 LU");
    }
}

#[test]
fn windows_are_400_ms_and_3_s() {
    let rate = 48_000;
    let mut x = vec![0.0; 48_000];
    x.extend(sine(rate, 997.0, 0.1, 4.0));
    x.extend(vec![0.0; 4 * 48_000]);
    let frames = measured(rate, &x);
    // Half of a window is 3 dB less.
    assert!(close(frames[100 + 19][0], -26.02, 0.1));
    assert!(close(frames[100 + 149][1], -26.02, 0.1));
    assert!(close(frames[500 + 19][0], -26.02, 0.1));
    assert!(close(frames[500 + 149][1], -26.02, 0.1));
    // What was loud leaves nothing behind.
    assert_eq!(frames[500 + 45][0], -120.0);
    assert_eq!(frames[500 + 305][1], -120.0);
}

#[test]
fn the_weighting_is_that_of_a_plain_filter() {
    // The standard's filters at 48 kHz, sample by sample as it writes them.
    let noise: Vec<f32> = (0..48_000u64)
        .map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / (1 << 23) as f32 - 1.0)
        .collect();
    let biquad = |x: &[f64], b: [f64; 3], a: [f64; 2]| {
        let mut y = vec![0.0; x.len()];
        for n in 0..x.len() {
            let at = |v: &[f64], k: usize| if n >= k { v[n - k] } else { 0.0 };
            y[n] = b[0] * x[n] + b[1] * at(x, 1) + b[2] * at(x, 2)
                - a[0] * at(&y, 1)
                - a[1] * at(&y, 2);
        }
        y
    };
    let x: Vec<f64> = noise.iter().map(|x| f64::from(*x)).collect();
    let shelf = [
        1.535_124_859_586_97,
        -2.691_696_189_406_38,
        1.198_392_810_852_85,
    ];
    let high = [1.0, -2.0, 1.0];
    let y = biquad(&x, shelf, [-1.690_659_293_182_41, 0.732_480_774_215_85]);
    let y = biquad(&y, high, [-1.990_047_454_833_98, 0.990_072_250_366_21]);
    for (k, frame) in measured(48_000, &noise).iter().enumerate().skip(40) {
        let window = &y[(k + 1 - 40) * 480..(k + 1) * 480];
        let mean = window.iter().map(|y| y * y).sum::<f64>() / window.len() as f64;
        assert!(close(frame[0], 10.0 * mean.log10() - 0.691, 1e-4), "{k}");
    }
}

#[test]
fn a_peak_between_samples_counts() {
    // A quarter of the rate, so phased that no sample is larger than 0.707 of the wave.
    for rate in [24_000, 48_000] {
        let hz = f64::from(rate) / 4.0;
        let at = |n: usize| (TAU * hz * n as f64 / f64::from(rate) + TAU / 8.0).sin() as f32 * 0.5;
        let x: Vec<f32> = (0..rate as usize).map(at).collect();
        let most = x.iter().fold(0.0f32, |a, x| a.max(x.abs()));
        assert!(most < 0.36);
        for frame in &measured(rate, &x)[2..] {
            assert!(close(frame[2], -6.02, 0.1), "{}", frame[2]);
        }
    }
    // Anywhere between, up to 0.8 of the Nyquist frequency.
    for k in 1..=16 {
        let x = sine(48_000, 1200.0 * f64::from(k) + 7.0, 0.5, 0.2);
        let frame = measured(48_000, &x)[10];
        assert!(close(frame[2], -6.02, 0.1), "{k}: {}", frame[2]);
    }
}

#[test]
fn what_is_no_number_counts_as_silence() {
    let mut x = sine(48_000, 997.0, 0.1, 1.0);
    x[700] = f32::NAN;
    x[900] = f32::INFINITY;
    let mut zeros = x.clone();
    zeros
        .iter_mut()
        .filter(|x| !x.is_finite())
        .for_each(|x| *x = 0.0);
    assert_eq!(measured(48_000, &x), measured(48_000, &zeros));
}

#[test]
fn a_rate_out_of_range_is_refused() {
    let error = Meter::new(7_999).err().unwrap();
    let text = "sample_rate in Hz must lie in 8000..=192000, got 7999";
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("out_of_range", text)
    );
}
