//! Streams that break one law each. A law that passes its mutant is no law.

use std::sync::{Arc, Mutex};

use persona_dsp::{Analyzer, DspError, Rates, Stage, HOP, RATE};

use crate::laws::{self, Verdict};
use crate::subject::{OfAnalyzer, OfStage};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// Promises one sample (or frame) too few for long blocks.
    LosesOne,
    /// A refused call has already taken its input.
    RefusesLate,
    /// Memory starts afresh with each block.
    RestartsPerBlock,
    ResetForgetsToForget,
    FlushForgetsToForget,
    /// The output trails by one more sample, or the frames by two, than stated.
    IsLate,
    /// The output trails by one less.
    IsEarly,
    /// Frames know the sound before it comes.
    KnowsTheFuture,
    /// Clones share their memory.
    SharesMemory,
    /// Silence gives a whisper.
    Whispers,
    /// Loud input gives infinity.
    Overflows,
    WritesNothing,
}

/// Samples by which the toy stage says that it trails.
const DELAY: usize = 5;

/// What the toys remember: the last samples, and whatever else the fault needs.
#[derive(Clone)]
struct Memory {
    past: [f32; DELAY + 1],
    in_hop: usize,
    energy: f32,
    frames: [f32; 3],
}

impl Memory {
    const EMPTY: Self = Self {
        past: [0.0; DELAY + 1],
        in_hop: 0,
        energy: 0.0,
        frames: [0.0; 3],
    };
}

/// A delay of five samples; and, as an analyzer, the loudness of a hop.
pub struct Toy {
    fault: Fault,
    memory: Arc<Mutex<Memory>>,
}

impl Clone for Toy {
    fn clone(&self) -> Self {
        let memory = match self.fault {
            Fault::SharesMemory => self.memory.clone(),
            _ => Arc::new(Mutex::new(self.memory.lock().unwrap().clone())),
        };
        Self {
            fault: self.fault,
            memory,
        }
    }
}

impl Toy {
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            memory: Arc::new(Mutex::new(Memory::EMPTY)),
        }
    }

    fn begin(&self, needed: usize, room: usize, input: &[f32]) -> Result<(), DspError> {
        let mut memory = self.memory.lock().unwrap();
        if self.fault == Fault::RestartsPerBlock {
            *memory = Memory {
                in_hop: memory.in_hop,
                ..Memory::EMPTY
            };
        }
        if room >= needed {
            return Ok(());
        }
        if self.fault == Fault::RefusesLate {
            memory.energy += input[0] * input[0];
            memory.past.rotate_right(1);
        }
        Err(DspError::OutputTooShort { needed, got: room })
    }

    fn delay(&self, x: f32) -> f32 {
        let mut memory = self.memory.lock().unwrap();
        memory.past.rotate_right(1);
        memory.past[0] = x;
        let y = memory.past[match self.fault {
            Fault::IsLate => DELAY,
            Fault::IsEarly => DELAY - 2,
            _ => DELAY - 1,
        }];
        match self.fault {
            Fault::Overflows => y * 1e6,
            Fault::Whispers => y + 1e-20,
            _ => y,
        }
    }

    fn forget(&self) {
        *self.memory.lock().unwrap() = Memory::EMPTY;
    }
}

impl Stage for Toy {
    fn rates(&self) -> Rates {
        Rates {
            input: RATE,
            output: RATE,
        }
    }
    fn latency(&self) -> usize {
        // Index 0 of the past is the sample at hand.
        DELAY - 1
    }
    fn output_len(&self, input_len: usize) -> usize {
        match self.fault {
            Fault::LosesOne if input_len > 300 => input_len - 1,
            _ => input_len,
        }
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        self.begin(self.output_len(input.len()), output.len(), input)?;
        for (x, y) in input.iter().zip(output) {
            let delayed = self.delay(*x);
            if self.fault != Fault::WritesNothing {
                *y = delayed;
            }
        }
        Ok(self.output_len(input.len()))
    }
    fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError> {
        for y in &mut output[..DELAY - 1] {
            *y = self.delay(0.0);
        }
        if self.fault == Fault::FlushForgetsToForget {
            self.memory.lock().unwrap().past[0] = 1.0;
        } else {
            self.forget();
        }
        Ok(DELAY - 1)
    }
    fn reset(&mut self) {
        if self.fault != Fault::ResetForgetsToForget {
            self.forget();
        }
    }
}

/// The toy as an analyzer.
#[derive(Clone)]
struct ToyMeter(Toy);

impl ToyMeter {
    fn step(&self, x: f32, rest: &[f32]) -> Option<f32> {
        let mut memory = self.0.memory.lock().unwrap();
        memory.energy += (x * x).min(f32::MAX);
        memory.in_hop += 1;
        if memory.in_hop < HOP {
            return None;
        }
        let mut energy = memory.energy;
        if self.0.fault == Fault::KnowsTheFuture {
            energy += rest.first().map_or(0.0, |x| x * x);
        }
        (memory.in_hop, memory.energy) = (0, 0.0);
        memory.frames.rotate_right(1);
        memory.frames[0] = match self.0.fault {
            Fault::Overflows => energy,
            Fault::Whispers => energy.min(1e30) + 1e-20,
            _ => energy.min(1e30),
        };
        Some(memory.frames[if self.0.fault == Fault::IsLate { 2 } else { 0 }])
    }
}

impl Analyzer for ToyMeter {
    fn width(&self) -> usize {
        1
    }
    fn window(&self) -> usize {
        HOP
    }
    fn lookahead(&self) -> usize {
        0
    }
    fn frames(&self, input_len: usize) -> usize {
        let frames = (self.0.memory.lock().unwrap().in_hop + input_len) / HOP;
        if self.0.fault == Fault::LosesOne {
            frames.min(1)
        } else {
            frames
        }
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        self.0
            .begin(self.frames(input.len()), output.len(), input)?;
        let mut written = 0;
        for (n, x) in input.iter().enumerate() {
            if let Some(frame) = self.step(*x, &input[n + 1..]) {
                if let Some(y) = output.get_mut(written) {
                    *y = frame;
                    written += 1;
                }
            }
        }
        Ok(written)
    }
    fn reset(&mut self) {
        Stage::reset(&mut self.0);
    }
}

fn stage(fault: Fault) -> OfStage<Toy> {
    OfStage(Toy::new(fault))
}

fn meter(fault: Fault) -> OfAnalyzer<ToyMeter> {
    OfAnalyzer(ToyMeter(Toy::new(fault)))
}

fn silent(frame: &[f32]) -> bool {
    frame == [0.0]
}

type Law = fn(Fault) -> Verdict;

const OF_STAGES: [(&str, Law); 8] = [
    ("length", |fault| laws::length(stage(fault))),
    ("split", |fault| laws::split(stage(fault))),
    ("as_new", |fault| laws::as_new(stage(fault))),
    ("latency", |fault| laws::latency(Toy::new(fault))),
    ("slow_latency", |fault| laws::slow_latency(Toy::new(fault))),
    ("snapshot", |fault| laws::snapshot(stage(fault))),
    ("silence", |fault| laws::silence(Toy::new(fault))),
    ("size", |fault| laws::size(stage(fault))),
];

const OF_ANALYZERS: [(&str, Law); 8] = [
    ("length", |fault| laws::length(meter(fault))),
    ("split", |fault| laws::split(meter(fault))),
    ("as_new", |fault| laws::as_new(meter(fault))),
    ("causal", |fault| laws::causal(ToyMeter(Toy::new(fault)))),
    ("moment", |fault| laws::moment(ToyMeter(Toy::new(fault)))),
    ("snapshot", |fault| laws::snapshot(meter(fault))),
    ("silence", |fault| {
        laws::silent_frames(ToyMeter(Toy::new(fault)), silent)
    }),
    ("size", |fault| laws::size(meter(fault))),
];

/// The law passes the sound toy and catches the faulty one.
fn catches(laws: &[(&str, Law)], name: &str, fault: Fault) {
    let law = laws.iter().find(|law| law.0 == name).unwrap().1;
    assert_eq!(law(Fault::None), Ok(()), "{name} on a sound toy");
    assert!(law(fault).is_err(), "{name} passes {fault:?}");
}

macro_rules! mutants {
    ($($test:ident: $laws:ident, $law:literal, $fault:ident;)*) => {
        $(#[test]
        fn $test() {
            catches(&$laws, $law, Fault::$fault);
        })*
    };
}

mutants! {
    a_lost_sample_breaks_length: OF_STAGES, "length", LosesOne;
    a_late_refusal_breaks_length: OF_STAGES, "length", RefusesLate;
    an_unwritten_output_breaks_length: OF_STAGES, "length", WritesNothing;
    a_restart_per_block_breaks_split: OF_STAGES, "split", RestartsPerBlock;
    a_lazy_reset_breaks_as_new: OF_STAGES, "as_new", ResetForgetsToForget;
    a_lazy_flush_breaks_as_new: OF_STAGES, "as_new", FlushForgetsToForget;
    a_sample_late_breaks_latency: OF_STAGES, "latency", IsLate;
    a_sample_early_breaks_latency: OF_STAGES, "latency", IsEarly;
    a_sample_late_breaks_slow_latency: OF_STAGES, "slow_latency", IsLate;
    a_sample_early_breaks_slow_latency: OF_STAGES, "slow_latency", IsEarly;
    shared_memory_breaks_snapshot: OF_STAGES, "snapshot", SharesMemory;
    a_whisper_breaks_silence: OF_STAGES, "silence", Whispers;
    an_infinity_breaks_size: OF_STAGES, "size", Overflows;
    a_lost_frame_breaks_length: OF_ANALYZERS, "length", LosesOne;
    an_analyzers_late_refusal_breaks_length: OF_ANALYZERS, "length", RefusesLate;
    an_analyzers_restart_per_block_breaks_split: OF_ANALYZERS, "split", RestartsPerBlock;
    an_analyzers_lazy_reset_breaks_as_new: OF_ANALYZERS, "as_new", ResetForgetsToForget;
    two_frames_late_breaks_moment: OF_ANALYZERS, "moment", IsLate;
    a_frame_that_knows_the_future_breaks_causal: OF_ANALYZERS, "causal", KnowsTheFuture;
    an_analyzers_shared_memory_breaks_snapshot: OF_ANALYZERS, "snapshot", SharesMemory;
    an_analyzers_whisper_breaks_silence: OF_ANALYZERS, "silence", Whispers;
    an_analyzers_infinity_breaks_size: OF_ANALYZERS, "size", Overflows;
}
