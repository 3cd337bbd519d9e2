//! The converter's network, native: torch's weights without torch.

use std::ops::Range;
use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use crate::articulation::Articulation;
use crate::error::{check_range, check_room, DspError, TensorName};
use crate::math::dot::dot;
use crate::math::matrix::Linear;
use crate::math::mel::{BANDS, LOUDEST, SILENT};
use crate::math::soon::soon;

/// Log-mel runs from -23 to about 0: brought to about -2.6 to 2.
const MEL_CENTRE: f32 = -10.0;
const MEL_SPREAD: f32 = 5.0;
/// Log-mel of digital silence, and how far from it any frame is believed.
const SILENT_MEL: f32 = -23.0;
const LOUDEST_MEL: f32 = 60.0;
/// A frame stands for 1.6 hops before its end: a moment whole hops before lies between two.
const NEWER_SHARE: f32 = 0.6;
/// Log power of noise of unit power in a bin of the analysis: ln(4 * 1.5 / 768).
const LOG_POWER_OF_NOISE: f32 = -4.852_03;
/// Keeps the norm of silence finite.
const NORM_FLOOR: f32 = 1e-5;
/// Frames that go through a layer together, so that its weights are read once for all.
const TOGETHER: usize = 8;

/// Shape of a network, as its weights file says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetShape {
    /// Numbers between layers.
    pub channels: usize,
    /// Numbers inside a layer.
    pub hidden: usize,
    /// Newest frames that the first product sees.
    pub input_frames: usize,
    /// Of each layer: how many frames ago its second input lies.
    pub dilations: Vec<usize>,
    /// Hops by which the moment of an answer lies before its frame's own, 1 at least.
    pub late: usize,
}

/// Log-mel frames of anybody in, the persona's two envelopes out.
///
/// ```text
///   frames ─ newest 5 ─▶ enter ─▶ ┌ RMS norm ─ (x[t], x[t-d]) ─ up ─ GELU ─ down ─ + ┐ x layers
///                                 └──────────────────────────────────────────────────┘
///                              ─▶ RMS norm ─ head ─ + loudest band ─ articulation ─▶ harmonics, noise
/// ```
///
/// # Streaming
/// A frame of 160 for each of 80; it stands for the moment `late` hops before its own. Sums have one
/// order for every block length, alone or beside others: the same numbers. Processors differ in rounding.
/// Frames that have been one and the same for longer than it remembers, as those of digital silence, have
/// the answer that they had: it rests, and costs next to nothing, to the same bit.
#[derive(Clone)]
pub struct Network {
    weights: Arc<Weights>,
    memory: Memory,
    room: Room,
}

/// What one stream has heard, as far as the network still needs it.
#[derive(Clone)]
pub(crate) struct Memory {
    /// Frames heard, scaled: those that are past, then those at hand.
    heard: Vec<f32>,
    past: usize,
    /// Of these, frames that have come and wait to be worked on.
    wait: usize,
    /// Of each layer, its `dilation` newest normed inputs, the oldest at `position % dilation`.
    rings: Vec<Vec<f32>>,
    position: usize,
    /// Newest frames that were one and the same, and what the last one was answered, the level left out.
    same: usize,
    answer: [f32; Network::WIDTH_OUT],
    /// Whether that is the answer now, too.
    rests: bool,
    articulation: Articulation,
}

/// Room to work in, for so many frames at once, of one stream or of several.
#[derive(Clone)]
pub(crate) struct Room {
    /// Between layers, a row for each frame.
    x: Vec<f32>,
    /// What goes into a product, and what comes out of it.
    entering: Vec<f32>,
    leaving: Vec<f32>,
}

/// One stream's share of a step.
pub(crate) trait Turn {
    /// Its memory, the new frames of 80, and room for exactly as many answers of 160.
    fn parts(&mut self) -> (&mut Memory, &[f32], &mut [f32]);
}

struct Alone<'a>(&'a mut Memory, &'a [f32], &'a mut [f32]);

impl Turn for Alone<'_> {
    fn parts(&mut self) -> (&mut Memory, &[f32], &mut [f32]) {
        (self.0, self.1, self.2)
    }
}

struct Weights {
    shape: NetShape,
    /// Frames before its own that an answer depends on.
    remembered: usize,
    enter: Linear,
    layers: Vec<LayerWeights>,
    gain: Vec<f32>,
    head: Linear,
}

struct LayerWeights {
    gain: Vec<f32>,
    up: Linear,
    down: Linear,
}

impl Network {
    /// Numbers in a frame that goes in.
    pub const WIDTH_IN: usize = BANDS;
    /// Numbers in a frame that comes out.
    pub const WIDTH_OUT: usize = 2 * BANDS;
    /// Hops by which a network may be late: two seconds.
    pub const MOST_LATE: usize = 200;

    /// `tensor` gives the numbers of a name: `enter.weight` `[channels, input_frames * 80]`,
    /// `enter.bias`, for each layer N `layers.N.norm.weight`, `layers.N.up.*`
    /// `[hidden, 2 * channels]`, `layers.N.down.*` `[channels, hidden]`, then `norm.weight` and
    /// `head.*` `[160, channels]`.
    ///
    /// # Errors
    /// `out_of_range` for a shape beyond [`NetShape::check`]; `wrong_shape` for a tensor that is
    /// missing or of another length, `not_finite` for one with NaN or infinity in it: its name is told.
    pub fn new<'a>(
        shape: NetShape,
        tensor: impl Fn(&str) -> Option<&'a [f32]>,
    ) -> Result<Self, DspError> {
        let weights = Weights::new(shape, tensor)?;
        Ok(Self {
            memory: Memory::new(&weights.shape, 0),
            room: Room::new(&weights.shape, TOGETHER),
            weights: Arc::new(weights),
        })
    }

    /// Writes a frame of 160 log amplitudes (80 of harmonics, 80 of noise) for each log-mel frame
    /// of 80; returns the numbers written.
    ///
    /// # Errors
    /// `wrong_shape` if `frames` is not whole frames, `output_too_short`; nothing is consumed.
    pub fn process(&mut self, frames: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        if !frames.len().is_multiple_of(BANDS) {
            let (what, expected, got) = ("frames", BANDS, frames.len());
            return Err(DspError::Shape {
                what,
                expected,
                got,
            });
        }
        let due = frames.len() / BANDS * Self::WIDTH_OUT;
        check_room(due, output.len())?;
        for (some, out) in frames
            .chunks(TOGETHER * BANDS)
            .zip(output.chunks_mut(TOGETHER * Self::WIDTH_OUT))
        {
            let out = &mut out[..some.len() * 2];
            let turn = Alone(&mut self.memory, some, out);
            self.weights.step(&mut self.room, &mut [turn]);
        }
        Ok(due)
    }

    /// Forgets the stream: as if it had heard digital silence for ever.
    pub fn reset(&mut self) {
        self.memory.reset();
    }

    /// The same weights for a stream that has heard nothing, and hears each frame so many hops after it came.
    ///
    /// # Errors
    /// `out_of_range`: more than [`Network::MOST_LATE`].
    pub fn late_by(&self, hops: usize) -> Result<Self, DspError> {
        check_range("hops", hops as f64, 0.0, Self::MOST_LATE as f64)?;
        Ok(Self {
            memory: Memory::new(&self.weights.shape, hops),
            room: self.room(TOGETHER),
            weights: self.weights.clone(),
        })
    }

    /// The memory of another stream, which has heard nothing.
    pub(crate) fn memory(&self) -> Memory {
        Memory::new(&self.weights.shape, 0)
    }

    /// Room for so many frames at once.
    pub(crate) fn room(&self, frames: usize) -> Room {
        Room::new(&self.weights.shape, frames)
    }

    /// Steps streams together; their own frames, no more in all than there is room for.
    pub(crate) fn step<T: Turn>(&self, room: &mut Room, turns: &mut [T]) {
        self.weights.step(room, turns);
    }
}

impl Memory {
    fn new(shape: &NetShape, wait: usize) -> Self {
        let past = (shape.input_frames - 1).max(shape.late) + wait;
        let ring = |dilation: &usize| vec![0.0; dilation * shape.channels];
        let mut made = Self {
            heard: vec![0.0; (past + TOGETHER) * BANDS],
            past,
            wait,
            rings: shape.dilations.iter().map(ring).collect(),
            position: 0,
            same: 0,
            answer: [0.0; Network::WIDTH_OUT],
            rests: false,
            articulation: Articulation::new(),
        };
        made.reset();
        made
    }

    pub(crate) fn reset(&mut self) {
        self.heard.fill((SILENT_MEL - MEL_CENTRE) / MEL_SPREAD);
        for ring in &mut self.rings {
            ring.fill(0.0);
        }
        self.position = 0;
        self.same = 0;
        self.rests = false;
        self.articulation.reset();
    }

    /// Takes frames in; it rests if all are what it has heard for more than the last `remembered` frames.
    fn hear(&mut self, frames: &[f32], remembered: usize) {
        let new = &mut self.heard[self.past * BANDS..][..frames.len()];
        for (heard, mel) in new.iter_mut().zip(frames) {
            *heard = (believed(*mel) - MEL_CENTRE) / MEL_SPREAD;
        }
        let before = self.same;
        let heard = &self.heard[(self.past - 1) * BANDS..][..BANDS + frames.len()];
        let newer = heard[BANDS..].chunks_exact(BANDS);
        for (older, newer) in heard.chunks_exact(BANDS).zip(newer) {
            let mut both = older.iter().zip(newer);
            let alike = both.all(|(older, newer)| older.to_bits() == newer.to_bits());
            self.same = if alike { self.same + 1 } else { 0 };
        }
        self.rests = before > remembered + self.wait && self.same > before;
    }

    /// How many of these frames, just heard, need an answer of their own.
    fn rows(&self, frames: &[f32]) -> usize {
        if self.rests {
            0
        } else {
            frames.len() / BANDS
        }
    }

    /// Of each frame that is worked on the `span` numbers that end with it.
    fn spans(&self, span: usize, rows: &mut [f32]) {
        for (t, row) in rows.chunks_exact_mut(span).enumerate() {
            let end = (self.past + t + 1 - self.wait) * BANDS;
            row.copy_from_slice(&self.heard[end - span..end]);
        }
    }

    /// Of one layer, for each row of `x`: itself normed, and what was so `dilation` frames before.
    fn both(&mut self, layer: usize, gain: &[f32], x: &[f32], both: &mut [f32]) {
        let channels = gain.len();
        let rows = both.chunks_exact_mut(2 * channels);
        for (t, (x, both)) in x.chunks_exact(channels).zip(rows).enumerate() {
            let slot = self.slot(layer, t, channels);
            let kept = &mut self.rings[layer][slot];
            let (now, earlier) = both.split_at_mut(channels);
            earlier.copy_from_slice(kept);
            norm(x, gain, now);
            kept.copy_from_slice(now);
        }
    }

    /// `both` of this layer, if there is one, will be asked soon for so many rows.
    fn soon(&self, layer: usize, channels: usize, rows: usize) {
        if layer < self.rings.len() {
            for t in 0..rows {
                soon(&self.rings[layer][self.slot(layer, t, channels)]);
            }
        }
    }

    /// Where in its ring a layer keeps the oldest that row `t` needs, whose place that row takes.
    fn slot(&self, layer: usize, t: usize, channels: usize) -> Range<usize> {
        let slots = self.rings[layer].len() / channels;
        let start = (self.position + t) % slots * channels;
        start..start + channels
    }

    /// The speaker's log amplitudes at the moment that frame `t` of these answers for.
    fn own(&self, t: usize, late: usize) -> [f32; BANDS] {
        let end = (self.past + t + 1 - self.wait - late) * BANDS;
        let (older, newer) = self.heard[end - BANDS..end + BANDS].split_at(BANDS);
        let mut own = [0.0; BANDS];
        for ((own, newer), older) in own.iter_mut().zip(newer).zip(older) {
            let mel = NEWER_SHARE * newer + (1.0 - NEWER_SHARE) * older;
            *own = (mel * MEL_SPREAD + MEL_CENTRE - LOG_POWER_OF_NOISE) / 2.0;
        }
        own
    }

    fn forget_all_but_the_newest(&mut self, count: usize) {
        self.position += count;
        self.heard
            .copy_within(count * BANDS..(count + self.past) * BANDS, 0);
    }
}

impl Room {
    fn new(shape: &NetShape, frames: usize) -> Self {
        let channels = shape.channels;
        let widest = (2 * channels).max(shape.input_frames * BANDS);
        let leaving = shape.hidden.max(Network::WIDTH_OUT);
        Self {
            x: vec![0.0; frames * channels],
            entering: vec![0.0; frames * widest],
            leaving: vec![0.0; frames * leaving],
        }
    }
}

impl Weights {
    /// The new frames of all streams, layer by layer: each weight is read once for all. Those that rest
    /// have no rows.
    fn step<T: Turn>(&self, room: &mut Room, turns: &mut [T]) {
        let channels = self.shape.channels;
        let span = self.shape.input_frames * BANDS;
        let mut rows = 0;
        for turn in turns.iter_mut() {
            let (memory, frames, _) = turn.parts();
            memory.hear(frames, self.remembered);
            let count = memory.rows(frames);
            memory.spans(span, &mut room.entering[rows * span..][..count * span]);
            memory.soon(0, channels, count);
            rows += count;
        }
        let x = &mut room.x[..rows * channels];
        self.enter.apply(&room.entering[..rows * span], x);
        for (index, layer) in self.layers.iter().enumerate() {
            let both = &mut room.entering[..rows * 2 * channels];
            let mut at = 0;
            for turn in turns.iter_mut() {
                let (memory, frames, _) = turn.parts();
                let count = memory.rows(frames);
                let of = at * channels..(at + count) * channels;
                let of_both = &mut both[2 * of.start..2 * of.end];
                at += count;
                memory.both(index, &layer.gain, &x[of], of_both);
                memory.soon(index + 1, channels, count);
            }
            let hidden = &mut room.leaving[..rows * self.shape.hidden];
            layer.up.apply_gelu(both, hidden);
            layer.down.add(hidden, x);
        }
        let normed = &mut room.entering[..rows * channels];
        let each = x.chunks_exact(channels);
        for (x, normed) in each.zip(normed.chunks_exact_mut(channels)) {
            norm(x, &self.gain, normed);
        }
        let answers = &mut room.leaving[..rows * Network::WIDTH_OUT];
        self.head.apply(normed, answers);
        let mut answers = answers.chunks_exact(Network::WIDTH_OUT);
        for turn in turns {
            let (memory, frames, out) = turn.parts();
            let outs = out.chunks_exact_mut(Network::WIDTH_OUT);
            for (t, out) in outs.enumerate() {
                if !memory.rests {
                    if let Some(answer) = answers.next() {
                        memory.answer.copy_from_slice(answer);
                    }
                }
                let own = memory.own(t, self.shape.late);
                let level = own.iter().fold(f32::MIN, |most, own| most.max(*own));
                for (y, answer) in out.iter_mut().zip(&memory.answer) {
                    *y = (answer + level).clamp(SILENT, LOUDEST);
                }
                memory.articulation.apply(&own, out);
            }
            memory.forget_all_but_the_newest(frames.len() / BANDS);
        }
    }

    fn new<'a>(
        shape: NetShape,
        tensor: impl Fn(&str) -> Option<&'a [f32]>,
    ) -> Result<Self, DspError> {
        shape.check()?;
        shape.check_tensors(&tensor)?;
        let numbers = |name: &str| tensor(name).unwrap_or_default();
        let linear = |name: &str| {
            let [weight, bias] = ["weight", "bias"].map(|of| numbers(&format!("{name}.{of}")));
            Linear::new(weight, bias)
        };
        let layer = |n: usize| LayerWeights {
            gain: numbers(&format!("layers.{n}.norm.weight")).to_vec(),
            up: linear(&format!("layers.{n}.up")),
            down: linear(&format!("layers.{n}.down")),
        };
        Ok(Self {
            enter: linear("enter"),
            layers: (0..shape.dilations.len()).map(layer).collect(),
            gain: numbers("norm.weight").to_vec(),
            head: linear("head"),
            remembered: shape.dilations.iter().sum::<usize>() + shape.input_frames - 1,
            shape,
        })
    }
}

impl NetShape {
    /// # Errors
    /// `out_of_range` for what no network has.
    pub fn check(&self) -> Result<(), DspError> {
        let check = |what, got: usize, most: usize| {
            crate::error::check_range(what, got as f64, 1.0, most as f64)
        };
        check("channels", self.channels, 4096)?;
        check("hidden", self.hidden, 16_384)?;
        check("input_frames", self.input_frames, 64)?;
        check("late in hops", self.late, 200)?;
        check("layers", self.dilations.len(), 64)?;
        let mut dilations = self.dilations.iter();
        // Ten seconds: what is beyond would only cost memory, which every stream has for itself.
        dilations.try_for_each(|frames| check("a dilation in frames", *frames, 1000))
    }

    /// Every tensor of a network of this shape with one head, by name, and its shape.
    pub fn tensors(&self) -> Vec<(TensorName, Vec<usize>)> {
        let (channels, hidden) = (self.channels, self.hidden);
        let span = self.input_frames * BANDS;
        let whole = |part, shape: &[usize]| (TensorName { layer: None, part }, shape.to_vec());
        let mut tensors = vec![
            whole("enter.weight", &[channels, span]),
            whole("enter.bias", &[channels]),
        ];
        for n in 0..self.dilations.len() {
            let layer = Some(n);
            let of = |part, shape: &[usize]| (TensorName { layer, part }, shape.to_vec());
            tensors.extend([
                of("norm.weight", &[channels]),
                of("up.weight", &[hidden, 2 * channels]),
                of("up.bias", &[hidden]),
                of("down.weight", &[channels, hidden]),
                of("down.bias", &[channels]),
            ]);
        }
        tensors.extend([
            whole("norm.weight", &[channels]),
            whole("head.weight", &[Network::WIDTH_OUT, channels]),
            whole("head.bias", &[Network::WIDTH_OUT]),
        ]);
        tensors
    }

    fn check_tensors<'a>(
        &self,
        tensor: impl Fn(&str) -> Option<&'a [f32]>,
    ) -> Result<(), DspError> {
        for (name, shape) in self.tensors() {
            let found = tensor(&name.to_string()).unwrap_or_default();
            let (expected, got) = (shape.iter().product(), found.len());
            if got != expected {
                return Err(DspError::Tensor {
                    name,
                    expected,
                    got,
                });
            }
            if !found.iter().all(|weight| weight.is_finite()) {
                return Err(DspError::NotFinite { name });
            }
        }
        Ok(())
    }
}

/// A log-mel value as the network may hear it; one that is no number counts as silence.
fn believed(mel: f32) -> f32 {
    if mel.is_nan() {
        SILENT_MEL
    } else {
        mel.clamp(-LOUDEST_MEL, LOUDEST_MEL)
    }
}

/// Root mean square to 1, then a gain for each channel (Zhang & Sennrich 2019).
fn norm(x: &[f32], gain: &[f32], out: &mut [f32]) {
    struct Norm<'a>(&'a [f32], &'a [f32], &'a mut [f32]);
    impl WithSimd for Norm<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(x, gain, out) = self;
            let power = dot(simd, x, x) / x.len() as f32;
            let scale = 1.0 / (power + NORM_FLOOR).sqrt();
            for ((y, x), gain) in out.iter_mut().zip(x).zip(gain) {
                *y = x * scale * gain;
            }
        }
    }
    Arch::new().dispatch(Norm(x, gain, out));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test that cannot go on may stop
mod tests {
    use super::*;

    /// Of numbers that are nobody's.
    fn network() -> Network {
        let shape = NetShape {
            channels: 8,
            hidden: 12,
            input_frames: 3,
            dilations: vec![1, 4, 2],
            late: 2,
        };
        let tensors: Vec<(String, Vec<f32>)> = shape
            .tensors()
            .into_iter()
            .enumerate()
            .map(|(k, (name, of))| {
                let number = |n: usize| ((n * 7919 + k * 31) % 41) as f32 / 41.0 - 0.5;
                let count: usize = of.iter().product();
                (name.to_string(), (0..count).map(number).collect())
            })
            .collect();
        let tensor = |name: &str| {
            let found = tensors.iter().find(|(n, _)| n == name);
            found.map(|(_, numbers)| numbers.as_slice())
        };
        Network::new(shape, tensor).unwrap()
    }

    #[test]
    fn a_late_network_answers_as_one_that_heard_silence_first() {
        let frame = |k: usize| -((k * 37 % 23) as f32);
        // Long enough alike in the middle that it rests.
        let mel = |k: usize| match k / BANDS {
            30..90 => -5.0,
            _ => frame(k),
        };
        let frames: Vec<f32> = (0..120 * BANDS).map(mel).collect();
        for hops in [0, 1, 5] {
            let mut late = network().late_by(hops).unwrap();
            let mut first = vec![SILENT_MEL; hops * BANDS];
            first.extend(&frames);
            let mut expected = vec![f32::NAN; 2 * first.len()];
            network().process(&first, &mut expected).unwrap();
            let mut got = vec![f32::NAN; 2 * frames.len()];
            let (mut at, mut rested) = (0, false);
            for count in [1, 0, 3, 8, 20, 70, 18] {
                let (some, out) = (&frames[at * BANDS..], &mut got[at * 2 * BANDS..]);
                let (some, out) = (&some[..count * BANDS], &mut out[..count * 2 * BANDS]);
                for (some, out) in some.chunks(BANDS).zip(out.chunks_mut(2 * BANDS)) {
                    late.process(some, out).unwrap();
                    rested |= late.memory.rests;
                }
                at += count;
            }
            assert_eq!(got, expected[..got.len()], "{hops}");
            assert!(rested);
        }
        let refused = network().late_by(Network::MOST_LATE + 1).err().unwrap();
        assert_eq!(refused.to_string(), "hops must lie in 0..=200, got 201");
    }

    #[test]
    fn a_network_that_rests_answers_to_the_bit_as_one_that_never_does() {
        let (mut resting, mut busy) = (network(), network());
        let remembered = resting.weights.remembered;
        let mut rested = 0;
        for k in 0..200 {
            // Something, the same for long, something else, the same again for just too short a time.
            let mel = match k {
                0..20 => -((k * 5 % 17) as f32),
                20..100 | 130..=142 => -23.0,
                _ => -((k * 3 % 13) as f32),
            };
            let count = [1, 3, 8][k % 3];
            let frames: Vec<f32> = (0..count * BANDS)
                .map(|n| {
                    if mel == -23.0 {
                        mel
                    } else {
                        mel - (n % 7) as f32
                    }
                })
                .collect();
            let [mut got, mut expected] = [(); 2].map(|()| vec![f32::NAN; 2 * frames.len()]);
            resting.process(&frames, &mut got).unwrap();
            busy.memory.same = 0;
            busy.process(&frames, &mut expected).unwrap();
            assert_eq!(got, expected, "block {k}");
            assert!(!busy.memory.rests);
            rested += usize::from(resting.memory.rests);
        }
        // Blocks of 4 frames in the mean; it must not rest before it has forgotten all else.
        assert_eq!(remembered, 9);
        assert!((70..90).contains(&rested), "rested in {rested} blocks");
    }
}
