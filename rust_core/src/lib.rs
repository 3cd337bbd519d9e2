//! Streaming DSP for one persona's voice, in path order.
#![deny(unsafe_code)] // but for two files, which say why

pub mod error;
pub mod math;
pub mod stage;

pub mod articulation;
pub mod delivery;
pub mod envelopes;
pub mod f0;
pub mod features;
pub mod level;
pub mod manner;
pub mod net;
pub mod prosody;
pub mod resample;
pub mod shifter;
pub mod vad;
pub mod vocoder;

pub mod batch;
pub mod chain;
pub mod drift;
pub mod ends;
mod seats;
mod suppress;

pub use articulation::Articulation;
pub use batch::Batch;
pub use chain::{Chain, Path, PathStatus};
pub use delivery::Delivery;
pub use drift::{Drift, MAX_PPM};
pub use ends::Ends;
pub use envelopes::Envelopes;
pub use error::{DspError, TensorName};
pub use f0::{F0Evidence, F0Tracker, F0Tracks};
pub use features::LogMel;
pub use level::{Fade, Leveller, Limiter, Loudness, Meter};
pub use manner::Manner;
pub use net::{NetShape, Network};
pub use prosody::{Prosody, ProsodyTargets};
pub use resample::Resampler;
pub use shifter::{Shift, Shifter};
pub use stage::{Analyzer, Rates, Stage, HOP, MAX_RATE, MIN_RATE, RATE};
pub use vad::Vad;
pub use vocoder::Vocoder;
