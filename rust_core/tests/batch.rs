//! A batch against each of its streams alone.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use persona_dsp::{Batch, Chain, Network, Path, ProsodyTargets, Stage};

use crate::random::Random;
use crate::subject::network;

#[path = "laws/random.rs"]
#[allow(dead_code)] // the laws use more of it
mod random;
#[path = "laws/subject.rs"]
#[allow(dead_code)] // the laws use more of it
mod subject;

const RATE: u32 = 44_100;
const LOOKAHEAD: usize = 960;

fn path(seed: u64) -> Path {
    let targets = ProsodyTargets {
        register_hz: 150.0 + 5.0 * seed as f32,
        range: 1.0,
    };
    Path::new(RATE, LOOKAHEAD, targets, seed).unwrap()
}

/// One stream, and all that it was given and gave.
struct Told {
    slot: usize,
    seed: u64,
    heard: Vec<f32>,
    said: Vec<f32>,
}

impl Told {
    fn alone(&self, network: &Network) -> Vec<f32> {
        let mut chain = Chain::new(path(self.seed), network.clone());
        let mut output = vec![0.0; self.heard.len()];
        chain.process(&self.heard, &mut output).unwrap();
        output
    }
}

#[test]
fn each_stream_is_what_it_would_be_alone_whoever_joins_and_leaves() {
    let network = network();
    let slots = 20;
    let mut batch = Batch::new(&network, RATE, slots).unwrap();
    let mut random = Random::new(9);
    let (mut here, mut gone): (Vec<Told>, Vec<Told>) = (Vec::new(), Vec::new());
    for round in 0..60u64 {
        if random.sample() > -0.4 && here.len() < slots {
            let slot = batch.join(path(round)).unwrap();
            assert!(here.iter().all(|told| told.slot != slot));
            let (heard, said) = (Vec::new(), Vec::new());
            here.push(Told {
                slot,
                seed: round,
                heard,
                said,
            });
        } else if !here.is_empty() {
            let told = here.swap_remove(round as usize % here.len());
            batch.leave(told.slot).unwrap();
            gone.push(told);
        }
        // Empty, of a sample, of a hop, and longer than a piece.
        let len = [441, 0, 1, 700, 441, 1300][round as usize % 6];
        let mut input = vec![f32::NAN; slots * len];
        let mut output = vec![f32::NAN; slots * len];
        for told in &mut here {
            // Some are silent from a while on: for them the network rests.
            let silent = told.seed % 3 == 0 && told.heard.len() > 4000;
            let size = if silent { 0.0 } else { 0.2 };
            let block: Vec<f32> = random.noise(len).iter().map(|x| size * x).collect();
            input[told.slot * len..][..len].copy_from_slice(&block);
            told.heard.extend(block);
        }
        batch.process(&input, &mut output).unwrap();
        for told in &mut here {
            told.said.extend(&output[told.slot * len..][..len]);
            output[told.slot * len..][..len].fill(0.0);
        }
        assert!(output.iter().all(|y| *y == 0.0), "free slots are silent");
    }
    assert!(here.len() > 8 && gone.len() > 8);
    let mut sounding = 0;
    for told in here.iter().chain(&gone) {
        let alone = told.alone(&network);
        assert_eq!(told.said, alone, "stream {}", told.seed);
        sounding += usize::from(alone.iter().any(|y| y.abs() > 1e-4));
    }
    assert!(sounding > 8, "{sounding}");
    // The mutant: somebody else in that slot.
    let mut other = here.swap_remove(0);
    other.seed += 1;
    assert_ne!(other.said, other.alone(&network));
}

#[test]
fn mistakes_are_refused_and_the_others_go_on() {
    let network = network();
    let mut batch = Batch::new(&network, RATE, 2).unwrap();
    let slot = batch.join(path(1)).unwrap();
    let other = batch.join(path(2)).unwrap();
    let code = |result: Result<usize, persona_dsp::DspError>| result.map_err(|e| e.code());
    assert_eq!(code(batch.join(path(3))), Err("batch_full"));
    batch.leave(other).unwrap();
    assert_eq!(code(batch.leave(other).map(|()| 0)), Err("not_joined"));
    assert_eq!(code(batch.status(other).map(|_| 0)), Err("not_joined"));
    assert_eq!(code(batch.leave(7).map(|()| 0)), Err("not_joined"));
    let targets = ProsodyTargets {
        register_hz: 1.0,
        range: 1.0,
    };
    assert_eq!(
        code(batch.set_targets(slot, targets).map(|()| 0)),
        Err("out_of_range")
    );
    assert_eq!(
        code(batch.set_targets(other, targets).map(|()| 0)),
        Err("not_joined")
    );
    let elsewhere = Path::new(
        48_000,
        LOOKAHEAD,
        ProsodyTargets {
            register_hz: 200.0,
            ..targets
        },
        1,
    );
    let refused = batch.join(elsewhere.unwrap()).unwrap_err();
    assert_eq!(refused.code(), "out_of_range");
    let said = "a path must run at the 44100 Hz of the batch that it joins, got one at 48000 Hz";
    assert_eq!(refused.to_string(), said);
    let mut output = vec![0.0; 882];
    assert_eq!(
        code(batch.process(&[0.0; 881], &mut output).map(|()| 0)),
        Err("wrong_shape")
    );
    assert_eq!(
        code(batch.process(&[0.0; 882], &mut output[..881]).map(|()| 0)),
        Err("output_too_short")
    );
    batch.process(&[0.0; 882], &mut output).unwrap();
    assert!(!batch.status(slot).unwrap().failed);
    for slots in [0, 4097] {
        assert!(Batch::new(&network, RATE, slots).is_err());
    }
    // A block would never have ended: pieces of no sample.
    for rate in [0, 99, 7_999, 192_001] {
        assert!(Batch::new(&network, rate, 2).is_err());
    }
}
