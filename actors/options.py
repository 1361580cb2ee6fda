"""Actors by name, and the one place where Ray makes them of plain classes.

None of them claims a CPU: they wait for the network, not for the processor. The class of an actor
is imported only by whoever makes it, as its imports are heavy.
"""

from importlib import import_module
from typing import Any, Final, cast

import ray
from ray.actor import ActorHandle
from ray.remote_function import RemoteFunction

from actors.folders import check_same_folder

__all__ = [
    "ATTEMPT_LOG",
    "NAMESPACE",
    "ROUTER",
    "VAULT",
    "Handle",
    "attempt_log_actor",
    "begin_backfill",
    "look_task",
    "named_actor",
    "provider_actor",
    "provider_actor_name",
    "retraining_actor",
    "router_actor",
    "vault_actor",
]

NAMESPACE: Final = "orchestrator"
VAULT: Final = "vault"
ATTEMPT_LOG: Final = "attempt-log"
ROUTER: Final = "router"
RETRAINING: Final = "retraining"
Handle = ActorHandle[Any]
"""Ray types a handle by its class; ours are typed by the ports in `remote.py`."""
_MOST_CALLS_AT_ONCE: Final = 4096


def provider_actor_name(provider: str) -> str:
    """The name of a provider's actor."""
    return f"provider:{provider}"


def named_actor(name: str, module: str, kind: str, *args: object) -> Handle:
    """The actor of this name, made where it is not there yet: of a class by its module and name."""
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        check_same_folder()
    plain = getattr(import_module(module), kind)
    actor = ray.remote(plain).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        # A call in flight at a crash is never run twice: an exchange would be sent again.
        max_task_retries=0,
        max_concurrency=_MOST_CALLS_AT_ONCE,
    )
    return cast(Handle, actor.remote(*args))


def vault_actor() -> Handle:
    """The vault's actor."""
    return named_actor(VAULT, "actors.vault", "VaultActor")


def attempt_log_actor() -> Handle:
    """The attempt log's actor."""
    return named_actor(ATTEMPT_LOG, "actors.attempt_log_actor", "AttemptLogActor")


def provider_actor(provider: str) -> Handle:
    """A provider's actor."""
    name = provider_actor_name(provider)
    return named_actor(name, "actors.provider_actor", "ProviderActor", provider)


def retraining_actor() -> Handle:
    """The job that trains models beside all that serves."""
    return named_actor(RETRAINING, "actors.retraining", "RetrainingActor")


def look_task() -> RemoteFunction:
    """A look of that job at the log, in a process that ends with it and gives its memory back."""
    from actors.retraining_look import look_apart  # noqa: PLC0415  as for actors

    return cast(RemoteFunction, ray.remote(num_cpus=0, max_calls=1, max_retries=0)(look_apart))


def router_actor() -> Handle:
    """The named router, for callers without HTTP."""
    return named_actor(ROUTER, "actors.router_actor", "RouterActor")


def begin_backfill(job_id: str) -> None:
    """Have a backfill job run, in the actor that it has or in one that is made for it."""
    name = f"backfill:{job_id}"
    # An actor begins its work when it is made; one that is there may be about to leave.
    named_actor(name, "actors.backfill_actor", "BackfillActor", job_id).begin.remote()
