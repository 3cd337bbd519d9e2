"""espeak-ng in a process of its own: requests as JSON lines in, framed answers out.

Run as ``python -m persona_voice.sources.espeak_worker``. espeak-ng is GPL-3.0 and written in C:
neither its licence nor a crash of it may reach the program that speaks, so it lives here, behind a
pipe, and nothing else in the package loads its library.

A request is one line: ``{"op": "synth", "text": …, "voice": "en-us+f3", "rate_wpm": 175,
"pitch": 50}`` or ``{"op": "phonemes", "text": …, "voice": "en-us"}`` (IPA). An answer is a run of
frames, each one tag byte, a little-endian ``uint32`` length and that many bytes:

======  =================================================================
``R``   sample rate in Hz, ``uint32`` (first frame, once, before any request)
``A``   samples, ``int16`` little-endian, as the engine makes them
``P``   phonemes, UTF-8
``X``   an error message, UTF-8; ends the answer
``E``   end of the answer, empty
======  =================================================================
"""

import ctypes
import json
import os
import struct
import sys
from typing import BinaryIO

AUDIO_OUTPUT_SYNCHRONOUS = 2
CHARS_UTF8 = 1
PHONEMES_IPA = 0x02
PARAMETERS = {"rate_wpm": 1, "pitch": 3}
BUFFER_MS = 40


def write_frame(out: BinaryIO, tag: bytes, body: bytes = b"") -> None:
    try:
        out.write(tag + struct.pack("<I", len(body)) + body)
        out.flush()
    except BrokenPipeError:  # the listener has gone; no exception passes through the C library
        os._exit(0)


class Engine:
    """The library, initialised once, with its one callback."""

    def __init__(self, out: BinaryIO) -> None:
        import espeakng_loader

        self.lib = ctypes.CDLL(espeakng_loader.get_library_path())
        data = os.path.dirname(espeakng_loader.get_data_path())
        self.sample_rate = self.lib.espeak_Initialize(
            AUDIO_OUTPUT_SYNCHRONOUS, BUFFER_MS, data.encode(), 0
        )
        if self.sample_rate <= 0:
            raise RuntimeError(f"espeak-ng did not start with the data in {data}")
        self.lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        callback_type = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )

        def on_samples(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
            if samples and count > 0:
                write_frame(out, b"A", ctypes.string_at(samples, 2 * count))
            return 0

        self.callback = callback_type(on_samples)  # kept: the library holds only a bare pointer
        self.lib.espeak_SetSynthCallback(self.callback)

    def set_voice(self, voice: str) -> None:
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")

    def synth(self, request: dict[str, object]) -> None:
        self.set_voice(str(request["voice"]))
        for name, number in PARAMETERS.items():
            if name in request:
                self.lib.espeak_SetParameter(number, int(str(request[name])), 0)
        text = str(request["text"]).encode() + b"\0"
        error = self.lib.espeak_Synth(text, len(text), 0, 1, 0, CHARS_UTF8, None, None)
        if error != 0:
            raise RuntimeError(f"espeak-ng could not speak the text (error {error})")

    def phonemes(self, request: dict[str, object]) -> str:
        self.set_voice(str(request["voice"]))
        pointer = ctypes.c_char_p(str(request["text"]).encode())
        clauses = []
        while pointer.value:
            clause = self.lib.espeak_TextToPhonemes(ctypes.byref(pointer), CHARS_UTF8, PHONEMES_IPA)
            clauses.append((clause or b"").decode())
        return "\n".join(clauses)


def answer(engine: Engine, out: BinaryIO, request: dict[str, object]) -> None:
    if request["op"] == "phonemes":
        write_frame(out, b"P", engine.phonemes(request).encode())
    elif request["op"] == "synth":
        engine.synth(request)
    else:
        raise ValueError(f"op must be synth or phonemes, got {request['op']!r}")


def main() -> None:
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever the library prints must not fall among the frames
    engine = Engine(out)
    write_frame(out, b"R", struct.pack("<I", engine.sample_rate))
    for line in sys.stdin.buffer:
        try:
            answer(engine, out, json.loads(line))
        except (ValueError, KeyError, RuntimeError) as error:
            write_frame(out, b"X", str(error).encode())
        else:
            write_frame(out, b"E")


if __name__ == "__main__":
    main()
