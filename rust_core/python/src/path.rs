use numpy::{PyArray1, PyArray2};
use persona_dsp::math::mel::SILENT;
use persona_dsp::{
    Delivery, Manner, Network as CoreNetwork, Path as Core, PathStatus, ProsodyTargets,
};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::convert::{block as block_of, frames, frames_out, setting_error};
use crate::net::Network;
use crate::stages::rate;

/// What `status` gives, in the order of the fields of `persona_dsp::PathStatus`.
pub type Status = (f32, f32, bool, Option<f32>, Option<f32>, u64, bool);

#[pyclass(module = "persona_voice._core")]
pub struct Path(pub Core);

#[pymethods]
impl Path {
    #[new]
    #[pyo3(signature = (*, sample_rate, lookahead, register_hz, range, seed))]
    fn new(
        py: Python<'_>,
        sample_rate: i64,
        lookahead: usize,
        register_hz: f32,
        range: f32,
        seed: u64,
    ) -> PyResult<Self> {
        let targets = ProsodyTargets { register_hz, range };
        Core::new(
            rate(py, "sample_rate in Hz", sample_rate)?,
            lookahead,
            targets,
            seed,
        )
        .map(Self)
        .map_err(|error| setting_error(py, error))
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        block: &Bound<'py, PyAny>,
        convert: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let input = block_of(block)?;
        let mut output = vec![0.0; input.len()];
        let done = if let Ok(network) = convert.cast::<Network>() {
            let network = &mut network.try_borrow_mut()?.0;
            py.detach(|| {
                self.0.process(&input, &mut output, |mel, out| {
                    network.process(mel, out).is_ok()
                })
            })
        } else {
            let mut stopped = None;
            let done = self.0.process(&input, &mut output, |mel, out| {
                if stopped.is_none() {
                    match answer(convert, mel, out) {
                        Ok(()) => return true,
                        Err(error) if error.is_instance_of::<PyException>(py) => return false,
                        Err(error) => stopped = Some(error),
                    }
                }
                // Ctrl-C is no failure of the stream: what it kept from being said is silence.
                out.fill(SILENT);
                true
            });
            if let Some(error) = stopped {
                return Err(error);
            }
            done
        };
        done.map_err(|error| setting_error(py, error))?;
        Ok(PyArray1::from_vec(py, output))
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

    fn set_manner(&mut self, py: Python<'_>, manner: [f32; 6]) -> PyResult<()> {
        self.0
            .set_manner(manner_of(manner))
            .map_err(|error| setting_error(py, error))
    }

    fn express(&mut self, py: Python<'_>, mood: [f32; 6], half_life_hops: f32) -> PyResult<()> {
        self.0
            .express(manner_of(mood), half_life_hops)
            .map_err(|error| setting_error(py, error))
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
    fn status(&self) -> Status {
        status(self.0.status())
    }
}

/// In the order of the fields of `persona_dsp::Manner`.
pub fn manner_of(numbers: [f32; 6]) -> Manner {
    let [register_semitones, range_octaves, level_db, breath_db, tilt_db, tract_octaves] = numbers;
    Manner {
        register_semitones,
        range_octaves,
        level_db,
        breath_db,
        tilt_db,
        tract_octaves,
    }
}

/// In the order of the fields of `persona_dsp::Delivery`.
pub fn delivery_of([dynamics, vibrato_semitones, jitter, onset_db]: [f32; 4]) -> Delivery {
    Delivery {
        dynamics,
        vibrato_semitones,
        jitter,
        onset_db,
    }
}

pub fn status(now: PathStatus) -> Status {
    (
        now.input_db,
        now.output_db,
        now.speech,
        now.f0_in_hz,
        now.f0_out_hz,
        now.non_finite,
        now.failed,
    )
}

/// One call of a converter that Python holds: `[n, 80]` in, `[n, 160]` out.
fn answer(convert: &Bound<'_, PyAny>, mel: &[f32], out: &mut [f32]) -> PyResult<()> {
    let py = convert.py();
    let width = CoreNetwork::WIDTH_IN;
    let input: Bound<'_, PyArray2<f32>> = frames_out(py, mel, mel.len() / width, width)?;
    let answered = frames(&convert.call1((input,))?, CoreNetwork::WIDTH_OUT)?;
    if answered.len() != out.len() {
        let got = answered.len() / CoreNetwork::WIDTH_OUT;
        let message = format!("{} frames in, {got} frames out", mel.len() / width);
        return Err(pyo3::exceptions::PyValueError::new_err(message));
    }
    out.copy_from_slice(&answered);
    Ok(())
}
