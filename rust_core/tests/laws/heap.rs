//! How often the heap is asked: for the tests of law seven, of the core and of its faces.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Calls to the allocator on this thread: other tests run beside.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // At the end of a thread the counter is gone before its last memory; nothing is measured then.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        System.alloc(layout)
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count();
        System.dealloc(at, layout);
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        System.alloc_zeroed(layout)
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        System.realloc(at, layout, size)
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// How often `work` calls the allocator.
pub fn heap_calls(work: impl FnOnce()) -> u64 {
    let before = CALLS.with(Cell::get);
    work();
    CALLS.with(Cell::get) - before
}

#[test]
fn the_counter_counts_taking_growing_and_giving_back() {
    let mut kept = Vec::<u8>::new();
    assert_eq!(heap_calls(|| kept.reserve_exact(10)), 1);
    assert_eq!(heap_calls(|| kept.reserve_exact(100_000)), 1);
    assert_eq!(heap_calls(|| drop(std::hint::black_box(kept))), 1);
    assert_eq!(heap_calls(|| drop(std::hint::black_box(vec![0u8; 64]))), 2);
}

#[test]
fn the_counter_is_of_this_thread_alone() {
    let (begin, wait) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        let _ = wait.recv();
        heap_calls(|| drop(std::hint::black_box(vec![0u8; 64])))
    });
    let mut of_other = 0;
    let mine = heap_calls(|| std::hint::black_box(()));
    let _ = begin.send(());
    let before = CALLS.with(Cell::get);
    while !other.is_finished() {
        std::thread::yield_now();
    }
    assert_eq!(CALLS.with(Cell::get), before);
    if let Ok(calls) = other.join() {
        of_other = calls;
    }
    assert_eq!((mine, of_other), (0, 2));
}
