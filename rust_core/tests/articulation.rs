//! Articulation: what the speaker says comes back, how the speaker sounds does not.
#![allow(clippy::expect_used)] // a test fails by panicking
use persona_dsp::{Articulation, DspError};

const BANDS: usize = 80;
const LEVEL: f32 = -4.0;
type Frame = [f32; BANDS];

/// Half waves over the bands, by their number and height.
fn shape(waves: &[(usize, f32)]) -> Frame {
    let mut frame = [LEVEL; BANDS];
    for (band, y) in frame.iter_mut().enumerate() {
        for (k, height) in waves {
            let angle = *k as f32 * (band as f32 + 0.5) / BANDS as f32;
            *y += height * (std::f32::consts::PI * angle).cos();
        }
    }
    frame
}

/// How high one of the half waves stands in a frame.
fn height(frame: &[f32], k: usize) -> f32 {
    let wave = shape(&[(k, 1.0)]);
    let sum: f32 = frame.iter().zip(wave).map(|(y, w)| y * (w - LEVEL)).sum();
    sum * 2.0 / BANDS as f32
}

/// Sounds in turn, each for 12 frames.
fn sounds(count: usize, sound: impl Fn(usize) -> Frame) -> Vec<Frame> {
    (0..count).map(|frame| sound(frame / 12)).collect()
}

/// The louder envelope of each frame: harmonics, with the noise four nepers below.
fn answers(stage: &mut Articulation, own: &[Frame], harmonics: &[Frame]) -> Vec<Frame> {
    let both = |frame: &Frame| [*frame, frame.map(|y| y - 4.0)].concat();
    let mut envelopes: Vec<f32> = harmonics.iter().flat_map(both).collect();
    stage
        .process(&own.concat(), &mut envelopes)
        .expect("whole frames");
    let frames = envelopes.chunks_exact(2 * BANDS).map(|both| {
        let mut frame = [0.0; BANDS];
        frame.copy_from_slice(&both[..BANDS]);
        for (harmonics, noise) in frame.iter().zip(&both[BANDS..]) {
            assert!((harmonics - noise - 4.0).abs() < 1e-4, "both move alike");
        }
        frame
    });
    frames.collect()
}

fn furthest(a: &[Frame], b: &[Frame]) -> f32 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Mean distance of one of the half waves.
fn off(a: &[Frame], b: &[Frame], k: usize) -> f32 {
    let pairs = a.iter().zip(b);
    let sum: f32 = pairs
        .map(|(a, b)| (height(a, k) - height(b, k)).abs())
        .sum();
    sum / a.len() as f32
}

fn vowel(number: usize) -> Frame {
    let angle = number as f32;
    shape(&[
        (1, 0.5 * (1.3 * angle).sin()),
        (5, (2.1 * angle).sin()),
        (9, 0.8 * (0.7 * angle).cos()),
    ])
}

#[test]
fn who_is_answered_exactly_changes_nothing() {
    let same = sounds(600, vowel);
    let out = answers(&mut Articulation::new(), &same, &same);
    assert!(furthest(&out, &same) < 1e-3, "{}", furthest(&out, &same));
}

/// What a network in doubt answers: the mean of this sound and of another.
fn doubtful(number: usize) -> Frame {
    let (one, other) = (vowel(number & !1), vowel(number | 1));
    core::array::from_fn(|band| f32::midpoint(one[band], other[band]))
}

#[test]
fn what_the_network_lacks_of_a_sound_comes_back() {
    let (own, answer) = (sounds(2400, vowel), sounds(2400, doubtful));
    let out = answers(&mut Articulation::new(), &own, &answer);
    for k in [1, 5, 9] {
        let distance = |of: &[Frame]| off(&of[1200..], &own[1200..], k);
        let share = 1.0 - distance(&out) / distance(&answer);
        assert!((0.7..1.1).contains(&share), "{k}: {share}");
    }
}

#[test]
fn what_the_speaker_always_says_otherwise_stays_outside() {
    let answer = sounds(2400, vowel);
    let with_more = |number: usize| {
        let mut frame = vowel(number);
        let (more, wave) = (0.8 * height(&frame, 5), shape(&[(7, 1.0)]));
        for (y, wave) in frame.iter_mut().zip(wave) {
            *y += more * (wave - LEVEL);
        }
        frame
    };
    let own = sounds(2400, with_more);
    let out = answers(&mut Articulation::new(), &own, &answer);
    let distance = |of: &[Frame]| off(&of[1200..], &answer[1200..], 7);
    let (got, all) = (distance(&out), distance(&own));
    assert!(got < 0.15 * all, "{got} of {all}");
}

#[test]
fn the_speakers_colour_level_and_grain_stay_outside() {
    let answer = sounds(1200, vowel);
    let coloured = |number: usize| {
        let grain = if number.is_multiple_of(2) { 0.5 } else { -0.5 };
        let colour = shape(&[(2, 0.8), (6, -0.5), (30, grain)]);
        let mut frame = vowel(number);
        for (y, more) in frame.iter_mut().zip(colour) {
            *y += more - LEVEL + 1.5;
        }
        frame
    };
    let own = sounds(1200, coloured);
    let out = answers(&mut Articulation::new(), &own, &answer);
    let far = furthest(&out[600..], &answer[600..]);
    assert!(far < 0.2, "{far}");
    // Without the time to learn the colour, too: a stream begins with the answers as they are.
    let far = furthest(&out[..3], &answer[..3]);
    assert!(far < 0.1, "{far}");
}

#[test]
fn another_vocal_tract_is_looked_through() {
    // Formants three bands lower above 1 kHz.
    let lower = |number: usize| {
        let there = vowel(number);
        let mut frame = [0.0; BANDS];
        for (band, y) in frame.iter_mut().enumerate() {
            let at = band as f32 + 3.0 * (band as f32 / 23.0).min(1.0);
            let low = (at as usize).min(BANDS - 2);
            let part = (at - low as f32).min(1.0);
            *y = there[low] * (1.0 - part) + there[low + 1] * part;
        }
        frame
    };
    let (right, answer) = (sounds(1800, vowel), sounds(1800, doubtful));
    let moved = answers(&mut Articulation::new(), &sounds(1800, lower), &answer);
    let straight = answers(&mut Articulation::new(), &right, &answer);
    for k in [5, 9] {
        let distance = |of: &[Frame]| off(&of[1200..], &right[1200..], k);
        let (before, best, got) = (distance(&answer), distance(&straight), distance(&moved));
        assert!(best < 0.45 * before, "{k}: {best} of {before}");
        assert!(got < 0.6 * before, "{k}: {got} of {before}");
    }
}

#[test]
fn silence_is_left_to_the_bit_and_teaches_nothing() {
    let silence = vec![[-15.0; BANDS]; 300];
    let noise = sounds(300, |number| vowel(number).map(|y| y - 9.0));
    let mut stage = Articulation::new();
    assert_eq!(answers(&mut stage, &noise, &silence), silence);
    let own = sounds(300, vowel);
    let flat = vec![[LEVEL; BANDS]; 300];
    let after = answers(&mut stage, &own, &flat);
    assert_eq!(after, answers(&mut Articulation::new(), &own, &flat));
}

#[test]
fn what_is_no_number_passes_and_does_not_stay() {
    let own = sounds(200, vowel);
    let flat = vec![[LEVEL; BANDS]; 200];
    let mut stage = Articulation::new();
    let mut broken = vec![f32::NAN; 2 * BANDS];
    stage
        .process(&[f32::NAN; BANDS], &mut broken)
        .expect("one frame");
    let (with, without) = (
        answers(&mut stage, &own, &flat),
        answers(&mut Articulation::new(), &own, &flat),
    );
    assert_eq!(with, without);
    for odd in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let mut stage = Articulation::new();
        answers(&mut stage, &[[odd; BANDS]], &flat[..1]);
        let after = answers(&mut stage, &own, &flat);
        assert!(after.iter().flatten().all(|y| y.is_finite()));
    }
}

#[test]
fn reset_forgets_the_speaker() {
    let (own, flat) = (sounds(300, vowel), vec![[LEVEL; BANDS]; 300]);
    let mut stage = Articulation::new();
    let first = answers(&mut stage, &own, &flat);
    // The mutant: without it the second time is not as the first.
    assert_ne!(answers(&mut stage, &own, &flat), first);
    stage.reset();
    assert_eq!(answers(&mut stage, &own, &flat), first);
}

#[test]
fn frames_that_do_not_match_are_refused() {
    let mut envelopes = vec![LEVEL; 4 * BANDS];
    let refused = Articulation::new().process(&[LEVEL; BANDS], &mut envelopes);
    assert!(matches!(
        refused,
        Err(DspError::Length {
            expected: 160,
            got: 80,
            ..
        })
    ));
    assert_eq!(envelopes, vec![LEVEL; 4 * BANDS]);
}
