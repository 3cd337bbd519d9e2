"""A stream in 10 ms blocks, as a call or a game has it: python stream_blocks.py IN.wav OUT.wav"""

import sys

import numpy as np
import soundfile

import persona_voice

sound, sample_rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
samples = sound[:, 0].copy()  # the left channel
stream = persona_voice.open_stream(persona_voice.load_persona("samantha"), sample_rate)

length = sample_rate // 100
blocks = [samples[at : at + length] for at in range(0, len(samples), length)]
spoken = [stream.process(block) for block in blocks]  # each as long as what went in
spoken.append(stream.flush())  # the last latency_samples

soundfile.write(sys.argv[2], np.concatenate(spoken), sample_rate)
print(f"{len(blocks)} blocks, {1000 * stream.latency_samples / sample_rate:.1f} ms late")
