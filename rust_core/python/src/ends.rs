use numpy::PyArray2;
use persona_dsp::Ends as Core;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::batch::{blocks_of, number};
use crate::convert::{frames, frames_out, setting_error};
use crate::path::{manner_of, status, Path, Status};
use crate::stages::rate;

#[pyclass(module = "persona_voice._core")]
pub struct Ends(Core);

#[pymethods]
impl Ends {
    #[new]
    #[pyo3(signature = (*, sample_rate, slots))]
    fn new(py: Python<'_>, sample_rate: i64, slots: i64) -> PyResult<Self> {
        let slots = number(py, "slots", slots, 1, persona_dsp::Batch::MAX_SLOTS)?;
        Core::new(rate(py, "sample_rate in Hz", sample_rate)?, slots)
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
        make: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let slots = self.0.slots();
        let (input, len) = blocks_of(blocks, slots)?;
        let mut output = vec![0.0; input.len()];
        let mut stopped = None;
        py.detach(|| {
            self.0.process(&input, &mut output, |heard, made| {
                // Ctrl-C is no failure of the streams: what it kept from being said is silence.
                let silent = stopped.is_some();
                silent
                    || Python::attach(|py| match answer(make.bind(py), slots, heard, made) {
                        Err(error) if error.is_instance_of::<PyException>(py) => false,
                        answered => {
                            stopped = answered.err();
                            true
                        }
                    })
            })
        })
        .map_err(|error| setting_error(py, error))?;
        stopped.map_or_else(|| frames_out(py, output, slots, len), Err)
    }

    fn set_manner(&mut self, py: Python<'_>, slot: i64, manner: [f32; 6]) -> PyResult<()> {
        let slot = self.slot(py, slot)?;
        let path = self.0.path(slot);
        path.and_then(|path| path.set_manner(manner_of(manner)))
            .map_err(|error| setting_error(py, error))
    }

    fn express(
        &mut self,
        py: Python<'_>,
        slot: i64,
        mood: [f32; 6],
        half_life_hops: f32,
    ) -> PyResult<()> {
        let slot = self.slot(py, slot)?;
        let path = self.0.path(slot);
        path.and_then(|path| path.express(manner_of(mood), half_life_hops))
            .map_err(|error| setting_error(py, error))
    }

    fn status(&self, py: Python<'_>, slot: i64) -> PyResult<Status> {
        self.0
            .status(self.slot(py, slot)?)
            .map(status)
            .map_err(|error| setting_error(py, error))
    }
}

impl Ends {
    fn slot(&self, py: Python<'_>, slot: i64) -> PyResult<usize> {
        number(py, "slot", slot, 0, self.0.slots() - 1)
    }
}

/// One call of what Python makes of it: `[slots, 87]` in, `[slots, 241]` out.
fn answer(make: &Bound<'_, PyAny>, slots: usize, heard: &[f32], made: &mut [f32]) -> PyResult<()> {
    let input = frames_out(make.py(), heard.to_vec(), slots, Core::HEARD)?;
    let answered = frames(&make.call1((input,))?, Core::MADE)?;
    if answered.len() != made.len() {
        let got = answered.len() / Core::MADE;
        let message = format!("{slots} slots in, {got} out");
        return Err(pyo3::exceptions::PyValueError::new_err(message));
    }
    made.copy_from_slice(&answered);
    Ok(())
}
