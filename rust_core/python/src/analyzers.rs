use pyo3::prelude::*;

use crate::convert::setting_error;
use crate::stream::analyzer;

analyzer!(LogMel);
analyzer!(Vad);
analyzer!(F0Evidence);
analyzer!(F0Tracker, {
    #[new]
    fn new(py: Python<'_>, late_hops: usize) -> PyResult<Self> {
        persona_dsp::F0Tracker::new(late_hops)
            .map(Self)
            .map_err(|error| setting_error(py, error))
    }
});
analyzer!(Loudness);
