"""Files of the cache are whole or not there."""

from pathlib import Path

import pytest

from training.whole import whole


def test_a_file_is_there_once_all_of_it_is(tmp_path: Path) -> None:
    file = tmp_path / "pair.npz"
    with whole(file) as out:
        out.write(b"all")
        assert not file.exists()
    assert file.read_bytes() == b"all"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    file = tmp_path / "pair.npz"
    file.write_bytes(b"old")
    with pytest.raises(type(error)), whole(file) as out:
        out.write(b"half")
        raise error
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
