use numpy::PyArray1;
use persona_dsp::{Vocoder as Core, HOP};
use pyo3::prelude::*;

use crate::convert::{frames, setting_error};

#[pyclass(module = "persona_voice._core")]
pub struct Vocoder(Core);

#[pymethods]
impl Vocoder {
    #[new]
    fn new(seed: u64) -> Self {
        Self(Core::new(seed))
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        block: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let input = frames(block, Core::WIDTH)?;
        let mut output = vec![0.0; input.len() / Core::WIDTH * HOP];
        py.detach(|| self.0.process(&input, &mut output))
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
        Core::LATENCY
    }

    #[getter]
    fn width(&self) -> usize {
        Core::WIDTH
    }
}
