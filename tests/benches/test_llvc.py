"""Our definition of LLVC is the published network, and streams without a seam."""

import pytest
import torch
from torch import Tensor

from benches.llvc import CHUNK, PUBLISHED_PARAMETERS, Llvc

TOLERANCE = 1e-5  # of full scale
CHUNKS = 12
NAMES = ("samples", *(f"layer {n}" for n in range(8)), "wanted", "heard", "frames")


@pytest.fixture(scope="module")
def net() -> Llvc:
    torch.manual_seed(4)
    return Llvc().eval().requires_grad_(False)


def sound() -> Tensor:
    return 0.3 * torch.randn(2, 1, CHUNKS * CHUNK, generator=torch.Generator().manual_seed(5))


def streamed(net: Llvc, samples: Tensor, chunks: int, forgotten: int | None = None) -> Tensor:
    """So many chunks at a time; one part of the past may be forgotten each time."""
    past, parts = net.start(2), []
    for block in samples.split(chunks * CHUNK, dim=2):
        past = tuple(new if n != forgotten else net.start(2)[n] for n, new in enumerate(past))
        out, *past = net(block, *past)
        parts.append(out)
    return torch.cat(parts, dim=2)


def test_it_has_as_many_parameters_as_the_published_one(net: Llvc) -> None:
    assert sum(of.numel() for of in net.parameters()) == PUBLISHED_PARAMETERS == 3_258_720


@pytest.mark.parametrize("chunks", [1, 4])
def test_streamed_is_whole(net: Llvc, chunks: int) -> None:
    whole = net(sound(), *net.start(2))[0]
    assert whole.shape == sound().shape
    assert whole.std() > 0.1
    assert (streamed(net, sound(), chunks) - whole).abs().max() < TOLERANCE


@pytest.mark.parametrize("part", range(len(NAMES)), ids=NAMES)
def test_each_part_of_the_past_is_needed(net: Llvc, part: int) -> None:
    assert len(net.start()) == len(NAMES)
    whole = net(sound(), *net.start(2))[0]
    assert (streamed(net, sound(), 1, forgotten=part) - whole).abs().max() > 100 * TOLERANCE


def test_what_comes_later_changes_nothing_earlier(net: Llvc) -> None:
    other = sound()
    other[..., 5 * CHUNK :] = 0.5
    one, two = (net(x, *net.start(2))[0] for x in (sound(), other))
    assert torch.equal(one[..., : 5 * CHUNK], two[..., : 5 * CHUNK])
    assert not torch.equal(one[..., : 6 * CHUNK], two[..., : 6 * CHUNK])
