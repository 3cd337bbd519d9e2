use std::num::NonZero;
use std::ops::Range;
use std::thread;

use numpy::PyArray2;
use persona_dsp::{DspError, Ends as Core};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::batch::{blocks_of, number};
use crate::convert::{frames, frames_out, setting_error};
use crate::path::{manner_of, status, Path, Status};
use crate::stages::rate;

/// Slots for which another thread pays: 3 ms of work in a step.
const PER_THREAD: usize = 128;

/// Parts of one length, the last shorter, each for a thread.
#[pyclass(module = "persona_voice._core")]
pub struct Ends {
    parts: Vec<Core>,
    slots: usize,
    slots_a_part: usize,
}

#[pymethods]
impl Ends {
    #[new]
    #[pyo3(signature = (*, sample_rate, slots))]
    fn new(py: Python<'_>, sample_rate: i64, slots: i64) -> PyResult<Self> {
        let slots = number(py, "slots", slots, 1, persona_dsp::Batch::MAX_SLOTS)?;
        let sample_rate = rate(py, "sample_rate in Hz", sample_rate)?;
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let slots_a_part = slots.div_ceil(cores.min(slots.div_ceil(PER_THREAD)));
        let lengths = (0..slots)
            .step_by(slots_a_part)
            .map(|first| slots_a_part.min(slots - first));
        let parts = lengths.map(|slots| Core::new(sample_rate, slots));
        Ok(Self {
            parts: parts
                .collect::<Result<_, _>>()
                .map_err(|error| setting_error(py, error))?,
            slots,
            slots_a_part,
        })
    }

    /// Where the fewest are, so that threads share the work.
    fn join(&mut self, py: Python<'_>, path: &Path) -> PyResult<usize> {
        let parts = self.parts.iter_mut().enumerate();
        let free = parts.filter(|(_, part)| part.joined() < part.slots());
        let least = free.min_by_key(|(_, part)| part.joined());
        let joined = match least {
            Some((n, part)) => part
                .join(path.0.clone())
                .map(|slot| n * self.slots_a_part + slot),
            None => Err(DspError::BatchFull { slots: self.slots }),
        };
        joined.map_err(|error| setting_error(py, error))
    }

    fn leave(&mut self, py: Python<'_>, slot: i64) -> PyResult<()> {
        let (n, slot) = self.place(py, slot)?;
        let left = self.parts[n].leave(slot);
        left.map_err(|error| self.of_all(py, n, error))
    }

    fn process<'py>(
        &mut self,
        py: Python<'py>,
        blocks: &Bound<'py, PyAny>,
        make: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let slots = self.slots;
        let (input, len) = blocks_of(blocks, slots)?;
        let mut output = vec![0.0; input.len()];
        let mut stopped = None;
        py.detach(|| {
            self.run(&input, &mut output, |heard, made| {
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
        stopped.map_or_else(|| frames_out(py, &output, slots, len), Err)
    }

    fn set_manner(&mut self, py: Python<'_>, slot: i64, manner: [f32; 6]) -> PyResult<()> {
        let (n, slot) = self.place(py, slot)?;
        let path = self.parts[n].path(slot);
        let set = path.and_then(|path| path.set_manner(manner_of(manner)));
        set.map_err(|error| self.of_all(py, n, error))
    }

    fn express(
        &mut self,
        py: Python<'_>,
        slot: i64,
        mood: [f32; 6],
        half_life_hops: f32,
    ) -> PyResult<()> {
        let (n, slot) = self.place(py, slot)?;
        let path = self.parts[n].path(slot);
        let set = path.and_then(|path| path.express(manner_of(mood), half_life_hops));
        set.map_err(|error| self.of_all(py, n, error))
    }

    fn status(&self, py: Python<'_>, slot: i64) -> PyResult<Status> {
        let (n, slot) = self.place(py, slot)?;
        let newest = self.parts[n].status(slot);
        newest
            .map(status)
            .map_err(|error| self.of_all(py, n, error))
    }
}

impl Ends {
    /// In which part a slot lies, and which it is there.
    fn place(&self, py: Python<'_>, slot: i64) -> PyResult<(usize, usize)> {
        let slot = number(py, "slot", slot, 0, self.slots - 1)?;
        Ok((slot / self.slots_a_part, slot % self.slots_a_part))
    }

    /// The error of part `n`, its slot as all count it.
    fn of_all(&self, py: Python<'_>, n: usize, error: DspError) -> PyErr {
        let error = match error {
            DspError::NotJoined { slot } => DspError::NotJoined {
                slot: n * self.slots_a_part + slot,
            },
            other => other,
        };
        setting_error(py, error)
    }

    /// Blocks `[slots, n]`, piece by piece, with what `make` makes of each.
    fn run(
        &mut self,
        input: &[f32],
        output: &mut [f32],
        mut make: impl FnMut(&[f32], &mut [f32]) -> bool,
    ) -> Result<(), DspError> {
        let (len, piece) = (input.len() / self.slots, self.parts[0].piece());
        let mut heard = vec![0.0; self.slots * Core::HEARD];
        let mut made = vec![0.0; self.slots * Core::MADE];
        for start in (0..len).step_by(piece) {
            let piece = start..len.min(start + piece);
            if self.hear(input, piece, &mut heard)? && !make(&heard, &mut made) {
                self.parts.iter_mut().for_each(Core::lose);
            }
            self.speak(&made, output)?;
            made.fill(0.0);
        }
        Ok(())
    }

    fn hear(
        &mut self,
        input: &[f32],
        piece: Range<usize>,
        heard: &mut [f32],
    ) -> Result<bool, DspError> {
        let (slots, row) = (self.slots_a_part, input.len() / self.slots);
        let rows = input
            .chunks(slots * row)
            .zip(heard.chunks_mut(slots * Core::HEARD));
        let works = self
            .parts
            .iter_mut()
            .zip(rows)
            .map(|(part, (rows, heard))| {
                let piece = piece.clone();
                move || part.hear(rows, piece, heard)
            });
        let mut done = on_threads(works).into_iter();
        done.try_fold(false, |any, of_part| Ok(any | of_part?))
    }

    fn speak(&mut self, made: &[f32], output: &mut [f32]) -> Result<(), DspError> {
        let (slots, row) = (self.slots_a_part, output.len() / self.slots);
        let rows = made
            .chunks(slots * Core::MADE)
            .zip(output.chunks_mut(slots * row));
        let works = self.parts.iter_mut().zip(rows);
        let works = works.map(|(part, (made, rows))| move || part.speak(made, rows));
        on_threads(works).into_iter().collect()
    }
}

/// Each on a thread, the last on this one.
fn on_threads<T: Send, W: FnOnce() -> T + Send>(works: impl Iterator<Item = W>) -> Vec<T> {
    let mut works: Vec<W> = works.collect();
    let last = works.pop();
    thread::scope(|scope| {
        let others: Vec<_> = works.into_iter().map(|work| scope.spawn(work)).collect();
        let mine = last.map(|work| work());
        let done = others.into_iter().map(|other| {
            let panicked = |panic| std::panic::resume_unwind(panic);
            other.join().unwrap_or_else(panicked)
        });
        done.chain(mine).collect()
    })
}

/// One call of what Python makes of it: `[slots, 87]` in, `[slots, 241]` out.
fn answer(make: &Bound<'_, PyAny>, slots: usize, heard: &[f32], made: &mut [f32]) -> PyResult<()> {
    let input = frames_out(make.py(), heard, slots, Core::HEARD)?;
    let answered = frames(&make.call1((input,))?, Core::MADE)?;
    if answered.len() != made.len() {
        let got = answered.len() / Core::MADE;
        let message = format!("{slots} slots in, {got} out");
        return Err(pyo3::exceptions::PyValueError::new_err(message));
    }
    made.copy_from_slice(&answered);
    Ok(())
}
