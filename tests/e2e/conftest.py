"""One system for all end-to-end tests: starting Ray takes most of their time."""

from collections.abc import Iterator

import pytest

from tests.support.serving import Serving
from tests.support.serving import serving as start_serving

CONFIG = """
[breaker]
timeout_ms = 2000
"""


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A running system; its circuits stay open for two seconds."""
    with start_serving(tmp_path_factory.mktemp("serving"), CONFIG) as system:
        yield system
