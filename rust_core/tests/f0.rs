//! F0 and voicing against contours that are known exactly.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::TAU;

use persona_dsp::{Analyzer, F0Tracker, F0Tracks, HOP};

const RATE_HZ: f64 = 24_000.0;
const LEN: usize = 48_000;
/// Frames at the start whose window still reaches before the first sample.
const SETTLING: usize = 8;

/// F0 in Hz at a time in seconds.
type Contour = fn(f64) -> f64;

const GLIDE: Contour = |t| 80.0 * 5f64.powf(t / 2.0);
const VIBRATO: Contour = |t| 220.0 * 2f64.powf((TAU * 6.0 * t).sin() / 12.0);

/// Harmonics of the contour between `from_hz` and `to_hz`, falling by 6 dB an octave, -20 dBFS.
fn harmonics(f0_hz: impl Fn(f64) -> f64, from_hz: f64, to_hz: f64) -> Vec<f32> {
    let mut phase = 0.0;
    let at = |n: usize| {
        let f0 = f0_hz(n as f64 / RATE_HZ);
        phase += TAU * f0 / RATE_HZ;
        let sounds = |h: &u32| (from_hz..to_hz).contains(&(f64::from(*h) * f0));
        let wave = |h: u32| (phase * f64::from(h) + f64::from(h * h)).sin() / f64::from(h);
        (1..90).filter(sounds).map(wave).sum::<f64>() as f32
    };
    at_level((0..LEN).map(at).collect(), -20.0)
}

fn voice(f0_hz: impl Fn(f64) -> f64) -> Vec<f32> {
    harmonics(f0_hz, 40.0, 5000.0)
}

fn noise() -> Vec<f32> {
    let mut state = 11u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..LEN).map(|_| next()).collect()
}

fn at_level(mut x: Vec<f32>, db: f32) -> Vec<f32> {
    let power: f32 = x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32;
    let gain = 10f32.powf(db / 20.0) / power.sqrt();
    x.iter_mut().for_each(|v| *v *= gain);
    x
}

fn in_noise(x: &[f32], snr_db: f32) -> Vec<f32> {
    let noise = at_level(noise(), -20.0 - snr_db);
    x.iter().zip(&noise).map(|(a, b)| a + b).collect()
}

/// F0 in Hz, voicing, voiced, level in dBFS; frame by frame.
fn track(input: &[f32]) -> Vec<[f32; 4]> {
    let mut output = vec![f32::NAN; 4 * (input.len() / HOP)];
    F0Tracker::new().process(input, &mut output).unwrap();
    output
        .chunks_exact(4)
        .map(|f| [f[0], f[1], f[2], f[3]])
        .collect()
}

/// How far the tracker is off, in cents, in each settled voiced frame, if the frames stood for
/// the moment `late` samples after the one they should.
fn cents_off(input: &[f32], truth: impl Fn(f64) -> f64, late: i64) -> Vec<f64> {
    let lookahead = F0Tracker::new().lookahead() as i64;
    let off = |(k, frame): (usize, [f32; 4])| {
        let moment = ((k + 1) * HOP) as i64 - lookahead + late;
        let f0_hz = truth(moment as f64 / RATE_HZ);
        (frame[2] == 1.0).then(|| 1200.0 * (f64::from(frame[0]) / f0_hz).log2())
    };
    let frames = track(input).into_iter().enumerate().skip(SETTLING);
    frames.filter_map(off).collect()
}

fn worst(cents: &[f64]) -> f64 {
    cents.iter().fold(0.0, |worst, c| c.abs().max(worst))
}

/// Parts of `cents` further off than `limit`.
fn share_beyond(cents: &[f64], limit: f64) -> f64 {
    cents.iter().filter(|c| c.abs() > limit).count() as f64 / cents.len() as f64
}

fn share_voiced(frames: &[[f32; 4]]) -> f64 {
    let settled = &frames[SETTLING..];
    settled.iter().filter(|f| f[2] == 1.0).count() as f64 / settled.len() as f64
}

fn mean_voicing(input: &[f32]) -> f32 {
    let frames = track(input);
    let settled = &frames[SETTLING..];
    settled.iter().map(|f| f[1]).sum::<f32>() / settled.len() as f32
}

#[test]
fn steady_voices_are_within_five_cents_and_always_voiced() {
    for f0_hz in [56.0, 73.0, 98.0, 131.0, 187.3, 220.0, 333.3, 512.0, 690.0] {
        let input = voice(|_| f0_hz);
        assert_eq!(share_voiced(&track(&input)), 1.0, "{f0_hz} Hz");
        let cents = cents_off(&input, |_| f0_hz, 0);
        assert!(worst(&cents) < 5.0, "{f0_hz} Hz: {} cents", worst(&cents));
        let sharp = cents_off(&input, |_| f0_hz * 1.006, 0);
        assert!(worst(&sharp) > 5.0, "cannot tell 10 cents");
    }
}

#[test]
fn a_glide_is_followed_at_its_moment() {
    let input = voice(GLIDE);
    let cents = cents_off(&input, GLIDE, 0);
    assert!(cents.len() > 185);
    assert!(worst(&cents) < 5.0, "{} cents", worst(&cents));
    for late in [-240, 240] {
        // The glide rises by 12 cents a hop.
        assert!(worst(&cents_off(&input, GLIDE, late)) > 10.0);
    }
}

#[test]
fn vibrato_is_followed() {
    let cents = cents_off(&voice(VIBRATO), VIBRATO, 0);
    assert!(cents.len() > 185);
    assert!(worst(&cents) < 15.0, "{} cents", worst(&cents));
    assert!(
        worst(&cents_off(&voice(VIBRATO), |_| 220.0, 0)) > 90.0,
        "the vibrato is not smoothed away"
    );
}

#[test]
fn noise_ten_decibels_below_neither_hides_nor_doubles_the_voice() {
    for contour in [GLIDE, VIBRATO, |_| 95.0, |_| 310.0] {
        let input = in_noise(&voice(contour), 10.0);
        let cents = cents_off(&input, contour, 0);
        assert!(share_voiced(&track(&input)) > 0.98);
        assert_eq!(share_beyond(&cents, 100.0), 0.0);
        assert!(share_beyond(&cents, 30.0) < 0.02);
    }
}

#[test]
fn the_telephone_takes_the_fundamental_but_not_f0() {
    for f0_hz in [110.0, 150.0, 210.0, 260.0] {
        let input = harmonics(|_| f0_hz, 300.0, 3400.0);
        let cents = cents_off(&input, |_| f0_hz, 0);
        assert!(cents.len() > 185, "{f0_hz} Hz: {} voiced", cents.len());
        assert!(worst(&cents) < 10.0, "{f0_hz} Hz: {} cents", worst(&cents));
    }
}

#[test]
fn a_strong_formant_is_not_taken_for_the_voice() {
    // A resonance of 60 Hz bandwidth, tuned to the fourth harmonic: that one is by far the loudest.
    let radius = (-std::f64::consts::PI * 60.0 / RATE_HZ).exp();
    let (a1, a2) = (
        2.0 * radius * (TAU * 440.0 / RATE_HZ).cos(),
        -radius * radius,
    );
    let (mut y1, mut y2) = (0.0, 0.0);
    let rings = |x: f32| {
        let y = f64::from(x) + a1 * y1 + a2 * y2;
        (y1, y2) = (y, y1);
        y as f32
    };
    let input = at_level(voice(|_| 110.0).into_iter().map(rings).collect(), -20.0);
    let cents = cents_off(&input, |_| 110.0, 0);
    assert!(cents.len() > 185);
    assert!(worst(&cents) < 20.0, "{} cents", worst(&cents));
}

#[test]
fn silence_and_noise_are_unvoiced_and_have_no_f0() {
    for input in [vec![0.0; LEN], at_level(noise(), -30.0)] {
        let frames = track(&input);
        assert_eq!(share_voiced(&frames), 0.0);
        assert!(frames.iter().all(|f| f[0] == 0.0 && f[2] == 0.0));
    }
}

#[test]
fn a_faint_hum_after_speech_is_unvoiced() {
    let hum = at_level(voice(|_| 100.0), -65.0);
    let after = |speech: &[f32]| {
        let frames = track(&[speech, &hum[..24_000]].concat());
        share_voiced(&frames[frames.len() - 100..])
    };
    assert_eq!(after(&voice(|_| 180.0)), 0.0);
    // On its own the same hum is as voiced as can be.
    assert_eq!(after(&[]), 1.0);
}

#[test]
fn voicing_falls_steadily_as_noise_rises() {
    let clean = voice(GLIDE);
    let by_snr: Vec<f32> = [40.0, 20.0, 10.0, 5.0, 0.0, -20.0]
        .iter()
        .map(|&snr_db| mean_voicing(&in_noise(&clean, snr_db)))
        .collect();
    assert!(by_snr[0] > 0.97, "{by_snr:?}");
    assert!(by_snr[5] < 0.6, "{by_snr:?}");
    assert!(
        by_snr.windows(2).all(|pair| pair[1] < pair[0] - 0.001),
        "{by_snr:?}"
    );
}

#[test]
fn the_level_is_that_of_the_stretch_below_2_khz() {
    for level_db in [-10.0f32, -30.0, -55.0] {
        let mut input = voice(|_| 150.0);
        let power = input.iter().map(|x| x * x).sum::<f32>() / input.len() as f32;
        let gain = 10f32.powf(level_db / 20.0) / power.sqrt();
        input.iter_mut().for_each(|x| *x *= gain);
        let frames = track(&input);
        for frame in &frames[SETTLING..] {
            // What lies above 2 kHz is missing, and 17 ms are not a whole number of periods.
            let off = frame[3] - level_db;
            assert!((-3.0..=1.5).contains(&off), "{level_db} dBFS: {off} dB");
        }
    }
    assert!(track(&[0.0; 4800]).iter().all(|frame| frame[3] == -70.0));
}

/// Frames of a track before it has heard enough.
const TOLD_AGAIN: usize = 15;

/// The three numbers of both tracks, frame by frame: F0 in Hz, confidence, voiced.
fn tracks(input: &[f32]) -> [Vec<[f32; 3]>; 2] {
    let mut output = vec![f32::NAN; 6 * (input.len() / HOP)];
    F0Tracks::new().process(input, &mut output).unwrap();
    [0, 3].map(|first| {
        let frames = output.chunks_exact(6);
        frames
            .map(|f| [f[first], f[first + 1], f[first + 2]])
            .collect()
    })
}

fn lookaheads() -> [i64; 2] {
    [F0Tracks::new().lookahead(), F0Tracks::LATE_LOOKAHEAD].map(|samples| samples as i64)
}

/// Of each track, how far it is off, in cents, in each settled frame: infinitely where it is unvoiced.
fn tracks_off(input: &[f32], truth: impl Fn(f64) -> f64, late: i64) -> [Vec<f64>; 2] {
    let mut found = tracks(input).into_iter().zip(lookaheads());
    [(); 2].map(|()| {
        let (frames, lookahead) = found.next().unwrap();
        let off = |(k, frame): (usize, [f32; 3])| {
            let moment = ((k + 1) * HOP) as i64 - lookahead + late;
            let f0_hz = truth(moment as f64 / RATE_HZ);
            1200.0 * (f64::from(frame[0]) / f0_hz).log2()
        };
        let settled = frames.into_iter().enumerate().skip(TOLD_AGAIN);
        settled.map(off).collect()
    })
}

#[test]
fn both_tracks_follow_steady_voices_and_a_glide() {
    for f0_hz in [73.0, 98.0, 131.0, 187.3, 220.0, 333.3, 512.0, 690.0, 850.0] {
        for cents in tracks_off(&voice(|_| f0_hz), |_| f0_hz, 0) {
            assert!(worst(&cents) < 12.0, "{f0_hz} Hz: {} cents", worst(&cents));
        }
    }
    for cents in tracks_off(&voice(GLIDE), GLIDE, 0) {
        assert!(worst(&cents) < 25.0, "{} cents", worst(&cents));
    }
}

#[test]
fn both_tracks_stand_for_their_moment_in_a_glide() {
    // The law asks for a jump to be seen at once; neither track believes one before it has heard more.
    let off = |late| tracks_off(&voice(GLIDE), GLIDE, late).map(|cents| mean(&cents));
    for cents in off(0) {
        assert!(cents.abs() < 4.0, "{cents} cents");
    }
    for late in [-240, 240] {
        // In a hop the glide rises by 12 cents.
        assert!(off(late).iter().all(|cents| cents.abs() > 8.0));
    }
}

#[test]
fn what_comes_after_corrects_the_fast_track() {
    for contour in [GLIDE, VIBRATO, |_| 95.0, |_| 310.0] {
        let [fast, late] = tracks_off(&in_noise(&voice(contour), 0.0), contour, 0);
        let [fast, late] = [fast, late].map(|cents| share_beyond(&cents, 50.0));
        assert!(
            late <= fast + 0.01,
            "{late} of the late track, {fast} of the fast one"
        );
        assert!(late < 0.1, "{late}");
    }
}

#[test]
fn noise_alone_is_unvoiced_in_both_tracks() {
    for input in [
        vec![0.0; LEN],
        at_level(noise(), -30.0),
        at_level(noise(), -60.0),
    ] {
        for frames in tracks(&input) {
            let voiced = frames.iter().filter(|f| f[2] == 1.0).count();
            // Within noise a stretch may be periodic by chance.
            assert!(voiced <= frames.len() / 50, "{voiced} of {}", frames.len());
            assert!(frames.iter().all(|f| (f[0] == 0.0) == (f[2] == 0.0)));
        }
    }
}

#[test]
fn confidence_falls_as_noise_rises() {
    let at = |snr_db: f32| {
        let sure = |frames: Vec<[f32; 3]>| -> Vec<f64> {
            let settled = frames[TOLD_AGAIN..].iter();
            settled.map(|f| f64::from(f[1])).collect()
        };
        tracks(&in_noise(&voice(GLIDE), snr_db)).map(|frames| mean(&sure(frames)))
    };
    let [quiet, loud] = [20.0, -10.0].map(at);
    for (quiet, loud) in quiet.iter().zip(loud) {
        assert!(*quiet > 0.95 && loud < quiet - 0.05, "{quiet}, {loud}");
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}
