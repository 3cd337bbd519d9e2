"""A sound file at another sample rate, as a stream: python resampler.py IN.wav OUT.wav 16000"""

import sys

import numpy as np
import soundfile

import persona_voice

sound, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
samples = sound[:, 0].copy()  # the left channel
resampler = persona_voice.Resampler(rate, int(sys.argv[3]))  # or Resampler.minimum_phase
blocks = [samples[at : at + rate // 100] for at in range(0, len(samples), rate // 100)]
made = np.concatenate([*map(resampler.process, blocks), resampler.flush()])
soundfile.write(sys.argv[2], made[resampler.latency :], resampler.output_rate)
print(f"{len(blocks)} blocks, {1000 * resampler.latency / resampler.output_rate:.2f} ms late")
