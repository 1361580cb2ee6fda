"""What every process of one installation derives from its settings alike."""

from pathlib import Path
from typing import Final

from sqlalchemy import URL

from orchestrator.intake import Intake
from orchestrator.providers.registry import REGISTRY, ProviderSpec
from orchestrator.settings import ProviderKeys, Settings
from orchestrator.vault import VaultCipher, VaultStore, vault_cipher, vault_url

__all__ = [
    "ATTEMPTS_FILE",
    "cipher_of",
    "configured_providers",
    "intake_of",
    "keys_of",
    "models_folder",
    "open_vault",
    "vault_url_of",
]

ATTEMPTS_FILE: Final = "attempts.duckdb"
_MODELS_FOLDER: Final = "models"


def keys_of(settings: Settings, spec: ProviderSpec) -> ProviderKeys:
    """Our credentials at a provider."""
    return settings.provider_keys(spec.env_prefix, spec.credentials)


def configured_providers(settings: Settings) -> tuple[str, ...]:
    """The providers that have both an adapter and all their credentials, in registry order."""
    return tuple(
        spec.name
        for spec in REGISTRY.values()
        if spec.module is not None and keys_of(settings, spec).complete
    )


def cipher_of(settings: Settings) -> VaultCipher:
    """This installation's cipher.

    Raises:
        ConfigurationError: the vault's key is not usable.

    """
    return vault_cipher(settings.environment.vault_key, settings.data_dir)


def vault_url_of(settings: Settings) -> URL:
    """Where this installation's vault is.

    Raises:
        ConfigurationError: `ORCHESTRATOR_VAULT_URL` is not usable.

    """
    return vault_url(settings.data_dir, settings.environment.vault_url)


def open_vault(settings: Settings) -> VaultStore:
    """This installation's vault, brought to this program's schema.

    Raises:
        ConfigurationError: its address or its key is not usable, or it was made under other keys.
        StoreError: it cannot be opened, or belongs to a newer program.

    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = VaultStore(vault_url_of(settings))
    try:
        store.check_keys(cipher_of(settings))
    except BaseException:
        store.close()
        raise
    return store


def intake_of(settings: Settings, cipher: VaultCipher) -> Intake:
    """Validates requests by these settings."""
    return Intake(
        cipher, providers=frozenset(REGISTRY), regions=frozenset(settings.policies.regions)
    )


def models_folder(settings: Settings) -> Path:
    """Where trained models are kept."""
    return settings.data_dir / _MODELS_FOLDER
