"""The known providers: one line each. Plain data, for all that need names and no adapters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["REGISTRY", "ProviderSpec"]


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """A provider by name.

    `credentials` are the environment variables that must all be set, `sandbox_credentials` the
    values of these, in the same order, that our own sandbox takes: documented, and good for nothing
    else. A provider that needs none (its users bring their own) is in use as soon as its address or
    another provider's credentials are set. `module`, in `orchestrator/providers`, is where its
    `ADAPTER` is, None while there is none: such a provider is known and never configured.
    `probes_refused_keys`: refused keys may be tried again after a while, without harm.
    `institution_bound`: it serves its own institution and no other.
    """

    name: str
    title: str
    env_prefix: str
    credentials: tuple[str, ...]
    module: str | None
    probes_refused_keys: bool = True
    institution_bound: bool = False
    sandbox_credentials: tuple[str, ...] = ()


_PROVIDERS: Final = (
    ProviderSpec(
        "plaid",
        "Plaid",
        "PLAID",
        ("PLAID_CLIENT_ID", "PLAID_SECRET"),
        "plaid",
        sandbox_credentials=("sandbox_client", "sandbox_secret"),
    ),
    ProviderSpec(
        "mx",
        "MX Technologies",
        "MX",
        ("MX_CLIENT_ID", "MX_API_KEY"),
        "mx",
        sandbox_credentials=("sandbox_client", "sandbox_key"),
    ),
    ProviderSpec(
        "finicity",
        "Finicity (Mastercard Open Finance)",
        "FINICITY",
        ("FINICITY_PARTNER_ID", "FINICITY_PARTNER_SECRET", "FINICITY_APP_KEY"),
        "finicity",
        probes_refused_keys=False,
        sandbox_credentials=("sandbox_partner", "sandbox_secret", "sandbox_app_key"),
    ),
    ProviderSpec(
        "belvo",
        "Belvo",
        "BELVO",
        ("BELVO_SECRET_ID", "BELVO_SECRET_PASSWORD"),
        "belvo",
        sandbox_credentials=("sandbox_id", "sandbox_password"),
    ),
    ProviderSpec("bitso", "Bitso", "BITSO", (), "bitso", institution_bound=True),
    # A further provider is a line here.
)

REGISTRY: Final[Mapping[str, ProviderSpec]] = {spec.name: spec for spec in _PROVIDERS}
"""Every known provider by name."""
