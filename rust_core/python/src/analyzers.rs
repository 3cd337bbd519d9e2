use pyo3::prelude::*;

use crate::convert::setting_error;
use crate::stages::rate;
use crate::stream::analyzer;

analyzer!(LogMel);
analyzer!(F0Tracker);
analyzer!(F0Evidence);
analyzer!(F0Tracks, {
    #[new]
    fn new() -> Self {
        Self(persona_dsp::F0Tracks::new())
    }

    #[getter]
    fn late_lookahead(&self) -> usize {
        persona_dsp::F0Tracks::LATE_LOOKAHEAD
    }
});
analyzer!(Loudness);
analyzer!(Meter, {
    #[new]
    fn new(py: Python<'_>, sample_rate: i64) -> PyResult<Self> {
        persona_dsp::Meter::new(rate(py, "sample_rate in Hz", sample_rate)?)
            .map(Self)
            .map_err(|error| setting_error(py, error))
    }
});
analyzer!(Vad, {
    #[new]
    #[pyo3(signature = (sample_rate = i64::from(persona_dsp::RATE)))]
    fn new(py: Python<'_>, sample_rate: i64) -> PyResult<Self> {
        persona_dsp::Vad::at(rate(py, "sample_rate in Hz", sample_rate)?)
            .map(Self)
            .map_err(|error| setting_error(py, error))
    }
});
