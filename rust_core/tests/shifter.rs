//! The shifter: F0 lies where it is put, formants where they were, and nothing clicks.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use persona_dsp::{Shift, Shifter, Stage};

const RATE: f64 = 48_000.0;

/// Amplitude of the envelope: formants at 700 and 2300 Hz, 12 dB and more above what lies between.
fn envelope(hz: f64) -> f64 {
    let formant = |at: f64, width: f64| (-((hz - at) / width).powi(2)).exp();
    0.2 * (0.05 + formant(700.0, 350.0) + 0.6 * formant(2300.0, 500.0))
}

/// A voice of steady F0 with all harmonics up to 5 kHz, in phase.
fn voice(f0: f64, samples: usize) -> Vec<f32> {
    let at = |n: usize| {
        let turn = std::f64::consts::TAU * f0 * n as f64 / RATE;
        let wave = |k: usize| envelope(k as f64 * f0) * (turn * k as f64).cos();
        (1..=(5000.0 / f0) as usize).map(wave).sum::<f64>() as f32
    };
    (0..samples).map(at).collect()
}

fn moved(f0_semitones: f32, tract_octaves: f32) -> Shifter {
    let mut shifter = Shifter::new(RATE as u32).unwrap();
    let shift = Shift {
        f0_semitones,
        tract_octaves,
    };
    shifter.set_shift(shift).unwrap();
    shifter.reset();
    shifter
}

fn run(shifter: &mut Shifter, x: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; x.len()];
    shifter.process(x, &mut y).unwrap();
    y
}

/// Amplitude of the sine at `hz`, under a Hann window.
fn amplitude(x: &[f32], hz: f64) -> f64 {
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, &v) in x.iter().enumerate() {
        let w = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / x.len() as f64).cos();
        let angle = std::f64::consts::TAU * hz * n as f64 / RATE;
        re += w * f64::from(v) * angle.cos();
        im += w * f64::from(v) * angle.sin();
        all += w;
    }
    2.0 * re.hypot(im) / all
}

/// Cents by which harmonic `h` of `f0` lies off, looked for within 30 each way.
fn cents_off(x: &[f32], f0: f64, h: f64) -> f64 {
    let hz = |cents: f64| h * f0 * (cents / 1200.0).exp2();
    let grid = (-60..=60).map(|k| f64::from(k) / 2.0);
    let best = |a: &f64, b: &f64| amplitude(x, hz(*a)).total_cmp(&amplitude(x, hz(*b)));
    grid.max_by(best).unwrap()
}

/// Root mean square distance in dB of harmonics 2 to 15 of `f0` from the envelope, a gain left out.
fn off_db(x: &[f32], f0: f64, wanted: impl Fn(f64) -> f64) -> f64 {
    let off = |k: u32| {
        let hz = f64::from(k) * f0;
        20.0 * (amplitude(x, hz) / wanted(hz)).log10()
    };
    let all: Vec<f64> = (2..16).map(off).collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    (all.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / all.len() as f64).sqrt()
}

#[test]
fn f0_lies_where_it_is_put() {
    for (f0, semitones) in [(110.0, 4.0), (110.0, -4.0), (210.0, 4.0), (210.0, -4.0)] {
        let y = run(&mut moved(semitones, 0.0), &voice(f0, 60_000));
        let wanted = f0 * f64::from(semitones / 12.0).exp2();
        let off = cents_off(&y[24_000..], wanted, 5.0);
        assert!(off.abs() <= 2.0, "{f0} {semitones}: {off} cents");
        let unmoved = amplitude(&y[24_000..], f0);
        assert!(unmoved < 0.1 * amplitude(&y[24_000..], wanted), "{f0}");
    }
    // The mutant: 10 cents off shows.
    let off = cents_off(&voice(110.0 * (10f64 / 1200.0).exp2(), 36_000), 110.0, 5.0);
    assert!((off - 10.0).abs() <= 1.0, "{off}");
}

#[test]
fn formants_stay_when_f0_moves() {
    for semitones in [4.0, -4.0] {
        let y = run(&mut moved(semitones, 0.0), &voice(120.0, 60_000));
        let ratio = f64::from(semitones / 12.0).exp2();
        let kept = off_db(&y[24_000..], 120.0 * ratio, envelope);
        let went_along = off_db(&y[24_000..], 120.0 * ratio, |hz| envelope(hz / ratio));
        assert!(kept < 2.5, "{semitones}: {kept} dB");
        assert!(went_along > 2.0 * kept, "{semitones}: {went_along} {kept}");
    }
}

#[test]
fn formants_move_when_the_tract_does_and_f0_stays() {
    for tract in [0.25f32, -0.25] {
        let y = run(&mut moved(0.0, tract), &voice(120.0, 60_000));
        let ratio = f64::from(tract).exp2();
        let moved = off_db(&y[24_000..], 120.0, |hz| envelope(hz * ratio));
        let stayed = off_db(&y[24_000..], 120.0, envelope);
        assert!(
            moved < 3.0 && stayed > 1.5 * moved,
            "{tract}: {moved} {stayed}"
        );
        assert!(cents_off(&y[24_000..], 120.0, 5.0).abs() <= 2.0);
    }
}

#[test]
fn without_a_shift_the_samples_are_those_that_went_in() {
    let mut x = voice(140.0, 30_000);
    x.extend(voice(0.7, 5_000).iter().map(|_| 0.0));
    x.extend(voice(230.0, 30_000));
    let off_db = |shifter: &mut Shifter| {
        let y = run(shifter, &x);
        let late = &y[shifter.latency()..];
        let off: f64 = x
            .iter()
            .zip(late)
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum();
        10.0 * (off / x.iter().map(|a| f64::from(*a).powi(2)).sum::<f64>()).log10()
    };
    let same = off_db(&mut moved(0.0, 0.0));
    assert!(same < -120.0, "{same} dB");
    let other = off_db(&mut moved(0.1, 0.0));
    assert!(other > -20.0, "{other} dB");
}

#[test]
fn no_change_of_shift_clicks() {
    let x = voice(130.0, 96_000);
    let step = |y: &[f32]| {
        let steps = y.windows(2).map(|w| f64::from((w[1] - w[0]).abs()));
        steps.fold(0.0, f64::max)
    };
    let corners = [(12.0, -0.5), (12.0, 0.5), (-12.0, -0.5), (-12.0, 0.5)];
    let steady = corners.map(|(f0, tract)| step(&run(&mut moved(f0, tract), &x)[24_000..]));
    let steady = steady.into_iter().fold(0.0, f64::max);
    let mut shifter = moved(0.0, 0.0);
    let (mut worst, mut peak) = (0.0f64, 0.0f32);
    for (n, block) in x.chunks(1_200).enumerate() {
        let turn = corners[n % 4];
        let shift = Shift {
            f0_semitones: turn.0,
            tract_octaves: turn.1,
        };
        shifter.set_shift(shift).unwrap();
        let y = run(&mut shifter, block);
        // The voice itself begins with a step.
        if n >= 20 {
            worst = worst.max(step(&y));
            peak = y.iter().fold(peak, |a, b| a.max(b.abs()));
        }
    }
    assert!(worst < 1.41 * steady, "{worst} {steady}");
    // The mutant: what is torn off at its peak is seen.
    assert!(f64::from(peak) > 1.41 * steady, "{peak} {steady}");
}

#[test]
fn a_shift_is_reached_in_200_ms_and_one_out_of_range_changes_nothing() {
    let mut shifter = moved(0.0, 0.0);
    let wanted = Shift {
        f0_semitones: 4.0,
        tract_octaves: 0.1,
    };
    shifter.set_shift(wanted).unwrap();
    run(&mut shifter, &[0.0; 4_800]);
    assert!((shifter.shift().f0_semitones - 2.0).abs() < 1e-4);
    run(&mut shifter, &[0.0; 4_800]);
    assert_eq!(shifter.shift(), wanted);
    for (f0_semitones, tract_octaves) in [(f32::NAN, 0.0), (13.0, 0.0), (0.0, -0.6)] {
        let absurd = Shift {
            f0_semitones,
            tract_octaves,
        };
        let refused = shifter.set_shift(absurd).map_err(|error| error.code());
        assert_eq!(refused, Err("out_of_range"));
    }
    assert_eq!(shifter.shift(), wanted);
    assert!(Shifter::new(8_000).is_err() && Shifter::new(192_000).is_err());
}
