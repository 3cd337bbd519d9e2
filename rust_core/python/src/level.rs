use numpy::{PyArray1, PyArray2};
use persona_dsp::{Analyzer, Stage};
use pyo3::prelude::*;

use crate::convert::{flush_stage, run_analyzer, run_stage, setting_error};

#[pyclass(module = "persona_voice._core")]
pub struct Loudness(persona_dsp::Loudness);

#[pymethods]
impl Loudness {
    #[new]
    fn new() -> Self {
        Self(persona_dsp::Loudness::new())
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

#[pyclass(module = "persona_voice._core")]
pub struct Limiter(persona_dsp::Limiter);

#[pymethods]
impl Limiter {
    #[new]
    fn new(py: Python<'_>, ceiling_db: f64) -> PyResult<Self> {
        let core = persona_dsp::Limiter::new(ceiling_db);
        core.map(Self).map_err(|error| setting_error(py, error))
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

#[pyclass(module = "persona_voice._core")]
pub struct Fade(persona_dsp::Fade);

#[pymethods]
impl Fade {
    #[new]
    fn new() -> Self {
        Self(persona_dsp::Fade::new())
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
