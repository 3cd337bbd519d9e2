"""By Resemblyzer (Wan et al. 2018), with gradients: how surely she is recognised in a second or two of sound.

For the end of the converter's training. What the benches say by Resemblyzer of a network that was tuned so is no longer
said by a stranger: their other verifier (`training.verifier`) is.
"""

from pathlib import Path

import soundfile
import torch
import torchaudio
from torch import Tensor, nn

from training.ear import THEIR_BINS, WINDOW, power_as_at_16_khz
from training.reference import DEFAULT_OUT

ITS_RATE, ITS_BANDS = 16_000, 40
# Of her recordings: it hears level, too.
LEVEL_DBFS = -23.0
# Of the recordings, what is taken for her: so many samples each time.
PART = 36_000
SMALL = 1e-6


class Recognition(nn.Module):
    """24 kHz sound ``[B, samples]`` to how like her it is, cosines ``[B]`` with the centroid of her recordings."""

    filters: Tensor
    window: Tensor
    centroid: Tensor

    def __init__(self, recordings: Path = DEFAULT_OUT) -> None:
        super().__init__()
        from resemblyzer import VoiceEncoder

        self.encoder = VoiceEncoder("cpu", verbose=False).requires_grad_(False)
        filters = torchaudio.functional.melscale_fbanks(
            THEIR_BINS, 0.0, ITS_RATE / 2, ITS_BANDS, ITS_RATE, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("filters", filters.T.contiguous())
        self.register_buffer("window", torch.hann_window(WINDOW))
        parts = [
            torch.from_numpy(soundfile.read(file, dtype="float32")[0]).unfold(0, PART, PART)
            for file in sorted(recordings.glob("*.flac"))
        ]
        if not parts:
            raise SystemExit(f"no recordings of hers in {recordings}")
        with torch.no_grad():
            mean = self.embed(torch.cat(parts)).mean(0)
        self.register_buffer("centroid", mean / mean.norm())

    def mel(self, sound: Tensor) -> Tensor:
        """Power in bands ``[B, hops, 40]``, every item at `LEVEL_DBFS`."""
        level = sound.detach().square().mean(1).sqrt().clamp(min=SMALL)
        sound = sound * (10 ** (LEVEL_DBFS / 20) / level)[:, None]
        return (self.filters @ power_as_at_16_khz(sound, self.window)).transpose(1, 2)

    def embed(self, sound: Tensor) -> Tensor:
        """``[B, 256]``, of unit length."""
        _, (hidden, _) = self.encoder.lstm(self.mel(sound))
        embedding: Tensor = self.encoder.relu(self.encoder.linear(hidden[-1]))
        return embedding / embedding.norm(dim=1, keepdim=True).clamp(min=SMALL)

    def forward(self, sound: Tensor) -> Tensor:
        return self.embed(sound) @ self.centroid
