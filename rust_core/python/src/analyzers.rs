use pyo3::{PyResult, Python};

use crate::convert::setting_error;
use crate::stream::analyzer;

analyzer!(LogMel);
analyzer!(F0Tracker);
analyzer!(Loudness);
analyzer!(Vad, {
    #[new]
    #[pyo3(signature = (sample_rate = persona_dsp::RATE))]
    fn new(py: Python<'_>, sample_rate: u32) -> PyResult<Self> {
        let made = persona_dsp::Vad::at(sample_rate);
        made.map(Self).map_err(|error| setting_error(py, error))
    }
});
