//! Tools without memory of a stream.

/// Samples between samples.
pub mod between;
/// Functions of many numbers at once.
pub mod curve;
/// Decibels.
pub mod db;
/// Sums of products.
pub mod dot;
/// Units that decide what they remember.
pub mod gated;
pub(crate) mod half;
/// Filters between sample rates.
pub mod kernel;
/// Products with matrices.
pub mod matrix;
/// The mel scale and its bands.
pub mod mel;
/// Periods of voices.
pub mod period;
/// What a single sample may be.
pub mod sample;
pub(crate) mod soon;
/// Windows that shape filters.
pub mod window;
