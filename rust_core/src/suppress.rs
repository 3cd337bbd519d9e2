//! What does not change is not speech: steady noise, taken out of log-mel frames.

use pulp::{Arch, Simd, WithSimd};

use crate::math::curve::{exp, ln};
use crate::math::mel::BANDS;

/// Share of the newest frame in the smoothed power whose minimum is the noise.
const NEWEST: f32 = 0.4;
/// The minimum is over so many parts of so many hops: 1.9 s of hops without a voice.
const PARTS: usize = 12;
const PART_HOPS: u32 = 16;
/// What the minimum lies below the mean of noise.
const BIAS: f32 = 2.2;
/// Share of the last answer in what is expected of speech now.
const DECIDED: f32 = 0.95;
/// No band is made quieter than by this: 12 dB, as amplitude.
const LEAST_GAIN: f32 = 0.251_188_64;
/// A band whose noise lies so far below what was loudest in it, as a ratio of powers (30 and 40 dB), is
/// made quieter by as much as that, and not at all: there is nothing to be gained from a quiet room.
const NOISY: f32 = 1e3;
const QUIET: f32 = 1e4;
/// By how much the loudest is forgotten in a hop: half in 7 s.
const FADING: f32 = 0.999;
/// Hops whose windows reach back to before the stream, and are not as loud as it is.
const NOT_YET: f32 = 3.0;
/// Hops learnt from until all is believed: a stream may begin within a sound.
const BEGIN_HOPS: f32 = 30.0;
/// Of a band in digital silence: nothing is made quieter than this.
const SILENCE: f32 = -23.025_85;

/// Log-mel frames without the steady noise in them.
///
/// Each band's noise is the least of its smoothed power in the last two seconds without a voice; a gain
/// for the power that is expected to be speech, no lower than -12 dB, is added to the logarithm. While a
/// voice sounds nothing is learnt: there are voices as steady as noise. What the network then hears is
/// nearer to what a quiet room would have given it, and less of the room comes out in her voice.
///
/// # Streaming
/// One frame out for each in, no look-ahead.
///
/// # Source
/// Noise from minimum statistics: Martin (2001), without its optimal smoothing. Gain: Wiener's filter
/// with the decision-directed estimate of Ephraim & Malah (1984), equation 51.
#[derive(Clone)]
pub(crate) struct NoiseSuppressor {
    smoothed: [f32; BANDS],
    /// Least of each part, a ring, and of the part at hand.
    least: [[f32; BANDS]; PARTS],
    newest: [f32; BANDS],
    part: usize,
    in_part: u32,
    /// Largest smoothed power of late.
    loudest: [f32; BANDS],
    /// Power of what the last frame answered.
    speech: [f32; BANDS],
    /// Frames learnt from, up to `BEGIN_HOPS`; below 0 those that do not count.
    learnt: f32,
}

impl NoiseSuppressor {
    pub fn new() -> Self {
        Self {
            smoothed: [0.0; BANDS],
            least: [[f32::MAX; BANDS]; PARTS],
            newest: [f32::MAX; BANDS],
            part: 0,
            in_part: 0,
            loudest: [0.0; BANDS],
            speech: [0.0; BANDS],
            learnt: -NOT_YET,
        }
    }

    /// Changes a frame of 80 logarithms of power; `voiced`: whether a voice sounds in it.
    pub fn process(&mut self, frame: &mut [f32], voiced: bool) {
        Arch::new().dispatch(Frame(self, frame, voiced));
    }

    /// Forgets the room.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    #[inline(always)]
    fn frame(&mut self, frame: &mut [f32], voiced: bool) {
        let mut power = [0.0; BANDS];
        for (power, mel) in power.iter_mut().zip(frame.iter()) {
            *power = exp(mel.max(SILENCE));
        }
        let bands = self.smoothed.iter_mut().zip(&mut self.loudest).zip(&power);
        for ((smoothed, loudest), power) in bands {
            *smoothed += NEWEST * (power - *smoothed);
            *loudest = smoothed.max(FADING * *loudest);
        }
        if self.learnt < 0.0 {
            self.learnt += 1.0;
            self.smoothed = power;
            return;
        }
        if !voiced {
            self.learn();
        }
        if self.learnt == 0.0 {
            return;
        }
        let mut noise = self.newest;
        for part in &self.least {
            for (noise, least) in noise.iter_mut().zip(part) {
                *noise = noise.min(*least);
            }
        }
        let believed = (LEAST_GAIN - 1.0) * (self.learnt / BEGIN_HOPS);
        for (k, mel) in frame.iter_mut().enumerate() {
            let noise = BIAS * noise[k];
            let noisy = ln(QUIET * noise / self.loudest[k]) / (QUIET / NOISY).ln();
            let lowest = 1.0 + believed * noisy.clamp(0.0, 1.0);
            let above = (power[k] / noise - 1.0).max(0.0);
            let expected = DECIDED * self.speech[k] / noise + (1.0 - DECIDED) * above;
            let gain = (expected / (1.0 + expected)).max(lowest);
            self.speech[k] = gain * gain * power[k];
            *mel = (*mel + 2.0 * ln(gain)).max(SILENCE);
        }
    }

    #[inline(always)]
    fn learn(&mut self) {
        for (newest, smoothed) in self.newest.iter_mut().zip(&self.smoothed) {
            *newest = newest.min(*smoothed);
        }
        self.learnt = (self.learnt + 1.0).min(BEGIN_HOPS);
        self.in_part += 1;
        if self.in_part == PART_HOPS {
            self.in_part = 0;
            self.least[self.part] = self.newest;
            self.part = (self.part + 1) % PARTS;
            self.newest = self.smoothed;
        }
    }
}

/// One frame, compiled for the processor at hand.
struct Frame<'a>(&'a mut NoiseSuppressor, &'a mut [f32], bool);

impl WithSimd for Frame<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.frame(self.1, self.2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocoder::uniform;

    const HOPS: usize = 300;
    const NOISE: f32 = -10.0;

    /// Power of exponentially distributed noise, as bands of noise have it, about `mean` (a logarithm).
    fn noise(mean: f32, at: usize) -> [f32; BANDS] {
        let mut counter = at as u64 * 1_000_003;
        // Of a band that holds several bins.
        let mut part = || {
            let share = 0.5 + uniform(&mut counter) / 12f32.sqrt();
            -share.max(1e-4).ln()
        };
        core::array::from_fn(|_| mean + ((0..4).map(|_| part()).sum::<f32>() / 4.0).ln())
    }

    /// Mean change, in nepers of power, of frames `from..` of a stream.
    fn change(of: impl Fn(usize) -> ([f32; BANDS], bool), from: usize, hops: usize) -> f32 {
        let mut suppressor = NoiseSuppressor::new();
        let mut sum = 0.0;
        for k in 0..hops {
            let (before, voiced) = of(k);
            let mut after = before;
            suppressor.process(&mut after, voiced);
            if k >= from {
                let moved = after.iter().zip(&before).map(|(a, b)| a - b);
                sum += moved.sum::<f32>() / (BANDS * (hops - from)) as f32;
            }
        }
        sum
    }

    fn db(nepers_of_power: f32) -> f32 {
        nepers_of_power * 10.0 / core::f32::consts::LN_10
    }

    #[test]
    fn steady_noise_goes_down_by_nearly_all_that_is_allowed() {
        let down = db(change(|k| (noise(NOISE, k), false), 100, HOPS));
        assert!((-12.01..-9.0).contains(&down), "{down} dB");
    }

    #[test]
    fn syllables_in_it_stay() {
        // 200 ms at 20 dB above the noise, then 100 ms of it alone.
        let syllable = |k: usize| k % 30 >= 10;
        let of = |k: usize| {
            let above = if syllable(k) { 4.6 } else { 0.0 };
            (noise(NOISE + above, k), syllable(k))
        };
        let mut suppressor = NoiseSuppressor::new();
        let mut lost = 0.0f32;
        for k in 0..HOPS {
            let (before, voiced) = of(k);
            let mut after = before;
            suppressor.process(&mut after, voiced);
            if k >= 100 && (12..28).contains(&(k % 30)) {
                let sum: f32 = after.iter().zip(&before).map(|(a, b)| a - b).sum();
                lost = lost.min(db(sum / BANDS as f32));
            }
        }
        assert!(lost > -1.5, "{lost} dB");
    }

    #[test]
    fn a_note_that_is_held_stays() {
        // Half a second of a quiet room first.
        let of = |k: usize| {
            let sounds = k >= 50;
            (noise(if sounds { -5.0 } else { -14.0 }, k), sounds)
        };
        let lost = db(change(of, 300, 600));
        assert!(lost > -1.5, "{lost} dB");
    }

    #[test]
    fn a_stream_that_begins_within_a_word_is_left_alone_at_first() {
        let lost = db(change(|k| (noise(-5.0, k), true), 0, 5));
        assert!(lost > -2.0, "{lost} dB");
    }

    #[test]
    fn digital_silence_stays_to_the_bit() {
        let mut suppressor = NoiseSuppressor::new();
        for _ in 0..HOPS {
            let mut frame = [ln(1e-10); BANDS];
            suppressor.process(&mut frame, false);
            assert!(frame.iter().all(|mel| (mel - SILENCE).abs() < 1e-5));
        }
        let (mut one, mut other) = ([ln(1e-10); BANDS], [ln(1e-10); BANDS]);
        suppressor.process(&mut one, false);
        suppressor.process(&mut other, false);
        assert_eq!(one, other);
    }
}
