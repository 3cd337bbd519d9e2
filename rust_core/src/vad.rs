//! Whether someone is speaking, hop by hop.

mod bands;
mod network;

use crate::error::{check_room, DspError};
use crate::stage::{check_rate, Analyzer, RATE};
use bands::Bands;
use network::Network;

/// Frames a second.
const FRAMES_HZ: u64 = 100;
/// An onset is told at this probability, and taken back below the next or after so many hops.
const EARLY: f32 = 0.3;
const DOUBT: f32 = 0.15;
const LONGEST_ONSET: u32 = 6;
/// Speech begins once it has been likelier than this for so many hops: a knock or a note may look
/// like speech for one.
const ENTER: f32 = 0.6;
const SURE: u32 = 3;
/// And ends once it has been less likely than this for so many: shorter pauses are closures of plosives.
const LEAVE: f32 = 0.35;
const HANGOVER: u32 = 20;

/// Speech probability 0 to 1, speech 0 or 1, onset 0 or 1: `[frames, 3]`, one frame per 10 ms.
///
/// The probability is of the newest 10 ms, by a small network that has learnt speech among noise, music,
/// clicks and the talk of many. Speech is the same made steady: it begins after 30 ms of more than 0.6 and
/// ends after 200 ms of less than 0.35. Onset is 1 whenever speech is, and from the first frame on that
/// someone may have begun; where nobody had, it is taken back within 60 ms. Whoever only ducks at an onset,
/// and stops at speech, loses no time and seldom more than a moment.
///
/// ```text
///   sound ─ window ─ 36 bands ─ (now, before) ─ 32 ─ gated 64 ─ gated 32 ─ probability ─ speech, onset
/// ```
///
/// # Streaming
/// Any rate from 8 to 192 kHz: frame `k` is given with sample `ceil((k + 1) * rate / 100)`, at [`RATE`] once
/// per hop. Window 21 ms, look-ahead 0.
///
/// # Source
/// The weights are made by `training/vad.py`; what they were never taught from, and how they do on it, stands
/// in `benches/README.md`.
#[derive(Clone)]
pub struct Vad {
    sample_rate: u64,
    /// Samples and frames of the second at hand.
    samples: u64,
    frames: u64,
    bands: Bands,
    network: Network,
    decision: Decision,
}

#[derive(Clone, Copy, Default)]
struct Decision {
    speech: bool,
    /// Hops for which it has been likelier than `ENTER`, and less likely than `LEAVE`.
    sure: u32,
    quiet: u32,
    /// Hops of an onset that is not speech yet; `None` where there is none.
    onset: Option<u32>,
    /// It has been less likely than `DOUBT` since the last onset.
    fresh: bool,
}

impl Default for Vad {
    fn default() -> Self {
        Self::new()
    }
}

impl Vad {
    /// For sound at [`RATE`].
    pub fn new() -> Self {
        Self::of(RATE)
    }

    /// For sound at another rate, in Hz.
    ///
    /// # Errors
    /// `out_of_range` outside 8,000 to 192,000.
    pub fn at(sample_rate: u32) -> Result<Self, DspError> {
        check_rate("sample_rate in Hz", sample_rate)?;
        Ok(Self::of(sample_rate))
    }

    fn of(sample_rate: u32) -> Self {
        let sample_rate_64 = u64::from(sample_rate);
        Self {
            sample_rate: sample_rate_64,
            samples: 0,
            frames: 0,
            bands: Bands::new(sample_rate, sample_rate_64.div_ceil(FRAMES_HZ) as usize),
            network: Network::new(),
            decision: Decision::new(),
        }
    }

    /// Samples of the second at which its next frame is due.
    fn due(&self) -> u64 {
        ((self.frames + 1) * self.sample_rate).div_ceil(FRAMES_HZ)
    }

    fn hear(&mut self, samples: &[f32]) {
        self.bands.hear(samples);
        self.samples += samples.len() as u64;
    }

    fn frame(&mut self, row: &mut [f32]) {
        let probability = self.network.step(&self.bands.frame());
        self.decision.hear(probability);
        let flag = |of: bool| f32::from(u8::from(of));
        row[0] = probability;
        row[1] = flag(self.decision.speech);
        row[2] = flag(self.decision.speech || self.decision.onset.is_some());
        self.frames += 1;
        if self.frames == FRAMES_HZ {
            (self.samples, self.frames) = (0, 0);
        }
    }
}

impl Decision {
    fn new() -> Self {
        Self {
            fresh: true,
            ..Self::default()
        }
    }

    fn hear(&mut self, probability: f32) {
        let counted = |hops: u32, goes_on: bool| if goes_on { hops + 1 } else { 0 };
        self.sure = counted(self.sure, probability > ENTER).min(SURE);
        self.quiet = counted(self.quiet, probability < LEAVE).min(HANGOVER + 1);
        if self.sure == SURE {
            self.speech = true;
        } else if self.quiet > HANGOVER {
            self.speech = false;
        }
        self.fresh |= probability < DOUBT;
        self.onset = match self.onset {
            _ if self.speech => None,
            Some(hops) if probability < DOUBT || hops == LONGEST_ONSET => None,
            Some(hops) => Some(hops + 1),
            None if self.fresh && probability > EARLY => Some(1),
            None => None,
        };
        self.fresh &= self.onset.is_none() && !self.speech;
    }
}

impl Analyzer for Vad {
    fn width(&self) -> usize {
        3
    }

    fn hop(&self) -> usize {
        self.sample_rate.div_ceil(FRAMES_HZ) as usize
    }

    fn window(&self) -> usize {
        self.bands.window()
    }

    fn lookahead(&self) -> usize {
        0
    }

    fn frames(&self, input_len: usize) -> usize {
        let samples = self.samples + input_len as u64;
        (samples * FRAMES_HZ / self.sample_rate - self.frames) as usize
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        let frames = self.frames(input.len());
        check_room(frames * self.width(), output.len())?;
        let mut rest = input;
        for row in output.chunks_exact_mut(3).take(frames) {
            let (now, later) = rest.split_at((self.due() - self.samples) as usize);
            self.hear(now);
            self.frame(row);
            rest = later;
        }
        self.hear(rest);
        Ok(frames)
    }

    fn reset(&mut self) {
        (self.samples, self.frames) = (0, 0);
        self.bands.reset();
        self.network.reset();
        self.decision = Decision::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Speech and onset, as a letter a hop: `s`, `o` for an onset alone, `.` for neither.
    fn heard(probabilities: &[(f32, usize)]) -> String {
        let mut decision = Decision::new();
        let mut said = String::new();
        for (probability, hops) in probabilities {
            for _ in 0..*hops {
                decision.hear(*probability);
                said.push(match (decision.speech, decision.onset) {
                    (true, _) => 's',
                    (false, Some(_)) => 'o',
                    (false, None) => '.',
                });
            }
        }
        said
    }

    #[test]
    fn an_onset_is_told_at_once_and_speech_after_three_sure_hops() {
        assert_eq!(heard(&[(0.1, 2), (0.5, 1), (0.9, 4)]), "..oooss");
    }

    #[test]
    fn an_onset_is_taken_back_when_nobody_spoke() {
        assert_eq!(heard(&[(0.1, 1), (0.9, 1), (0.1, 3)]), ".o...");
        assert_eq!(heard(&[(0.1, 1), (0.5, 9)]), ".oooooo...", "after 60 ms");
        assert_eq!(
            heard(&[(0.5, 9), (0.1, 1), (0.5, 2)]),
            "oooooo....oo",
            "and told anew"
        );
    }

    #[test]
    fn speech_comes_without_an_onset_where_one_was_taken_back() {
        assert_eq!(heard(&[(0.5, 8), (0.9, 4)]), "oooooo....ss");
    }

    #[test]
    fn closures_are_bridged_and_pauses_are_not() {
        let spoken = heard(&[(0.9, 5), (0.0, 20), (0.9, 2), (0.0, 22)]);
        assert_eq!(&spoken[2..47], "s".repeat(45));
        assert_eq!(&spoken[47..], "..");
    }

    #[test]
    fn what_hovers_between_the_thresholds_changes_nothing() {
        assert_eq!(
            heard(&[(0.9, 3), (0.4, 100)]),
            format!("oo{}", "s".repeat(101))
        );
    }
}
