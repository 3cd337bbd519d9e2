use numpy::{PyArray1, PyArray2};
use persona_dsp::{Vocoder as Core, HOP};
use pyo3::prelude::*;

use crate::convert::{frames, frames_out, setting_error};

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

#[pyclass(module = "persona_voice._core")]
pub struct Envelopes(persona_dsp::Envelopes);

#[pymethods]
impl Envelopes {
    #[new]
    fn new() -> Self {
        Self(persona_dsp::Envelopes::new())
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        rows: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let (width_in, width) = (
            persona_dsp::Envelopes::WIDTH_IN,
            persona_dsp::Envelopes::WIDTH_OUT,
        );
        let input = frames(rows, width_in)?;
        let count = input.len() / width_in;
        let mut output = vec![0.0; count * width];
        py.detach(|| self.0.process(&input, &mut output))
            .map_err(|error| setting_error(py, error))?;
        frames_out(py, &output, count, width)
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    #[getter]
    fn lookahead(&self) -> usize {
        persona_dsp::Envelopes::LOOKAHEAD
    }

    #[getter]
    fn width(&self) -> usize {
        persona_dsp::Envelopes::WIDTH_OUT
    }
}
