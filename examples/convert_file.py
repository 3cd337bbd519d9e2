"""A sound file into the persona's voice: python convert_file.py IN.wav OUT.wav"""

import sys

import persona_voice

source, out = sys.argv[1:]
persona = persona_voice.load_persona("samantha")
try:
    persona_voice.convert(source, persona, out=out)
except persona_voice.PersonaVoiceError as error:
    sys.exit(f"{error} ({error.code})")
print(f"{out}: {source} as {persona.name}")
