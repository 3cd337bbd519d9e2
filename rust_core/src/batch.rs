//! Many conversations at once: each weight of the network is read once for all of them.

use crate::chain::{Path, PathStatus};
use crate::error::{check_range, check_room, DspError};
use crate::manner::Manner;
use crate::net::{Memory, Network, Room, Turn};
use crate::prosody::ProsodyTargets;
use crate::seats::{Seat, Seats};
use crate::stage::check_rate;

/// Pieces in which a block is worked on, in a second: a hop each.
pub(crate) const PIECES_A_SECOND: usize = 100;

/// Streams of one sample rate, stepped together; each sounds as it would alone, to the last bit.
///
/// Streams join and leave between any two blocks. A block is one length for all: a row for each
/// slot, of which those that nobody has joined are not read, and come back as zeros.
///
/// # Streaming
/// As [`Path`], for each stream. `join` and `leave` use the heap, `process` does not.
#[derive(Clone)]
pub struct Batch {
    network: Network,
    sample_rate: u32,
    seats: Seats<Stream>,
    room: Room,
}

#[derive(Clone)]
struct Stream {
    path: Path,
    memory: Memory,
}

impl Turn for Seat<Stream> {
    fn parts(&mut self) -> (&mut Memory, &[f32], &mut [f32]) {
        let (mel, envelopes) = self.stream.path.exchange();
        (&mut self.stream.memory, mel, envelopes)
    }
}

impl Batch {
    /// Streams in one batch at most.
    pub const MAX_SLOTS: usize = 4096;

    /// Room for so many streams at `sample_rate` Hz, 1 to 4096; the network's own memory stays as
    /// it is.
    ///
    /// # Errors
    /// `out_of_range`.
    pub fn new(network: &Network, sample_rate: u32, slots: usize) -> Result<Self, DspError> {
        check_rate("sample_rate in Hz", sample_rate)?;
        check_range("slots", slots as f64, 1.0, Self::MAX_SLOTS as f64)?;
        Ok(Self {
            sample_rate,
            seats: Seats::new(slots),
            room: network.room(slots),
            network: network.clone(),
        })
    }

    /// How many streams there is room for.
    pub fn slots(&self) -> usize {
        self.seats.slots()
    }

    /// A stream that goes its own way from now on; which slot it has.
    ///
    /// # Errors
    /// `out_of_range` for a path of another sample rate, `batch_full`.
    pub fn join(&mut self, path: Path) -> Result<usize, DspError> {
        same_rate(self.sample_rate, &path)?;
        let memory = self.network.memory();
        self.seats.join(Stream { path, memory })
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

    /// Steers a stream to other targets, over 200 ms from its next hop on.
    ///
    /// # Errors
    /// `not_joined`, `out_of_range`; the old targets stay.
    pub fn set_targets(&mut self, slot: usize, targets: ProsodyTargets) -> Result<(), DspError> {
        self.path(slot)?.set_targets(targets)
    }

    /// As [`Path::set_manner`], of one stream.
    ///
    /// # Errors
    /// `not_joined`, `out_of_range`; the old manner stays.
    pub fn set_manner(&mut self, slot: usize, manner: Manner) -> Result<(), DspError> {
        self.path(slot)?.set_manner(manner)
    }

    /// As [`Path::express`], of one stream.
    ///
    /// # Errors
    /// `not_joined`, `out_of_range`; the old mood stays.
    pub fn express(&mut self, slot: usize, mood: Manner, half_life: f32) -> Result<(), DspError> {
        self.path(slot)?.express(mood, half_life)
    }

    fn path(&mut self, slot: usize) -> Result<&mut Path, DspError> {
        Ok(&mut self.seats.stream_mut(slot)?.path)
    }

    /// Blocks `[slots, n]`, row after row, to as many samples.
    ///
    /// # Errors
    /// `wrong_shape` unless all rows are of one length, `output_too_short`; nothing is consumed.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), DspError> {
        let len = self.seats.row(input)?;
        check_room(input.len(), output.len())?;
        output[..input.len()].fill(0.0);
        // At the slowest rates too, no more than a hop inside.
        let piece = self.sample_rate as usize / PIECES_A_SECOND;
        let mut done = 0;
        while done < len {
            let now = piece.min(len - done);
            let of = |slot: usize| slot * len + done..slot * len + done + now;
            for seat in &mut self.seats.taken {
                seat.stream.path.hear(&input[of(seat.slot)])?;
            }
            self.network.step(&mut self.room, &mut self.seats.taken);
            for seat in &mut self.seats.taken {
                let stream = &mut seat.stream;
                stream.path.speak(true, &mut output[of(seat.slot)])?;
            }
            done += now;
        }
        Ok(())
    }
}

/// # Errors
/// `out_of_range` for a path of another sample rate.
pub(crate) fn same_rate(expected: u32, path: &Path) -> Result<(), DspError> {
    let got = path.sample_rate();
    if got == expected {
        Ok(())
    } else {
        Err(DspError::OtherRate { expected, got })
    }
}
