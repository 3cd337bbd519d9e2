use numpy::{PyArray2, PyUntypedArrayMethods};
use persona_dsp::{Batch as Core, DspError, ProsodyTargets};
use pyo3::prelude::*;

use crate::convert::{frames, frames_out, setting_error};
use crate::net::Network;
use crate::path::{manner_of, status, Path, Status};
use crate::stages::rate;

#[pyclass(module = "persona_voice._core")]
pub struct Batch(Core);

#[pymethods]
impl Batch {
    #[new]
    #[pyo3(signature = (network, *, sample_rate, slots))]
    fn new(py: Python<'_>, network: &Network, sample_rate: i64, slots: i64) -> PyResult<Self> {
        let slots = number(py, "slots", slots, 1, Core::MAX_SLOTS)?;
        Core::new(
            &network.0,
            rate(py, "sample_rate in Hz", sample_rate)?,
            slots,
        )
        .map(Self)
        .map_err(|error| setting_error(py, error))
    }

    fn join(&mut self, py: Python<'_>, path: &Path) -> PyResult<usize> {
        self.0
            .join(path.0.clone())
            .map_err(|error| setting_error(py, error))
    }

    fn leave(&mut self, py: Python<'_>, slot: i64) -> PyResult<()> {
        let slot = self.slot(py, slot)?;
        self.0.leave(slot).map_err(|error| setting_error(py, error))
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        blocks: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let (input, len) = blocks_of(blocks, self.0.slots())?;
        let mut output = vec![0.0; input.len()];
        py.detach(|| self.0.process(&input, &mut output))
            .map_err(|error| setting_error(py, error))?;
        frames_out(py, &output, self.0.slots(), len)
    }

    fn set_targets(
        &mut self,
        py: Python<'_>,
        slot: i64,
        register_hz: f32,
        range: f32,
    ) -> PyResult<()> {
        let targets = ProsodyTargets { register_hz, range };
        self.0
            .set_targets(self.slot(py, slot)?, targets)
            .map_err(|error| setting_error(py, error))
    }

    fn set_manner(&mut self, py: Python<'_>, slot: i64, manner: [f32; 6]) -> PyResult<()> {
        self.0
            .set_manner(self.slot(py, slot)?, manner_of(manner))
            .map_err(|error| setting_error(py, error))
    }

    fn express(
        &mut self,
        py: Python<'_>,
        slot: i64,
        mood: [f32; 6],
        half_life_hops: f32,
    ) -> PyResult<()> {
        self.0
            .express(self.slot(py, slot)?, manner_of(mood), half_life_hops)
            .map_err(|error| setting_error(py, error))
    }

    fn status(&self, py: Python<'_>, slot: i64) -> PyResult<Status> {
        self.0
            .status(self.slot(py, slot)?)
            .map(status)
            .map_err(|error| setting_error(py, error))
    }

    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    #[getter]
    fn slots(&self) -> usize {
        self.0.slots()
    }
}

impl Batch {
    fn slot(&self, py: Python<'_>, slot: i64) -> PyResult<usize> {
        number(py, "slot", slot, 0, self.0.slots() - 1)
    }
}

/// Blocks `[slots, samples]` of so many slots, copied, and how many samples.
pub fn blocks_of(blocks: &Bound<'_, PyAny>, slots: usize) -> PyResult<(Vec<f32>, usize)> {
    let len = blocks
        .cast::<PyArray2<f32>>()
        .map_or(0, |array| array.shape()[1]);
    let input = frames(blocks, len)?;
    if input.len() == slots * len {
        return Ok((input, len));
    }
    let rows = format!("[{slots}, samples]");
    Err(crate::convert::wrong_array(
        blocks,
        &format!("shape {rows}"),
    ))
}

pub fn number(
    py: Python<'_>,
    what: &'static str,
    value: i64,
    least: usize,
    most: usize,
) -> PyResult<usize> {
    let (got, min, max) = (value as f64, least as f64, most as f64);
    let wrong = DspError::OutOfRange {
        what,
        min,
        max,
        got,
    };
    usize::try_from(value)
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| setting_error(py, wrong))
}
