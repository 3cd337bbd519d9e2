//! The contract of everything that streams: samples to samples, samples to frames, frames to samples.

use crate::error::{check_range, DspError};

/// Samples from one frame to the next: 10 ms at [`RATE`].
pub const HOP: usize = 240;
/// The rate inside, in Hz.
pub const RATE: u32 = 24_000;
/// Slowest stream, in Hz: telephone.
pub const MIN_RATE: u32 = 8_000;
/// Fastest stream, in Hz: the fastest sound cards.
pub const MAX_RATE: u32 = 192_000;

/// Refuses a rate that no stream has.
///
/// # Errors
/// `out_of_range`.
pub fn check_rate(what: &'static str, hz: u32) -> Result<(), DspError> {
    check_range(what, hz.into(), MIN_RATE.into(), MAX_RATE.into())
}

/// Input and output rate of a stage, in Hz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of the stream that goes in.
    pub input: u32,
    /// Of the stream that comes out.
    pub output: u32,
}

/// A mono stream in, a mono stream out, and all the memory in between.
///
/// Time-honest: what goes in and what comes out cover the same stretch of time in every call. A
/// stage that must wait for more input pays with zeros at the start, and that wait is part of
/// `latency`.
pub trait Stage: Clone + Send {
    /// Sample rates of the two streams.
    fn rates(&self) -> Rates;
    /// Output samples by which the output trails the input. Fixed for life.
    fn latency(&self) -> usize;
    /// Exactly how many samples the next `process` writes for `input_len` samples.
    fn output_len(&self, input_len: usize) -> usize;
    /// Consumes all of `input`, writes `output_len(input.len())` samples and returns their number.
    ///
    /// # Errors
    /// `output_too_short`, with nothing consumed.
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError>;
    /// Ends the stream: writes the last `latency()` samples, then is as new.
    ///
    /// # Errors
    /// `output_too_short`, with nothing written.
    fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError>;
    /// Forgets the stream; the settings stay.
    fn reset(&mut self);
}

/// Samples in, one frame of `width()` numbers out per hop.
///
/// Frame `k` is given as soon as sample `(k + 1) * hop() - 1` has come. It saw the `window()` samples
/// that end there, and stands for the moment `lookahead()` samples before that end.
pub trait Analyzer: Clone + Send {
    /// Numbers in a frame.
    fn width(&self) -> usize;
    /// Samples from one frame to the next: unless it says otherwise, those of a stream at [`RATE`].
    fn hop(&self) -> usize {
        HOP
    }
    /// Samples that one frame looks at.
    fn window(&self) -> usize;
    /// Samples past the moment that a frame stands for which it needs.
    fn lookahead(&self) -> usize;
    /// How many frames the next `process` writes for `input_len` samples.
    fn frames(&self, input_len: usize) -> usize;
    /// Consumes all of `input`, writes `frames(input.len()) * width()` numbers, returns the frames.
    ///
    /// # Errors
    /// `output_too_short`, with nothing consumed.
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError>;
    /// Forgets the stream; the settings stay.
    fn reset(&mut self);
}
