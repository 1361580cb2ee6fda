"""Reading from a running server over HTTP."""

from collections.abc import Mapping
from typing import Final, cast

import httpx

from orchestrator.domain import Json, NotRunning, OrchestratorError
from orchestrator.runtime import RunningSystem
from orchestrator.settings import Settings

__all__ = ["ServerAccess"]

_TIMEOUT_S: Final = 60.0


class ServerAccess:
    """The running server of a data folder.

    Args:
        settings: says where, and which key to use.

    Raises:
        NotRunning: none is running, or it serves no HTTP.

    """

    def __init__(self, settings: Settings) -> None:
        found = RunningSystem.find(settings.data_dir)
        if found is None or found.url is None:
            raise NotRunning(
                f"no server runs out of {settings.data_dir}: start one with 'make serve', or set "
                "ORCHESTRATOR_DATA_DIR to the one that does"
            )
        self.running = found
        keys = settings.admin_key_texts()
        headers = {"Authorization": f"Bearer {keys[0]}"} if keys else {}
        self._client = httpx.Client(base_url=found.url, headers=headers, timeout=_TIMEOUT_S)

    def get(self, path: str) -> dict[str, Json]:
        """A JSON document.

        Raises:
            OrchestratorError: the server refused; says why.

        """
        return self._read(self._client.get(path))

    def post(self, path: str, body: Mapping[str, Json]) -> dict[str, Json]:
        """The answer to a JSON document.

        Raises:
            OrchestratorError: as above.

        """
        return self._read(self._client.post(path, json=dict(body)))

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def _read(self, response: httpx.Response) -> dict[str, Json]:
        body = cast("dict[str, Json]", response.json())
        if response.is_success:
            return body
        raise OrchestratorError(f"the server refused: {body.get('detail', response.status_code)}")
