use numpy::PyArray1;
use persona_dsp::{Prosody as Core, ProsodyTargets};
use pyo3::prelude::*;

use crate::convert::{frames, setting_error};
use crate::path::delivery_of;

#[pyclass(module = "persona_voice._core")]
pub struct Prosody(Core);

#[pymethods]
impl Prosody {
    #[new]
    fn new(py: Python<'_>, register_hz: f32, range: f32) -> PyResult<Self> {
        let targets = ProsodyTargets { register_hz, range };
        Core::new(targets)
            .map(Self)
            .map_err(|error| setting_error(py, error))
    }

    fn set_targets(&mut self, py: Python<'_>, register_hz: f32, range: f32) -> PyResult<()> {
        let targets = ProsodyTargets { register_hz, range };
        self.0
            .set_targets(targets)
            .map_err(|error| setting_error(py, error))
    }

    fn set_delivery(&mut self, py: Python<'_>, delivery: [f32; 4]) -> PyResult<()> {
        self.0
            .set_delivery(delivery_of(delivery))
            .map_err(|error| setting_error(py, error))
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        block: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let input = frames(block, Core::WIDTH)?;
        let mut output = vec![0.0; input.len() / Core::WIDTH];
        self.0
            .process(&input, &mut output)
            .map_err(|error| setting_error(py, error))?;
        Ok(PyArray1::from_vec(py, output))
    }

    #[getter]
    fn level_db(&self) -> f32 {
        self.0.manner().level_db
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
