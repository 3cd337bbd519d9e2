use numpy::PyArray2;
use persona_dsp::{Analyzer, F0Tracker as Core};
use pyo3::prelude::*;

use crate::convert::run_analyzer;

#[pyclass(module = "persona_voice._core")]
pub struct F0Tracker(Core);

#[pymethods]
impl F0Tracker {
    #[new]
    fn new() -> Self {
        Self(Core::new())
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        block: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        run_analyzer(py, &mut self.0, block)
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    #[getter]
    fn width(&self) -> usize {
        self.0.width()
    }

    #[getter]
    fn window(&self) -> usize {
        self.0.window()
    }

    #[getter]
    fn lookahead(&self) -> usize {
        self.0.lookahead()
    }
}
