//! Where speech of any level ends up, how fast, and that nothing else moves the gain.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::{PI, TAU};

use persona_dsp::{Analyzer, Leveller, Stage, Vad, HOP};

const RATE: usize = 24_000;
const TARGET_DB: f64 = -26.0;

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Syllables of four a second, each of a height of its own; a breath every two seconds. Harmonics that
/// glide, through three formants, and hiss between: the detector takes no buzz for a voice.
fn speech(seconds: usize) -> Vec<f32> {
    let hiss = noise(5, seconds * RATE);
    let height = noise(9, seconds * 4);
    let mut phase = 0.0;
    let at = |n: usize| {
        let t = n as f64 / RATE as f64;
        let syllable = (t * 4.0) as usize;
        let swell = (t * 4.0 * PI).sin().powi(2);
        let breath = if syllable % 8 == 7 { 0.0 } else { 1.0 };
        let f0 = 120.0 * 2f64.powf(0.25 * (TAU * 0.7 * t).sin());
        phase += TAU * f0 / RATE as f64;
        let first = 500.0 + 250.0 * (TAU * 2.3 * t).sin();
        let wave = |h: u32| {
            let formant = |hz: f64, width: f64| (-((f64::from(h) * f0 - hz) / width).powi(2)).exp();
            let higher = 0.4 * formant(1500.0, 300.0) + 0.2 * formant(2500.0, 400.0);
            (formant(first, 200.0) + higher + 0.02) * (phase * f64::from(h)).sin()
        };
        let voice: f64 = (1..30).map(wave).sum();
        let size = 0.08 * (1.0 + 0.5 * f64::from(height[syllable]));
        let hiss = f64::from(hiss[n]);
        let consonant = 0.3 * (1.0 - swell).powi(4) * hiss;
        (size * breath * (swell * (voice + 0.05 * hiss) + consonant)) as f32
    };
    (0..seconds * RATE).map(at).collect()
}

/// In dBFS, of the hops less than 10 dB below the mean of all: as a level of speech is measured.
fn level(x: &[f32]) -> f64 {
    let powers: Vec<f64> = x
        .chunks_exact(HOP)
        .map(|hop| hop.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / HOP as f64)
        .collect();
    let mean = powers.iter().sum::<f64>() / powers.len() as f64;
    let loud: Vec<f64> = powers.into_iter().filter(|p| *p > mean / 10.0).collect();
    10.0 * (loud.iter().sum::<f64>() / loud.len() as f64).log10()
}

fn at_level(x: &[f32], db: f64) -> Vec<f32> {
    let gain = 10f64.powf((db - level(x)) / 20.0) as f32;
    x.iter().map(|x| x * gain).collect()
}

/// A room that is never quite silent, 30 dB below.
fn in_a_room(x: &[f32], db: f64) -> Vec<f32> {
    let room = noise(3, x.len());
    let size = 10f64.powf((db - 30.0) / 20.0) as f32;
    x.iter().zip(room).map(|(x, r)| x + r * size).collect()
}

/// Hop by hop with a detector beside it: what comes out, and the gain after each hop.
fn levelled(x: &[f32]) -> (Vec<f32>, Vec<f64>) {
    let (mut vad, mut leveller) = (Vad::new(), Leveller::new(RATE as u32, TARGET_DB).unwrap());
    let (mut output, mut gains) = (Vec::new(), Vec::new());
    for hop in x.chunks_exact(HOP) {
        let mut frame = [0.0; 3];
        vad.process(hop, &mut frame).unwrap();
        leveller.set_speech(frame[1] > 0.5);
        let mut room = [f32::NAN; HOP];
        leveller.process(hop, &mut room).unwrap();
        output.extend(room);
        gains.push(leveller.gain_db());
    }
    (output, gains)
}

#[test]
fn after_a_second_and_a_half_speech_is_within_a_decibel_of_its_level() {
    for db in [-50.0, -42.0, -34.0, -26.0, -18.0, -12.0] {
        let said = in_a_room(&at_level(&speech(12), db), db);
        let input = [vec![0.0; RATE / 2], said].concat();
        let (output, gains) = levelled(&input);
        let settled = level(&output[2 * RATE..]);
        assert!((settled - TARGET_DB).abs() < 1.0, "{db}: {settled:.2}");
        // Not only in the end: by what was said till then.
        let expected = TARGET_DB - level(&input[RATE / 2..2 * RATE]);
        let then = gains[200];
        assert!((then - expected).abs() < 1.0, "{db}: {then:.2}, {expected}");
        assert!((then - 2.1 - expected).abs() > 1.0, "2 dB off passes");
        assert!((then + 2.1 - expected).abs() > 1.0, "2 dB off passes");
    }
}

#[test]
fn later_the_gain_moves_by_six_decibels_a_second_at_most() {
    let (quiet, loud) = (at_level(&speech(6), -45.0), at_level(&speech(6), -15.0));
    let (_, gains) = levelled(&[loud.clone(), quiet, loud].concat());
    let steepest = gains[200..]
        .windows(101)
        .map(|w| (w[100] - w[0]).abs())
        .fold(0.0, f64::max);
    assert!(steepest < 6.01, "{steepest}");
    assert!(steepest > 3.0, "it never had to");
    // And it follows: by 30 dB if they go on so, by 10 and more of them within 6 s.
    assert!(
        gains[1200] > gains[600] + 10.0,
        "{} {}",
        gains[600],
        gains[1200]
    );
}

#[test]
fn noise_alone_does_not_move_it() {
    let said = in_a_room(&at_level(&speech(4), -30.0), -30.0);
    for db in [-70.0, -50.0, -40.0] {
        let fan: Vec<f32> = noise(8, 4 * RATE)
            .iter()
            .map(|x| x * 10f64.powf(db / 20.0) as f32 * 1.732)
            .collect();
        let (_, alone) = levelled(&fan);
        assert!(alone[200] < 1.0, "{db}: {}", alone[200]);
        let (_, after) = levelled(&[said.clone(), fan].concat());
        let rise = after[600..]
            .iter()
            .map(|g| g - after[400])
            .fold(0.0, f64::max);
        assert!(rise < 1.0, "after speech {db}: {rise}");
    }
    let mut deaf = Leveller::new(RATE as u32, TARGET_DB).unwrap();
    deaf.set_speech(true); // the mutant: a detector that takes all for speech
    let fan: Vec<f32> = noise(8, 2 * RATE).iter().map(|x| x * 0.001).collect();
    let mut room = vec![0.0; fan.len()];
    deaf.process(&fan, &mut room).unwrap();
    assert!(deaf.gain_db() > 10.0);
}

#[test]
fn a_quiet_sentence_between_others_stays_quiet() {
    let sentence = |db: f64| [at_level(&speech(3), db), vec![0.0; RATE / 2]].concat();
    let input = [-26.0, -26.0, -31.0, -26.0].map(sentence).concat();
    let (_, gains) = levelled(&input);
    let (before, after) = (gains[690], gains[1040]);
    assert!((after - before).abs() < 2.0, "{before:.2} to {after:.2}");
    // From the end of one sentence to the beginning of the next nothing moves at all.
    assert!((gains[1055] - gains[1040]).abs() < 0.3);
}

#[test]
fn where_nobody_speaks_samples_pass_unchanged() {
    let x = noise(2, 5000);
    let mut leveller = Leveller::new(48_000, TARGET_DB).unwrap();
    let mut y = vec![f32::NAN; x.len()];
    leveller.process(&x, &mut y).unwrap();
    assert_eq!(x, y);
}

#[test]
fn a_target_out_of_range_is_refused() {
    for target_db in [-40.5, -9.0, f64::NAN] {
        let error = Leveller::new(48_000, target_db).err().unwrap();
        let text = format!("target_db must lie in -40..=-10, got {target_db}");
        assert_eq!((error.code(), error.to_string()), ("out_of_range", text));
    }
}
