//! Laws one to six for everything that streams, and a mutant for each law. The seventh, no heap, is
//! in `no_alloc.rs`.
//!
//! | law | stage | analyzer | frames in, whole path |
//! | --- | --- | --- | --- |
//! | length, split, as new, snapshot, size | all | all | all |
//! | latency | an impulse | no frame knows the future | frame by frame; of the path in `chain.rs` |
//! | moment | | a change of sound; not the VAD, whose frames are decisions with a memory | |
//! | silence | zeros to zeros | a frame that says so | an envelope; of the path in `chain.rs` |
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

mod laws;
mod mutants;
mod random;
mod subject;
mod subjects;

use subject::{OfAnalyzer, OfStage, Subject};

macro_rules! common_laws {
    ($subject:expr) => {
        #[test]
        fn length() {
            assert_eq!(laws::length($subject), Ok(()));
        }
        #[test]
        fn split() {
            assert_eq!(laws::split($subject), Ok(()));
        }
        #[test]
        fn as_new() {
            assert_eq!(laws::as_new($subject), Ok(()));
        }
        #[test]
        fn snapshot() {
            assert_eq!(laws::snapshot($subject), Ok(()));
        }
        #[test]
        fn size() {
            assert_eq!(laws::size($subject), Ok(()));
        }
    };
}

macro_rules! stage_laws {
    ($name:ident, $make:expr) => {
        mod $name {
            use crate::*;

            common_laws!(OfStage($make));
            #[test]
            fn latency() {
                assert_eq!(laws::latency($make), Ok(()));
            }
            #[test]
            fn silence() {
                assert_eq!(laws::silence($make), Ok(()));
            }
        }
    };
}

macro_rules! analyzer_laws {
    ($name:ident, $make:expr, $silent:expr) => {
        mod $name {
            use crate::*;

            common_laws!(OfAnalyzer($make));
            #[test]
            fn silence() {
                assert_eq!(laws::silent_frames($make, $silent), Ok(()));
            }
            #[test]
            fn causal() {
                assert_eq!(laws::causal($make), Ok(()));
            }
        }
    };
}

macro_rules! shaper_laws {
    ($name:ident, $make:expr) => {
        mod $name {
            use crate::*;

            common_laws!($make);
        }
    };
}

subjects::for_each_stage!(stage_laws);
subjects::for_each_analyzer!(analyzer_laws);
subjects::for_each_shaper!(shaper_laws);

#[test]
fn log_mel_frames_stand_for_their_moment() {
    assert_eq!(laws::moment(persona_dsp::LogMel::new()), Ok(()));
}

#[test]
fn loudness_frames_stand_for_their_moment() {
    assert_eq!(laws::moment(persona_dsp::Loudness::new()), Ok(()));
}

#[test]
fn f0_frames_stand_for_their_moment() {
    for late_hops in 0..=5 {
        let tracker = persona_dsp::F0Tracker::new(late_hops).unwrap();
        assert_eq!(laws::moment(tracker), Ok(()));
    }
}

#[test]
fn cuts_hold_empty_blocks_and_cover_everything() {
    let cuts = random::Random::new(1).cuts(5000);
    assert_eq!(cuts.iter().sum::<usize>(), 5000);
    assert!(cuts.contains(&0) && cuts.contains(&1) && cuts.iter().any(|&cut| cut > 240));
}

#[test]
fn a_run_starts_from_dirty_memory() {
    let idle = mutants::Toy::new(mutants::Fault::WritesNothing);
    assert!(OfStage(idle)
        .run_whole(&[0.0; 4])
        .iter()
        .all(|y| y.is_nan()));
}
