use persona_dsp::{DspError, MAX_RATE, MIN_RATE};
use pyo3::prelude::*;

use crate::convert::setting_error;
use crate::stream::stage;

stage!(Resampler, persona_dsp::Resampler, {
    #[new]
    fn new(py: Python<'_>, input_rate: i64, output_rate: i64) -> PyResult<Self> {
        let input = rate(py, "input_rate in Hz", input_rate)?;
        let output = rate(py, "output_rate in Hz", output_rate)?;
        persona_dsp::Resampler::new(input, output)
            .map(Self::from)
            .map_err(|error| setting_error(py, error))
    }

    #[staticmethod]
    fn minimum_phase(py: Python<'_>, input_rate: i64, output_rate: i64) -> PyResult<Self> {
        let input = rate(py, "input_rate in Hz", input_rate)?;
        let output = rate(py, "output_rate in Hz", output_rate)?;
        persona_dsp::Resampler::minimum_phase(input, output)
            .map(Self::from)
            .map_err(|error| setting_error(py, error))
    }
});

stage!(Limiter, persona_dsp::Limiter, {
    #[new]
    fn new(py: Python<'_>, sample_rate: i64, ceiling_db: f64) -> PyResult<Self> {
        let sample_rate = rate(py, "sample_rate in Hz", sample_rate)?;
        persona_dsp::Limiter::new(sample_rate, ceiling_db)
            .map(Self::from)
            .map_err(|error| setting_error(py, error))
    }
});

stage!(Leveller, persona_dsp::Leveller, {
    #[new]
    fn new(py: Python<'_>, sample_rate: i64, target_db: f64) -> PyResult<Self> {
        let sample_rate = rate(py, "sample_rate in Hz", sample_rate)?;
        persona_dsp::Leveller::new(sample_rate, target_db)
            .map(Self::from)
            .map_err(|error| setting_error(py, error))
    }

    fn set_speech(&mut self, speech: bool) {
        self.0.set_speech(speech);
    }

    #[getter]
    fn gain_db(&self) -> f64 {
        self.0.gain_db()
    }
});

stage!(Fade, persona_dsp::Fade, {
    #[new]
    fn new(py: Python<'_>, sample_rate: i64) -> PyResult<Self> {
        persona_dsp::Fade::new(rate(py, "sample_rate in Hz", sample_rate)?)
            .map(Self::from)
            .map_err(|error| setting_error(py, error))
    }

    fn close(&mut self, py: Python<'_>, release_ms: f64) -> PyResult<()> {
        self.0
            .close(release_ms)
            .map_err(|error| setting_error(py, error))
    }

    fn resume(&mut self, wait: usize) {
        self.0.resume(wait);
    }

    #[getter]
    fn open(&self) -> bool {
        self.0.open()
    }

    #[getter]
    fn silent(&self) -> bool {
        self.0.silent()
    }

    #[getter]
    fn idle(&self) -> bool {
        self.0.idle()
    }
});

stage!(Shifter, persona_dsp::Shifter, {
    #[new]
    fn new(py: Python<'_>, sample_rate: i64) -> PyResult<Self> {
        let sample_rate = rate(py, "sample_rate in Hz", sample_rate)?;
        persona_dsp::Shifter::new(sample_rate)
            .map(Self::from)
            .map_err(|error| setting_error(py, error))
    }

    fn set_shift(&mut self, py: Python<'_>, f0_semitones: f32, tract_octaves: f32) -> PyResult<()> {
        let shift = persona_dsp::Shift {
            f0_semitones,
            tract_octaves,
        };
        self.0
            .set_shift(shift)
            .map_err(|error| setting_error(py, error))
    }
});

/// Below zero is out of range like any other rate, and not a matter of integers.
pub fn rate(py: Python<'_>, what: &'static str, hz: i64) -> PyResult<u32> {
    u32::try_from(hz).map_err(|_| {
        let (min, max, got) = (MIN_RATE.into(), MAX_RATE.into(), hz as f64);
        setting_error(
            py,
            DspError::OutOfRange {
                what,
                min,
                max,
                got,
            },
        )
    })
}
