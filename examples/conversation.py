"""She leans towards whom she hears, and says it after them: conversation.py STORE.db NAME IN.wav OUT.wav"""

import sys
import time

import numpy as np
import soundfile

import persona_voice

store_file, name, heard, out = sys.argv[1:]
sound, rate = soundfile.read(heard, dtype="float32", always_2d=True)
samples = sound[:, 0].copy()  # the left channel
who, now = "samantha", time.time()

with persona_voice.Store(store_file) as store:
    leaning = store.leaning(who, name, now) or persona_voice.Leaning()
    listener = persona_voice.Listener(rate)
    for block in np.array_split(samples, 50):  # as a microphone gives them
        listener.hear(block)
    turn = listener.end_turn()  # five numbers; the sound is gone
    if turn is None:
        sys.exit("nobody spoke")
    grown = persona_voice.Manner()  # or the `spoken` of her state: see grow.py
    leaning = persona_voice.entrain(leaning, turn, grown)
    store.keep_leaning(who, name, leaning, now)  # only if they agreed to it

lasting, shown = persona_voice.towards(grown, leaning, persona_voice.mood("happy"))
stream = persona_voice.open_stream(who, rate, manner=lasting)
stream.express(shown)  # to strangers less than to friends
soundfile.write(out, np.concatenate([stream.process(samples), stream.flush()]), rate)
print(f"{out}: she has heard {name} for {leaning.talked_s:.1f} s in all")
