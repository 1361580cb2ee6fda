"""What a bare loop makes of the same upstream: httpx on the aiohttp transport, and nothing else.

`python -m benchmarks.bare_loop --url URL --concurrent N --operations N` prints operations a second.
"""

import argparse
import asyncio
import time

import httpx
from httpx_aiohttp import HttpxAiohttpClient

__all__ = ["main"]


async def _per_s(url: str, concurrent: int, operations: int) -> float:
    limits = httpx.Limits(max_connections=concurrent, max_keepalive_connections=concurrent)
    left = iter(range(operations))

    async with HttpxAiohttpClient(limits=limits, timeout=60, trust_env=False) as client:

        async def work() -> None:
            for _ in left:
                response = await client.post(url, json={"access_token": "access-benchmark-token"})
                response.raise_for_status()
                response.json()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(concurrent)))
        return operations / (time.perf_counter() - began)


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--concurrent", type=int, required=True)
    parser.add_argument("--operations", type=int, required=True)
    given = parser.parse_args()
    per_s = asyncio.run(_per_s(given.url, given.concurrent, given.operations))
    print(per_s)  # noqa: T201  its answer


if __name__ == "__main__":
    main()
