use numpy::PyArray1;
use persona_dsp::Drift as Core;
use pyo3::prelude::*;

use crate::convert::{block as block_of, setting_error};

#[pyclass(module = "persona_voice._core")]
pub struct Drift(Core);

#[pymethods]
impl Drift {
    #[new]
    fn new() -> Self {
        Self(Core::new())
    }

    fn set_ppm(&mut self, py: Python<'_>, ppm: f64) -> PyResult<()> {
        self.0
            .set_ppm(ppm)
            .map_err(|error| setting_error(py, error))
    }

    #[getter]
    fn ppm(&self) -> f64 {
        self.0.ppm()
    }

    fn output_len(&self, input_len: usize) -> usize {
        self.0.output_len(input_len)
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        block: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let input = block_of(block)?;
        let mut output = vec![0.0; self.0.output_len(input.len())];
        // A few microseconds, often on a driver's thread: the interpreter is not worth winning back.
        self.0
            .process(&input, &mut output)
            .map_err(|error| setting_error(py, error))?;
        Ok(PyArray1::from_vec(py, output))
    }

    fn flush<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let mut output = vec![0.0; self.0.latency()];
        self.0
            .flush(&mut output)
            .map_err(|error| setting_error(py, error))?;
        Ok(PyArray1::from_vec(py, output))
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
}
