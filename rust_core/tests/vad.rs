//! Whatever the rate, the same is heard; and what is no speech is not taken for it.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::TAU;

use persona_dsp::{Analyzer, Vad, RATE};

const RATES: [u32; 9] = [
    8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 192_000,
];

/// A voice at any rate, the same in hertz: gliding harmonics below 3.5 kHz through a formant that moves.
fn voice(seconds: f64, rate: u32) -> Vec<f32> {
    let mut phase = 0.0;
    let at = |n: usize| {
        let t = n as f64 / f64::from(rate);
        let f0 = 150.0 * 2f64.powf(0.3 * (TAU * 0.7 * t).sin());
        phase += TAU * f0 / f64::from(rate);
        let formant = 700.0 + 400.0 * (TAU * 2.3 * t).sin();
        let wave = |h: u32| {
            let hz = f64::from(h) * f0;
            ((-((hz - formant) / 400.0).powi(2)).exp() + 0.02) * (phase * f64::from(h)).sin()
        };
        0.1 * (TAU * 2.5 * t).sin().abs() * (1..20).map(wave).sum::<f64>()
    };
    let samples = (seconds * f64::from(rate)) as usize;
    (0..samples).map(at).map(|x| x as f32).collect()
}

fn noise(seconds: f64) -> Vec<f32> {
    let mut state = 5u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let len = (seconds * f64::from(RATE)) as usize;
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
    let len = (seconds * f64::from(RATE)) as usize;
    let wave = |n: usize, h: f64| (TAU * 100.0 * h * n as f64 / f64::from(RATE)).sin() / h;
    let at = |n: usize| (1..12).map(|h| wave(n, f64::from(h))).sum::<f64>() as f32;
    (0..len).map(at).collect()
}

fn at_level(mut x: Vec<f32>, db: f32) -> Vec<f32> {
    let power: f32 = x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32;
    let gain = 10f32.powf(db / 20.0) / power.sqrt();
    x.iter_mut().for_each(|v| *v *= gain);
    x
}

fn heard(mut vad: Vad, input: &[f32]) -> Vec<f32> {
    let mut output = vec![f32::NAN; 3 * vad.frames(input.len())];
    vad.process(input, &mut output).unwrap();
    assert!(output.iter().all(|p| (0.0..=1.0).contains(p)));
    output
}

/// The largest difference of the probabilities.
fn apart(one: &[f32], other: &[f32]) -> f32 {
    let each = one.iter().step_by(3).zip(other.iter().step_by(3));
    each.fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn the_same_is_heard_at_every_rate() {
    let expected = heard(Vad::new(), &voice(3.0, RATE));
    let highest = expected.iter().step_by(3).fold(0.0f32, |a, b| a.max(*b));
    assert!(highest > 0.5, "it changes at all: {highest}");
    for rate in RATES.into_iter().filter(|rate| *rate >= 16_000) {
        let got = heard(Vad::at(rate).unwrap(), &voice(3.0, rate));
        let off = apart(&got, &expected);
        assert!(off < 0.1, "{rate} Hz: {off}");
    }
    // The check can fail: the same samples at a rate that is not theirs.
    let wrong = heard(Vad::at(16_000).unwrap(), &voice(3.0, RATE));
    assert!(apart(&wrong, &expected) > 0.1);
}

#[test]
fn a_frame_is_given_every_10_ms_at_every_rate_however_the_stream_is_cut() {
    for rate in RATES {
        let input = voice(1.3, rate);
        let whole = heard(Vad::at(rate).unwrap(), &input);
        assert_eq!(whole.len() / 3, input.len() * 100 / rate as usize, "{rate}");
        for cut in [1, 109, 111, 480, 4001] {
            let (mut vad, mut got) = (Vad::at(rate).unwrap(), Vec::new());
            for block in input.chunks(cut) {
                let mut output = vec![f32::NAN; 3 * vad.frames(block.len())];
                vad.process(block, &mut output).unwrap();
                got.extend(output);
            }
            assert_eq!(got, whole, "{rate} Hz in blocks of {cut}");
        }
    }
}

#[test]
fn a_rate_that_no_sound_has_is_refused() {
    for rate in [0, 7_999, 192_001] {
        let refused = Vad::at(rate).err().unwrap();
        let expected = format!("sample_rate in Hz must lie in 8000..=192000, got {rate}");
        assert_eq!(refused.to_string(), expected);
    }
}

/// Hop by hop, whether it is called speech: at three levels, one after the other.
fn taken_for_speech(sound: &[f32]) -> Vec<f32> {
    [-70.0, -45.0, -20.0]
        .map(|db| heard(Vad::new(), &at_level(sound.to_vec(), db)))
        .iter()
        .flat_map(|frames| frames.chunks(3).map(|f| f[1]).collect::<Vec<_>>())
        .collect()
}

#[test]
fn steady_noise_is_never_speech() {
    for (name, sound) in [("noise", noise(10.0)), ("rumble", rumble(10.0))] {
        assert!(taken_for_speech(&sound).iter().all(|&f| f == 0.0), "{name}");
    }
}

/// A buzz out of nothing is like a vowel; what goes on without a change is none.
#[test]
fn a_hum_is_no_speech_after_two_seconds() {
    let hops = taken_for_speech(&hum(10.0));
    for (at, frames) in hops.chunks(1000).enumerate() {
        assert!(frames[200..].iter().all(|&f| f == 0.0), "level {at}");
    }
}

#[test]
fn onset_is_told_with_speech_and_alone_for_60_ms_at_most() {
    let bursts = |n: usize| {
        if (n / 5000).is_multiple_of(3) {
            1.0
        } else {
            0.0
        }
    };
    let sound = voice(8.0, RATE);
    let sound: Vec<f32> = sound
        .iter()
        .enumerate()
        .map(|(n, x)| x * bursts(n))
        .collect();
    let (mut alone, mut onsets) = (0, 0);
    for frame in heard(Vad::new(), &sound).chunks(3) {
        assert!(frame[2] >= frame[1]);
        alone = if frame[2] > frame[1] { alone + 1 } else { 0 };
        assert!(alone <= 6);
        onsets += u32::from(alone == 1);
    }
    assert!(onsets > 2, "{onsets}");
}
