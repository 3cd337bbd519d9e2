//! Tools without memory of a stream.

/// Decibels.
pub mod curve;
pub mod db;
/// Products with matrices.
pub mod matrix;
/// The mel scale and its bands.
pub mod mel;
/// What a single sample may be.
pub mod sample;
/// Windows that shape filters.
pub mod window;
