//! What went wrong last on a thread, in memory of a fixed size: a refused call needs no heap.

use std::cell::RefCell;
use std::ffi::c_char;
use std::fmt::{self, Display, Write};

/// Bytes with the closing zero, as `persona_voice.h` states them.
const ROOM: usize = 1024;

thread_local! {
    static LAST: RefCell<Text> = const { RefCell::new(Text { bytes: [0; ROOM], len: 0 }) };
}

/// UTF-8 that ends in a zero. What does not fit is left out, whole characters at a time.
struct Text {
    bytes: [u8; ROOM],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let mut fits = part.len().min(ROOM - 1 - self.len);
        while !part.is_char_boundary(fits) {
            fits -= 1;
        }
        let room = &mut self.bytes[self.len..];
        for (to, from) in room.iter_mut().zip(&part.as_bytes()[..fits]) {
            // A zero out of a file would end the sentence.
            *to = if *from == 0 { b'?' } else { *from };
        }
        self.len += fits;
        self.bytes[self.len] = 0;
        if fits == part.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

pub fn tell(message: impl Display) {
    LAST.with_borrow_mut(|last| {
        (last.len, last.bytes[0]) = (0, 0);
        // The only failure is that it was cut off.
        let _ = write!(last, "{message}");
    });
}

/// Stays where it is for as long as the thread lives.
pub fn told() -> *const c_char {
    LAST.with_borrow(|last| last.bytes.as_ptr().cast())
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::{tell, told, ROOM};

    fn after(message: &str) -> String {
        tell(message);
        // SAFETY: it ends in a zero, and nothing is told meanwhile.
        let text = unsafe { CStr::from_ptr(told()) };
        text.to_string_lossy().into_owned()
    }

    #[test]
    fn a_message_is_told_whole_and_takes_the_place_of_the_last() {
        assert_eq!(after("a longer one before"), "a longer one before");
        assert_eq!(after("shape [1, ü]"), "shape [1, ü]");
        assert_eq!(after("a\0b"), "a?b");
        assert_eq!(after(""), "");
    }

    #[test]
    fn what_is_too_long_is_cut_between_two_characters() {
        let full = "x".repeat(ROOM - 1);
        assert_eq!(after(&full), full);
        assert_eq!(after(&format!("{full}y")), full);
        for wide in ["ü", "語", "🎤"] {
            let told = after(&wide.repeat(ROOM));
            assert_eq!(told, wide.repeat((ROOM - 1) / wide.len()));
        }
    }

    #[test]
    fn nothing_follows_what_was_cut() {
        tell(format_args!("{}{}", "x".repeat(ROOM - 2), "ü"));
        tell(format_args!("{}{}z", "x".repeat(ROOM - 2), "ü"));
        // SAFETY: as above.
        let text = unsafe { CStr::from_ptr(told()) };
        assert_eq!(text.to_bytes(), "x".repeat(ROOM - 2).as_bytes());
    }
}
