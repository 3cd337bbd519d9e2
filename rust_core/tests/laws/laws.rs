//! The laws. Each says what broke it, or nothing.

use persona_dsp::{Analyzer, Stage, HOP};

use crate::random::Random;
use crate::subject::{harmonics, OfAnalyzer, OfStage, Subject};

pub type Verdict = Result<(), String>;

/// Streams that the law of splits is tried on; CI wants 200 at least.
const CUTS: u64 = 200;

fn hold(holds: bool, broken: impl FnOnce() -> String) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(broken())
    }
}

/// Equal to the bit, so that NaN equals itself and -0 differs from 0.
fn same(got: &[f32], expected: &[f32], what: &str) -> Verdict {
    hold(got.len() == expected.len(), || {
        format!("{what}: {} numbers, expected {}", got.len(), expected.len())
    })?;
    match got
        .iter()
        .zip(expected)
        .position(|(a, b)| a.to_bits() != b.to_bits())
    {
        Some(n) => Err(format!(
            "{what}: number {n} is {}, expected {}",
            got[n], expected[n]
        )),
        None => Ok(()),
    }
}

/// Positions enough for every memory to fill: of samples, or of frames.
fn positions<S: Subject>(subject: &S) -> usize {
    if subject.width_in() > 1 {
        24
    } else {
        2600
    }
}

/// 1. As many numbers as promised, as the rates demand, in every call; a refused call takes nothing.
pub fn length<S: Subject>(mut subject: S) -> Verdict {
    let mut random = Random::new(1);
    let fresh = subject.clone();
    let input = subject.input(&mut random, positions(&subject));
    let (mut at, mut all) = (0, Vec::new());
    for cut in random.cuts(positions(&subject)) {
        let block = &input[at * subject.width_in()..(at + cut) * subject.width_in()];
        let due = (subject.due((at + cut) as u64) - subject.due(at as u64)) as usize;
        let promised = subject.promised(cut);
        hold(promised == due, || {
            format!("promises {promised} for {cut} at {at}, due {due}")
        })?;
        if due > 0 {
            let refused = subject.process(block, &mut vec![0.0; due - 1]);
            let code = refused.map_err(|error| error.code());
            hold(code == Err("output_too_short"), || {
                format!("room for {due} - 1: {code:?}")
            })?;
        }
        let mut output = vec![f32::NAN; due + 3];
        let written = subject
            .process(block, &mut output)
            .map_err(|e| e.to_string())?;
        hold(written == due, || {
            format!("writes {written} for {cut} at {at}, due {due}")
        })?;
        let kept = output[due..].iter().all(|y| y.is_nan());
        hold(kept && output[..due].iter().all(|y| !y.is_nan()), || {
            "wrote past its end".into()
        })?;
        all.extend(&output[..written]);
        at += cut;
    }
    let mut whole = fresh;
    same(&all, &whole.run_whole(&input), "after refused calls")?;
    same(&subject.end(), &whole.end(), "the end after refused calls")
}

/// 2. However the stream is cut, the numbers are equal.
pub fn split<S: Subject>(subject: S) -> Verdict {
    for seed in 0..CUTS {
        let mut random = Random::new(seed);
        // A tenth of the positions lets most cuts be short against the memories.
        let len = if seed % 10 == 0 {
            positions(&subject)
        } else {
            positions(&subject) / 4
        };
        let input = subject.input(&mut random, len);
        let (mut whole, mut cut) = (subject.clone(), subject.clone());
        let expected = whole.run_whole(&input);
        same(
            &cut.run(&input, &random.cuts(len)),
            &expected,
            &format!("cut {seed}"),
        )?;
        same(&cut.end(), &whole.end(), &format!("end of cut {seed}"))?;
    }
    Ok(())
}

/// 3. After `reset`, and after `flush`, indistinguishable from a new one.
pub fn as_new<S: Subject>(subject: S) -> Verdict {
    let mut random = Random::new(3);
    let before = subject.input(&mut random, positions(&subject) - 7);
    let after = subject.input(&mut random, positions(&subject));
    let mut new = subject.clone();
    let mut expected = new.run_whole(&after);
    expected.extend(new.end());
    for what in ["reset", "flush"] {
        let mut old = subject.clone();
        old.run_whole(&before);
        match what {
            "reset" => old.reset(),
            _ => drop(old.end()),
        }
        let mut got = old.run_whole(&after);
        got.extend(old.end());
        same(&got, &expected, &format!("after {what}"))?;
    }
    Ok(())
}

/// 4, of a stage. An impulse comes out `latency()` samples late, and its echoes lie even about it.
pub fn latency<S: Stage>(stage: S) -> Verdict {
    let rates = stage.rates();
    let (mut a, mut b) = (rates.input, rates.output);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    // Only every so many input samples falls on an output sample.
    let (down, up) = ((rates.input / a) as usize, (rates.output / a) as usize);
    for periods in [0, 1, 1500usize.div_ceil(down)] {
        let mut input = vec![0.0; periods * down + 1];
        input[periods * down] = 0.5;
        let mut stream = OfStage(stage.clone());
        let mut output = stream.run_whole(&input);
        output.extend(stream.run_whole(&vec![0.0; 4000]));
        let size = |n: &usize| output[*n].abs();
        let peak = (0..output.len())
            .max_by(|a, b| size(a).total_cmp(&size(b)))
            .unwrap_or(0);
        let expected = periods * up + stage.latency();
        hold(peak == expected, || {
            format!("impulse at {peak}, expected {expected}")
        })?;
        for n in 0..stage.latency().min(output.len() - 1 - peak) {
            let (before, after) = (output[peak - n], output[peak + n]);
            hold((before - after).abs() < 1e-6, || {
                format!("{n} off the peak: {before}, {after}")
            })?;
        }
    }
    Ok(())
}

/// 4, of a stage that is later at some frequencies than at others. What is slow comes out `latency()`
/// samples late, to the nearest one.
pub fn slow_latency<S: Stage>(stage: S) -> Verdict {
    let rates = stage.rates();
    let out_per_in = f64::from(rates.output) / f64::from(rates.input);
    // A bump of 300 samples of the slower stream.
    let len = (300.0 / out_per_in.min(1.0)) as usize;
    let bump = |n: usize| {
        let turn = core::f64::consts::TAU * (n as f64 + 0.5) / len as f64;
        (0.25 - 0.25 * turn.cos()) as f32
    };
    let input: Vec<f32> = (0..len).map(bump).collect();
    let mut stream = OfStage(stage.clone());
    let mut output = stream.run_whole(&input);
    output.extend(stream.run_whole(&vec![0.0; len]));
    let total: f64 = output.iter().map(|y| f64::from(*y)).sum();
    let moments = (0..)
        .zip(&output)
        .map(|(n, y)| f64::from(n) * f64::from(*y));
    let late = moments.sum::<f64>() / total - (len - 1) as f64 / 2.0 * out_per_in;
    hold((late - stage.latency() as f64).abs() < 0.51, || {
        format!("{late} samples late, expected {}", stage.latency())
    })
}

/// 4, of an analyzer, first half. No frame knows what comes after it.
pub fn causal<A: Analyzer>(analyzer: A) -> Verdict {
    let [first, _, mixed] = around_a_change(&analyzer);
    let before = CHANGE / analyzer.hop() * analyzer.width();
    same(
        &mixed[..before],
        &first[..before],
        "frames before the change",
    )
}

/// 4, of an analyzer, second half. Where the sound changes the frames change, at the moment that
/// they stand for, to the nearest frame. Needs frames that describe the sound as it is then.
pub fn moment<A: Analyzer>(analyzer: A) -> Verdict {
    let [first, then, mixed] = around_a_change(&analyzer);
    let width = analyzer.width();
    let far = |k: usize, other: &[f32]| {
        let pair = mixed[k * width..].iter().zip(&other[k * width..]);
        pair.take(width)
            .map(|(a, b)| f64::from(a - b).abs())
            .sum::<f64>()
    };
    let turned = (10..80).find(|&k| far(k, &then) < far(k, &first));
    let Some(turned) = turned else {
        return Err("the change is never seen".into());
    };
    let moment = ((turned + 1) * HOP) as i64 - analyzer.lookahead() as i64;
    let off = moment - CHANGE as i64;
    hold(off.abs() <= HOP as i64, || {
        format!("change seen {off} samples off")
    })
}

/// Where one sound gives way to another.
const CHANGE: usize = 40 * HOP;

/// Frames of one sound, of another, and of the first that turns into the other at `CHANGE`.
fn around_a_change<A: Analyzer>(analyzer: &A) -> [Vec<f32>; 3] {
    // F0 so low that no band lies in a valley between harmonics, which any trace would fill.
    let first = harmonics(80.0, -0.7, 2 * CHANGE);
    let then = harmonics(110.0, 0.0, 2 * CHANGE);
    let mixed = [&first[..CHANGE], &then[CHANGE..]].concat();
    [first, then, mixed].map(|input| OfAnalyzer(analyzer.clone()).run_whole(&input))
}

/// 5. A clone made mid-stream goes on exactly as the other would have.
pub fn snapshot<S: Subject>(subject: S) -> Verdict {
    let mut random = Random::new(5);
    let input = subject.input(&mut random, 2 * positions(&subject));
    let middle = (positions(&subject) - 3) * subject.width_in();
    let mut alone = subject.clone();
    alone.run_whole(&input[..middle]);
    let mut expected = alone.run_whole(&input[middle..]);
    expected.extend(alone.end());

    let mut original = subject;
    original.run_whole(&input[..middle]);
    let mut clone = original.clone();
    // What one hears must not reach the other.
    let other: Vec<f32> = input[..middle].iter().rev().copied().collect();
    clone.clone().run_whole(&other);
    let mut got = clone.run_whole(&input[middle..]);
    got.extend(clone.end());
    same(&got, &expected, "clone")?;
    let mut got = original.run_whole(&input[middle..]);
    got.extend(original.end());
    same(&got, &expected, "original")
}

/// 6, first half, of a stage. Silence gives silence.
pub fn silence<S: Stage>(stage: S) -> Verdict {
    let mut stream = OfStage(stage);
    let mut output = stream.run_whole(&[0.0; 3000]);
    output.extend(stream.end());
    match output.iter().find(|y| **y != 0.0) {
        Some(y) => Err(format!("silence gives {y}")),
        None => Ok(()),
    }
}

/// 6, first half, of an analyzer. Silence gives frames that say so.
pub fn silent_frames<A: Analyzer>(analyzer: A, silent: fn(&[f32]) -> bool) -> Verdict {
    let frames = OfAnalyzer(analyzer.clone()).run_whole(&[0.0; 50 * HOP]);
    match frames
        .chunks_exact(analyzer.width())
        .find(|frame| !silent(frame))
    {
        Some(frame) => Err(format!("silence gives {frame:?}")),
        None => Ok(()),
    }
}

/// 6, second half. Finite in, finite out, from denormal to far too loud.
pub fn size<S: Subject>(subject: S) -> Verdict {
    let mut random = Random::new(6);
    let one = positions(&subject);
    let len = one * subject.width_in();
    let sign = |n: usize| if (n / 3).is_multiple_of(2) { 1.0 } else { -1.0 };
    let mut inputs: Vec<Vec<f32>> = vec![
        vec![0.0; len],
        vec![f32::MAX; len],
        (0..len).map(|n| f32::MAX * sign(n)).collect(),
        subject.input(&mut random, one),
    ];
    for size in [1e-44, 1e-38, 1e-6, 1.0, 1e4, 1e19, 1e38] {
        inputs.push(random.noise(len).iter().map(|x| x * size).collect());
    }
    let mut stream = subject;
    for (i, input) in inputs.iter().enumerate() {
        let mut output = stream.run_whole(input);
        output.extend(stream.end());
        let bad = output.iter().find(|y| !y.is_finite());
        hold(bad.is_none(), || format!("input {i} gives {bad:?}"))?;
    }
    Ok(())
}
