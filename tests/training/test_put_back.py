"""Training puts back what the stream would."""

import torch

from persona_voice.model.torch_articulation import Articulation
from training.put_back import PutBack

SPEAKERS, MOMENTS = 3, 40


def speech() -> tuple[torch.Tensor, torch.Tensor]:
    """The speakers' own log amplitudes, and answers; the third is silent at first."""
    noise = torch.Generator().manual_seed(1)
    own = torch.randn(SPEAKERS, MOMENTS, 80, generator=noise) - 4
    answer = 0.5 * own[:, :, None] + torch.randn(SPEAKERS, MOMENTS, 2, 80, generator=noise) - 2
    answer[2, :10] = -16.0
    return own, answer


def test_it_is_the_articulation_of_a_stream_in_its_second_hearing() -> None:
    own, answer = speech()
    articulation = Articulation()
    known = articulation.start(SPEAKERS)
    for _ in range(2):
        said = []
        for t in range(MOMENTS):
            known, envelopes = articulation(known, own[:, t], answer[:, t])
            said.append(envelopes)
    got = PutBack()(own, answer)
    torch.testing.assert_close(got, torch.stack(said, 1), rtol=0, atol=1e-5)
    assert (got - answer).abs().max() > 0.1
    assert torch.equal(got[2, :10], answer[2, :10])


def test_what_the_network_answers_otherwise_changes_what_is_said() -> None:
    own, answer = speech()
    answer.requires_grad_()
    PutBack()(own, answer)[:2].square().sum().backward()  # type: ignore[no-untyped-call]
    assert answer.grad is not None
    assert answer.grad[:2].abs().amax((1, 2, 3)).min() > 0
    assert torch.equal(answer.grad[2], torch.zeros_like(answer.grad[2]))
