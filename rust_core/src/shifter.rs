//! F0 moved while the formants stay, and formants while F0 stays.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use crate::error::{check_range, check_room, DspError};
use crate::math::between::{self, taps, TAPS};
use crate::math::curve::sin_cos;
use crate::math::dot::dot;
use crate::math::period::{energy_centre, period};
use crate::math::sample::tame;
use crate::stage::{Rates, Stage};

/// What a [`Shifter`] moves; all 0 is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shift {
    /// F0, in semitones.
    pub f0_semitones: f32,
    /// The length of the vocal tract: log2. A longer one has lower formants; F0 stays.
    pub tract_octaves: f32,
}

/// A period of 80 Hz, and 2.5 ms to know where the next begins.
const LATENCY_S: f64 = 0.015;
/// Time in which a new shift is reached.
const RAMP_S: f64 = 0.2;
/// About this rate the period is looked for.
const INNER_HZ: f64 = 12_000.0;
/// Inner samples from one look to the next: 2.5 ms.
const INNER_TICK: usize = 30;
/// Most samples of that: at the highest rate.
const MAX_TICK: usize = 8 * INNER_TICK;
const LOWPASS_HZ: f64 = 2_500.0;
const MIN_HZ: f64 = 55.0;
const MAX_HZ: f64 = 600.0;
/// Of what is compared: long against noise, short against glides.
const WINDOW_S: f64 = 0.0125;
/// Likeness of one period to the next that makes a voice, and that keeps it.
const ENTER: f32 = 0.6;
const LEAVE: f32 = 0.45;
/// Mean square below which nothing is voiced: -70 dBFS.
const SILENCE: f32 = 1e-7;
/// Far too loud for speech, and its squares are still exact enough.
const LOUDEST: f32 = 8.0;
/// From grain to grain where nothing is voiced.
const UNVOICED_S: f64 = 0.005;
/// A share of what a mark is off its centre of energy is made good at once.
const PULL: f32 = 0.3;
/// Share of energy that comes and goes with the period from which on a centre is trusted in full.
const CLEAR: f32 = 0.25;
/// Of a period, by which a grain is put nearer to where it came from once nothing is to be moved.
const RETURN: f32 = 0.03;
/// Of its slope, with which a period is continued for so many ticks past those that are known.
const DRIFT: f32 = 0.7;
const FURTHEST: f32 = 3.0;
/// Grains that sound at once; marks and ticks that are remembered.
const GRAINS: usize = 12;
const MARKS: usize = 8;
const TICKS: usize = 8;

/// A time in samples, 16 bits of it between them.
type Fixed = i64;
const BITS: u32 = 16;
const ONE: f32 = (1 << BITS) as f32;

fn fixed(samples: f32) -> Fixed {
    (samples * ONE) as Fixed
}

fn samples(time: Fixed) -> f32 {
    time as f32 / ONE
}

/// Moves F0 and vocal tract of a voice, each by itself; breath and fricatives keep their sound.
///
/// Every 2.5 ms the period is looked for, and a mark is set a period after the last, drawn to where in
/// the period the energy lies. About marks two periods are cut out under a Hann window, read between
/// samples, and put down a new period apart, each from the mark that is nearest; for another tract they
/// are read faster or slower. What is not voiced is cut every 5 ms and put down where it was.
///
/// ```text
///   in    │  ╱╲    │  ╱╲    │  ╱╲    │     marks, a period apart
///              ╲       │      ╱
///   out   │ ╱╲  │ ╱╲  │ ╱╲  │ ╱╲  │        grains, a new period apart
/// ```
///
/// # Streaming
/// Latency 15 ms at every setting. A shift is reached in 200 ms; without one the samples come out as they
/// went in, within rounding (-140 dB). 55 to 600 Hz are followed. A voice is known as one after about a
/// window and a period (12.5 ms and 5 ms at 200 Hz): what of it came more than the latency before keeps
/// its own F0. A sample that is not finite counts as 0. Another tract draws what is shorter than a grain
/// out about the grain's mark, so that the law of latency holds for F0 alone.
///
/// # Source
/// Moulines & Charpentier (1990), Pitch-synchronous waveform processing techniques for text-to-speech
/// synthesis using diphones, Speech Communication 9. Marks differ: they follow the centre of the energy,
/// whose phase at F0 is known between samples, instead of peaks.
#[derive(Clone)]
pub struct Shifter {
    plan: Arc<Plan>,
    /// `plan.history` samples before the tick at hand, and that tick, of which `in_tick` have come.
    line: Vec<f32>,
    in_tick: usize,
    /// Samples that came before the tick at hand.
    ticked: i64,
    /// What the period is looked for in, newest last, and room for likenesses.
    inner: Vec<f32>,
    curve: Vec<f32>,
    voice: Voice,
    /// In order of `place`; `sounding` of them, one at least.
    grains: [Grain; GRAINS],
    sounding: usize,
    from: Shift,
    to: Shift,
    /// Samples since a new shift was set, up to the ramp's length.
    since: i64,
}

/// What follows from the rate.
struct Plan {
    sample_rate: u32,
    latency: usize,
    ramp: i64,
    decimation: usize,
    tick: usize,
    history: usize,
    unvoiced: f32,
    lowpass: Vec<f32>,
    /// In inner samples: what is compared, and at which lags.
    window: usize,
    min_lag: usize,
    lags: usize,
}

/// What is known of the voice.
#[derive(Clone, Copy, Default)]
struct Voice {
    /// In samples, of the last ticks, the newest last; as many as `heard`, 0 without a voice.
    periods: [f32; TICKS],
    heard: usize,
    /// A period apart, the newest last; as many as `marked`.
    marks: [Fixed; MARKS],
    marked: usize,
}

/// A stretch of the input about `source`, sounded about `place`.
#[derive(Clone, Copy, Default)]
struct Grain {
    place: Fixed,
    source: Fixed,
    /// Samples in which it rises before `place`, and falls after.
    before: f32,
    after: f32,
    gain: f32,
    /// By how much faster than it came it is read.
    speed: f32,
    voiced: bool,
}

impl Plan {
    fn new(sample_rate: u32) -> Self {
        let rate = f64::from(sample_rate);
        let decimation = (rate / INNER_HZ).round().max(1.0) as usize;
        let inner = rate / decimation as f64;
        let latency = (LATENCY_S * rate) as usize;
        Self {
            sample_rate,
            latency,
            ramp: (RAMP_S * rate) as i64,
            decimation,
            tick: INNER_TICK * decimation,
            history: latency + (2.5 * rate / MIN_HZ) as usize + TAPS,
            unvoiced: (UNVOICED_S * rate) as f32,
            lowpass: lowpass(8 * decimation + 1, LOWPASS_HZ / rate),
            window: (WINDOW_S * inner) as usize,
            min_lag: (inner / MAX_HZ) as usize,
            lags: (inner / MIN_HZ) as usize + 2,
        }
    }

    /// For the longest lag, and for two periods about a moment as long ago as the latency.
    fn inner_len(&self) -> usize {
        self.window + 2 * self.lags + self.latency / self.decimation + 2
    }
}

/// Hann-windowed sinc of unit sum; `cutoff` in turns a sample.
fn lowpass(taps: usize, cutoff: f64) -> Vec<f32> {
    let middle = (taps / 2) as f64;
    let tap = |n: usize| {
        let t = n as f64 - middle;
        let x = std::f64::consts::TAU * cutoff * t;
        let sinc = if t == 0.0 { 1.0 } else { x.sin() / x };
        sinc * (0.5 + 0.5 * (std::f64::consts::PI * t / (middle + 1.0)).cos())
    };
    let sum: f64 = (0..taps).map(tap).sum();
    (0..taps).map(|n| (tap(n) / sum) as f32).collect()
}

impl Shifter {
    /// Lowest sample rate, in Hz.
    pub const MIN_RATE: u32 = 16_000;
    /// Highest sample rate, in Hz.
    pub const MAX_RATE: u32 = 96_000;

    /// Moves nothing yet.
    ///
    /// # Errors
    /// `out_of_range`: a rate outside 16 to 96 kHz.
    pub fn new(sample_rate: u32) -> Result<Self, DspError> {
        let (min, max) = (f64::from(Self::MIN_RATE), f64::from(Self::MAX_RATE));
        check_range("sample_rate in Hz", f64::from(sample_rate), min, max)?;
        between::prepare();
        let plan = Plan::new(sample_rate);
        let mut shifter = Self {
            line: vec![0.0; plan.history + plan.tick],
            in_tick: 0,
            ticked: 0,
            inner: vec![0.0; plan.inner_len()],
            curve: vec![0.0; plan.lags],
            voice: Voice::default(),
            grains: [Grain::default(); GRAINS],
            sounding: 1,
            from: Shift::default(),
            to: Shift::default(),
            since: plan.ramp,
            plan: Arc::new(plan),
        };
        shifter.reset();
        Ok(shifter)
    }

    /// Moves by so much, over 200 ms from the next sample on.
    ///
    /// # Errors
    /// `out_of_range`: 12 semitones, half an octave of tract each way; the old shift stays.
    pub fn set_shift(&mut self, shift: Shift) -> Result<(), DspError> {
        let (f0, tract) = (shift.f0_semitones, shift.tract_octaves);
        check_range("f0_semitones", f64::from(f0), -12.0, 12.0)?;
        check_range("tract_octaves", f64::from(tract), -0.5, 0.5)?;
        self.from = self.shift();
        self.to = shift;
        self.since = 0;
        Ok(())
    }

    /// What is moved at the moment.
    pub fn shift(&self) -> Shift {
        let part = self.since as f32 / self.plan.ramp as f32;
        let mix = |a: f32, b: f32| {
            if part >= 1.0 {
                b
            } else {
                a + (b - a) * part
            }
        };
        Shift {
            f0_semitones: mix(self.from.f0_semitones, self.to.f0_semitones),
            tract_octaves: mix(self.from.tract_octaves, self.to.tract_octaves),
        }
    }

    /// Takes in a whole tick and decides what sounds in the next.
    #[inline(always)]
    fn tick<S: Simd>(&mut self, simd: S) {
        let plan = &self.plan;
        self.inner.copy_within(INNER_TICK.., 0);
        let at = self.inner.len() - INNER_TICK;
        for (k, y) in self.inner[at..].iter_mut().enumerate() {
            let end = plan.history + (k + 1) * plan.decimation;
            let newest = &self.line[end - plan.lowpass.len()..end];
            *y = dot(simd, newest, &plan.lowpass).clamp(-LOUDEST, LOUDEST);
        }
        self.line.copy_within(plan.tick.., 0);
        self.ticked += plan.tick as i64;
        self.in_tick = 0;
        self.listen(simd);
        self.decide();
    }

    /// Looks for the period.
    #[inline(always)]
    fn listen<S: Simd>(&mut self, simd: S) {
        let plan = &self.plan;
        let step = plan.decimation as f32;
        let newest = &self.inner[self.inner.len() - plan.window..];
        let power = dot(simd, newest, newest) / plan.window as f32;
        let expected = self.voice.period() / step;
        let (window, min_lag) = (plan.window, plan.min_lag);
        let found = period(
            simd,
            &self.inner,
            window,
            min_lag,
            expected,
            &mut self.curve,
        );
        let enough = if expected > 0.0 { LEAVE } else { ENTER };
        if power > SILENCE && found.likeness > enough {
            self.voice.hear(found.lag * step);
        } else {
            self.voice = Voice::default();
        }
    }

    /// Time of the newest inner sample.
    fn inner_time(&self) -> Fixed {
        (self.ticked - 1 - (self.plan.lowpass.len() / 2) as i64) << BITS
    }

    /// The period about a time: between ticks on straight lines, and along its slope a little further.
    fn period_at(&self, time: Fixed) -> f32 {
        let newest = self.voice.period();
        let span = (self.plan.window * self.plan.decimation) as f32 + newest;
        let middle = self.inner_time() - fixed(0.5 * span);
        let ago = samples(middle - time) / self.plan.tick as f32;
        let slope = 0.5 * (newest - self.voice.period_ago(2.0));
        let ahead = (-ago).clamp(0.0, FURTHEST);
        self.voice.period_ago(ago.max(0.0)) + DRIFT * slope * ahead
    }

    /// Lays down grains until all that begin to sound within the next tick are there.
    #[inline(always)]
    fn decide(&mut self) {
        let begin = (self.ticked - self.plan.latency as i64) << BITS;
        let end = begin + ((self.plan.tick as i64) << BITS);
        self.forget(begin);
        let shift = self.shift();
        while self.sounding < GRAINS {
            let last = self.grains[self.sounding - 1];
            let next = match (last.voiced, self.voice.heard > 0) {
                (true, true) => self.next_voiced(last, shift, end),
                (false, true) => self.first_voiced(last, shift, end),
                (_, false) => self.next_unvoiced(last, shift, end),
            };
            let Some(next) = next else { break };
            let next = self.within_reach(next);
            let after = next.before;
            self.grains[self.sounding - 1] = self.within_reach(Grain { after, ..last });
            self.grains[self.sounding] = next;
            self.sounding += 1;
        }
    }

    /// A new period after the last, from the mark nearest to it, if it begins before `end`.
    #[inline(always)]
    fn next_voiced(&mut self, last: Grain, shift: Shift, end: Fixed) -> Option<Grain> {
        let ratio = (shift.f0_semitones / 12.0).exp2();
        let speed = (-shift.tract_octaves).exp2();
        let middle = last.place + fixed(0.5 * self.voice.period() / ratio);
        let period = self.period_at(middle);
        let mut place = last.place + fixed(period / ratio);
        if last.place.min(place - fixed(period / speed)) >= end {
            return None;
        }
        let mut source = self.mark_near(place);
        let mut before = period / speed;
        if shift == Shift::default() {
            // Where nothing is moved, grains go back to where they came from, and then stay there.
            let most = fixed(RETURN * period);
            if last.place != last.source {
                place += (source - place).clamp(-most, most);
            } else if source - last.place > fixed(0.25 * period) {
                place = source;
            } else {
                source = place;
            }
            before = samples(place - last.place);
        }
        Some(Grain {
            place,
            source,
            before,
            after: before,
            // Power stays: there are more of them in a second, or fewer.
            gain: speed / ratio.sqrt(),
            speed,
            voiced: true,
        })
    }

    /// The first of a voice sounds where it is.
    #[inline(always)]
    fn first_voiced(&mut self, last: Grain, shift: Shift, end: Fixed) -> Option<Grain> {
        if last.place >= end {
            return None;
        }
        let period = self.voice.period();
        let soon = last.place + fixed(0.5 * period);
        let mut mark = self.mark_near(soon);
        if mark < soon {
            mark = self.mark_near(mark + fixed(period)).max(soon);
        }
        let ratio = (shift.f0_semitones / 12.0).exp2();
        let speed = (-shift.tract_octaves).exp2();
        Some(Grain {
            place: mark,
            source: mark,
            before: samples(mark - last.place),
            after: period / speed,
            gain: speed / ratio.sqrt(),
            speed,
            voiced: true,
        })
    }

    /// What has no period stays where it is.
    fn next_unvoiced(&self, last: Grain, shift: Shift, end: Fixed) -> Option<Grain> {
        if last.place >= end {
            return None;
        }
        let step = if last.voiced {
            last.after
        } else {
            self.plan.unvoiced
        };
        let place = last.place + fixed(step);
        let speed = (-shift.tract_octaves).exp2();
        Some(Grain {
            place,
            source: place,
            before: samples(place - last.place),
            after: step,
            gain: speed.sqrt(),
            speed,
            voiced: false,
        })
    }

    /// The grain, made narrower where it would be read faster, or slower, than its input comes.
    fn within_reach(&self, mut grain: Grain) -> Grain {
        let ahead = (self.plan.latency - TAPS) as f32 - samples(grain.source - grain.place);
        let most = ahead / ((grain.speed - 1.0).abs() + 1e-6);
        if grain.speed > 1.0 {
            grain.after = grain.after.min(most);
        } else {
            grain.before = grain.before.min(most);
        }
        grain
    }

    /// Lets go of grains that have sounded, but for the last.
    fn forget(&mut self, begin: Fixed) {
        let mut kept = 0;
        for n in 0..self.sounding {
            let grain = self.grains[n];
            if n + 1 == self.sounding || grain.place + fixed(grain.after) > begin {
                self.grains[kept] = grain;
                kept += 1;
            }
        }
        self.sounding = kept;
    }

    /// The mark nearest to a place; new ones are set as far as they are needed.
    #[inline(always)]
    fn mark_near(&mut self, place: Fixed) -> Fixed {
        let half = fixed(0.5 * self.voice.period());
        while self.voice.marked == 0 || self.voice.marks[MARKS - 1] < place - half {
            let mark = self.new_mark(place);
            self.voice.mark(mark);
        }
        let marks = &self.voice.marks[MARKS - self.voice.marked..];
        let nearest = marks.iter().min_by_key(|mark| (*mark - place).abs());
        nearest.copied().unwrap_or(place)
    }

    /// A period after the last mark, drawn to where the energy lies; the first of a voice near `place`.
    #[inline(always)]
    fn new_mark(&self, place: Fixed) -> Fixed {
        let period = self.voice.period();
        let first = self.voice.marked == 0;
        let expected = if first {
            place
        } else {
            self.voice.marks[MARKS - 1] + fixed(period)
        };
        // About the mark, or the latest moment with a period after it.
        let (step, now) = (self.plan.decimation as f32, self.inner_time());
        let lag = period / step;
        let newest = self.inner.len() - 1;
        let reach = lag as usize + 1;
        let ago = (samples(now - expected) / step).max(reach as f32) as usize;
        let middle = newest - ago.min(newest - reach);
        let (centre, share) = energy_centre(&self.inner[middle - reach..=middle + reach], lag);
        let time = now + fixed((centre - (newest - middle) as f32) * step);
        let turns = (samples(expected - time) / period).round();
        let off = samples(time - expected) + turns * period;
        let pull = if first {
            1.0
        } else {
            PULL * (share / CLEAR).min(1.0)
        };
        expected + fixed(off * pull)
    }

    /// What sounds from `in_tick` on.
    #[inline(always)]
    fn sound(&self, out: &mut [f32]) {
        out.fill(0.0);
        let time = self.ticked + self.in_tick as i64 - self.plan.latency as i64;
        for grain in &self.grains[..self.sounding] {
            let first = (grain.place - fixed(grain.before) + 1) >> BITS;
            let last = (grain.place + fixed(grain.after)) >> BITS;
            let from = (first - time).clamp(0, out.len() as i64) as usize;
            let to = (last + 1 - time).clamp(from as i64, out.len() as i64) as usize;
            if to > from {
                self.add(grain, time + from as i64, &mut out[from..to]);
            }
        }
    }

    /// Adds of one grain what sounds from `time` on.
    #[inline(always)]
    fn add(&self, grain: &Grain, time: i64, out: &mut [f32]) {
        let mut read = [0.0; MAX_TICK];
        let read = &mut read[..out.len()];
        if grain.speed == 1.0 {
            let (weights, at) = self.around((time << BITS) + grain.source - grain.place);
            for (k, weight) in weights.iter().enumerate() {
                for (y, x) in read.iter_mut().zip(&self.line[at + k..]) {
                    *y += weight * x;
                }
            }
        } else {
            for (n, y) in read.iter_mut().enumerate() {
                let since = ((time + n as i64) << BITS) - grain.place;
                let (weights, at) =
                    self.around(grain.source + (since as f32 * grain.speed) as Fixed);
                let samples = self.line[at..].iter();
                *y = weights.iter().zip(samples).map(|(w, x)| w * x).sum();
            }
        }
        let start = samples((time << BITS) - grain.place);
        for (n, (y, x)) in out.iter_mut().zip(read).enumerate() {
            let since = start + n as f32;
            let width = if since < 0.0 {
                grain.before
            } else {
                grain.after
            };
            let part = (since.abs() / width).min(1.0);
            let (_, cos) = sin_cos(core::f32::consts::PI * part);
            *y += *x * grain.gain * (0.5 + 0.5 * cos);
        }
    }

    /// The weights for a time between samples, and where in the line they begin.
    #[inline(always)]
    fn around(&self, source: Fixed) -> ([f32; TAPS], usize) {
        let late = samples(source & ((1 << BITS) - 1));
        let oldest = self.ticked - self.plan.history as i64;
        let first = (source >> BITS) - (TAPS / 2 - 1) as i64 - oldest;
        let most = (self.line.len() - TAPS) as i64;
        (taps(late), first.clamp(0, most) as usize)
    }
}

impl Voice {
    /// 0 without a voice.
    fn period(&self) -> f32 {
        self.periods[TICKS - 1]
    }

    fn hear(&mut self, period: f32) {
        self.periods.rotate_left(1);
        self.periods[TICKS - 1] = period;
        self.heard = (self.heard + 1).min(TICKS);
    }

    /// The period so many ticks ago; before all that was heard, the first that was.
    fn period_ago(&self, ticks: f32) -> f32 {
        let first = self.heard.max(1) - 1;
        let ticks = ticks.min(first as f32);
        let (n, part) = (ticks as usize, ticks.fract());
        let (late, early) = (TICKS - 1 - n, TICKS - 1 - (n + 1).min(first));
        self.periods[late] + (self.periods[early] - self.periods[late]) * part
    }

    fn mark(&mut self, mark: Fixed) {
        self.marks.rotate_left(1);
        self.marks[MARKS - 1] = mark;
        self.marked = (self.marked + 1).min(MARKS);
    }
}

/// A stretch within a tick, compiled for the processor at hand.
struct Stretch<'a>(&'a mut Shifter, &'a [f32], &'a mut [f32]);

impl WithSimd for Stretch<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(shifter, input, output) = self;
        let at = shifter.plan.history + shifter.in_tick;
        for (y, x) in shifter.line[at..].iter_mut().zip(input) {
            *y = tame(*x);
        }
        shifter.sound(output);
        shifter.in_tick += input.len();
        shifter.since = (shifter.since + input.len() as i64).min(shifter.plan.ramp);
        if shifter.in_tick == shifter.plan.tick {
            shifter.tick(simd);
        }
    }
}

impl Stage for Shifter {
    fn rates(&self) -> Rates {
        Rates {
            input: self.plan.sample_rate,
            output: self.plan.sample_rate,
        }
    }

    fn latency(&self) -> usize {
        self.plan.latency
    }

    fn output_len(&self, input_len: usize) -> usize {
        input_len
    }

    fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, DspError> {
        check_room(input.len(), output.len())?;
        let (mut rest, mut out) = (input, &mut output[..input.len()]);
        while !rest.is_empty() {
            let len = rest.len().min(self.plan.tick - self.in_tick);
            let (now, later) = rest.split_at(len);
            let (sounds, silent) = out.split_at_mut(len);
            Arch::new().dispatch(Stretch(self, now, sounds));
            (rest, out) = (later, silent);
        }
        Ok(input.len())
    }

    fn flush(&mut self, output: &mut [f32]) -> Result<usize, DspError> {
        let latency = self.plan.latency;
        check_room(latency, output.len())?;
        let silence = [0.0; MAX_TICK];
        for part in output[..latency].chunks_mut(MAX_TICK) {
            self.process(&silence[..part.len()], part)?;
        }
        self.reset();
        Ok(latency)
    }

    fn reset(&mut self) {
        self.line.fill(0.0);
        self.inner.fill(0.0);
        self.in_tick = 0;
        self.ticked = 0;
        self.voice = Voice::default();
        self.from = self.to;
        self.since = self.plan.ramp;
        // Silence before everything, for the next to follow.
        let place = -((self.plan.latency as i64) << BITS) - fixed(self.plan.unvoiced);
        self.grains[0] = Grain {
            place,
            source: place,
            before: self.plan.unvoiced,
            after: self.plan.unvoiced,
            gain: 1.0,
            speed: 1.0,
            voiced: false,
        };
        self.sounding = 1;
        self.decide();
    }
}
