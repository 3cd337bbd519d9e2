"""Text to speech in the persona's voice: python say.py "Good morning." OUT.wav"""

import sys

import persona_voice

text, out = sys.argv[1:]
persona_voice.say(text, "samantha", out=out)
print(f"{out}: {text}")
