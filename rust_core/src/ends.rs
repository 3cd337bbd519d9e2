//! Both ends of many conversations, for an engine that has the middle on another processor.

use crate::batch::{Batch, PIECES_A_SECOND};
use crate::chain::{Heard, Path, PathStatus};
use crate::error::{check_range, check_room, DspError};
use crate::math::mel::BANDS;
use crate::seats::Seats;
use crate::stage::HOP;

/// Numbers of a hop before its log-mel frame.
const BEFORE_MEL: usize = 7;

/// Streams of one sample rate up to their log-mel frames and shaped F0, and from their sound on.
///
/// ```text
///   in ─ resample ─ log-mel, F0, VAD, level ─▶ [slots, 87] ─▶ convert, colour, vocode
///   out ◀─ resample ─ limit ─ wait ◀────────── [slots, 241] ◀─────────┘ elsewhere
/// ```
///
/// A step is of one hop, and of all slots. What goes out of each, [`Ends::HEARD`] numbers: 1 if
/// there is a hop (else the rest is 0), 1 if the envelopes are to be silent, F0 in Hz, the manner's
/// level, breath and tilt in dB and tract in octaves, 80 of log-mel. What comes back,
/// [`Ends::MADE`]: 0, or else the converter failed; 240 samples.
///
/// # Streaming
/// As [`Batch`]. `process` does not use the heap.
#[derive(Clone)]
pub struct Ends {
    sample_rate: u32,
    seats: Seats<Stream>,
    heard: Vec<f32>,
    made: Vec<f32>,
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
        check_range("slots", slots as f64, 1.0, Batch::MAX_SLOTS as f64)?;
        Ok(Self {
            sample_rate,
            seats: Seats::new(slots),
            heard: vec![0.0; slots * Self::HEARD],
            made: vec![0.0; slots * Self::MADE],
        })
    }

    /// How many streams there is room for.
    pub fn slots(&self) -> usize {
        self.seats.slots()
    }

    /// As [`Batch::join`].
    ///
    /// # Errors
    /// `out_of_range` for a path of another sample rate, `batch_full`.
    pub fn join(&mut self, path: Path) -> Result<usize, DspError> {
        let (rate, got) = (f64::from(self.sample_rate), f64::from(path.sample_rate()));
        check_range("sample_rate in Hz", got, rate, rate)?;
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

    /// Blocks `[slots, n]`, row after row, to as many samples.
    ///
    /// `make` gets what was heard, `[slots, 87]`, and writes `[slots, 241]`; it answers whether it
    /// could. If not, there is silence in all streams from then on, and they count as failed.
    ///
    /// # Errors
    /// `wrong_shape` unless all rows are of one length, `output_too_short`; nothing is consumed.
    pub fn process(
        &mut self,
        input: &[f32],
        output: &mut [f32],
        mut make: impl FnMut(&[f32], &mut [f32]) -> bool,
    ) -> Result<(), DspError> {
        let len = self.seats.row(input)?;
        check_room(input.len(), output.len())?;
        output[..input.len()].fill(0.0);
        // At the slowest rates too, no more than a hop inside.
        let piece = self.sample_rate as usize / PIECES_A_SECOND;
        for start in (0..len).step_by(piece) {
            let of = |slot: usize| slot * len + start..slot * len + len.min(start + piece);
            if self.hear(|slot| &input[of(slot)])? {
                let could = make(&self.heard, &mut self.made);
                for seat in &mut self.seats.taken {
                    seat.stream.lost |= !could;
                }
            }
            for seat in &mut self.seats.taken {
                let (slot, stream) = (seat.slot, &mut seat.stream);
                let made = &self.made[slot * Self::MADE..];
                let (failed, sound) = match made.first_chunk::<{ Ends::MADE }>() {
                    Some([failed, sound @ ..]) if !stream.lost => (*failed != 0.0, sound),
                    _ => (true, &[0.0; HOP]),
                };
                stream.path.utter(failed, sound, &mut output[of(slot)])?;
            }
        }
        Ok(())
    }

    /// Whether any stream has a hop now.
    fn hear<'a>(&mut self, input: impl Fn(usize) -> &'a [f32]) -> Result<bool, DspError> {
        let mut any = false;
        self.heard.fill(0.0);
        self.made.fill(0.0);
        for seat in &mut self.seats.taken {
            seat.stream.path.hear(input(seat.slot))?;
            if let Some(heard) = seat.stream.path.hop() {
                any = true;
                let row = &mut self.heard[seat.slot * Self::HEARD..][..Self::HEARD];
                write(&heard, row);
            }
        }
        Ok(any)
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
