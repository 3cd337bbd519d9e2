//! Long silence after speech leaves no denormal number to be worked on: they cost a hundred times more.
//!
//! The processor notes when an operand was one. Cargo runs each test in a thread, which has its own notes.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use std::arch::asm;

use persona_dsp::{DspError, Rates, Stage};

use crate::random::Random;
use crate::subject::{OfAnalyzer, OfStage, Subject};

#[path = "laws/random.rs"]
#[allow(dead_code)] // the laws use more of it
mod random;
#[path = "laws/subject.rs"]
#[allow(dead_code)] // the laws use more of it
mod subject;
#[path = "laws/subjects.rs"]
mod subjects;

/// Of the notes: an operand was denormal.
const DENORMAL: u32 = 1 << 1;
/// All that it notes, of exceptions that nobody asked for.
const NOTES: u32 = 0x3f;
/// After this, what falls by a tenth in a hop has gone through all numbers that there are.
const SILENCE_S: usize = 12;
/// The samples of a second, at the fastest rate that is tried.
const SECOND: usize = 48_000;

/// What the processor has noted, and forgets.
fn take_notes() -> u32 {
    let mut notes = 0u32;
    // SAFETY: reads the register, and writes it back with notes cleared, which no code relies on.
    unsafe {
        asm!("stmxcsr [{}]", in(reg) &mut notes, options(nostack));
        let cleared = notes & !NOTES;
        asm!("ldmxcsr [{}]", in(reg) &cleared, options(nostack, readonly));
    }
    notes & NOTES
}

/// What silence is in a stream of samples, and of frames of F0, log-mel or envelopes.
fn silence(width: usize) -> Vec<f32> {
    match width {
        4 => vec![0.0, 0.0, 0.0, -120.0],
        80 => vec![-23.025_85; 80],
        161 => [vec![0.0], vec![-16.0; 160]].concat(),
        _ => vec![0.0; SECOND / 100],
    }
}

/// Whether a denormal number was worked on, in the second that follows speech and a long silence.
fn works_on_denormals<S: Subject>(mut subject: S) -> bool {
    let positions = if subject.width_in() > 1 {
        50
    } else {
        SECOND / 2
    };
    let speech = subject.input(&mut Random::new(4), positions);
    subject.run_whole(&speech);
    let silence = silence(subject.width_in());
    let mut output = vec![0.0; 4 * silence.len() + 500];
    for _ in 0..100 * SILENCE_S {
        subject.process(&silence, &mut output).unwrap();
    }
    take_notes();
    for _ in 0..100 {
        subject.process(&silence, &mut output).unwrap();
    }
    take_notes() & DENORMAL != 0
}

macro_rules! stage_law {
    ($name:ident, $make:expr) => {
        #[test]
        fn $name() {
            assert!(!works_on_denormals(OfStage($make)));
        }
    };
}

macro_rules! analyzer_law {
    ($name:ident, $make:expr, $silent:expr) => {
        #[test]
        fn $name() {
            assert!(!works_on_denormals(OfAnalyzer($make)));
        }
    };
}

macro_rules! shaper_law {
    ($name:ident, $make:expr) => {
        #[test]
        fn $name() {
            assert!(!works_on_denormals($make));
        }
    };
}

subjects::for_each_stage!(stage_law);
subjects::for_each_early_stage!(stage_law);
subjects::for_each_analyzer!(analyzer_law);
subjects::for_each_shaper!(shaper_law);

/// The mutant: falls by a hundredth a sample, and never to nothing.
#[derive(Clone)]
struct Falls(f32);

impl Stage for Falls {
    fn rates(&self) -> Rates {
        Rates {
            input: 24_000,
            output: 24_000,
        }
    }
    fn latency(&self) -> usize {
        0
    }
    fn output_len(&self, input_len: usize) -> usize {
        input_len
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        for (x, y) in input.iter().zip(output) {
            self.0 = x + 0.99 * self.0;
            *y = self.0;
        }
        Ok(input.len())
    }
    fn flush(&mut self, _output: &mut [f32]) -> Result<usize, DspError> {
        self.reset();
        Ok(0)
    }
    fn reset(&mut self) {
        self.0 = 0.0;
    }
}

#[test]
fn a_recursion_that_never_rests_is_caught() {
    assert!(works_on_denormals(OfStage(Falls(0.0))));
}
