//! Both ends of a batch, with the core's own middle between them, against streams alone.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use persona_dsp::{Chain, Ends, Network, Path, ProsodyTargets, Stage, Vocoder};

use crate::random::Random;
use crate::subject::network;

#[path = "laws/random.rs"]
#[allow(dead_code)] // the laws use more of it
mod random;
#[path = "laws/subject.rs"]
#[allow(dead_code)] // the laws use more of it
mod subject;

const RATE: u32 = 44_100;
const SLOTS: usize = 4;
const SEED: u64 = 3;
const SILENT: f32 = -16.0;

fn path() -> Path {
    let targets = ProsodyTargets {
        register_hz: 190.0,
        range: 1.0,
    };
    Path::new(RATE, 960, targets, SEED).unwrap()
}

/// Network and vocoder of one slot.
struct Middle(Network, Vocoder);

impl Middle {
    fn new() -> Self {
        Self(network(), Vocoder::new(SEED))
    }

    fn make(&mut self, heard: &[f32], made: &mut [f32]) {
        if heard[0] == 0.0 {
            return;
        }
        let mut frame = vec![heard[2]; Vocoder::WIDTH];
        self.0.process(&heard[7..], &mut frame[1..]).unwrap();
        if heard[1] == 1.0 {
            frame[1..].fill(SILENT);
        }
        self.1.process(&frame, &mut made[1..]).unwrap();
    }
}

fn make(middles: &mut [Middle], heard: &[f32], made: &mut [f32]) -> bool {
    let rows = heard.chunks(Ends::HEARD).zip(made.chunks_mut(Ends::MADE));
    for (middle, (heard, made)) in middles.iter_mut().zip(rows) {
        middle.make(heard, made);
    }
    true
}

/// Blocks through both ends, piece by piece.
fn process(
    ends: &mut Ends,
    input: &[f32],
    output: &mut [f32],
    mut make: impl FnMut(&[f32], &mut [f32]) -> bool,
) {
    output.fill(0.0);
    let len = input.len() / ends.slots();
    for start in (0..len).step_by(ends.piece()) {
        let mut heard = vec![f32::NAN; ends.slots() * Ends::HEARD];
        let mut made = vec![0.0; ends.slots() * Ends::MADE];
        let part = start..len.min(start + ends.piece());
        if ends.hear(input, part, &mut heard).unwrap() && !make(&heard, &mut made) {
            ends.lose();
        }
        ends.speak(&made, output).unwrap();
    }
}

fn alone(input: &[f32]) -> Vec<f32> {
    let mut output = vec![0.0; input.len()];
    Chain::new(path(), network())
        .process(input, &mut output)
        .unwrap();
    output
}

#[test]
fn each_stream_is_what_it_is_alone_to_the_last_bit() {
    let mut ends = Ends::new(RATE, SLOTS).unwrap();
    let mut middles: Vec<Middle> = (0..SLOTS).map(|_| Middle::new()).collect();
    let mut random = Random::new(4);
    let mut told: Vec<(usize, Vec<f32>, Vec<f32>)> = Vec::new();
    for round in 0..60 {
        if round == 20 {
            // Another takes the place.
            let (slot, ..) = told[1];
            ends.leave(slot).unwrap();
            middles[slot] = Middle::new();
        }
        if [0, 3, 11, 20].contains(&round) {
            told.push((ends.join(path()).unwrap(), Vec::new(), Vec::new()));
        }
        // Empty, of a sample, of a hop, and longer than a piece; silence between.
        let len = [441, 0, 1, 700, 441, 1300][round % 6];
        let size = if (25..40).contains(&round) { 0.0 } else { 0.2 };
        let mut input = vec![f32::NAN; SLOTS * len];
        let mut output = vec![f32::NAN; SLOTS * len];
        let first_left = round >= 20;
        let here = |k: usize| !(first_left && k == 1);
        for (k, (slot, heard, _)) in told.iter_mut().enumerate() {
            if here(k) {
                let block: Vec<f32> = random.noise(len).iter().map(|x| size * x).collect();
                input[*slot * len..][..len].copy_from_slice(&block);
                heard.extend(block);
            }
        }
        let middle = |heard: &[f32], made: &mut [f32]| make(&mut middles, heard, made);
        process(&mut ends, &input, &mut output, middle);
        for (k, (slot, _, said)) in told.iter_mut().enumerate() {
            if here(k) {
                said.extend(&output[*slot * len..][..len]);
                output[*slot * len..][..len].fill(0.0);
            }
        }
        assert!(output.iter().all(|y| *y == 0.0), "free slots are silent");
    }
    for (_, heard, said) in &told {
        let alone = alone(heard);
        assert!(alone.iter().any(|y| y.abs() > 1e-3));
        assert_eq!(*said, alone);
    }
}

#[test]
fn a_step_that_fails_silences_those_who_were_there() {
    let mut ends = Ends::new(RATE, SLOTS).unwrap();
    let slot = ends.join(path()).unwrap();
    let loud = |_: &[f32], made: &mut [f32]| {
        made.chunks_mut(Ends::MADE)
            .for_each(|made| made[1..].fill(0.5));
        true
    };
    let input = Random::new(1).noise(SLOTS * 4410);
    let mut output = vec![0.0; input.len()];
    process(&mut ends, &input, &mut output, loud);
    assert!(output[slot * 4410..].iter().any(|y| y.abs() > 0.3));
    assert!(!ends.status(slot).unwrap().failed);
    process(&mut ends, &input, &mut output, |_, _| false);
    assert!(ends.status(slot).unwrap().failed);
    let new = ends.join(path()).unwrap();
    process(&mut ends, &input, &mut output, loud);
    let loudest = |slot: usize| {
        let said = output[slot * 4410..][..4410].iter();
        said.fold(0.0f32, |most, y| most.max(y.abs()))
    };
    assert_eq!(loudest(slot), 0.0);
    assert!(loudest(new) > 0.3);
    assert!(!ends.status(new).unwrap().failed);
}

#[test]
fn a_slot_whose_converter_failed_says_so_and_sounds_as_it_is_told() {
    let mut ends = Ends::new(RATE, SLOTS).unwrap();
    let (failing, sound) = (ends.join(path()).unwrap(), ends.join(path()).unwrap());
    let input = Random::new(1).noise(SLOTS * 4410);
    let mut output = vec![0.0; input.len()];
    let make = |_: &[f32], made: &mut [f32]| {
        made[failing * Ends::MADE] = 1.0;
        true
    };
    process(&mut ends, &input, &mut output, make);
    assert!(ends.status(failing).unwrap().failed);
    assert!(!ends.status(sound).unwrap().failed);
}

#[test]
fn mistakes_are_refused() {
    let mut ends = Ends::new(RATE, 2).unwrap();
    ends.join(path()).unwrap();
    ends.join(path()).unwrap();
    let code = |error: persona_dsp::DspError| error.code();
    assert_eq!(ends.join(path()).map_err(code), Err("batch_full"));
    let (mut heard, made) = ([0.0; 2 * Ends::HEARD], [0.0; 2 * Ends::MADE]);
    let mut blocks = [0.5; 882];
    for (len, part, room) in [
        (881, 0..441, 2 * Ends::HEARD),
        (882, 0..441, Ends::HEARD),
        (882, 1..442, 2 * Ends::HEARD),
        (1764, 0..442, 2 * Ends::HEARD),
    ] {
        let refused = ends.hear(&[0.0; 1764][..len], part, &mut heard[..room]);
        let code = refused.map_err(code);
        assert!(matches!(code, Err("wrong_shape" | "out_of_range")));
    }
    ends.speak(&made, &mut []).unwrap();
    ends.hear(&[0.0; 882], 0..441, &mut heard).unwrap();
    let other = ends.speak(&made, &mut blocks[1..]).map_err(code);
    assert_eq!(other, Err("wrong_shape"));
    let short = ends.speak(&made[1..], &mut blocks).map_err(code);
    assert_eq!(short, Err("wrong_shape"));
    ends.speak(&made, &mut blocks).unwrap();
    assert!(blocks.iter().all(|y| *y == 0.0));
    // Only once.
    blocks.fill(0.5);
    ends.speak(&made, &mut blocks).unwrap();
    assert!(blocks.iter().all(|y| *y == 0.5));
    ends.leave(1).unwrap();
    assert_eq!(ends.leave(1).map_err(code), Err("not_joined"));
    assert_eq!(ends.status(1).map_err(code).err(), Some("not_joined"));
    assert_eq!(ends.path(1).map_err(code).err(), Some("not_joined"));
    assert!(Ends::new(RATE, 0).is_err() && Ends::new(RATE, 4097).is_err());
    assert!(Ends::new(0, 2).is_err() && Ends::new(7_999, 2).is_err());
}
