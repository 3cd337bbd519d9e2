"""A persona who remembers: python grow.py STORE.db LISTENER IN.wav OUT.wav"""

import sys
import time
import uuid

import soundfile

import persona_voice

store_file, listener, source, out = sys.argv[1:]
samples, sample_rate = soundfile.read(source, dtype="float32")
now, who = time.time(), "samantha"


def event(kind: persona_voice.Kind, listener: str = "", **values: float) -> persona_voice.Event:
    told = tuple(sorted(values.items()))
    return persona_voice.Event(uuid.uuid4().hex, who, now, kind, listener, told)


with persona_voice.Store(store_file) as store:
    if who not in store.personas():
        store.append([event(persona_voice.Kind.BORN, seed=1.0)])
    state = persona_voice.state_on(store, who, int(now // 86_400))
    stream = persona_voice.open_stream(who, sample_rate)
    stream.set_manner(state.manner)  # as she has grown
    stream.express("happy")  # and as she feels just now
    soundfile.write(out, stream.process(samples), sample_rate)
    seconds = len(samples) / sample_rate
    talk = event(
        persona_voice.Kind.CONVERSATION, listener, seconds=seconds, valence=0.8, arousal=0.3
    )
    store.append([talk])
print(f"{out}: day {state.day - state.born_day + 1} of her life")
