"""What every process of one installation derives from its settings alike."""

from pathlib import Path
from typing import Final

from orchestrator.intake import Intake
from orchestrator.providers.registry import REGISTRY, ProviderSpec
from orchestrator.settings import ProviderKeys, Settings
from orchestrator.vault.cipher import VaultCipher
from orchestrator.vault.key import vault_cipher

__all__ = [
    "ATTEMPTS_FILE",
    "cipher_of",
    "configured_providers",
    "intake_of",
    "keys_of",
    "models_folder",
]

ATTEMPTS_FILE: Final = "attempts.duckdb"
_MODELS_FOLDER: Final = "models"


def keys_of(settings: Settings, spec: ProviderSpec) -> ProviderKeys:
    """Our credentials at a provider."""
    return settings.provider_keys(spec.env_prefix, spec.credentials)


def configured_providers(settings: Settings) -> tuple[str, ...]:
    """The providers that have both an adapter and all their credentials, in registry order.

    One that needs no credentials of ours is among them where its address is set, or any other
    provider's credentials are: alone it would keep a bare installation from using the sandbox.
    """
    with_keys = {
        spec.name
        for spec in REGISTRY.values()
        if spec.credentials and keys_of(settings, spec).complete
    }

    def is_configured(spec: ProviderSpec) -> bool:
        if spec.credentials:
            return spec.name in with_keys
        return bool(with_keys) or keys_of(settings, spec).base_url is not None

    return tuple(
        spec.name for spec in REGISTRY.values() if spec.module is not None and is_configured(spec)
    )


def cipher_of(settings: Settings) -> VaultCipher:
    """This installation's cipher.

    Raises:
        ConfigurationError: the vault's key is not usable.

    """
    return vault_cipher(settings.environment.vault_key, settings.data_dir)


def intake_of(settings: Settings, cipher: VaultCipher) -> Intake:
    """Validates requests by these settings."""
    return Intake(
        cipher, providers=frozenset(REGISTRY), regions=frozenset(settings.policies.regions)
    )


def models_folder(settings: Settings) -> Path:
    """Where trained models are kept."""
    return settings.data_dir / _MODELS_FOLDER
