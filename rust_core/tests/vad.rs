//! What is taken for speech, and for how long.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::TAU;

use persona_dsp::{Analyzer, Vad, HOP};

const SECOND: usize = 24_000;

/// Syllables, five a second: a gliding voice of 30 harmonics through two formants, -20 dBFS.
fn speech(seconds: f64) -> Vec<f32> {
    let mut phase = 0.0;
    let at = |n: usize| {
        let t = n as f64 / SECOND as f64;
        let f0 = 150.0 * 2f64.powf(0.3 * (TAU * 0.7 * t).sin());
        phase += TAU * f0 / SECOND as f64;
        let first = 500.0 + 250.0 * (TAU * 2.3 * t).sin();
        let wave = |h: u32| {
            let hz = f64::from(h) * f0;
            let formant = |at: f64, width: f64| (-((hz - at) / width).powi(2)).exp();
            let gain = formant(first, 200.0) + 0.4 * formant(1500.0, 300.0) + 0.02;
            gain * (phase * f64::from(h)).sin()
        };
        let syllable = (TAU * 2.5 * t).sin().abs();
        (syllable * (1..30).map(wave).sum::<f64>()) as f32
    };
    at_level(
        (0..(seconds * SECOND as f64) as usize).map(at).collect(),
        -20.0,
    )
}

fn noise(seconds: f64) -> Vec<f32> {
    let mut state = 5u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let len = (seconds * SECOND as f64) as usize;
    (0..len).map(|_| next()).collect()
}

/// Noise that falls by 6 dB an octave above 100 Hz, as of traffic.
fn rumble(seconds: f64) -> Vec<f32> {
    let mut low = 0.0;
    let fall = |x: f32| {
        low += 0.026 * (x - low);
        low
    };
    noise(seconds).into_iter().map(fall).collect()
}

fn hum(seconds: f64) -> Vec<f32> {
    let len = (seconds * SECOND as f64) as usize;
    let wave = |n: usize, h: f64| (TAU * 100.0 * h * n as f64 / SECOND as f64).sin() / h;
    let at = |n: usize| (1..12).map(|h| wave(n, f64::from(h))).sum::<f64>() as f32;
    (0..len).map(at).collect()
}

fn silence(seconds: f64) -> Vec<f32> {
    vec![0.0; (seconds * SECOND as f64) as usize]
}

fn at_level(mut x: Vec<f32>, db: f32) -> Vec<f32> {
    let power: f32 = x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32;
    let gain = 10f32.powf(db / 20.0) / power.sqrt();
    x.iter_mut().for_each(|v| *v *= gain);
    x
}

fn mix(x: &[f32], y: &[f32]) -> Vec<f32> {
    x.iter().zip(y).map(|(a, b)| a + b).collect()
}

/// Hop by hop, whether it is speech.
fn heard(input: &[f32]) -> Vec<bool> {
    let mut output = vec![f32::NAN; 2 * (input.len() / HOP)];
    Vad::new().process(input, &mut output).unwrap();
    assert!(output.iter().all(|p| (0.0..=1.0).contains(p)));
    output
        .chunks_exact(2)
        .map(|frame| frame[1] == 1.0)
        .collect()
}

fn share(heard: &[bool]) -> f64 {
    heard.iter().filter(|&&speech| speech).count() as f64 / heard.len() as f64
}

#[test]
fn speech_is_heard_at_once_and_its_end_after_the_hangover() {
    let input = [silence(1.0), speech(2.0), silence(1.0)].concat();
    let heard = heard(&input);
    let begin = heard.iter().position(|&speech| speech).unwrap();
    assert!((100..105).contains(&begin), "begins at hop {begin}");
    let hops = heard.iter().filter(|&&speech| speech).count();
    // 2 s, 200 ms of hangover, and 70 to 140 ms until the smoothed level has fallen by 20 dB.
    assert!((227..235).contains(&hops), "{hops} hops");
    assert_eq!(share(&heard[begin..begin + hops]), 1.0);
}

#[test]
fn steady_sounds_are_never_speech() {
    for sound in [noise(20.0), rumble(20.0), hum(20.0)] {
        for db in [-70.0, -45.0, -20.0] {
            assert_eq!(share(&heard(&at_level(sound.clone(), db))), 0.0, "{db} dB");
        }
    }
}

#[test]
fn noise_that_begins_after_digital_silence_is_not_speech() {
    let input = [silence(0.5), at_level(noise(5.0), -40.0)].concat();
    assert_eq!(share(&heard(&input)), 0.0);
}

#[test]
fn a_fan_switched_on_is_the_room_after_four_seconds() {
    let before = at_level(noise(4.0), -70.0);
    let heard = heard(&[before, at_level(noise(6.0), -35.0)].concat());
    assert_eq!(share(&heard[..400]), 0.0);
    assert_eq!(share(&heard[410..600]), 1.0, "at first nobody can know");
    assert_eq!(share(&heard[800..]), 0.0);
}

#[test]
fn speech_is_heard_in_noise_of_any_colour_and_pauses_are_not() {
    let words = [silence(1.5), speech(2.0), silence(1.0), speech(1.5)].concat();
    let seconds = 6.0;
    for (colour, sound) in [
        ("white", noise(seconds)),
        ("red", rumble(seconds)),
        ("hum", hum(seconds)),
    ] {
        let heard = heard(&mix(&words, &at_level(sound, -30.0)));
        assert_eq!(share(&heard[..150]), 0.0, "{colour}");
        assert!(share(&heard[150..350]) > 0.95, "{colour}");
        assert_eq!(share(&heard[380..445]), 0.0, "{colour}");
        assert!(share(&heard[455..]) > 0.95, "{colour}");
    }
}

#[test]
fn closures_are_bridged_and_pauses_are_not() {
    let with_gap = |gap_s: f64| {
        let input = [silence(0.5), speech(1.0), silence(gap_s), speech(1.0)].concat();
        let heard = heard(&input);
        heard
            .windows(2)
            .filter(|pair| pair == &[false, true])
            .count()
    };
    assert_eq!(with_gap(0.1), 1);
    assert_eq!(with_gap(0.5), 2);
}
