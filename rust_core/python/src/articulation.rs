use numpy::PyArray2;
use persona_dsp::{Articulation as Core, Network};
use pyo3::prelude::*;

use crate::convert::{frames, frames_out, setting_error};

#[pyclass(module = "persona_voice._core")]
pub struct Articulation(Core);

#[pymethods]
impl Articulation {
    #[new]
    fn new() -> Self {
        Self(Core::new())
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        own: &Bound<'py, PyAny>,
        envelopes: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let own = frames(own, Network::WIDTH_IN)?;
        let mut output = frames(envelopes, Network::WIDTH_OUT)?.to_vec();
        self.0
            .process(&own, &mut output)
            .map_err(|error| setting_error(py, error))?;
        let count = output.len() / Network::WIDTH_OUT;
        frames_out(py, &output, count, Network::WIDTH_OUT)
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
