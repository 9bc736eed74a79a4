"""Every dialogue of `tests/vectors` through the extension module."""

from __future__ import annotations

from typing import Any

import pytest
from dialogues import in_both_ways, load

ALL = load()


def test_all_dialogues_are_there() -> None:
    assert len(ALL) > 300


@pytest.mark.parametrize("dialogue", ALL, ids=[dialogue["name"] for dialogue in ALL])
def test_dialogue(dialogue: dict[str, Any]) -> None:
    for player in in_both_ways(dialogue):
        player.play()
