//! `persona_voice.h`: what is documented there is not said again here.
#![allow(missing_docs)]

mod last_error;
mod weights;

use std::ffi::{c_char, c_int, CStr};
use std::fmt::Display;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path as File;

use persona_dsp::{Chain, Delivery, DspError, Fade, Manner, Network, Path, ProsodyTargets, Stage};

/// As of the streams of the Python package.
const NOISE_SEED: u64 = 0x05A3_A47A;
/// Samples that are copied at a time, so that input and output may be the same memory.
const PIECE: usize = 512;

const OK: c_int = 0;
const NULL: c_int = -1;
const REFUSED: c_int = -2;
const PANIC: c_int = -3;

pub struct PvNetwork {
    network: Network,
    lookahead: usize,
}

pub struct PvStream {
    chain: Chain,
    fade: Fade,
}

#[repr(C)]
pub struct PvStatus {
    pub input_db: f32,
    pub output_db: f32,
    pub f0_in_hz: f32,
    pub f0_out_hz: f32,
    pub non_finite: u64,
    pub speech: c_int,
    pub failed: c_int,
}

#[repr(C)]
pub struct PvManner {
    pub register_semitones: f32,
    pub range_octaves: f32,
    pub level_db: f32,
    pub breath_db: f32,
    pub tilt_db: f32,
    pub tract_octaves: f32,
}

impl From<&PvManner> for Manner {
    fn from(of: &PvManner) -> Self {
        Self {
            register_semitones: of.register_semitones,
            range_octaves: of.range_octaves,
            level_db: of.level_db,
            breath_db: of.breath_db,
            tilt_db: of.tilt_db,
            tract_octaves: of.tract_octaves,
        }
    }
}

#[repr(C)]
pub struct PvDelivery {
    pub dynamics: f32,
    pub vibrato_semitones: f32,
    pub jitter: f32,
    pub onset_db: f32,
}

impl From<&PvDelivery> for Delivery {
    fn from(of: &PvDelivery) -> Self {
        Self {
            dynamics: of.dynamics,
            vibrato_semitones: of.vibrato_semitones,
            jitter: of.jitter,
            onset_db: of.onset_db,
        }
    }
}

fn fails(code: c_int, message: impl Display) -> c_int {
    last_error::tell(message);
    code
}

/// Whatever happens in `work`, nothing unwinds into C.
fn guarded(work: impl FnOnce() -> c_int) -> c_int {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| fails(PANIC, "the library has a mistake; close the stream"))
}

fn made<T>(work: impl FnOnce() -> Result<T, String>) -> *mut T {
    let mut made = std::ptr::null_mut();
    guarded(|| match work() {
        Ok(value) => {
            made = Box::into_raw(Box::new(value));
            OK
        }
        Err(message) => fails(REFUSED, message),
    });
    made
}

/// # Safety
/// `text` is NULL or ends in a zero.
unsafe fn words<'a>(what: &str, text: *const c_char) -> Result<&'a str, String> {
    if text.is_null() {
        return Err(format!("{what} must not be NULL"));
    }
    // SAFETY: not NULL, and the caller says that it ends in a zero.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| format!("{what} must be UTF-8"))
}

/// # Safety
/// Both end in a zero, or are NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_network_open(
    path: *const c_char,
    mode: *const c_char,
) -> *mut PvNetwork {
    made(|| {
        // SAFETY: handed on.
        let (path, mode) = unsafe { (words("path", path)?, words("mode", mode)?) };
        let (network, lookahead) = weights::read(File::new(path), mode)?;
        Ok(PvNetwork { network, lookahead })
    })
}

/// # Safety
/// From `pv_network_open`, and not closed yet; or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_network_close(network: *mut PvNetwork) {
    if !network.is_null() {
        // SAFETY: made by `Box::into_raw`, once.
        drop(unsafe { Box::from_raw(network) });
    }
}

/// # Safety
/// An open network, or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_open(
    network: *const PvNetwork,
    sample_rate: u32,
    register_hz: f32,
    range: f32,
) -> *mut PvStream {
    made(|| {
        // SAFETY: open, the caller says.
        let network = unsafe { network.as_ref() }.ok_or("network must not be NULL")?;
        let targets = ProsodyTargets { register_hz, range };
        let path = Path::new(sample_rate, network.lookahead, targets, NOISE_SEED);
        let path = path.map_err(|error| error.to_string())?;
        let fade = Fade::new(sample_rate).map_err(|error| error.to_string())?;
        let chain = Chain::new(path, network.network.clone());
        Ok(PvStream { chain, fade })
    })
}

/// # Safety
/// From `pv_stream_open`, and not closed yet; or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_close(stream: *mut PvStream) {
    if !stream.is_null() {
        // SAFETY: made by `Box::into_raw`, once.
        drop(unsafe { Box::from_raw(stream) });
    }
}

/// # Safety
/// An open stream, or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_latency(stream: *const PvStream) -> usize {
    // SAFETY: open, the caller says.
    unsafe { stream.as_ref() }.map_or(0, |stream| stream.chain.latency())
}

/// Work on an open stream.
///
/// # Safety
/// An open stream that no other thread uses, or NULL.
unsafe fn on(
    stream: *mut PvStream,
    work: impl FnOnce(&mut PvStream) -> Result<(), DspError>,
) -> c_int {
    guarded(|| {
        // SAFETY: open and ours alone, the caller says.
        let Some(stream) = (unsafe { stream.as_mut() }) else {
            return fails(NULL, "stream must not be NULL");
        };
        match work(stream) {
            Ok(()) => OK,
            Err(error) => fails(REFUSED, error),
        }
    })
}

/// The same, with what a pointer leads to.
///
/// # Safety
/// As of `on`; one of these, or NULL.
unsafe fn with<T>(
    stream: *mut PvStream,
    what: &str,
    of: *const T,
    work: impl FnOnce(&mut Chain, &T) -> Result<(), DspError>,
) -> c_int {
    // SAFETY: the caller says that it is one.
    let Some(of) = (unsafe { of.as_ref() }) else {
        return fails(NULL, format_args!("{what} must not be NULL"));
    };
    // SAFETY: handed on.
    unsafe { on(stream, |stream| work(&mut stream.chain, of)) }
}

/// # Safety
/// An open stream that no other thread uses; `n` samples each to read and to write.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_process(
    stream: *mut PvStream,
    input: *const f32,
    output: *mut f32,
    n: usize,
) -> c_int {
    let process = |stream: &mut PvStream| {
        let (mut heard, mut said) = ([0.0; PIECE], [0.0; PIECE]);
        for at in (0..n).step_by(PIECE) {
            let len = PIECE.min(n - at);
            // SAFETY: `at + len <= n`, and the caller says that so many can be read.
            unsafe { std::ptr::copy_nonoverlapping(input.add(at), heard.as_mut_ptr(), len) };
            stream.chain.process(&heard[..len], &mut said[..len])?;
            let faded = if stream.fade.idle() {
                &said
            } else {
                stream.fade.process(&said[..len], &mut heard[..len])?;
                &heard
            };
            // SAFETY: the same, of writing.
            unsafe { std::ptr::copy_nonoverlapping(faded.as_ptr(), output.add(at), len) };
        }
        Ok(())
    };
    let code = if n > 0 && (input.is_null() || output.is_null()) {
        fails(NULL, "in and out must not be NULL")
    } else {
        // SAFETY: handed on.
        unsafe { on(stream, process) }
    };
    if code != OK && n > 0 && !output.is_null() {
        // Where in and out are the same, what stands there is the speaker.
        // SAFETY: not NULL, and the caller says that so many can be written.
        unsafe { std::ptr::write_bytes(output, 0, n) };
    }
    code
}

/// # Safety
/// An open stream that no other thread uses, or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_set_targets(
    stream: *mut PvStream,
    register_hz: f32,
    range: f32,
) -> c_int {
    let targets = ProsodyTargets { register_hz, range };
    // SAFETY: handed on.
    unsafe { on(stream, |stream| stream.chain.set_targets(targets)) }
}

/// # Safety
/// An open stream that no other thread uses, or NULL; a manner, or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_set_manner(
    stream: *mut PvStream,
    manner: *const PvManner,
) -> c_int {
    let set = |chain: &mut Chain, manner: &PvManner| chain.set_manner(manner.into());
    // SAFETY: handed on.
    unsafe { with(stream, "manner", manner, set) }
}

/// # Safety
/// An open stream that no other thread uses, or NULL; a manner, or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_express(
    stream: *mut PvStream,
    mood: *const PvManner,
    half_life_hops: f32,
) -> c_int {
    let express = |chain: &mut Chain, mood: &PvManner| chain.express(mood.into(), half_life_hops);
    // SAFETY: handed on.
    unsafe { with(stream, "mood", mood, express) }
}

/// # Safety
/// An open stream that no other thread uses, or NULL; a delivery, or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_set_delivery(
    stream: *mut PvStream,
    delivery: *const PvDelivery,
) -> c_int {
    let set = |chain: &mut Chain, delivery: &PvDelivery| chain.set_delivery(delivery.into());
    // SAFETY: handed on.
    unsafe { with(stream, "delivery", delivery, set) }
}

/// # Safety
/// An open stream that no other thread uses, or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_stop(stream: *mut PvStream, release_ms: f32) -> c_int {
    // SAFETY: handed on.
    unsafe { on(stream, |stream| stream.fade.close(release_ms.into())) }
}

/// # Safety
/// An open stream that no other thread uses, or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_resume(stream: *mut PvStream) -> c_int {
    let resume = |stream: &mut PvStream| {
        stream.fade.resume(stream.chain.latency());
        Ok(())
    };
    // SAFETY: handed on.
    unsafe { on(stream, resume) }
}

/// # Safety
/// An open stream that no other thread uses, or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_reset(stream: *mut PvStream) -> c_int {
    let reset = |stream: &mut PvStream| {
        stream.chain.reset();
        stream.fade.resume(0);
        stream.fade.reset();
        Ok(())
    };
    // SAFETY: handed on.
    unsafe { on(stream, reset) }
}

/// # Safety
/// An open stream that no other thread uses, and room for a status; or NULL.
#[no_mangle]
pub unsafe extern "C" fn pv_stream_status(stream: *const PvStream, status: *mut PvStatus) -> c_int {
    // SAFETY: open, the caller says.
    let (Some(stream), false) = (unsafe { stream.as_ref() }, status.is_null()) else {
        return fails(NULL, "stream and status must not be NULL");
    };
    let now = stream.chain.status();
    let told = PvStatus {
        input_db: now.input_db,
        output_db: now.output_db,
        f0_in_hz: now.f0_in_hz.unwrap_or(0.0),
        f0_out_hz: now.f0_out_hz.unwrap_or(0.0),
        non_finite: now.non_finite,
        speech: now.speech.into(),
        failed: now.failed.into(),
    };
    // SAFETY: not NULL, and the caller says that there is room.
    unsafe { status.write(told) };
    OK
}

#[no_mangle]
pub extern "C" fn pv_last_error() -> *const c_char {
    last_error::told()
}
