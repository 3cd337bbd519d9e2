//! Tools without memory of a stream.

/// The mel scale and its bands.
pub mod mel;
