//! Which stream has which slot, where many are stepped together.

use crate::error::DspError;

/// Streams that come and go; a slot that one leaves is the next one's.
#[derive(Clone)]
pub(crate) struct Seats<T> {
    pub taken: Vec<Seat<T>>,
    /// Of each slot, where its stream lies among those; none where nobody has joined.
    places: Vec<Option<usize>>,
    /// Slots that nobody has, the next one last.
    free: Vec<usize>,
}

#[derive(Clone)]
pub(crate) struct Seat<T> {
    pub slot: usize,
    pub stream: T,
}

impl<T> Seats<T> {
    pub fn new(slots: usize) -> Self {
        Self {
            taken: Vec::with_capacity(slots),
            places: vec![None; slots],
            free: (0..slots).rev().collect(),
        }
    }

    /// How many streams there is room for.
    pub fn slots(&self) -> usize {
        self.places.len()
    }

    /// Which slot the stream has from now on.
    ///
    /// # Errors
    /// `batch_full`.
    pub fn join(&mut self, stream: T) -> Result<usize, DspError> {
        let slots = self.slots();
        let slot = self.free.pop().ok_or(DspError::BatchFull { slots })?;
        self.places[slot] = Some(self.taken.len());
        self.taken.push(Seat { slot, stream });
        Ok(slot)
    }

    /// # Errors
    /// `not_joined`; the others stay as they are.
    pub fn leave(&mut self, slot: usize) -> Result<(), DspError> {
        let place = self.place(slot)?;
        self.taken.swap_remove(place);
        self.places[slot] = None;
        if let Some(moved) = self.taken.get(place) {
            self.places[moved.slot] = Some(place);
        }
        self.free.push(slot);
        Ok(())
    }

    /// # Errors
    /// `not_joined`.
    pub fn stream(&self, slot: usize) -> Result<&T, DspError> {
        Ok(&self.taken[self.place(slot)?].stream)
    }

    /// # Errors
    /// `not_joined`.
    pub fn stream_mut(&mut self, slot: usize) -> Result<&mut T, DspError> {
        let place = self.place(slot)?;
        Ok(&mut self.taken[place].stream)
    }

    /// Length of the rows of a block for all slots.
    ///
    /// # Errors
    /// `wrong_shape` unless all are of one length.
    pub fn row(&self, input: &[f32]) -> Result<usize, DspError> {
        let (what, expected, got) = ("blocks", self.slots(), input.len());
        if got % expected == 0 {
            return Ok(got / expected);
        }
        Err(DspError::Shape {
            what,
            expected,
            got,
        })
    }

    fn place(&self, slot: usize) -> Result<usize, DspError> {
        let place = self.places.get(slot).copied().flatten();
        place.ok_or(DspError::NotJoined { slot })
    }
}
