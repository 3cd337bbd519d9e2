use std::collections::HashMap;

use numpy::PyArray2;
use persona_dsp::{NetShape, Network as Core};
use pyo3::prelude::*;

use crate::batch::number;
use crate::convert::{block, frames, frames_out, setting_error};

#[pyclass(module = "persona_voice._core")]
pub struct Network(pub Core);

#[pymethods]
impl Network {
    #[new]
    #[pyo3(signature = (*, channels, hidden, input_frames, dilations, late, tensors))]
    fn new(
        py: Python<'_>,
        channels: usize,
        hidden: usize,
        input_frames: usize,
        dilations: Vec<usize>,
        late: usize,
        tensors: HashMap<String, Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let read = |(name, value): (&String, &Bound<'_, PyAny>)| Ok((name.clone(), block(value)?));
        let tensors: HashMap<String, Vec<f32>> =
            tensors.iter().map(read).collect::<PyResult<_>>()?;
        let shape = NetShape {
            channels,
            hidden,
            input_frames,
            dilations,
            late,
        };
        Core::new(shape, |name| tensors.get(name).map(Vec::as_slice))
            .map(Self)
            .map_err(|error| setting_error(py, error))
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        block: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let input = frames(block, Core::WIDTH_IN)?;
        let count = input.len() / Core::WIDTH_IN;
        let mut output = vec![0.0; count * Core::WIDTH_OUT];
        py.detach(|| self.0.process(&input, &mut output))
            .map_err(|error| setting_error(py, error))?;
        frames_out(py, &output, count, Core::WIDTH_OUT)
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn late_by(&self, py: Python<'_>, hops: i64) -> PyResult<Self> {
        let hops = number(py, "hops", hops, 0, Core::MOST_LATE)?;
        self.0
            .late_by(hops)
            .map(Self)
            .map_err(|error| setting_error(py, error))
    }

    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
