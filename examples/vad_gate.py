"""Tells when somebody speaks, in a file or at the microphone: python vad_gate.py [IN.wav]"""

import sys

import soundfile

import persona_voice

if len(sys.argv) > 1:
    sound, sample_rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
    samples = sound[:, 0].copy()  # the left channel
    blocks = (samples[at : at + 480] for at in range(0, len(samples), 480))
else:
    import sounddevice

    sample_rate = 48_000
    microphone = sounddevice.InputStream(sample_rate, 480, channels=1, dtype="float32")
    microphone.start()
    blocks = (microphone.read(480)[0][:, 0].copy() for _ in iter(int, 1))

vad, before, hops = persona_voice.Vad(sample_rate), "quiet", 0
for block in blocks:
    for _, speech, onset in vad.process(block):
        now = "speech" if speech else "onset" if onset else "quiet"  # duck at onset, stop at speech
        if now != before:
            print(f"{hops / 100:7.2f} s  {now}", flush=True)
        before, hops = now, hops + 1
