"""The note that is spoken or sung: python pitch_meter.py [IN.wav]; without a file, the microphone"""

import sys

import numpy as np
import soundfile

import persona_voice._core as core

NOTES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


def blocks():
    if sys.argv[1:]:
        samples, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
        yield core.Resampler(rate, core.RATE).process(samples[:, 0].copy())
        return
    import sounddevice

    with sounddevice.InputStream(core.RATE, core.HOP, channels=1, dtype="float32") as microphone:
        while True:
            yield microphone.read(core.HOP)[0][:, 0].copy()


tracker = core.F0Tracker(0)  # each value is 10 ms late
for block in blocks():
    for f0_hz, confidence, voiced, _ in tracker.process(block):
        if voiced:
            octave, note = divmod(69 + 12 * np.log2(f0_hz / 440) + 0.5, 12)
            name = f"{NOTES[int(note)]}{int(octave) - 1}"
            print(
                f"{f0_hz:6.1f} Hz  {name:3} {100 * (note % 1) - 50:+4.0f} cents  {confidence:4.0%}"
            )
