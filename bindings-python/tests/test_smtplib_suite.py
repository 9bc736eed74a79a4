"""The standard library's own tests of ``smtplib``, run on `okuru.smtplib` in its place.

They come with the interpreter; some distributions put them into a package of their own (Debian: libpython3-testsuite).
"""

from __future__ import annotations

import importlib
import sys
import unittest
from typing import Iterator

import pytest

from okuru import smtplib

#: What fails, and why it has to: each must fail indeed.
DIFFERENCES: dict[str, str] = {}


def _cases() -> Iterator[unittest.TestCase]:
    stdlib = sys.modules.get("smtplib")
    sys.modules["smtplib"] = smtplib
    try:
        module = importlib.import_module("test.test_smtplib")
    except ImportError as missing:
        pytest.skip(f"this interpreter comes without its tests: {missing}", allow_module_level=True)
    finally:
        if stdlib is not None:
            sys.modules["smtplib"] = stdlib
    assert module.smtplib is smtplib
    for suite in unittest.defaultTestLoader.loadTestsFromModule(module):
        yield from suite  # type: ignore[misc]


CASES = {case.id().partition("test_smtplib.")[2]: case for case in _cases()}


def test_there_are_as_many_as_there_should_be() -> None:
    assert len(CASES) > 80
    assert DIFFERENCES.keys() <= CASES.keys()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CASES)
def test_of_the_standard_library(name: str) -> None:
    result = unittest.TestResult()
    CASES[name].run(result)
    assert result.testsRun == 1
    problems = [trace for _, trace in result.errors + result.failures]
    if name in DIFFERENCES:
        assert problems, f"no longer differs: {DIFFERENCES[name]}"
    elif problems:
        pytest.fail("\n".join(problems), pytrace=False)
    elif result.skipped:
        pytest.skip(result.skipped[0][1])
