//! Streaming DSP for one persona's voice, in path order.
#![forbid(unsafe_code)]

pub mod error;
pub mod math;
pub mod stage;

pub mod features;

pub use error::DspError;
pub use features::LogMel;
pub use stage::{Analyzer, Rates, Stage, HOP, RATE};
