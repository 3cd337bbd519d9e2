//! Streaming DSP for one persona's voice, in path order.
#![forbid(unsafe_code)]

pub mod error;
pub mod math;
pub mod stage;

pub mod articulation;
pub mod f0;
pub mod features;
pub mod level;
pub mod manner;
pub mod net;
pub mod prosody;
pub mod resample;
pub mod vad;
pub mod vocoder;

pub mod batch;
pub mod chain;
pub mod ends;
mod seats;

pub use articulation::Articulation;
pub use batch::Batch;
pub use chain::{Chain, Path, PathStatus};
pub use ends::Ends;
pub use error::{DspError, TensorName};
pub use f0::{F0Evidence, F0Tracker};
pub use features::LogMel;
pub use level::{Fade, Limiter, Loudness};
pub use manner::Manner;
pub use net::{NetShape, Network};
pub use prosody::{Prosody, ProsodyTargets};
pub use resample::{Resampler, MAX_RATE, MIN_RATE};
pub use stage::{Analyzer, Rates, Stage, HOP, RATE};
pub use vad::Vad;
pub use vocoder::Vocoder;
