//! Doors between numpy and the core: what comes in is checked here, once.

use numpy::ndarray::ArrayView2;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use persona_dsp::{Analyzer, DspError, Stage};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::IntoPyDict;

/// The Python error for a refusal of the core: `persona_voice.errors.SettingError`.
pub fn setting_error(py: Python<'_>, error: DspError) -> PyErr {
    python_error(py, error.to_string(), error.code())
}

fn python_error(py: Python<'_>, message: String, code: &'static str) -> PyErr {
    let make = || -> PyResult<Bound<'_, PyAny>> {
        let class = py.import("persona_voice.errors")?.getattr("SettingError")?;
        class.call((message,), Some(&[("code", code)].into_py_dict(py)?))
    };
    match make() {
        Ok(value) => PyErr::from_value(value),
        Err(error) => error,
    }
}

/// A contiguous block of `float32`, copied, so that nobody can change it while the core reads.
pub fn block(value: &Bound<'_, PyAny>) -> PyResult<Vec<f32>> {
    let array: &Bound<'_, PyArray1<f32>> = value
        .cast()
        .map_err(|_| wrong_array(value, "one dimension"))?;
    array
        .to_vec()
        .map_err(|_| wrong_array(value, "one dimension, contiguous"))
}

/// Contiguous `float32` frames `[frames, width]`, copied, row after row.
pub fn frames(value: &Bound<'_, PyAny>, width: usize) -> PyResult<Vec<f32>> {
    let array: numpy::PyReadonlyArray2<'_, f32> = value
        .extract()
        .map_err(|_| wrong_array(value, "two dimensions"))?;
    if array.shape()[1] != width {
        return Err(wrong_array(value, &format!("shape [frames, {width}]")));
    }
    // Column after column is contiguous, too, and would be read scrambled.
    match array.as_slice() {
        Ok(numbers) if array.is_c_contiguous() => Ok(numbers.to_vec()),
        _ => Err(wrong_array(
            value,
            "two dimensions, contiguous row after row",
        )),
    }
}

pub fn wrong_array(value: &Bound<'_, PyAny>, rule: &str) -> PyErr {
    let got = match (value.getattr("dtype"), value.getattr("shape")) {
        (Ok(dtype), Ok(shape)) => format!("{dtype} of shape {shape}"),
        _ => format!("{}", value.get_type()),
    };
    let message = format!("a block must be a float32 array of {rule}, got {got}");
    python_error(value.py(), message, "wrong_array")
}

/// One `process` of a stage, with the interpreter released. `output` is kept from call to call.
pub fn run_stage<'py, S: Stage>(
    py: Python<'py>,
    stage: &mut S,
    output: &mut Vec<f32>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let input = block(value)?;
    let due = stage.output_len(input.len());
    if output.len() < due {
        output.resize(due, 0.0);
    }
    py.detach(|| stage.process(&input, output))
        .map_err(|error| setting_error(py, error))?;
    Ok(PyArray1::from_slice(py, &output[..due]))
}

/// The end of a stage's stream.
pub fn flush_stage<'py, S: Stage>(
    py: Python<'py>,
    stage: &mut S,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let mut output = vec![0.0; stage.latency()];
    stage
        .flush(&mut output)
        .map_err(|error| setting_error(py, error))?;
    Ok(PyArray1::from_vec(py, output))
}

/// One `process` of an analyzer, with the interpreter released: `[frames, width]`.
pub fn run_analyzer<'py, A: Analyzer>(
    py: Python<'py>,
    analyzer: &mut A,
    value: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let input = block(value)?;
    let (count, width) = (analyzer.frames(input.len()), analyzer.width());
    let mut output = vec![0.0; count * width];
    py.detach(|| analyzer.process(&input, &mut output))
        .map_err(|error| setting_error(py, error))?;
    frames_out(py, &output, count, width)
}

/// Numbers, row after row, as an array `[count, width]`.
pub fn frames_out<'py>(
    py: Python<'py>,
    numbers: &[f32],
    count: usize,
    width: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let frames = ArrayView2::from_shape([count, width], numbers)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyArray2::from_array(py, &frames))
}
