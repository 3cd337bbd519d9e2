//! What the header says of the heap: only `open` and `close` use it, and no refused call.

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use persona_voice::{
    pv_last_error, pv_network_close, pv_network_open, pv_stream_close, pv_stream_express,
    pv_stream_latency, pv_stream_open, pv_stream_process, pv_stream_reset, pv_stream_resume,
    pv_stream_set_delivery, pv_stream_set_manner, pv_stream_set_targets, pv_stream_status,
    pv_stream_stop, PvDelivery, PvManner, PvStatus, PvStream,
};

use crate::heap::heap_calls;

#[path = "../../tests/laws/heap.rs"]
mod heap;

const WEIGHTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../persona_voice/assets/weights/converter.safetensors\0"
);
const SHOUTED: PvManner = PvManner {
    register_semitones: 3.0,
    range_octaves: 0.5,
    level_db: 6.0,
    breath_db: -3.0,
    tilt_db: 1.0,
    tract_octaves: -0.1,
};
const ABSURD: PvManner = PvManner {
    tilt_db: f32::NAN,
    ..SHOUTED
};
const TREMBLING: PvDelivery = PvDelivery {
    dynamics: 1.5,
    vibrato_semitones: 0.5,
    jitter: 0.01,
    onset_db: 2.0,
};
const BROKEN: PvDelivery = PvDelivery {
    jitter: 0.0625,
    ..TREMBLING
};
const OK: i32 = 0;
const NULL: i32 = -1;
const REFUSED: i32 = -2;

fn opened() -> *mut PvStream {
    // SAFETY: texts that end in zeros; the network is closed once.
    unsafe {
        let network = pv_network_open(WEIGHTS.as_ptr().cast(), c"live".as_ptr());
        let stream = pv_stream_open(network, 48_000, 195.0, 1.0);
        pv_network_close(network);
        assert!(!stream.is_null());
        stream
    }
}

fn told() -> &'static str {
    // SAFETY: it ends in a zero.
    let text = unsafe { CStr::from_ptr(pv_last_error()) };
    text.to_str().unwrap_or_default()
}

#[test]
fn an_open_stream_leaves_the_heap_alone() {
    let stream = opened();
    let mut block: Vec<f32> = (0..2000).map(|n| 0.2 * (0.02 * n as f32).sin()).collect();
    block[7] = f32::NAN;
    let mut status = std::mem::MaybeUninit::<PvStatus>::uninit();
    let calls = heap_calls(|| {
        // SAFETY: the stream is open, and no length is more than the block's.
        unsafe {
            for n in [480, 0, 1, 2000] {
                let place = block.as_mut_ptr();
                assert_eq!(pv_stream_process(stream, place, place, n), OK);
            }
            assert!(pv_stream_latency(stream) > 0);
            assert_eq!(pv_stream_set_targets(stream, 210.0, 1.1), OK);
            assert_eq!(pv_stream_set_manner(stream, &SHOUTED), OK);
            assert_eq!(pv_stream_express(stream, &SHOUTED, 300.0), OK);
            assert_eq!(pv_stream_set_delivery(stream, &TREMBLING), OK);
            assert_eq!(pv_stream_stop(stream, 40.0), OK);
            let place = block.as_mut_ptr();
            assert_eq!(pv_stream_process(stream, place, place, 2000), OK);
            assert_eq!(pv_stream_resume(stream), OK);
            assert_eq!(pv_stream_process(stream, place, place, 2000), OK);
            assert_eq!(pv_stream_status(stream, status.as_mut_ptr()), OK);
            assert_eq!(pv_stream_reset(stream), OK);
        }
    });
    assert_eq!(calls, 0);
    // SAFETY: open, and closed once.
    unsafe { pv_stream_close(stream) };
}

#[test]
fn a_refused_call_leaves_the_heap_alone_and_says_why() {
    let stream = opened();
    let mut block = [0.25f32; 9];
    let place = block.as_mut_ptr();
    let refused = |code: i32, expected: i32, text: &str| {
        assert_eq!((code, told()), (expected, text));
    };
    let calls = heap_calls(|| {
        let (none, no_manner) = ("stream must not be NULL", "manner must not be NULL");
        let tilt = "tilt_db must lie in -6..=6, got NaN";
        // SAFETY: the stream is open; what is NULL is allowed to be.
        unsafe {
            let process = pv_stream_process(stream, null(), place, 9);
            refused(process, NULL, "in and out must not be NULL");
            refused(pv_stream_process(null_mut(), place, place, 9), NULL, none);
            let targets = pv_stream_set_targets(stream, 5.0, 1.0);
            refused(targets, REFUSED, "register_hz must lie in 60..=500, got 5");
            refused(pv_stream_set_manner(stream, &ABSURD), REFUSED, tilt);
            refused(pv_stream_set_manner(stream, null()), NULL, no_manner);
            refused(pv_stream_set_manner(null_mut(), &SHOUTED), NULL, none);
            refused(pv_stream_express(stream, &ABSURD, 1.0), REFUSED, tilt);
            let express = pv_stream_express(stream, &SHOUTED, -1.0);
            let half_life = "half-life in hops must lie in 0..=1000000000, got -1";
            refused(express, REFUSED, half_life);
            let no_mood = pv_stream_express(stream, null(), 1.0);
            refused(no_mood, NULL, "mood must not be NULL");
            let jitter = "jitter must lie in 0..=0.05, got 0.0625";
            let broken = pv_stream_set_delivery(stream, &BROKEN);
            refused(broken, REFUSED, jitter);
            let nothing = pv_stream_set_delivery(stream, null());
            refused(nothing, NULL, "delivery must not be NULL");
            let stop = pv_stream_stop(stream, 5.0);
            refused(stop, REFUSED, "release_ms must lie in 10..=80, got 5");
            refused(pv_stream_stop(null_mut(), 40.0), NULL, none);
            refused(pv_stream_resume(null_mut()), NULL, none);
            refused(pv_stream_reset(null_mut()), NULL, none);
            let status = pv_stream_status(stream, null_mut());
            refused(status, NULL, "stream and status must not be NULL");
        }
    });
    assert_eq!(calls, 0);
    // SAFETY: open, and closed once.
    unsafe { pv_stream_close(stream) };
}

/// The mutant: a door that does use it.
#[test]
fn an_open_that_is_refused_is_counted() {
    let calls = heap_calls(|| {
        // SAFETY: texts that end in zeros.
        let network = unsafe { pv_network_open(WEIGHTS.as_ptr().cast(), c"loud".as_ptr()) };
        assert!(network.is_null());
    });
    assert!(calls > 0);
}
