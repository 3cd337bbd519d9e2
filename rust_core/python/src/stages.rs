use persona_dsp::{DspError, MAX_RATE, MIN_RATE};
use pyo3::prelude::*;

use crate::convert::setting_error;
use crate::stream::stage;

stage!(Resampler, persona_dsp::Resampler, {
    #[new]
    fn new(py: Python<'_>, input_rate: i64, output_rate: i64) -> PyResult<Self> {
        let input = rate(py, "input_rate in Hz", input_rate)?;
        let output = rate(py, "output_rate in Hz", output_rate)?;
        persona_dsp::Resampler::new(input, output)
            .map(Self::from)
            .map_err(|error| setting_error(py, error))
    }

    #[staticmethod]
    fn minimum_phase(py: Python<'_>, input_rate: i64, output_rate: i64) -> PyResult<Self> {
        let input = rate(py, "input_rate in Hz", input_rate)?;
        let output = rate(py, "output_rate in Hz", output_rate)?;
        persona_dsp::Resampler::minimum_phase(input, output)
            .map(Self::from)
            .map_err(|error| setting_error(py, error))
    }
});

stage!(Limiter, persona_dsp::Limiter, {
    #[new]
    fn new(py: Python<'_>, ceiling_db: f64) -> PyResult<Self> {
        persona_dsp::Limiter::new(ceiling_db)
            .map(Self::from)
            .map_err(|error| setting_error(py, error))
    }
});

stage!(Fade, persona_dsp::Fade, {
    #[new]
    fn new() -> Self {
        persona_dsp::Fade::new().into()
    }

    fn set_open(&mut self, open: bool) {
        self.0.set_open(open);
    }

    #[getter]
    fn open(&self) -> bool {
        self.0.open()
    }

    #[getter]
    fn silent(&self) -> bool {
        self.0.silent()
    }
});

/// Below zero is out of range like any other rate, and not a matter of integers.
pub fn rate(py: Python<'_>, what: &'static str, hz: i64) -> PyResult<u32> {
    u32::try_from(hz).map_err(|_| {
        let (min, max, got) = (MIN_RATE.into(), MAX_RATE.into(), hz as f64);
        setting_error(
            py,
            DspError::OutOfRange {
                what,
                min,
                max,
                got,
            },
        )
    })
}
