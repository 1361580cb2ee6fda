"""All windows of one vendor: by endpoint, of the client and of its connections, watched ones too."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from .quota import Quota, QuotaScope, Reach, VendorCall
from .shared_window import SharedWindow
from .window import ConnectionWindows

__all__ = ["LimitBook"]

_WATCHED_S: Final = 60.0
_WATCHED_CALLS: Final = 2000
_MOST_WATCHED: Final = 64


class _Limit(Protocol):
    quota: Quota


_L = TypeVar("_L", bound=_Limit)
_ByEndpoint = Mapping[str | None, tuple[_L, ...]]


class LimitBook:
    """Which windows concern a call, and what was learned of them.

    Endpoints without any published client-wide limit are watched over a minute, so that a 429 there
    finds the rate at which it came. They hold nothing back before.

    Args:
        quotas: the vendor's limits.
        max_connections: windows of single connections kept at once, for each quota.
        learns: False where no local limit shall hold, not even a learned one.

    """

    __slots__ = ("_client", "_connection", "_learns", "_watched", "client", "connection")

    def __init__(self, quotas: Sequence[Quota], max_connections: int, *, learns: bool) -> None:
        self.client = tuple(SharedWindow(q) for q in quotas if q.scope is QuotaScope.CLIENT)
        self.connection = tuple(
            ConnectionWindows(q, max_connections)
            for q in quotas
            if q.scope is QuotaScope.CONNECTION
        )
        endpoints = {None, *(quota.endpoint for quota in quotas)}
        self._client = _by_endpoint(endpoints, self.client)
        self._connection = _by_endpoint(endpoints, self.connection)
        self._watched: dict[str, SharedWindow] = {}
        self._learns = learns

    @property
    def watched(self) -> tuple[SharedWindow, ...]:
        """The windows of endpoints without a published limit."""
        return tuple(self._watched.values())

    def client_limits(self, endpoint: str | None) -> tuple[SharedWindow, ...]:
        """The client-wide windows that concern a call to this endpoint."""
        published = self._published(endpoint)
        watched = None if published or endpoint is None else self._watched.get(endpoint)
        return published if watched is None else (watched,)

    def connection_limits(self, endpoint: str | None) -> tuple[ConnectionWindows, ...]:
        """The connections' windows that concern a call to this endpoint."""
        return self._connection.get(endpoint, self._connection[None])

    def limits_connections_alone(self, endpoint: str | None) -> bool:
        """Whether the published limits of an endpoint are connections' and none is the client's."""
        return not self._published(endpoint) and bool(self.connection_limits(endpoint))

    def waits(self, call: VendorCall, now: float) -> Iterator[tuple[float, Reach, Quota]]:
        """Each limit that concerns a call: seconds until it fits, who waits with it, which it is."""
        for window in self.client_limits(call.endpoint):
            reach = Reach.EVERYONE if window.quota.endpoint is None else Reach.ENDPOINT
            yield window.wait_s(call.lane, now), reach, window.quota
        if call.connection_id is not None:
            for windows in self.connection_limits(call.endpoint):
                wait_s = windows.wait_s(call.connection_id, now)
                yield wait_s, Reach.CONNECTION, windows.quota

    def want(self, call: VendorCall, now: float) -> None:
        """Note a call that comes, once, whether there is room for it or not."""
        self.watch(call.endpoint)
        for window in self.client_limits(call.endpoint):
            window.want(call.lane, now)

    def take(self, call: VendorCall, now: float) -> None:
        """Count a call that all of them have let pass."""
        self.watch(call.endpoint)
        for window in self.client_limits(call.endpoint):
            window.take(call.lane, now)
        if call.connection_id is not None:
            for windows in self.connection_limits(call.endpoint):
                windows.take(call.connection_id, now)

    def learn(self, call: VendorCall, reach: Reach, now: float) -> None:
        """Take a lesson from a throttled call, for the fullest of the limits that it may have broken.

        Args:
            call: what the vendor refused.
            reach: `CONNECTION` where it says that this connection's limit is reached, `EVERYONE`
                where it is the client's. What a bank limits is not ours to learn.
            now: seconds.

        """
        if not self._learns:
            return
        if reach is Reach.EVERYONE:
            self.watch(call.endpoint)
            concerned = self.client_limits(call.endpoint)
            if concerned:
                max(concerned, key=lambda window: window.used(now) / window.quota.calls).throttled(
                    now
                )
        elif reach is Reach.CONNECTION and call.connection_id is not None:
            limits = self.connection_limits(call.endpoint)
            if limits:
                whose = call.connection_id
                max(limits, key=lambda w: w.used(whose, now) / w.quota.calls).throttled(whose, now)

    def observe(self, now: float) -> None:
        """Let go of what has emptied."""
        for windows in self.connection:
            windows.evict(now)

    def watch(self, endpoint: str | None) -> SharedWindow | None:
        """The watched window of an endpoint without a published limit, None where it has none."""
        if not self._learns or endpoint is None or self._published(endpoint):
            return None
        if endpoint not in self._watched and len(self._watched) < _MOST_WATCHED:
            quota = Quota(QuotaScope.CLIENT, _WATCHED_CALLS, _WATCHED_S, endpoint)
            self._watched[endpoint] = SharedWindow(quota, published=False)
        return self._watched.get(endpoint)

    def _published(self, endpoint: str | None) -> tuple[SharedWindow, ...]:
        return self._client.get(endpoint, self._client[None])


def _by_endpoint(endpoints: Iterable[str | None], limits: tuple[_L, ...]) -> _ByEndpoint[_L]:
    return {
        endpoint: tuple(limit for limit in limits if limit.quota.endpoint in (None, endpoint))
        for endpoint in endpoints
    }
