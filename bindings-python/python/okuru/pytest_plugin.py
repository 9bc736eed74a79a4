"""The fixture ``smtp_sink`` for pytest: an `okuru.testing.Sink` that runs as long as a test does.

::

    def test_greeting(smtp_sink):
        send_greeting(host=smtp_sink.host, port=smtp_sink.port)
        (received,) = smtp_sink.wait_for(1)
        assert received.email["Subject"] == "Welcome"

    @pytest.mark.smtp_sink(faults=["defer@mail"], tls="starttls")
    def test_deferred(smtp_sink): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from okuru.testing import Sink


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "smtp_sink(**options): options of the fixture smtp_sink: see okuru.testing.Sink")


@pytest.fixture
def smtp_sink(request: pytest.FixtureRequest) -> Iterator[Sink]:
    """A mail server in memory: ``host``, ``port``, ``messages``, ``wait_for(n)``. Options by ``@pytest.mark.smtp_sink``."""
    from okuru.testing import Sink

    marker = request.node.get_closest_marker("smtp_sink")
    with Sink(**(marker.kwargs if marker is not None else {})) as sink:
        yield sink
