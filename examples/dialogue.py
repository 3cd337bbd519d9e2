"""Two personas talk: python dialogue.py SCRIPT.txt OUT.wav"""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

import persona_voice

script, out = sys.argv[1:]
samantha = persona_voice.load_persona("samantha")
darker = persona_voice.Voice(register_semitones=-4, tract_octaves=0.1, breath_db=1, tilt_db=-0.8)
cast = {
    "SAMANTHA": (samantha, "en-us"),
    "IRIS": (replace(samantha, name="Iris", voice=darker), "en-us-nyc"),
}

spoken, rate = [], 0
for line in Path(script).read_text().splitlines():
    who, mood, text = re.fullmatch(r"(\w+)(?: \((\w+)\))?: (.+)", line).groups()
    persona, voice = cast[who]
    said = persona_voice.say(text, persona, voice=voice, mood=mood or "neutral")
    spoken += [said.samples, np.zeros(said.sample_rate // 3, np.float32)]
    rate = said.sample_rate
soundfile.write(out, np.concatenate(spoken), rate)
print(f"{out}: {len(spoken) // 2} lines")
