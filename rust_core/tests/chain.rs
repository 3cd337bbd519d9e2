//! The whole path: when sound comes out, and what becomes of silence and of failures.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use persona_dsp::{Manner, Path, ProsodyTargets, HOP, RATE};

const BANDS: usize = 80;
/// A log-mel frame stands for the moment this many samples before its end, one hop later.
const OF_ITSELF: usize = 384 + HOP;
const TARGETS: ProsodyTargets = ProsodyTargets {
    register_hz: 200.0,
    range: 1.0,
};

fn path(sample_rate: u32, lookahead: usize) -> Path {
    Path::new(sample_rate, lookahead, TARGETS, 1).unwrap()
}

/// Hands the envelope of the frame before on, as noise.
struct Echo([f32; BANDS]);

impl Echo {
    fn new() -> Self {
        Self([-23.0; BANDS])
    }

    fn answer(&mut self, mel: &[f32], out: &mut [f32]) -> bool {
        for (mel, out) in mel.chunks_exact(BANDS).zip(out.chunks_exact_mut(2 * BANDS)) {
            out[..BANDS].fill(-16.0);
            for (out, mel) in out[BANDS..].iter_mut().zip(&self.0) {
                *out = (mel + 4.85) / 2.0;
            }
            self.0.copy_from_slice(mel);
        }
        true
    }
}

/// Noise of unit power, times `size`.
fn noise(len: usize, size: f32, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            size * 1.732 * ((state >> 40) as f32 / 8_388_608.0 - 1.0)
        })
        .collect()
}

/// Centre of the energy, in samples.
fn centre(x: &[f32]) -> f64 {
    let power = |x: f32| f64::from(x).powi(2);
    let sum: f64 = x.iter().map(|x| power(*x)).sum();
    let moment = x.iter().enumerate().map(|(n, x)| n as f64 * power(*x));
    moment.sum::<f64>() / sum
}

/// By how many samples bursts, at every phase of the hop, come out later than the path says.
fn off(sample_rate: u32, lookahead: usize) -> f64 {
    let rate = sample_rate as usize;
    let phases = 40;
    let late = (0..phases).map(|phase| {
        let mut path = path(sample_rate, lookahead);
        let start = rate / 4 + rate / 100 * phase / phases;
        let mut input = vec![0.0; rate];
        let burst = noise(rate / 500, 0.3, 7 + phase as u64);
        input[start..start + burst.len()].copy_from_slice(&burst);
        let mut echo = Echo::new();
        let mut output = vec![0.0; rate];
        path.process(&input, &mut output, |mel, out| echo.answer(mel, out))
            .unwrap();
        centre(&output) - centre(&input) - path.latency() as f64
    });
    late.sum::<f64>() / phases as f64
}

#[test]
fn a_burst_comes_out_when_the_path_says() {
    // The envelope stands for its moment; the path is told how far that lies back, to the hop.
    let lookahead = 3 * HOP;
    for rate in [RATE, 44_100, 48_000] {
        let early_ms = (lookahead - OF_ITSELF) as f64 / 24.0;
        let off_ms = off(rate, lookahead) * 1000.0 / f64::from(rate) + early_ms;
        assert!(off_ms.abs() < 0.5, "{rate} Hz: {off_ms} ms");
    }
    // The mutant: told one hop more than is true.
    let off_ms = off(RATE, lookahead + HOP) / 24.0;
    assert!(off_ms < -9.0, "{off_ms}");
}

#[test]
fn silence_is_silence_and_status_says_so() {
    let mut path = path(48_000, 960);
    let mut output = vec![1.0; 48_000];
    path.process(&[0.0; 48_000], &mut output, |_, out| {
        out.fill(0.0);
        true
    })
    .unwrap();
    // Whatever a converter answers there; -114 dB is a pulse through the envelope of silence.
    assert!(output.iter().all(|y| y.abs() < 2e-6));
    let status = path.status();
    assert_eq!((status.input_db, status.output_db), (-120.0, -120.0));
    assert!(!status.speech && status.f0_in_hz.is_none() && !status.failed);
}

#[test]
fn a_converter_that_fails_leaves_silence_until_reset() {
    for fault in ["says so", "answers NaN"] {
        let mut path = path(RATE, 960);
        let input = noise(RATE as usize, 0.1, 3);
        let mut output = vec![0.0; input.len()];
        let mut calls = 0;
        path.process(&input, &mut output, |_, out| {
            calls += 1;
            out.fill(if calls < 3 { -4.0 } else { f32::NAN });
            calls < 3 || fault == "answers NaN"
        })
        .unwrap();
        // Two pieces of 160 ms were good; then it is never asked again.
        assert_eq!(calls, 3);
        assert!(path.status().failed);
        let peak = |x: &[f32]| x.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(peak(&output[..8000]) > 1e-3);
        assert!(peak(&output[10_000..]) < 2e-6, "{fault}");
        path.reset();
        assert!(!path.status().failed);
        let mut again = vec![0.0; input.len()];
        path.process(&input, &mut again, |_, out| {
            out.fill(-4.0);
            true
        })
        .unwrap();
        assert!(peak(&again[10_000..]) > 1e-3);
    }
}

#[test]
fn what_is_not_finite_is_counted_and_taken_as_zeros() {
    let mut input = noise(9000, 0.1, 5);
    let mut holes = input.clone();
    for (n, bad) in [
        (10, f32::NAN),
        (4000, f32::INFINITY),
        (8999, f32::NEG_INFINITY),
    ] {
        (input[n], holes[n]) = (0.0, bad);
    }
    let run = |input: &[f32]| {
        let (mut path, mut echo) = (path(16_000, 960), Echo::new());
        let mut output = vec![0.0; input.len()];
        path.process(input, &mut output, |mel, out| echo.answer(mel, out))
            .unwrap();
        (output, path.status().non_finite)
    };
    assert_eq!(run(&holes).0, run(&input).0);
    assert_eq!((run(&holes).1, run(&input).1), (3, 0));
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |rate, lookahead, targets| {
        let made = Path::new(rate, lookahead, targets, 1);
        made.map(|_| ()).map_err(|error| error.to_string())
    };
    let low = ProsodyTargets {
        register_hz: 10.0,
        range: 1.0,
    };
    for (got, text) in [
        (
            refused(7000, 960, TARGETS),
            "sample_rate in Hz must lie in 8000..=192000, got 7000",
        ),
        (
            refused(48_000, 719, TARGETS),
            "lookahead in samples must lie in 720..=48000, got 719",
        ),
        (refused(48_000, 48_001, TARGETS), "lookahead in samples"),
        (refused(48_000, 960, low), "register_hz"),
    ] {
        assert!(
            got.clone().is_err_and(|error| error.contains(text)),
            "{got:?}"
        );
    }
    assert!(path(48_000, 960).set_targets(low).is_err());
}

#[test]
fn targets_are_steered_to_within_a_stream() {
    let mut path = path(RATE, 960);
    let turn = core::f32::consts::TAU * 150.0 / RATE as f32;
    let voice: Vec<f32> = (0..RATE as usize)
        .map(|n| (1..12).map(|h| 0.05 * (turn * (n * h) as f32).sin()).sum())
        .collect();
    let mut output = vec![0.0; voice.len()];
    let mut hear = |path: &mut Path| {
        path.process(&voice, &mut output, |_, out| {
            out.fill(-6.0);
            true
        })
        .unwrap();
        path.status().f0_out_hz.unwrap()
    };
    // What is known of the speaker settles.
    for _ in 0..4 {
        hear(&mut path);
    }
    let before = hear(&mut path);
    let targets = ProsodyTargets {
        register_hz: 300.0,
        range: 1.0,
    };
    path.set_targets(targets).unwrap();
    let after = hear(&mut path);
    assert!((after / before - 1.5).abs() < 0.02, "{before} {after}");
}

const SAD: Manner = Manner {
    register_semitones: -2.0,
    range_octaves: -0.5,
    level_db: -6.0,
    breath_db: 4.0,
    tilt_db: -1.0,
    tract_octaves: -0.05,
};

/// A second of what a path makes of a voice when its converter answers a vowel.
fn vowel(path: &mut Path, cuts: &[usize]) -> Vec<f32> {
    let voice = harmonics();
    let mut out = vec![0.0; voice.len()];
    let (mut from, mut cuts) = (0, cuts.iter().cycle());
    while from < voice.len() {
        let to = voice.len().min(from + cuts.next().unwrap());
        path.process(&voice[from..to], &mut out[from..to], |_, out| {
            for frame in out.chunks_exact_mut(2 * BANDS) {
                frame[..BANDS].fill(-5.0);
                frame[BANDS..].fill(-7.0);
            }
            true
        })
        .unwrap();
        from = to;
    }
    out
}

fn harmonics() -> Vec<f32> {
    let turn = std::f64::consts::TAU * 150.0 / f64::from(RATE);
    (0..RATE as usize)
        .map(|n| {
            (1..12)
                .map(|h| 0.05 * (turn * (n * h) as f64).sin() as f32)
                .sum()
        })
        .collect()
}

fn level_db(x: &[f32]) -> f64 {
    let power = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64;
    10.0 * power.log10()
}

#[test]
fn a_mood_is_heard_passes_and_leaves_nothing() {
    let (mut neutral, mut moved) = (path(RATE, 960), path(RATE, 960));
    vowel(&mut neutral, &[HOP]);
    vowel(&mut moved, &[HOP]);
    let level = Manner {
        level_db: -6.0,
        ..Manner::default()
    };
    moved.express(level, 100.0).unwrap(); // half of it is gone each second
    for wanted_db in [-3.2, -1.6, -0.8] {
        let of = |path: &mut Path| level_db(&vowel(path, &[HOP])[9 * RATE as usize / 10..]);
        let difference = of(&mut moved) - of(&mut neutral);
        assert!((difference - wanted_db).abs() < 0.1, "{difference}");
    }
    for _ in 0..8 {
        vowel(&mut moved, &[HOP]);
        vowel(&mut neutral, &[HOP]);
    }
    assert_eq!(vowel(&mut moved, &[HOP]), vowel(&mut neutral, &[HOP]));
}

#[test]
fn an_answer_that_is_no_number_silences_from_its_hop_on_wherever_blocks_end() {
    let broken_from = 57;
    let spoken = |block: usize| {
        let (mut path, voice, mut hops) = (path(RATE, 960), harmonics(), 0);
        let mut out = vec![0.0; voice.len()];
        for (input, output) in voice.chunks(block).zip(out.chunks_mut(block)) {
            let convert = |_: &[f32], out: &mut [f32]| {
                for frame in out.chunks_exact_mut(2 * BANDS) {
                    frame.fill(if hops < broken_from { -5.0 } else { f32::NAN });
                    hops += 1;
                }
                true
            };
            path.process(input, output, convert).unwrap();
        }
        assert!(path.status().failed);
        out
    };
    let whole = spoken(24_000);
    assert_eq!(spoken(HOP), whole);
    assert_eq!(spoken(700), whole);
    assert!(whole[(broken_from - 2) * HOP..broken_from * HOP]
        .iter()
        .any(|x| x.abs() > 1e-3));
    assert!(whole[(broken_from + 4) * HOP..]
        .iter()
        .all(|x| x.abs() < 1e-4));
}

#[test]
fn a_mood_does_not_depend_on_the_cuts() {
    let (mut whole, mut parts) = (path(RATE, 960), path(RATE, 960));
    for path in [&mut whole, &mut parts] {
        vowel(path, &[HOP]);
        path.express(SAD, 50.0).unwrap();
    }
    assert_eq!(
        vowel(&mut parts, &[1, 700, 0, 239, 5000]),
        vowel(&mut whole, &[24_000])
    );
}

#[test]
fn f0_moves_with_the_mood_and_comes_back() {
    let mut path = path(RATE, 960);
    let f0 = |path: &mut Path| {
        vowel(path, &[HOP]);
        path.status().f0_out_hz.unwrap()
    };
    let low = Manner {
        register_semitones: -2.0,
        ..Manner::default()
    };
    let first = f0(&mut path);
    // What is known of the speaker settles.
    for _ in 0..4 {
        vowel(&mut path, &[HOP]);
    }
    let before = f0(&mut path);
    path.express(low, 0.0).unwrap();
    assert!((12.0 * (f0(&mut path) / before).log2() + 2.0).abs() < 0.1);
    path.express(Manner::default(), 0.0).unwrap();
    assert!((f0(&mut path) / before - 1.0).abs() < 0.02);
    path.express(low, 0.0).unwrap();
    path.reset();
    assert!(
        (f0(&mut path) / first - 1.0).abs() < 0.02,
        "a mood is of the stream"
    );
    path.set_manner(low).unwrap();
    path.reset();
    assert!((12.0 * (f0(&mut path) / first).log2() + 2.0).abs() < 0.2);
}
