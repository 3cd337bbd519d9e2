//! The native network against a plain reading of its definition, and what it refuses.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use persona_dsp::{math::matrix::Linear, NetShape, Network};

/// Numbers from -1 to 1 that repeat for nobody.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

#[test]
fn a_product_is_that_of_the_plain_sum_for_every_size() {
    for rows in [1, 2, 31, 32, 33, 64, 160] {
        for columns in [1, 7, 48, 384] {
            let (weight, bias) = (numbers(rows * columns, 1), numbers(rows, 2));
            let x = numbers(columns, 3);
            let plain: Vec<f64> = (0..rows)
                .map(|row| {
                    let row_of = &weight[row * columns..(row + 1) * columns];
                    let sum = |(w, x): (&f32, &f32)| f64::from(*w) * f64::from(*x);
                    f64::from(bias[row]) + row_of.iter().zip(&x).map(sum).sum::<f64>()
                })
                .collect();
            let linear = Linear::new(&weight, &bias);
            let mut y = vec![f32::NAN; rows];
            linear.apply(&x, &mut y);
            let worst = |y: &[f32], more: f64| {
                let off = y
                    .iter()
                    .zip(&plain)
                    .map(|(y, p)| (f64::from(*y) - p - more).abs());
                off.fold(0.0, f64::max)
            };
            assert!(
                worst(&y, 0.0) < 1e-4,
                "{rows} x {columns}: {}",
                worst(&y, 0.0)
            );
            let mut sum = vec![1.0; rows];
            linear.add(&x, &mut sum);
            assert!(worst(&sum, 1.0) < 1e-4);
            // The mutant: one weight wrong.
            let mut other = weight.clone();
            other[rows * columns - 1] += 0.01 / x[columns - 1];
            Linear::new(&other, &bias).apply(&x, &mut y);
            assert!(worst(&y, 0.0) > 1e-3);
        }
    }
}

#[test]
fn several_vectors_at_once_give_the_numbers_that_each_gives_alone() {
    let (rows, columns) = (70, 33);
    for half in [false, true] {
        let mut weight = numbers(rows * columns, 5);
        if half {
            // As a half float holds them; very small ones too.
            for (n, w) in weight.iter_mut().enumerate() {
                let small = if n % 3 == 0 { -12 } else { 0 };
                *w = (*w * 1024.0).round() * 2f32.powi(-10 + small);
            }
        }
        let linear = Linear::new(&weight, &numbers(rows, 6));
        for count in 0..=12 {
            let x = numbers(count * columns, 7);
            let mut together = vec![f32::NAN; count * rows];
            linear.apply(&x, &mut together);
            let mut alone = vec![f32::NAN; count * rows];
            for (x, y) in x.chunks(columns).zip(alone.chunks_mut(rows)) {
                linear.apply(x, y);
            }
            assert_eq!(together, alone);
        }
    }
}

#[test]
fn weights_that_half_floats_hold_give_the_same_numbers_as_single_ones() {
    let (rows, columns) = (40, 65);
    let halves: Vec<f32> = numbers(rows * columns, 8)
        .iter()
        .enumerate()
        // Down to the smallest half float, 2^-24.
        .map(|(n, w)| (w * 1024.0).round() * 2f32.powi(-10 - (n % 15) as i32))
        .collect();
    let mut single = halves.clone();
    // No half float holds this; the row that it is in is not looked at.
    single[0] = 0.100_000_1;
    let x = numbers(columns, 9);
    let bias = vec![0.0; rows];
    let product = |weight: &[f32]| {
        let mut y = vec![f32::NAN; rows];
        Linear::new(weight, &bias).apply(&x, &mut y);
        y
    };
    assert_eq!(product(&halves)[1..], product(&single)[1..]);
    assert_ne!(product(&halves)[0], product(&single)[0]);
}

fn shape() -> NetShape {
    NetShape {
        channels: 4,
        hidden: 6,
        input_frames: 2,
        dilations: vec![2],
        late: 1,
    }
}

fn length(name: &str) -> usize {
    match name {
        "enter.weight" => 4 * 160,
        "layers.0.up.weight" => 6 * 8,
        "layers.0.up.bias" => 6,
        "layers.0.down.weight" => 4 * 6,
        "head.weight" => 160 * 4,
        "head.bias" => 160,
        _ => 4,
    }
}

#[test]
fn with_all_weights_zero_every_band_is_as_loud_as_the_speakers_loudest() {
    let zeros = vec![0.0; 1000];
    let mut network = Network::new(shape(), |name| zeros.get(..length(name))).unwrap();
    let frames: Vec<f32> = (0..5usize)
        .flat_map(|frame| (0..80usize).map(move |band| (frame, band)))
        // So quiet that articulation rests.
        .map(|(frame, band)| -28.0 - 0.5 * frame as f32 - 0.1 * band.abs_diff(30) as f32)
        .collect();
    let mut out = vec![f32::NAN; 5 * 160];
    network.process(&frames, &mut out).unwrap();
    // Late by one hop, 0.6 of the newer and 0.4 of the older of the two frames around the moment.
    for k in 1..5 {
        let mel = 0.6 * frames[k * 80 + 30] + 0.4 * frames[(k - 1) * 80 + 30];
        let expected = (mel - (4.0f32 * 1.5 / 768.0).ln()) / 2.0;
        for got in &out[k * 160..][..160] {
            assert!((got - expected).abs() < 1e-5, "{k}: {got} for {expected}");
        }
    }
}

#[test]
fn what_is_no_number_counts_as_silence() {
    let numbers = numbers(1000, 9);
    let mut network = Network::new(shape(), |name| numbers.get(..length(name))).unwrap();
    let mut out = vec![f32::NAN; 160];
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        network.process(&[bad; 80], &mut out).unwrap();
        assert!(out.iter().all(|y| (-16.0..=4.0).contains(y)), "{bad}");
    }
}

/// What is said of a network of which one tensor is as `wrong` makes it.
fn refused(wrong: &str, made: impl Fn(&str) -> Option<Vec<f32>>) -> Option<(&'static str, String)> {
    let (right, made) = (numbers(1000, 9), made(wrong));
    let tensor = |name: &str| match name == wrong {
        true => made.as_deref(),
        false => right.get(..length(name)),
    };
    let refused = Network::new(shape(), tensor).err();
    refused.map(|error| (error.code(), error.to_string()))
}

const EVERY: [&str; 10] = [
    "enter.weight",
    "enter.bias",
    "layers.0.norm.weight",
    "layers.0.up.weight",
    "layers.0.up.bias",
    "layers.0.down.weight",
    "layers.0.down.bias",
    "norm.weight",
    "head.weight",
    "head.bias",
];

#[test]
fn a_tensor_that_is_missing_or_of_another_length_is_refused_by_name() {
    assert_eq!(refused("none", |_| None), None);
    for name in EVERY {
        let expected = length(name);
        let said = |got: usize| {
            let text = format!("{name} must hold {expected} values, got {got}");
            Some(("wrong_shape", text))
        };
        assert_eq!(refused(name, |_| None), said(0));
        for got in [expected - 1, expected + 1] {
            assert_eq!(refused(name, |_| Some(vec![0.0; got])), said(got));
        }
    }
}

#[test]
fn a_weight_that_is_no_number_is_refused_by_name() {
    for name in EVERY {
        for (bad, at) in [(f32::NAN, 0), (f32::INFINITY, 1), (-f32::INFINITY, 3)] {
            let with_one = |name: &str| {
                let mut weights = vec![0.0; length(name)];
                weights[at] = bad;
                Some(weights)
            };
            let text = format!("{name} must hold finite numbers only, got NaN or infinity");
            assert_eq!(refused(name, with_one), Some(("not_finite", text)));
        }
    }
}

#[test]
fn a_shape_of_nothing_is_refused() {
    let zeros = vec![0.0; 1000];
    for broken in [
        NetShape {
            channels: 0,
            ..shape()
        },
        NetShape {
            hidden: 0,
            ..shape()
        },
        NetShape {
            input_frames: 0,
            ..shape()
        },
        NetShape { late: 0, ..shape() },
        NetShape {
            dilations: vec![1, 0],
            ..shape()
        },
    ] {
        let made = Network::new(broken, |name| zeros.get(..length(name)));
        assert_eq!(made.map(|_| ()).map_err(|e| e.code()), Err("out_of_range"));
    }
}

#[test]
fn frames_must_be_whole_and_the_output_long_enough() {
    let zeros = vec![0.0; 1000];
    let mut network = Network::new(shape(), |name| zeros.get(..length(name))).unwrap();
    let mut out = vec![0.0; 160];
    let code = |r: Result<usize, persona_dsp::DspError>| r.map_err(|e| e.code());
    assert_eq!(
        code(network.process(&[0.0; 79], &mut out)),
        Err("wrong_shape")
    );
    assert_eq!(
        code(network.process(&[0.0; 160], &mut out)),
        Err("output_too_short")
    );
    assert_eq!(code(network.process(&[0.0; 80], &mut out)), Ok(160));
}
