"""Time: the path between a microphone and a loudspeaker, and what goes wrong there."""
