use numpy::PyArray1;
use persona_dsp::{Resampler as Core, Stage};
use pyo3::prelude::*;

use crate::convert::{flush_stage, run_stage, setting_error};

#[pyclass(module = "persona_voice._core")]
pub struct Resampler(Core);

#[pymethods]
impl Resampler {
    #[new]
    fn new(py: Python<'_>, input_rate: u32, output_rate: u32) -> PyResult<Self> {
        Core::new(input_rate, output_rate)
            .map(Self)
            .map_err(|error| setting_error(py, error))
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        block: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        run_stage(py, &mut self.0, block)
    }

    fn flush<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        flush_stage(py, &mut self.0)
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    #[getter]
    fn latency(&self) -> usize {
        self.0.latency()
    }

    #[getter]
    fn input_rate(&self) -> u32 {
        self.0.rates().input
    }

    #[getter]
    fn output_rate(&self) -> u32 {
        self.0.rates().output
    }
}
