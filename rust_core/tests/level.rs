//! What the meter says, what the limiter holds back, how the fade sounds.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::f64::consts::TAU;

use persona_dsp::{Analyzer, Fade, Limiter, Loudness, Stage, HOP};

fn sine(f_hz: f64, amplitude: f32, len: usize) -> Vec<f32> {
    let at = |n: usize| (TAU * f_hz * n as f64 / 24_000.0).sin() as f32 * amplitude;
    (0..len).map(at).collect()
}

fn noise(len: usize) -> Vec<f32> {
    let mut state = 3u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn run<S: Stage>(stage: &mut S, input: &[f32]) -> Vec<f32> {
    let mut output = vec![f32::NAN; input.len()];
    stage.process(input, &mut output).unwrap();
    output
}

fn levels(input: &[f32]) -> Vec<f32> {
    let mut output = vec![f32::NAN; input.len() / HOP];
    Loudness::new().process(input, &mut output).unwrap();
    output
}

/// Largest change from one sample to the next.
fn steepest(x: &[f32]) -> f32 {
    x.windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .fold(0.0, f32::max)
}

#[test]
fn levels_are_those_of_the_textbook() {
    let close = |got: &[f32], db: f32| got.iter().all(|level| (level - db).abs() < 0.01);
    assert!(close(&levels(&[1.0; 480]), 0.0));
    assert!(close(&levels(&sine(500.0, 1.0, 480)), -3.01));
    assert!(close(&levels(&sine(500.0, 0.1, 480)), -23.01));
    assert!(
        !close(&levels(&sine(500.0, 0.1012, 480)), -23.01),
        "cannot hear 0.1 dB"
    );
    assert_eq!(levels(&[1e-9; 480]), [-120.0; 2]);
    assert_eq!(levels(&[f32::NAN; 480]), [-120.0; 2]);
}

#[test]
fn a_level_is_of_its_own_hop() {
    let input = [&[1.0; HOP][..], &[0.0; HOP], &[0.1; HOP]].concat();
    let expected = [0.0, -120.0, -20.0];
    assert!(levels(&input)
        .iter()
        .zip(expected)
        .all(|(a, b)| (a - b).abs() < 0.01));
}

/// Loud things: noise, steps, single samples, a sine, far too much.
fn loud() -> Vec<Vec<f32>> {
    let spikes = |every: usize| {
        (0..5000)
            .map(|n| if n % every == 0 { 9.0 } else { 0.0 })
            .collect()
    };
    vec![
        noise(20_000).iter().map(|x| x * 4.0).collect(),
        vec![3.0; 5000],
        spikes(36),
        spikes(37),
        spikes(1999),
        sine(110.0, 2.0, 24_000),
        noise(5000).iter().map(|x| x * 1e30).collect(),
    ]
}

fn peak(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |peak, x| peak.max(x.abs()))
}

#[test]
fn nothing_passes_the_ceiling() {
    for ceiling_db in [0.0, -1.0, -20.0] {
        let ceiling = 10f32.powf(ceiling_db as f32 / 20.0);
        for input in loud() {
            assert!(
                peak(&input) > ceiling * 1.01,
                "the input was never too loud"
            );
            let output = run(&mut Limiter::new(24_000, ceiling_db).unwrap(), &input);
            assert!(peak(&output) <= ceiling * 1.000_001, "{}", peak(&output));
        }
    }
}

/// Largest of the wave at sixteenths of a sample, by a sinc of 64 samples on each side: the reference.
fn true_peak(x: &[f32]) -> f64 {
    const HALF: usize = 64;
    let at = |n: i64| x.get(n as usize).map_or(0.0, |x| f64::from(*x));
    let mut most = 0.0f64;
    for n in 0..x.len() as i64 {
        most = most.max(at(n).abs());
        for part in 1..16 {
            let t = f64::from(part) / 16.0;
            let taps = (1 - HALF as i64)..=HALF as i64;
            let wave = taps.map(|k| {
                let u = k as f64 - t;
                let angle = std::f64::consts::PI * u;
                let window = (angle / (2.0 * HALF as f64 + 2.0)).cos().powi(2);
                at(n + k) * angle.sin() / angle * window
            });
            most = most.max(wave.sum::<f64>().abs());
        }
    }
    most
}

/// Sounds whose wave is larger between the samples than at them, up to 0.85 of the Nyquist frequency.
fn between_samples() -> Vec<Vec<f32>> {
    let bursts = |of_nyquist: f64, phase: f64| -> Vec<f32> {
        let at = |n: usize| (std::f64::consts::PI * of_nyquist * n as f64 + phase).sin();
        let swell = |n: usize| (n as f64 * std::f64::consts::PI / 700.0).sin().powi(2) * 2.5;
        let burst = (0..1400).map(|n| (at(n) * swell(n)) as f32);
        burst.chain([0.0; 200]).collect() // a cut would ring in what measures it
    };
    let mut all = Vec::new();
    for of_nyquist in [0.1, 0.33, 0.5, 0.667, 0.75, 0.85] {
        for phase in [0.0, 0.4, 0.785] {
            all.push(bursts(of_nyquist, phase));
        }
    }
    all
}

#[test]
fn the_wave_between_samples_stays_within_a_tenth_of_a_decibel() {
    const TENTH_DB: f64 = 1.011_58;
    for rate in [24_000, 48_000] {
        for input in between_samples() {
            let output = run(&mut Limiter::new(rate, 0.0).unwrap(), &input);
            let peak = true_peak(&output);
            assert!(peak < TENTH_DB, "{rate}: {peak}");
            assert!(peak > 0.9, "turned down for nothing: {peak}");
        }
    }
    let clipped: Vec<f32> = between_samples()[8]
        .iter()
        .map(|x| x.clamp(-1.0, 1.0))
        .collect();
    assert!(true_peak(&clipped) > 1.1, "a clipper passes");
}

#[test]
fn below_the_ceiling_every_sample_is_the_same_36_later() {
    let input: Vec<f32> = noise(10_000).iter().map(|x| x * 0.4).collect();
    let output = run(&mut Limiter::new(24_000, -1.0).unwrap(), &input);
    assert_eq!(output[36..], input[..input.len() - 36]);
    assert_ne!(output[35..9_999], input[..9_964], "cannot tell one sample");
}

/// Gain that the limiter applied, where the signal is large enough to tell.
fn gains(input: &[f32], output: &[f32]) -> Vec<f32> {
    input
        .iter()
        .zip(output)
        .filter(|(x, _)| x.abs() > 0.01)
        .map(|(x, y)| y / x)
        .collect()
}

/// Steepest change of gain allowed in one sample, for a reduction to a third: the raised cosine's
/// `2/3 * pi / 2 / 25 = 0.042`.
const STEEPEST_GAIN: f32 = 0.045;

#[test]
fn the_gain_turns_down_before_the_peak_and_never_jumps() {
    // A quiet tone, then three times too loud; the cosine is never near 0.
    let mut input = vec![0.3; 3000];
    input.extend([3.0; 3000]);
    input.extend([0.3; 3000]);
    let output = run(&mut Limiter::new(24_000, 0.0).unwrap(), &input);
    let smooth = gains(&input[..8964], &output[36..]);
    assert!(steepest(&smooth) < STEEPEST_GAIN, "{}", steepest(&smooth));
    let clipped: Vec<f32> = input.iter().map(|x| x.clamp(-1.0, 1.0)).collect();
    assert!(
        steepest(&gains(&input, &clipped)) > STEEPEST_GAIN,
        "a clipper passes"
    );
}

#[test]
fn rounding_is_all_that_the_last_clamp_takes_off() {
    // With the gain right, a constant too loud comes out just at the ceiling, not below.
    // Its beginning, a step, is higher between samples, and has been forgotten after a second.
    let output = run(&mut Limiter::new(24_000, -6.0).unwrap(), &[2.0; 30_000]);
    let ceiling = 10f32.powf(-0.3);
    assert!(output[25_000..]
        .iter()
        .all(|y| (y / ceiling - 1.0).abs() < 1e-5));
}

/// Power outside the tone's own bin over that inside, in dB: the last 2400 samples, 10 Hz a bin.
fn distortion_db(x: &[f32], f_hz: f64) -> f64 {
    let x = &x[x.len() - 2400..];
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in x.iter().enumerate() {
        let turn = TAU * f_hz * n as f64 / 24_000.0;
        re += f64::from(*x) * turn.cos();
        im += f64::from(*x) * turn.sin();
    }
    let tone = 2.0 * (re * re + im * im) / 2400.0;
    let all: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
    10.0 * ((all - tone) / tone).log10()
}

#[test]
fn a_loud_tone_stays_a_tone() {
    let input = sine(200.0, 2.0, 24_000);
    let output = run(&mut Limiter::new(24_000, -1.0).unwrap(), &input);
    let limited = distortion_db(&output, 200.0);
    assert!(limited < -35.0, "{limited:.1} dB");
    let clipped: Vec<f32> = input.iter().map(|x| x.clamp(-0.89, 0.89)).collect();
    assert!(distortion_db(&clipped, 200.0) > -15.0, "a clipper passes");
}

#[test]
fn after_a_peak_the_limiter_comes_to_rest() {
    let mut input = vec![0.5; 48_000];
    input[10] = 8.0;
    let output = run(&mut Limiter::new(24_000, 0.0).unwrap(), &input);
    assert!(output[100] < 0.2);
    assert_eq!(output[24_000..], [0.5; 24_000]);
}

#[test]
fn one_bad_sample_reaches_nobody() {
    let mut broken = sine(300.0, 0.5, 2000);
    let mut silent = broken.clone();
    for (n, x) in [(700, f32::NAN), (800, f32::INFINITY)] {
        (broken[n], silent[n]) = (x, 0.0);
    }
    let limited = |x: &[f32]| run(&mut Limiter::new(24_000, -1.0).unwrap(), x);
    assert_eq!(limited(&broken), limited(&silent));
    assert_eq!(run(&mut fade(), &broken), run(&mut fade(), &silent));
}

#[test]
fn a_ceiling_out_of_range_is_refused() {
    for (got, text) in [(0.5, "0.5"), (-61.0, "-61"), (f64::NAN, "NaN")] {
        let error = Limiter::new(24_000, got).err().unwrap();
        assert_eq!(error.code(), "out_of_range");
        assert_eq!(
            error.to_string(),
            format!("ceiling_db must lie in -60..=0, got {text}")
        );
    }
}

fn fade() -> Fade {
    Fade::new(24_000).unwrap()
}

/// A full-scale constant through a fade, closed at 100 within so many ms, and to be opened at `open_at`.
fn faded(release_ms: f64, open_at: usize, wait: usize) -> Vec<f32> {
    let mut fade = fade();
    let mut output = run(&mut fade, &vec![1.0; 100]);
    fade.close(release_ms).unwrap();
    output.extend(run(&mut fade, &vec![1.0; open_at - 100]));
    fade.resume(wait);
    output.extend(run(&mut fade, &vec![1.0; 3000]));
    output
}

#[test]
fn a_fade_falls_within_its_time_and_rises_in_ten_milliseconds() {
    for (release_ms, samples) in [(10.0, 240), (40.0, 960), (80.0, 1920)] {
        let output = faded(release_ms, 2500, 0);
        assert_eq!(output[..100], [1.0; 100]);
        let silent = output.iter().position(|y| *y == 0.0).unwrap();
        assert!(
            silent <= 100 + samples && silent + 5 > 100 + samples,
            "{silent}"
        );
        assert!(output[silent..2500].iter().all(|y| *y == 0.0));
        assert!(output[2500] > 0.0 && output[2735] < 1.0);
        assert!(output[2740..].iter().all(|y| *y == 1.0));
    }
}

#[test]
fn what_is_still_in_the_stages_before_stays_unheard() {
    let output = faded(40.0, 1200, 700);
    assert!(output[1060..1900].iter().all(|y| *y == 0.0));
    assert!(output[1900] > 0.0);
}

/// The largest third difference: of a slow wave under a smooth gain next to nothing.
fn click(x: &[f32]) -> f32 {
    let third = |w: &[f32]| (w[3] - 3.0 * w[2] + 3.0 * w[1] - w[0]).abs();
    x.windows(4).map(third).fold(0.0, f32::max)
}

/// What no click reaches: a jump by a thousandth of full scale does.
const NO_CLICK: f32 = 1e-3;

#[test]
fn neither_stop_nor_resume_clicks_wherever_they_come() {
    let tone = sine(150.0, 0.8, 6000);
    for release_ms in [10.0, 23.0, 80.0] {
        for (resume_at, wait) in [(101, 0), (200, 0), (340, 100), (900, 0), (2100, 500)] {
            let mut fade = fade();
            let mut output = run(&mut fade, &tone[..100]);
            fade.close(release_ms).unwrap();
            output.extend(run(&mut fade, &tone[100..resume_at]));
            fade.resume(wait);
            output.extend(run(&mut fade, &tone[resume_at..]));
            assert!(click(&output) < NO_CLICK, "{release_ms} {resume_at}");
        }
    }
    let mut jumps = tone.clone();
    jumps[3000..].iter_mut().for_each(|x| *x += 0.001);
    assert!(click(&jumps) > NO_CLICK, "a jump of a thousandth passes");
    let cut = [&tone[..1000], &[0.0; 500]].concat();
    assert!(click(&cut) > 100.0 * NO_CLICK, "a cut passes");
}

#[test]
fn however_a_stopped_stream_is_cut_the_samples_are_equal() {
    let tone = sine(150.0, 0.8, 3000);
    let stopped = |cut: usize| {
        let mut fade = fade();
        fade.close(23.0).unwrap();
        let first: Vec<f32> = tone[..800]
            .chunks(cut)
            .flat_map(|x| run(&mut fade, x))
            .collect();
        fade.resume(333);
        let rest = tone[800..].chunks(cut).flat_map(|x| run(&mut fade, x));
        first.into_iter().chain(rest).collect::<Vec<f32>>()
    };
    for cut in [1, 7, 240, 799] {
        assert_eq!(stopped(cut), stopped(3000));
    }
}

#[test]
fn a_release_out_of_range_is_refused_and_nothing_changes() {
    for release_ms in [9.9, 80.1, f64::NAN] {
        let mut fade = fade();
        let error = fade.close(release_ms).err().unwrap();
        assert_eq!(
            error.to_string(),
            format!("release_ms must lie in 10..=80, got {release_ms}")
        );
        assert!(fade.idle());
    }
}

#[test]
fn closed_it_is_silent_whatever_goes_in() {
    let mut fade = fade();
    fade.close(20.0).unwrap();
    assert!(!fade.silent() && !fade.idle());
    run(&mut fade, &[0.0; 480]);
    assert!(fade.silent());
    let output = run(&mut fade, &[f32::NAN, f32::INFINITY, f32::MAX, -1.0]);
    assert!(output.iter().all(|y| *y == 0.0), "{output:?}");
    fade.reset();
    assert!(
        fade.silent() && !fade.open(),
        "the setting went with the stream"
    );
}
