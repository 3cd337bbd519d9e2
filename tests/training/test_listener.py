"""The listener: the same said louder is the same, and another thing said is not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training import listener
from training.content import WIDTH

MOMENTS = 2 * listener.CROP + 41


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for folder in ("envelopes", "labelled", "content"):
        (tmp_path / folder).mkdir()

    def said() -> tuple[np.ndarray, np.ndarray]:
        envelopes = rng.normal(-5, 1, (MOMENTS, 2, 80)).astype(np.float16)
        return envelopes, rng.standard_normal((MOMENTS // 2 + 1, WIDTH)).astype(np.float16)

    for pair in range(listener.HELD_OUT_PAIRS + 2):
        envelopes, content = said()
        np.save(tmp_path / "envelopes" / f"{pair:05d}.npy", envelopes)
        np.savez(tmp_path / "content" / f"pair_{pair:05d}_target.npz", content=content)
    for speech in range(listener.HELD_OUT_LABELLED + 2):
        envelopes, content = said()
        np.savez(tmp_path / "labelled" / f"real_{speech}.npz", envelopes=envelopes)
        np.savez(tmp_path / "content" / f"real_{speech}.npz", content=content)
    return tmp_path


def test_what_is_held_out_is_not_learnt_from(cache: Path) -> None:
    readings = listener.Readings(cache)
    assert len(readings.seen) == 4
    assert len(readings.unseen) == listener.HELD_OUT_PAIRS + listener.HELD_OUT_LABELLED
    seen = {item[0].tobytes() for item in readings.seen}
    assert not seen & {item[0].tobytes() for item in readings.unseen}
    heard, said = readings.batch(np.random.default_rng(0), readings.seen, 3)
    assert heard.shape == (3, 2 * listener.CROP, 2, 80)
    assert said.shape == (3, listener.CROP, WIDTH)
    assert torch.all(heard.amax(dim=(1, 2, 3)) == 0)


def test_what_is_learnt_is_loaded_frozen(cache: Path) -> None:
    with pytest.raises(SystemExit, match=r"run training\.listener first"):
        listener.load(cache)
    learnt = listener.train(cache, steps=2, batch=2)
    loaded = listener.load(cache)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    for name, weight in loaded.state_dict().items():
        assert torch.equal(weight, learnt.state_dict()[name])


@pytest.mark.parametrize("moments", [40, 41])
def test_neither_level_nor_what_is_inaudible_counts(moments: int) -> None:
    torch.manual_seed(0)
    listen = listener.Listener()
    wanted = torch.randn(2, moments, 2, 80) - 4
    assert listen(wanted).shape == (2, (moments + 1) // 2, listener.COMPONENTS)
    louder = torch.tensor([0.0, 1.5]).view(2, 1, 1, 1)
    got = (wanted + 0.3 * torch.randn_like(wanted)).requires_grad_()
    unlike = listener.misheard(listen, got, wanted)
    assert listener.misheard(listen, wanted, wanted) == 0
    same = listener.misheard(listen, got + louder, wanted + louder)
    assert float(same.detach()) == pytest.approx(float(unlike.detach()), rel=1e-4)
    silence = torch.full_like(wanted, -40.0)
    silence[:, 0] = 0  # what lies further below the loudest than anybody hears
    assert listener.misheard(listen, silence + 5 * (silence < 0), silence) == 0
    unlike.backward()
    assert got.grad is not None
    assert got.grad.abs().max() > 0
