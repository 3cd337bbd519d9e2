//! What every class has, said once: PyO3 takes no generic class.

/// A class around a [`persona_dsp::Stage`]: samples in, samples out.
macro_rules! stage {
    ($name:ident, $core:ty, { $($own:tt)* }) => {
        #[pyo3::pyclass(module = "persona_voice._core")]
        pub struct $name($core, Vec<f32>);

        impl From<$core> for $name {
            fn from(stage: $core) -> Self {
                Self(stage, Vec::new())
            }
        }

        #[pyo3::pymethods]
        impl $name {
            $($own)*

            fn process<'py>(
                &mut self,
                py: pyo3::Python<'py>,
                block: &pyo3::Bound<'py, pyo3::PyAny>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, numpy::PyArray1<f32>>> {
                $crate::convert::run_stage(py, &mut self.0, &mut self.1, block)
            }

            fn flush<'py>(
                &mut self,
                py: pyo3::Python<'py>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, numpy::PyArray1<f32>>> {
                $crate::convert::flush_stage(py, &mut self.0)
            }

            fn reset(&mut self) {
                persona_dsp::Stage::reset(&mut self.0);
            }

            fn clone(&self) -> Self {
                self.0.clone().into()
            }

            #[getter]
            fn latency(&self) -> usize {
                persona_dsp::Stage::latency(&self.0)
            }

            #[getter]
            fn input_rate(&self) -> u32 {
                persona_dsp::Stage::rates(&self.0).input
            }

            #[getter]
            fn output_rate(&self) -> u32 {
                persona_dsp::Stage::rates(&self.0).output
            }
        }
    };
}

/// A class around a [`persona_dsp::Analyzer`]: samples in, frames out.
macro_rules! analyzer {
    ($name:ident) => {
        $crate::stream::analyzer!($name, {
            #[new]
            fn new() -> Self {
                Self(persona_dsp::$name::new())
            }
        });
    };
    ($name:ident, { $($own:tt)* }) => {
        #[pyo3::pyclass(module = "persona_voice._core")]
        pub struct $name(persona_dsp::$name);

        #[pyo3::pymethods]
        impl $name {
            $($own)*

            fn process<'py>(
                &mut self,
                py: pyo3::Python<'py>,
                block: &pyo3::Bound<'py, pyo3::PyAny>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, numpy::PyArray2<f32>>> {
                $crate::convert::run_analyzer(py, &mut self.0, block)
            }

            fn reset(&mut self) {
                persona_dsp::Analyzer::reset(&mut self.0);
            }

            fn clone(&self) -> Self {
                Self(self.0.clone())
            }

            #[getter]
            fn width(&self) -> usize {
                persona_dsp::Analyzer::width(&self.0)
            }

            #[getter]
            fn hop(&self) -> usize {
                persona_dsp::Analyzer::hop(&self.0)
            }

            #[getter]
            fn window(&self) -> usize {
                persona_dsp::Analyzer::window(&self.0)
            }

            #[getter]
            fn lookahead(&self) -> usize {
                persona_dsp::Analyzer::lookahead(&self.0)
            }
        }
    };
}

pub(crate) use {analyzer, stage};
