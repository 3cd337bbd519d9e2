//! `persona_voice._core`: converts, calls, converts back.
#![allow(missing_docs)] // what users read stands in `_core.pyi`

mod convert;
mod f0;
mod features;
mod level;
mod prosody;
mod resample;
mod vad;
mod vocoder;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    module.add("build_profile", profile)?;
    module.add("RATE", persona_dsp::RATE)?;
    module.add("HOP", persona_dsp::HOP)?;
    module.add_class::<resample::Resampler>()?;
    module.add_class::<features::LogMel>()?;
    module.add_class::<vad::Vad>()?;
    module.add_class::<f0::F0Tracker>()?;
    module.add_class::<level::Loudness>()?;
    module.add_class::<level::Limiter>()?;
    module.add_class::<level::Fade>()?;
    module.add_class::<prosody::Prosody>()?;
    module.add_class::<vocoder::Vocoder>()?;
    Ok(())
}
