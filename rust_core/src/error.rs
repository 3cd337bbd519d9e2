//! The only error type of the core.

use core::fmt;

/// What went wrong, in numbers and static names, so that making one needs no heap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DspError {
    /// A setting outside its range.
    OutOfRange {
        /// Name of the setting, with its unit.
        what: &'static str,
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
        /// The value that was given.
        got: f64,
    },
    /// An output slice too short for what the call writes.
    OutputTooShort {
        /// Samples (or values) the call writes.
        needed: usize,
        /// Samples (or values) there was room for.
        got: usize,
    },
    /// A slice whose length is not the one the shape demands.
    Shape {
        /// Name of the argument.
        what: &'static str,
        /// What its length must be a multiple of.
        expected: usize,
        /// The length given.
        got: usize,
    },
    /// A slice that is not as long as another thing demands.
    Length {
        /// Name of the argument.
        what: &'static str,
        /// The length demanded.
        expected: usize,
        /// The length given.
        got: usize,
    },
    /// A tensor of a network that is missing, or not as long as its shape demands.
    Tensor {
        /// Which.
        name: TensorName,
        /// The length demanded.
        expected: usize,
        /// The length found; 0 for one that is missing.
        got: usize,
    },
    /// A tensor of a network with an infinity in it, or what is no number.
    NotFinite {
        /// Which.
        name: TensorName,
    },
    /// A path of another sample rate than the batch that it would join.
    OtherRate {
        /// Of the batch, in Hz.
        expected: u32,
        /// Of the path, in Hz.
        got: u32,
    },
    /// No slot of a batch is free.
    BatchFull {
        /// How many it has.
        slots: usize,
    },
    /// Nobody has joined a batch in this slot.
    NotJoined {
        /// The slot that was asked for.
        slot: usize,
    },
}

impl DspError {
    /// A word that programs may rely on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } | Self::OtherRate { .. } => "out_of_range",
            Self::OutputTooShort { .. } => "output_too_short",
            Self::Shape { .. } | Self::Length { .. } | Self::Tensor { .. } => "wrong_shape",
            Self::NotFinite { .. } => "not_finite",
            Self::BatchFull { .. } => "batch_full",
            Self::NotJoined { .. } => "not_joined",
        }
    }
}

impl fmt::Display for DspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange {
                what,
                min,
                max,
                got,
            } => {
                write!(f, "{what} must lie in {min}..={max}, got {got}")
            }
            Self::OutputTooShort { needed, got } => {
                write!(
                    f,
                    "output must hold at least {needed} samples, got room for {got}"
                )
            }
            Self::Shape {
                what,
                expected,
                got,
            } => {
                write!(
                    f,
                    "{what} must hold a multiple of {expected} values, got {got}"
                )
            }
            Self::Length {
                what,
                expected,
                got,
            } => {
                write!(f, "{what} must hold {expected} values, got {got}")
            }
            Self::Tensor {
                name,
                expected,
                got,
            } => {
                write!(f, "{name} must hold {expected} values, got {got}")
            }
            Self::NotFinite { name } => {
                write!(
                    f,
                    "{name} must hold finite numbers only, got NaN or infinity"
                )
            }
            Self::OtherRate { expected, got } => {
                write!(
                    f,
                    "a path must run at the {expected} Hz of the batch that it joins, got one at {got} Hz"
                )
            }
            Self::BatchFull { slots } => {
                write!(f, "a stream needs a free slot, and all {slots} are taken")
            }
            Self::NotJoined { slot } => {
                write!(f, "a slot must be joined first, got {slot}")
            }
        }
    }
}

impl std::error::Error for DspError {}

/// What a weights file calls a tensor: `norm.weight`, or in a layer `layers.3.up.weight`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorName {
    /// Of those with a number.
    pub layer: Option<usize>,
    /// The rest of it.
    pub part: &'static str,
}

impl fmt::Display for TensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "layers.{layer}.")?;
        }
        f.write_str(self.part)
    }
}

/// Refuses a setting outside `min..=max`; NaN is outside.
pub fn check_range(what: &'static str, got: f64, min: f64, max: f64) -> Result<(), DspError> {
    if (min..=max).contains(&got) {
        Ok(())
    } else {
        Err(DspError::OutOfRange {
            what,
            min,
            max,
            got,
        })
    }
}

/// Refuses an output slice that is too short.
pub fn check_room(needed: usize, got: usize) -> Result<(), DspError> {
    if got >= needed {
        Ok(())
    } else {
        Err(DspError::OutputTooShort { needed, got })
    }
}
