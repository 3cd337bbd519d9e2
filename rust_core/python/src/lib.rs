//! `persona_voice._core`: converts, calls, converts back.
#![allow(missing_docs)] // what users read stands in `_core.pyi`

mod analyzers;
mod articulation;
mod batch;
mod convert;
mod drift;
mod ends;
mod net;
mod path;
mod prosody;
mod stages;
mod stream;
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
    module.add_class::<stages::Resampler>()?;
    module.add_class::<drift::Drift>()?;
    module.add_class::<analyzers::LogMel>()?;
    module.add_class::<analyzers::Vad>()?;
    module.add_class::<analyzers::F0Tracker>()?;
    module.add_class::<analyzers::F0Evidence>()?;
    module.add_class::<analyzers::F0Tracks>()?;
    module.add_class::<analyzers::Loudness>()?;
    module.add_class::<analyzers::Meter>()?;
    module.add_class::<stages::Leveller>()?;
    module.add_class::<stages::Limiter>()?;
    module.add_class::<stages::Fade>()?;
    module.add_class::<stages::Shifter>()?;
    module.add_class::<net::Network>()?;
    module.add_class::<articulation::Articulation>()?;
    module.add_class::<prosody::Prosody>()?;
    module.add_class::<vocoder::Vocoder>()?;
    module.add_class::<vocoder::Envelopes>()?;
    module.add_class::<path::Path>()?;
    module.add_class::<batch::Batch>()?;
    module.add_class::<ends::Ends>()?;
    Ok(())
}
