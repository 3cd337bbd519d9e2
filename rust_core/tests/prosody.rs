//! Prosody: any speaker lands in the register, at once, and keeps their melody.
#![allow(clippy::expect_used)] // a test fails by panicking
use persona_dsp::{Delivery, Prosody, ProsodyTargets};

const REGISTER: f32 = 195.0;

fn prosody(range: f32) -> Prosody {
    Prosody::new(ProsodyTargets {
        register_hz: REGISTER,
        range,
    })
    .expect("valid targets")
}

/// A melody around `mean_hz`: voiced frames with a pause in every second.
fn melody(mean_hz: f64, frames: usize) -> Vec<f32> {
    (0..frames)
        .flat_map(|k| {
            let octaves = 0.25 * (k as f64 / 17.0).sin() + 0.1 * (k as f64 / 5.3).sin();
            let voiced = k % 100 < 70;
            let f0 = if voiced {
                (mean_hz * octaves.exp2()) as f32
            } else {
                0.0
            };
            let yes = f32::from(u8::from(voiced));
            [f0, yes, yes, -25.0 - 45.0 * (1.0 - yes)]
        })
        .collect()
}

fn run(stage: &mut Prosody, frames: &[f32]) -> Vec<f32> {
    let mut out = vec![f32::NAN; frames.len() / Prosody::WIDTH];
    assert_eq!(
        stage.process(frames, &mut out),
        Ok(frames.len() / Prosody::WIDTH)
    );
    out
}

fn mean_octaves(f0: &[f32]) -> f64 {
    f0.iter().map(|&hz| f64::from(hz).log2()).sum::<f64>() / f0.len() as f64
}

#[test]
fn men_and_women_land_in_the_register() {
    for mean_hz in [85.0, 110.0, 140.0, 180.0, 220.0, 260.0] {
        let out = run(&mut prosody(1.0), &melody(mean_hz, 2000));
        let semitones = 12.0 * (mean_octaves(&out[1000..]) - f64::from(REGISTER).log2());
        assert!(
            semitones.abs() < 1.0,
            "{mean_hz} Hz lands {semitones} semitones off"
        );
    }
}

#[test]
fn the_first_quarter_second_is_within_four_semitones() {
    for mean_hz in [100.0, 120.0, 200.0, 220.0] {
        let out = run(&mut prosody(1.0), &melody(mean_hz, 100));
        let input = melody(mean_hz, 100);
        for k in 8..25 {
            let melody_octaves = f64::from(input[4 * k] / mean_hz as f32).log2();
            let off = 12.0 * (f64::from(out[k] / REGISTER).log2() - melody_octaves);
            assert!(off.abs() < 4.0, "{mean_hz} Hz, frame {k}: {off} semitones");
        }
    }
}

#[test]
fn the_melody_is_kept_and_range_scales_it() {
    let input = melody(120.0, 4000);
    for range in [0.5f32, 1.0, 1.5] {
        let out = run(&mut prosody(range), &input);
        let mut worst = 0.0f64;
        for k in (2001..4000).filter(|k| input[4 * k] > 0.0 && input[4 * (k - 1)] > 0.0) {
            let moved_in = f64::from(input[4 * k] / input[4 * k - 4]).log2();
            let moved_out = f64::from(out[k] / out[k - 1]).log2();
            worst = worst.max((moved_out - f64::from(range) * moved_in).abs());
        }
        assert!(worst * 1200.0 < 5.0, "{} cents", worst * 1200.0);
    }
}

#[test]
fn f0_is_held_through_unvoiced_frames() {
    let out = run(&mut prosody(1.0), &melody(150.0, 200));
    assert!(out[70..100].iter().all(|&hz| hz == out[69]));
}

#[test]
fn cuts_change_nothing() {
    let input = melody(150.0, 500);
    let whole = run(&mut prosody(1.2), &input);
    let mut stage = prosody(1.2);
    let mut parts = Vec::new();
    for cut in [0, 1, 0, 7, 92, 400] {
        let from = 4 * parts.len();
        parts.extend(run(&mut stage, &input[from..from + 4 * cut]));
    }
    assert_eq!(parts, whole);
}

#[test]
fn new_targets_are_reached_over_200_ms_and_not_sooner() {
    let mut stage = prosody(1.0);
    let steady: Vec<f32> = [205.0, 1.0, 1.0, -25.0].repeat(1000);
    let before = run(&mut stage, &steady)[999];
    let targets = ProsodyTargets {
        register_hz: 2.0 * REGISTER,
        range: 1.0,
    };
    assert_eq!(stage.set_targets(targets), Ok(()));
    let out = run(&mut stage, &steady);
    assert!(out.windows(2).all(|w| (w[1] / w[0]).log2() < 0.1));
    assert!(
        (out[9] / before - 1.5).abs() < 0.01,
        "half way: {}",
        out[9] / before
    );
    assert!((out[19] / before - 2.0).abs() < 0.01);
}

#[test]
fn bad_targets_are_refused_and_the_old_ones_stay() {
    let mut stage = prosody(1.0);
    for (register_hz, range) in [(20.0, 1.0), (f32::NAN, 1.0), (200.0, -0.1), (200.0, 9.0)] {
        let refused = stage.set_targets(ProsodyTargets { register_hz, range });
        assert_eq!(refused.map_err(|e| e.code()), Err("out_of_range"));
    }
    let fresh = run(&mut prosody(1.0), &melody(150.0, 50));
    assert_eq!(run(&mut stage, &melody(150.0, 50)), fresh);
}

#[test]
fn any_input_gives_an_f0_that_a_voice_can_have() {
    let wild = [f32::NAN, f32::INFINITY, -5.0, 0.0, 1e-30, 1e30, 55.0, 700.0];
    let frames: Vec<f32> = wild.iter().flat_map(|&f0| [f0, 1.0, 1.0, f0]).collect();
    let out = run(&mut prosody(3.0), &frames.repeat(50));
    assert!(out.iter().all(|hz| (55.0..=700.0).contains(hz)));
}

/// Voiced frames of one F0 and level.
fn steady(f0_hz: f32, level_db: f32, frames: usize) -> Vec<f32> {
    [f0_hz, 1.0, 1.0, level_db].repeat(frames)
}

fn semitones_off(f0: &[f32]) -> f64 {
    12.0 * (mean_octaves(f0) - f64::from(REGISTER).log2())
}

#[test]
fn a_hum_before_the_first_word_is_not_the_speaker() {
    for hum_hz in [61.0, 100.0, 120.0] {
        let mut stage = prosody(1.0);
        run(&mut stage, &steady(hum_hz, -52.0, 300));
        let out = run(&mut stage, &melody(230.0, 300));
        let off = semitones_off(&out[100..170]);
        assert!(off.abs() < 2.0, "after {hum_hz} Hz: {off} semitones");
    }
    // As loud as the speaker it would be one: the test can tell.
    let mut stage = prosody(1.0);
    run(&mut stage, &steady(150.0, -25.0, 300));
    let out = run(&mut stage, &melody(230.0, 300));
    assert!(semitones_off(&out[100..170]).abs() > 4.0);
}

#[test]
fn a_hum_between_the_words_is_not_the_speaker() {
    let mut stage = prosody(1.0);
    for _ in 0..6 {
        run(&mut stage, &melody(230.0, 70));
        run(&mut stage, &steady(100.0, -60.0, 200));
    }
    assert!(semitones_off(&run(&mut stage, &melody(230.0, 70))).abs() < 2.0);
}

#[test]
fn a_mistake_of_an_octave_is_held_over_and_another_speaker_is_believed() {
    let mut stage = prosody(1.0);
    run(&mut stage, &steady(100.0, -25.0, 300));
    let held = run(&mut stage, &steady(215.0, -25.0, 19));
    assert!(held.iter().all(|hz| *hz == held[0]), "a mistake is heard");
    run(&mut stage, &steady(100.0, -25.0, 100));
    run(&mut stage, &steady(215.0, -25.0, 60));
    let out = run(&mut stage, &melody(215.0, 140));
    assert!(semitones_off(&out).abs() < 2.0, "{}", semitones_off(&out));
}

/// By how many semitones F0 is moved.
fn moved(f0_in_hz: f32, f0_out_hz: f32) -> f64 {
    12.0 * f64::from(f0_out_hz / f0_in_hz).log2()
}

/// Steady at 200 Hz for 20 frames, then `step` semitones higher for some more: how much less the last of them is moved
/// than the last of the first.
fn followed_after(step: f32, frames: usize) -> f64 {
    let (low, high) = (200.0, 200.0 * (step / 12.0).exp2());
    let mut stage = prosody(1.0);
    let before = run(&mut stage, &steady(low, -25.0, 20));
    let after = run(&mut stage, &steady(high, -25.0, frames));
    moved(low, before[19]) - moved(high, after[frames - 1])
}

#[test]
fn what_is_learnt_of_the_mean_does_not_bend_the_melody() {
    // It goes up by two semitones in these 0.2 s.
    let followed = followed_after(4.0, 20);
    assert!((0.0..0.8).contains(&followed), "{followed} semitones");
}

#[test]
fn a_mean_that_is_far_off_is_followed_soon() {
    // It goes up by nine.
    let followed = followed_after(11.0, 100);
    assert!(followed > 6.5, "{followed} semitones");
}

#[test]
fn a_voice_is_taken_to_begin_above_its_mean() {
    let out = run(&mut prosody(1.0), &steady(200.0, -25.0, 500));
    let above = moved(out[499], out[5]);
    assert!((0.6..1.2).contains(&above), "{above} semitones");
}

/// A stage that has heard a steady voice for 4 s, and delivers so since 1 s.
fn delivering(delivery: Delivery) -> Prosody {
    let mut stage = prosody(1.0);
    run(&mut stage, &steady(200.0, -25.0, 300));
    assert_eq!(stage.set_delivery(delivery), Ok(()));
    run(&mut stage, &steady(200.0, -25.0, 100));
    stage
}

#[test]
fn vibrato_swings_five_and_a_half_times_a_second_as_far_as_asked() {
    let mut stage = delivering(Delivery {
        vibrato_semitones: 0.5,
        ..Delivery::default()
    });
    let f0 = run(&mut stage, &steady(200.0, -25.0, 400));
    let middle = mean_octaves(&f0);
    let off: Vec<f64> = f0
        .iter()
        .map(|&hz| 12.0 * (f64::from(hz).log2() - middle))
        .collect();
    let furthest = off.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    assert!((furthest - 0.5).abs() < 0.02, "{furthest} semitones");
    let rises = off.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
    // The first may lie at the very edge.
    assert!((21..=22).contains(&rises), "{rises} in 4 s");
    // Nothing swings at the beginning of a sound.
    run(&mut stage, &[0.0, 0.0, 0.0, -70.0]);
    let begins = run(&mut stage, &steady(200.0, -25.0, 20));
    assert!(begins.iter().all(|hz| (hz / begins[0] - 1.0).abs() < 1e-4));
}

#[test]
fn jitter_is_as_large_as_asked_and_the_same_each_time() {
    let delivery = Delivery {
        jitter: 0.02,
        ..Delivery::default()
    };
    let mut stage = delivering(delivery);
    let f0 = run(&mut stage, &steady(200.0, -25.0, 1000));
    let middle = mean_octaves(&f0);
    let square: f64 = f0
        .iter()
        .map(|&hz| (f64::from(hz).log2() - middle).powi(2))
        .sum();
    let share = (square / 1000.0).sqrt() * std::f64::consts::LN_2;
    assert!((share - 0.02).abs() < 0.002, "{share}");
    let again = run(&mut delivering(delivery), &steady(200.0, -25.0, 1000));
    assert_eq!(f0, again);
}

#[test]
fn dynamics_widen_and_flatten_the_level_about_its_mean() {
    for (dynamics, wanted_db) in [(1.5, -5.0), (1.0, 0.0), (0.5, 5.0), (0.0, 10.0)] {
        let mut stage = delivering(Delivery {
            dynamics,
            ..Delivery::default()
        });
        run(&mut stage, &steady(200.0, -35.0, 5));
        let moved = stage.manner().level_db;
        assert!((moved - wanted_db).abs() < 0.2, "{dynamics}: {moved} dB");
        run(&mut stage, &[0.0, 0.0, 0.0, -90.0]);
        let pause = stage.manner().level_db;
        assert!(
            (pause - 2.0 * wanted_db).abs() < 0.4,
            "{dynamics}: {pause} dB"
        );
    }
}

#[test]
fn an_onset_is_louder_and_what_follows_is_not() {
    let mut stage = delivering(Delivery {
        onset_db: 4.0,
        ..Delivery::default()
    });
    assert!(stage.manner().level_db.abs() < 1e-3);
    run(&mut stage, &[0.0, 0.0, 0.0, -60.0].repeat(30));
    run(&mut stage, &steady(200.0, -25.0, 1));
    assert!((stage.manner().level_db - 4.0).abs() < 0.1);
    run(&mut stage, &steady(200.0, -25.0, 15));
    assert!(stage.manner().level_db.abs() < 0.1);
}

#[test]
fn a_delivery_that_is_absurd_is_refused_and_that_of_the_speaker_changes_nothing() {
    let input = melody(120.0, 500);
    let plain = run(&mut prosody(1.0), &input);
    let mut stage = prosody(1.0);
    assert_eq!(stage.set_delivery(Delivery::default()), Ok(()));
    for (dynamics, vibrato_semitones, jitter, onset_db) in [
        (f32::NAN, 0.0, 0.0, 0.0),
        (2.1, 0.0, 0.0, 0.0),
        (1.0, -0.1, 0.0, 0.0),
        (1.0, 0.0, 0.06, 0.0),
        (1.0, 0.0, 0.0, f32::INFINITY),
    ] {
        let refused = stage.set_delivery(Delivery {
            dynamics,
            vibrato_semitones,
            jitter,
            onset_db,
        });
        assert!(refused.is_err());
    }
    assert_eq!(run(&mut stage, &input), plain);
    assert_eq!(stage.manner().level_db, 0.0);
}
