"""Goes on from exported weights: what Whisper hears of her sound shall be what is said.

    python -m training.tune --cache DIR --models DIR --begin WEIGHTS --run NAME [--steps 1000]

The envelopes of labelled speech are no truth, only what a network or teacher makes of it. So here they count
little, and her sound, with the contrast that the export gives it and what `Articulation` puts back, is heard by
Whisper itself beside the speaker's own, clean: along the directions that are words (`training.ear`) the two shall be
the same. And by Resemblyzer: she shall be recognised, though no more surely than by her own envelopes with the same
melody. A discriminator of envelope pictures and the pairs keep her voice hers. Where `NetworkConfig` has another live look-ahead
than the weights, its head begins as one that is fitted (`training.heads`) to the speech in ``DIR/speech``.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from persona_voice.converter import BANDS
from persona_voice.model.contrast import CONTRAST, contrast
from persona_voice.model.network import ENVELOPE_CEILING, ENVELOPE_FLOOR
from persona_voice.model.weights import Weights
from training.data import CropConfig, of_pairs
from training.ear import EDGE, Ear, load_said
from training.heads import fitted
from training.learning import device
from training.put_back import PutBack
from training.recognition import Recognition
from training.synthesis import HOP
from training.train import CRITIC_RATE, Trainer, envelope_loss, run_arguments

LABELLED_WEIGHT, UNLIKE_WEIGHT, STRANGE_WEIGHT = 0.25, 0.4, 1.5
# Against the weights of the adversary in training.
ADVERSARY_TIMES = 3.0
# How like her recordings (cosine) a second and a half of her own envelopes are, on the average.
HERSELF = 0.84
# Of a batch, how many pairs and how many others are listened to: it costs as much as the rest of a step.
LISTENED_PAIRS, LISTENED_LABELLED = 2, 4


class Tuner(Trainer):
    def begin_to_judge(self) -> None:
        self.put_back = PutBack().to(device())
        self.ear = Ear(self.options.models).to(device())
        self.said = load_said(self.options.cache)
        self.recognition = Recognition().to(device())
        self.contrast = torch.from_numpy(contrast(CONTRAST)).float().to(device())

    def begun(self, file: Path) -> Weights:
        """With a live head that is fitted, where this run's looks ahead more or less than that of the weights."""
        weights = super().begun(file)
        of = self.config.live_lookahead
        if of != weights.config.live_lookahead:
            head = fitted(weights, self.options.cache / "speech", {"live": of})
            config = replace(weights.config, live_lookahead=of)
            weights = Weights(config, weights.tensors | head)
        return weights

    def slowing(self) -> list[tuple[torch.optim.Optimizer, float]]:
        # Learning at one rate to the end, the critic would leave the network behind.
        return [*super().slowing(), (self.critic_optimizer, CRITIC_RATE / self.options.rate)]

    def loss(self, batch: tuple[Tensor, ...], crop: CropConfig) -> tuple[Tensor, dict[str, float]]:
        mel, wanted, sound, pulse = batch
        loss, said = mel.new_zeros(()), {}
        pairs = of_pairs(len(mel))
        listened = [*range(LISTENED_PAIRS), *range(pairs, pairs + LISTENED_LABELLED)]
        # What the network at `begin` was exported with is a part of what is judged, of labels as of answers.
        wanted = torch.cat([wanted[:pairs], self.with_contrast(wanted[pairs:])])
        for mode, answer, own, start in self.answers(mel, crop):
            answered = self.with_contrast(answer)
            # Putting back costs, too: the other head answers for itself.
            got = self.put_back(own, answered) if mode == self.dear() else answered
            right = wanted[:, start : start + crop.frames]
            hers = envelope_loss(got[:pairs], right[:pairs])
            labelled = envelope_loss(answered[pairs:], right[pairs:])
            name = f"{mode} said" if mode == self.dear() else mode
            said[name], said[f"{mode} labelled"] = float(hers.detach()), float(labelled.detach())
            share = pairs / len(mel)
            off = share * hers + (1 - share) * LABELLED_WEIGHT * labelled
            if mode == self.dear():
                part = slice(start * HOP, (start + crop.frames - 1) * HOP)
                speech, pulses = sound[listened, part], pulse[listened, part]
                y = self.spoken(got[listened], pulses)
                unlike = self.unlike(y, speech)
                strange = self.strange(y, right[:LISTENED_PAIRS], pulses[:LISTENED_PAIRS])
                for name, of in (("unlike", unlike), ("strange", strange)):
                    said[name] = float(of[:LISTENED_PAIRS].detach().mean())
                    said[f"{name} labelled"] = float(of[LISTENED_PAIRS:].detach().mean())
                off = off + UNLIKE_WEIGHT * unlike.mean() + STRANGE_WEIGHT * strange.mean()
                off = off + ADVERSARY_TIMES * self.adversary(got, right[:pairs], said)
            loss = loss + off
        return loss, said

    def with_contrast(self, got: Tensor) -> Tensor:
        envelopes = (got.flatten(2) @ self.contrast.T).unflatten(2, (2, BANDS))
        return envelopes.clamp(ENVELOPE_FLOOR, ENVELOPE_CEILING)

    def unlike(self, y: Tensor, sound: Tensor) -> Tensor:
        """By how much the words of each differ ``[B]``, pairs first: 1 is no more than what cannot be known."""
        with torch.no_grad():
            content = self.ear(sound)
            wanted = self.said.by_others(content)
            wanted[:LISTENED_PAIRS] = self.said.by_her(content[:LISTENED_PAIRS])
        off: Tensor = (self.said.by_her(self.ear(y)) - wanted)[:, EDGE:-EDGE].square()
        return off.mean((1, 2))

    def strange(self, y: Tensor, hers: Tensor, pulse: Tensor) -> Tensor:
        """By how much less each is like her ``[B]``, pairs first, than she is by her own envelopes, of which there are
        only those of pairs."""
        with torch.no_grad():
            wanted = y.new_full((len(y),), HERSELF)
            wanted[:LISTENED_PAIRS] = self.recognition(self.spoken(hers, pulse))
        return (wanted - self.recognition(y)).relu()


def tuning_arguments(about: str | None, steps: int, run: str) -> argparse.ArgumentParser:
    """What every program that tunes may be told."""
    parser = run_arguments(about, steps, run, rate=6e-4)
    parser.add_argument("--begin", type=Path, required=True, help="weights as exported")
    parser.add_argument("--models", type=Path, required=True)
    return parser


def main() -> None:
    options = tuning_arguments(__doc__, steps=1000, run="tuned").parse_args()
    torch.set_num_threads(options.threads)
    Tuner(options).run()


if __name__ == "__main__":
    main()
