import gc
import sys

import pytest

from persona_voice.live.realtime import SWITCH_S, realtime


def test_what_exists_is_not_searched_while_it_lasts_and_is_again_afterwards() -> None:
    before = sys.getswitchinterval()
    assert gc.get_freeze_count() == 0
    with realtime():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == pytest.approx(before)


def test_an_error_inside_leaves_the_interpreter_as_it_was() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(KeyError), realtime():
        raise KeyError
    assert (gc.get_freeze_count(), sys.getswitchinterval()) == (0, pytest.approx(before))
