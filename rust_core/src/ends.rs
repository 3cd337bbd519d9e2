//! Both ends of many conversations, for an engine that has the middle on another processor.

use core::ops::Range;

use crate::batch::{same_rate, Batch, PIECES_A_SECOND};
use crate::chain::{Heard, Path, PathStatus};
use crate::error::{check_range, DspError};
use crate::math::mel::BANDS;
use crate::seats::Seats;
use crate::stage::{check_rate, HOP};

/// Numbers of a hop before its log-mel frame.
const BEFORE_MEL: usize = 7;

/// Streams of one sample rate up to their log-mel frames and shaped F0, and from their sound on.
///
/// ```text
///   in ─ resample ─ log-mel less noise, F0, VAD, level ─▶ [slots, 87] ─▶ convert, colour, vocode
///   out ◀─ resample ─ limit ─ wait ◀────────── [slots, 241] ◀─────────┘ elsewhere
/// ```
///
/// In a step `hear` takes a piece of every stream in, and `speak` gives as much of each back; a hop of
/// each at most lies between. What goes out of a slot, [`Ends::HEARD`] numbers: 1 if there is a hop
/// (else the rest is 0), 1 if the envelopes are to be silent, F0 in Hz, the manner's level, breath and
/// tilt in dB and tract in octaves, 80 of log-mel. What comes back, [`Ends::MADE`]: not 0 if the
/// converter failed; 240 samples.
///
/// # Streaming
/// As [`Batch`]. `hear` and `speak` do not use the heap.
#[derive(Clone)]
pub struct Ends {
    sample_rate: u32,
    seats: Seats<Stream>,
    /// Samples of the rows that were heard and are still to be answered.
    part: Range<usize>,
    row: usize,
}

#[derive(Clone)]
struct Stream {
    path: Path,
    /// What made its sound has failed altogether: there is none from then on.
    lost: bool,
}

impl Ends {
    /// Numbers of a slot that go out.
    pub const HEARD: usize = BEFORE_MEL + BANDS;
    /// And that come back.
    pub const MADE: usize = 1 + HOP;

    /// Room for so many streams at `sample_rate` Hz, 1 to 4096.
    ///
    /// # Errors
    /// `out_of_range`.
    pub fn new(sample_rate: u32, slots: usize) -> Result<Self, DspError> {
        check_rate("sample_rate in Hz", sample_rate)?;
        check_range("slots", slots as f64, 1.0, Batch::MAX_SLOTS as f64)?;
        Ok(Self {
            sample_rate,
            seats: Seats::new(slots),
            part: 0..0,
            row: 0,
        })
    }

    /// How many streams there is room for.
    pub fn slots(&self) -> usize {
        self.seats.slots()
    }

    /// How many have joined.
    pub fn joined(&self) -> usize {
        self.seats.taken.len()
    }

    /// As [`Batch::join`].
    ///
    /// # Errors
    /// `out_of_range` for a path of another sample rate, `batch_full`.
    pub fn join(&mut self, path: Path) -> Result<usize, DspError> {
        same_rate(self.sample_rate, &path)?;
        self.seats.join(Stream { path, lost: false })
    }

    /// Ends a stream at once; its slot is free again.
    ///
    /// # Errors
    /// `not_joined`; the others stay as they are.
    pub fn leave(&mut self, slot: usize) -> Result<(), DspError> {
        self.seats.leave(slot)
    }

    /// What the newest hop of a stream was like.
    ///
    /// # Errors
    /// `not_joined`.
    pub fn status(&self, slot: usize) -> Result<PathStatus, DspError> {
        Ok(self.seats.stream(slot)?.path.status())
    }

    /// The path of a stream, to be steered.
    ///
    /// # Errors
    /// `not_joined`.
    pub fn path(&mut self, slot: usize) -> Result<&mut Path, DspError> {
        Ok(&mut self.seats.stream_mut(slot)?.path)
    }

    /// Input samples of a step at most: at the slowest rates too, no more than a hop inside.
    pub fn piece(&self) -> usize {
        self.sample_rate as usize / PIECES_A_SECOND
    }

    /// Takes samples `part` of each row of `blocks` `[slots, n]` in, and writes what was heard,
    /// `[slots, 87]`; whether there is a hop of any stream. `speak` comes next.
    ///
    /// # Errors
    /// `wrong_shape` unless all rows are of one length and `heard` has a row for each; `out_of_range`
    /// for a part of more than a piece, or beyond a row. Nothing is consumed.
    pub fn hear(
        &mut self,
        blocks: &[f32],
        part: Range<usize>,
        heard: &mut [f32],
    ) -> Result<bool, DspError> {
        let row = self.seats.row(blocks)?;
        Self::check("heard", self.slots() * Self::HEARD, heard.len())?;
        check_range("end of the part", part.end as f64, 0.0, row as f64)?;
        let most = self.piece() as f64;
        check_range("samples of the part", part.len() as f64, 0.0, most)?;
        heard.fill(0.0);
        (self.part, self.row) = (part, row);
        let mut any = false;
        for seat in &mut self.seats.taken {
            let path = &mut seat.stream.path;
            path.hear(&blocks[seat.slot * row..][self.part.clone()])?;
            if let Some(hop) = path.hop() {
                any = true;
                write(&hop, &mut heard[seat.slot * Self::HEARD..][..Self::HEARD]);
            }
        }
        Ok(any)
    }

    /// Writes what was made of it, `[slots, 241]`, into the same part of `blocks`; rows that nobody
    /// has joined stay as they are. Once for each `hear`; another does nothing.
    ///
    /// # Errors
    /// `wrong_shape` unless `made` has a row for each slot, and `blocks` is as `hear` had it.
    pub fn speak(&mut self, made: &[f32], blocks: &mut [f32]) -> Result<(), DspError> {
        Self::check("made", self.slots() * Self::MADE, made.len())?;
        Self::check("blocks", self.slots() * self.row, blocks.len())?;
        let part = core::mem::take(&mut self.part);
        if part.is_empty() {
            return Ok(());
        }
        for seat in &mut self.seats.taken {
            let stream = &mut seat.stream;
            let made = &made[seat.slot * Self::MADE..];
            let (failed, sound) = match made.first_chunk::<{ Ends::MADE }>() {
                Some([failed, sound @ ..]) if !stream.lost => (*failed != 0.0, sound),
                _ => (true, &[0.0; HOP]),
            };
            let output = &mut blocks[seat.slot * self.row..][part.clone()];
            stream.path.utter(failed, sound, output)?;
        }
        Ok(())
    }

    /// What makes the sound has failed altogether: silence from now on in all streams that are there,
    /// and they count as failed.
    pub fn lose(&mut self) {
        for seat in &mut self.seats.taken {
            seat.stream.lost = true;
        }
    }

    fn check(what: &'static str, expected: usize, got: usize) -> Result<(), DspError> {
        if got == expected {
            return Ok(());
        }
        Err(DspError::Length {
            what,
            expected,
            got,
        })
    }
}

fn write(heard: &Heard<'_>, row: &mut [f32]) {
    let (silent, manner) = (f32::from(u8::from(heard.silent)), heard.manner);
    let (before, mel) = row.split_at_mut(BEFORE_MEL);
    before.copy_from_slice(&[
        1.0,
        silent,
        heard.f0_hz,
        manner.level_db,
        manner.breath_db,
        manner.tilt_db,
        manner.tract_octaves,
    ]);
    mel.copy_from_slice(heard.mel);
}
