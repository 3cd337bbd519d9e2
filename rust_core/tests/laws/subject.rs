//! Everything that streams, seen alike: positions in, numbers out.

use persona_dsp::{
    Analyzer, Chain, Drift, DspError, Envelopes, Leveller, Manner, NetShape, Network, Path,
    Prosody, ProsodyTargets, Shift, Shifter, Stage, Vocoder, HOP, RATE,
};

use crate::random::Random;

/// A stream under test. A position is what goes in at once: a sample, or a frame of `width_in`.
pub trait Subject: Clone {
    fn width_in(&self) -> usize {
        1
    }
    /// Numbers that must have come out after `positions`, in closed form and without memory.
    fn due(&self, positions: u64) -> u64;
    /// Numbers that `flush` writes.
    fn tail(&self) -> usize {
        0
    }
    /// What it says itself that the next `process` writes.
    fn promised(&self, positions: usize) -> usize;
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError>;
    fn flush(&mut self, _output: &mut [f32]) -> Result<usize, DspError> {
        self.reset();
        Ok(0)
    }
    fn reset(&mut self);
    /// Input such as it is made for.
    fn input(&self, random: &mut Random, positions: usize) -> Vec<f32>;

    /// All that comes out for `input` cut into `cuts`, into memory full of NaN.
    fn run(&mut self, input: &[f32], cuts: &[usize]) -> Vec<f32> {
        let mut all = Vec::new();
        let mut at = 0;
        for cut in cuts {
            let end = at + cut * self.width_in();
            let mut output = vec![f32::NAN; self.promised(*cut)];
            let written = self.process(&input[at..end], &mut output).unwrap();
            all.extend(&output[..written]);
            at = end;
        }
        all
    }

    fn run_whole(&mut self, input: &[f32]) -> Vec<f32> {
        self.run(input, &[input.len() / self.width_in()])
    }

    fn end(&mut self) -> Vec<f32> {
        let mut output = vec![f32::NAN; self.tail()];
        let written = self.flush(&mut output).unwrap();
        output.truncate(written);
        output
    }
}

/// Voiced and noisy stretches with pauses, peaks above full scale; never a pause at the end of what
/// the laws ask for, where a memory that is not cleared would not show.
fn sound(random: &mut Random, samples: usize) -> Vec<f32> {
    let mut x = random.noise(samples);
    for (n, x) in x.iter_mut().enumerate() {
        let pulse = if n % 187 == 0 { 1.0 } else { 0.0 };
        *x = match n / 600 % 3 {
            0 => 0.3 * *x + pulse,
            1 => 0.05 * *x,
            _ => 0.0,
        };
    }
    x
}

#[derive(Clone)]
pub struct OfStage<S>(pub S);

impl<S: Stage> Subject for OfStage<S> {
    fn due(&self, positions: u64) -> u64 {
        let rates = self.0.rates();
        (positions * u64::from(rates.output)).div_ceil(u64::from(rates.input))
    }
    fn tail(&self) -> usize {
        self.0.latency()
    }
    fn promised(&self, positions: usize) -> usize {
        self.0.output_len(positions)
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        self.0.process(input, output)
    }
    fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError> {
        self.0.flush(output)
    }
    fn reset(&mut self) {
        self.0.reset();
    }
    fn input(&self, random: &mut Random, positions: usize) -> Vec<f32> {
        sound(random, positions)
    }
}

#[derive(Clone)]
pub struct OfAnalyzer<A>(pub A);

impl<A: Analyzer> Subject for OfAnalyzer<A> {
    fn due(&self, positions: u64) -> u64 {
        positions / self.0.hop() as u64 * self.0.width() as u64
    }
    fn promised(&self, positions: usize) -> usize {
        self.0.frames(positions) * self.0.width()
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        Ok(self.0.process(input, output)? * self.0.width())
    }
    fn reset(&mut self) {
        self.0.reset();
    }
    fn input(&self, random: &mut Random, positions: usize) -> Vec<f32> {
        sound(random, positions)
    }
}

impl Subject for Drift {
    fn due(&self, positions: u64) -> u64 {
        // A step of 2^32 / (1 + ppm) that is gone over to by 858 at a time; here by the sum of them all.
        let wanted = ((1u64 << 32) as f64 / (1.0 + self.wanted_ppm() * 1e-6)).round() as i128;
        let (sample, far) = (1i128 << 32, wanted - (1i128 << 32));
        let at = |m: i128| {
            let ramp = (far.abs() + 857) / 858;
            let within = m.min(ramp);
            let risen = 858 * (within * (within - 1) / 2).max(0) * far.signum();
            let rest = (m - ramp).max(0) * far;
            m * sample + if m <= ramp { risen } else { risen + rest }
        };
        let end = positions as i128 * sample;
        let mut count = positions as i128 * 999 / 1000;
        while at(count) < end {
            count += 1;
        }
        count as u64
    }
    fn tail(&self) -> usize {
        self.latency()
    }
    fn promised(&self, positions: usize) -> usize {
        self.output_len(positions)
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        Drift::process(self, input, output)
    }
    fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError> {
        Drift::flush(self, output)
    }
    fn reset(&mut self) {
        Drift::reset(self);
    }
    fn input(&self, random: &mut Random, positions: usize) -> Vec<f32> {
        sound(random, positions)
    }
}

/// Between clocks that part from the first sample on.
pub fn drift(ppm: f64) -> Drift {
    let mut drift = Drift::new();
    drift.set_ppm(ppm).unwrap();
    drift
}

impl Subject for Prosody {
    fn width_in(&self) -> usize {
        Prosody::WIDTH
    }
    fn due(&self, positions: u64) -> u64 {
        positions
    }
    fn promised(&self, positions: usize) -> usize {
        positions
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        Prosody::process(self, input, output)
    }
    fn reset(&mut self) {
        Prosody::reset(self);
    }
    fn input(&self, random: &mut Random, positions: usize) -> Vec<f32> {
        let mut frame = |k: usize| {
            let voiced = if k % 11 < 7 { 1.0 } else { 0.0 };
            [
                (150.0 + 60.0 * random.sample()) * voiced,
                0.9 * voiced,
                voiced,
                -40.0 + 20.0 * random.sample(),
            ]
        };
        (0..positions).flat_map(&mut frame).collect()
    }
}

impl Subject for Vocoder {
    fn width_in(&self) -> usize {
        Vocoder::WIDTH
    }
    fn due(&self, positions: u64) -> u64 {
        positions * HOP as u64
    }
    fn promised(&self, positions: usize) -> usize {
        positions * HOP
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        Vocoder::process(self, input, output)
    }
    fn reset(&mut self) {
        Vocoder::reset(self);
    }
    fn input(&self, random: &mut Random, positions: usize) -> Vec<f32> {
        let mut input = Vec::new();
        for k in 0..positions {
            input.push(if k % 5 < 3 {
                180.0 + 50.0 * random.sample()
            } else {
                0.0
            });
            input.extend((1..Vocoder::WIDTH).map(|_| -5.0 + 3.0 * random.sample()));
        }
        input
    }
}

impl Subject for Envelopes {
    fn width_in(&self) -> usize {
        Envelopes::WIDTH_IN
    }
    fn due(&self, positions: u64) -> u64 {
        positions * Envelopes::WIDTH_OUT as u64
    }
    fn promised(&self, positions: usize) -> usize {
        positions * Envelopes::WIDTH_OUT
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        Ok(Envelopes::process(self, input, output)? * Envelopes::WIDTH_OUT)
    }
    fn reset(&mut self) {
        Envelopes::reset(self);
    }
    fn input(&self, random: &mut Random, positions: usize) -> Vec<f32> {
        let mut input = Vec::new();
        for k in 0..positions {
            input.extend(sound(random, HOP));
            input.push([130.0, 0.0, 60.0, 400.0][k % 4]);
        }
        input
    }
}

impl Subject for Network {
    fn width_in(&self) -> usize {
        Network::WIDTH_IN
    }
    fn due(&self, positions: u64) -> u64 {
        positions * Network::WIDTH_OUT as u64
    }
    fn promised(&self, positions: usize) -> usize {
        positions * Network::WIDTH_OUT
    }
    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        Network::process(self, input, output)
    }
    fn reset(&mut self) {
        Network::reset(self);
    }
    fn input(&self, random: &mut Random, positions: usize) -> Vec<f32> {
        let count = positions * Network::WIDTH_IN;
        (0..count).map(|_| -10.0 + 6.0 * random.sample()).collect()
    }
}

/// Somebody speaks.
pub fn leveller(sample_rate: u32) -> Leveller {
    let mut leveller = Leveller::new(sample_rate, -26.0).unwrap();
    leveller.set_speech(true);
    leveller
}

/// A small network of random weights.
pub fn network() -> Network {
    let shape = NetShape {
        channels: 24,
        hidden: 40,
        input_frames: 3,
        dilations: vec![1, 3, 2],
        late: 2,
    };
    let mut random = Random::new(4);
    let numbers: Vec<f32> = (0..160 * 24 * 3).map(|_| 0.2 * random.sample()).collect();
    let length = |name: &str| match name {
        "enter.weight" => 24 * 3 * 80,
        "head.weight" => 160 * 24,
        "head.bias" => 160,
        _ if name.ends_with("up.weight") => 40 * 48,
        _ if name.ends_with("up.bias") => 40,
        _ if name.ends_with("down.weight") => 24 * 40,
        _ => 24,
    };
    Network::new(shape, |name| numbers.get(..length(name))).unwrap()
}

/// The whole path around it, in a manner that changes all that a manner can.
pub fn chain(sample_rate: u32) -> OfStage<Chain> {
    let targets = ProsodyTargets {
        register_hz: 200.0,
        range: 1.0,
    };
    let manner = Manner {
        register_semitones: 1.0,
        range_octaves: 0.3,
        level_db: -2.0,
        breath_db: 3.0,
        tilt_db: 0.5,
        tract_octaves: 0.05,
    };
    let mut path = Path::new(sample_rate, 3 * HOP, targets, 7).unwrap();
    path.set_manner(manner).unwrap();
    path.reset(); // it is reached
    OfStage(Chain::new(path, network()))
}

/// A shifter that has reached what it moves by.
pub fn shifter(sample_rate: u32, f0_semitones: f32, tract_octaves: f32) -> Shifter {
    let mut shifter = Shifter::new(sample_rate).unwrap();
    let shift = Shift {
        f0_semitones,
        tract_octaves,
    };
    shifter.set_shift(shift).unwrap();
    shifter.reset();
    shifter
}

/// A periodic sound for the law of moments: harmonics of `f0_hz` up to 11 kHz, their amplitudes
/// going with the power `tilt` of the frequency in kHz.
pub fn harmonics(f0_hz: f64, tilt: f64, samples: usize) -> Vec<f32> {
    let count = (11_000.0 / f0_hz) as usize;
    let amplitude = |k: usize| 0.02 * (k as f64 * f0_hz / 1000.0).powf(tilt);
    let at = |n: usize| {
        let turn = core::f64::consts::TAU * f0_hz * n as f64 / f64::from(RATE);
        let wave = |k: usize| amplitude(k) * (turn * k as f64 + (k * k) as f64).cos();
        (1..=count).map(wave).sum::<f64>() as f32
    };
    (0..samples).map(at).collect()
}
