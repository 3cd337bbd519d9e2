use pyo3::prelude::*;

use crate::convert::setting_error;
use crate::stages::rate;
use crate::stream::analyzer;

analyzer!(LogMel);
analyzer!(Vad);
analyzer!(F0Tracker);
analyzer!(Loudness);
analyzer!(Meter, {
    #[new]
    fn new(py: Python<'_>, sample_rate: i64) -> PyResult<Self> {
        persona_dsp::Meter::new(rate(py, "sample_rate in Hz", sample_rate)?)
            .map(Self)
            .map_err(|error| setting_error(py, error))
    }
});
