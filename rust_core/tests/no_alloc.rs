//! Law seven: `process`, `flush`, `reset` and a refused call neither allocate nor free.
#![allow(clippy::unwrap_used)] // a test that cannot go on may stop

use crate::heap::heap_calls;
use crate::random::Random;
use crate::subject::{OfAnalyzer, OfStage, Subject};

#[path = "laws/heap.rs"]
mod heap;
#[path = "laws/random.rs"]
#[allow(dead_code)] // the laws use more of it
mod random;
#[path = "laws/subject.rs"]
#[allow(dead_code)] // the laws use more of it
mod subject;
#[path = "laws/subjects.rs"]
mod subjects;

/// Heap calls of a stream that is run in blocks, refused, flushed, run again and reset.
fn heap_calls_of<S: Subject>(mut subject: S) -> u64 {
    let width = subject.width_in();
    let positions = if width > 1 { 30 } else { 4000 };
    let mut random = Random::new(8);
    let input = subject.input(&mut random, positions);
    let cuts = random.cuts(positions);
    let mut output = vec![0.0; subject.due(positions as u64) as usize + subject.tail() + 1];
    heap_calls(|| {
        for _ in 0..2 {
            let mut at = 0;
            for cut in &cuts {
                let block = &input[at * width..(at + cut) * width];
                let due = subject.promised(*cut);
                if due > 0 {
                    assert!(subject.process(block, &mut output[..due - 1]).is_err());
                }
                assert!(subject.process(block, &mut output).is_ok());
                at += cut;
            }
            assert!(subject.flush(&mut output).is_ok());
        }
        assert!(subject.process(&input, &mut output).is_ok());
        subject.reset();
    })
}

macro_rules! stage_law {
    ($name:ident, $make:expr) => {
        #[test]
        fn $name() {
            assert_eq!(heap_calls_of(OfStage($make)), 0);
        }
    };
}

macro_rules! analyzer_law {
    ($name:ident, $make:expr, $silent:expr) => {
        #[test]
        fn $name() {
            assert_eq!(heap_calls_of(OfAnalyzer($make)), 0);
        }
    };
}

macro_rules! shaper_law {
    ($name:ident, $make:expr) => {
        #[test]
        fn $name() {
            assert_eq!(heap_calls_of($make), 0);
        }
    };
}

subjects::for_each_stage!(stage_law);
subjects::for_each_early_stage!(stage_law);
subjects::for_each_analyzer!(analyzer_law);
subjects::for_each_shaper!(shaper_law);

#[test]
fn batch() {
    let mut batch = persona_dsp::Batch::new(&subject::network(), 24_000, 3).unwrap();
    for seed in [1, 2] {
        let targets = persona_dsp::ProsodyTargets {
            register_hz: 200.0,
            range: 1.0,
        };
        let path = persona_dsp::Path::new(24_000, 720, targets, seed);
        batch.join(path.unwrap()).unwrap();
    }
    let input = Random::new(3).noise(3 * 2000 + 1);
    let mut output = vec![0.0; input.len()];
    let calls = heap_calls(|| {
        for len in [2000, 240, 0, 7] {
            assert!(batch.process(&input[..3 * len], &mut output).is_ok());
            assert!(batch.process(&input[..3 * len + 1], &mut output).is_err());
        }
    });
    assert_eq!(calls, 0);
}

#[test]
fn ends() {
    let mut ends = persona_dsp::Ends::new(44_100, 3).unwrap();
    let targets = persona_dsp::ProsodyTargets {
        register_hz: 200.0,
        range: 1.0,
    };
    let path = persona_dsp::Path::new(44_100, 720, targets, 1);
    ends.join(path.unwrap()).unwrap();
    let mut blocks = Random::new(3).noise(3 * 441 + 1);
    let mut heard = [0.0; 3 * persona_dsp::Ends::HEARD];
    let made = [0.0; 3 * persona_dsp::Ends::MADE];
    let calls = heap_calls(|| {
        for len in [441, 441, 0, 7, 441] {
            let (rows, refused) = (&mut blocks[..3 * len], 0..len + 1);
            assert!(ends.hear(rows, refused, &mut heard).is_err());
            assert!(ends.hear(rows, 0..len, &mut heard).is_ok());
            assert!(ends.speak(&made[1..], rows).is_err());
            assert!(ends.speak(&made, rows).is_ok());
        }
        ends.lose();
    });
    assert_eq!(calls, 0);
}

/// The mutant: a stage that copies each block behind the caller's back.
#[derive(Clone)]
struct Copies(persona_dsp::Fade);

impl persona_dsp::Stage for Copies {
    fn rates(&self) -> persona_dsp::Rates {
        self.0.rates()
    }
    fn latency(&self) -> usize {
        self.0.latency()
    }
    fn output_len(&self, input_len: usize) -> usize {
        self.0.output_len(input_len)
    }
    fn process(
        &mut self,
        input: &[f32],
        output: &mut [f32],
    ) -> Result<usize, persona_dsp::DspError> {
        self.0
            .process(&std::hint::black_box(input.to_vec()), output)
    }
    fn flush(&mut self, output: &mut [f32]) -> Result<usize, persona_dsp::DspError> {
        self.0.flush(output)
    }
    fn reset(&mut self) {
        self.0.reset();
    }
}

#[test]
fn a_hidden_copy_is_caught() {
    assert_eq!(
        heap_calls_of(OfStage(persona_dsp::Fade::new(24_000).unwrap())),
        0
    );
    assert!(heap_calls_of(OfStage(Copies(persona_dsp::Fade::new(24_000).unwrap()))) > 0);
}
