"""A persona who remembers: python grow.py STORE.db LISTENER IN.wav OUT.wav"""

import sys
import time
from pathlib import Path

import numpy as np
import soundfile

import persona_voice

store_file, listener, source, out = sys.argv[1:]
sound, sample_rate = soundfile.read(source, dtype="float32", always_2d=True)
samples = sound[:, 0].copy()  # the left channel
now, who = time.time(), "samantha"

with persona_voice.Store(store_file) as store:
    if who not in store.personas():
        store.append([persona_voice.happened(persona_voice.Kind.BORN, who, now, seed=1.0)])
    state = persona_voice.grow(store, who, now).state  # if she is heard to be herself in it

with persona_voice.Diary(store_file, Path(store_file).with_suffix(".spool")) as diary:
    stream = persona_voice.open_stream(persona_voice.persona_of(state), sample_rate)
    stream.set_manner(state.spoken)  # as she has grown
    stream.express("happy")  # and as she feels just now
    said = np.concatenate([stream.process(samples), stream.flush()])
    soundfile.write(out, said, sample_rate)
    seconds = len(samples) / sample_rate
    talk = {"seconds": seconds, "valence": 0.8, "arousal": 0.3}
    diary.note(
        persona_voice.happened(persona_voice.Kind.CONVERSATION, who, now, listener, **talk)
    )  # waits for no disk
print(f"{out}: day {state.day - state.born_day + 1} of her life")
