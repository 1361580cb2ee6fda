"""What every process of one installation derives from its settings alike."""

from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from orchestrator.catalogue import Catalogue
from orchestrator.domain import ConfigurationError
from orchestrator.intake import Intake
from orchestrator.provider_registry import REGISTRY, ProviderSpec
from orchestrator.settings import ProviderKeys, Settings
from orchestrator.vault import VaultCipher, vault_cipher

if TYPE_CHECKING:
    from sqlalchemy import URL

    from orchestrator.vault import VaultStore

__all__ = [
    "ATTEMPTS_FILE",
    "archive_folder",
    "catalogue_of",
    "cipher_of",
    "configured_providers",
    "intake_of",
    "keys_of",
    "models_folder",
    "open_vault",
    "public_url",
    "spool_folder",
    "state_folder",
    "vault_marks_file",
    "vault_url_of",
    "webhook_url",
]

ATTEMPTS_FILE: Final = "attempts.duckdb"
_MODELS_FOLDER: Final = "models"
_SPOOL_FOLDER: Final = "spool"
_ARCHIVE_FOLDER: Final = "archive"
_STATE_FOLDER: Final = "state"


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


def catalogue_of(settings: Settings) -> Catalogue:
    """This installation's institutions.

    Raises:
        ConfigurationError: the catalogue's file cannot be read, or a line is wrong; says which.

    """
    return Catalogue.load(settings.catalogue_file)


def cipher_of(settings: Settings) -> VaultCipher:
    """This installation's cipher.

    Raises:
        ConfigurationError: the vault's key is not usable.

    """
    return vault_cipher(settings.environment.vault_key, settings.data_dir)


def vault_url_of(settings: Settings) -> "URL":
    """Where this installation's vault is.

    Raises:
        ConfigurationError: `ORCHESTRATOR_VAULT_URL` is not usable.

    """
    from orchestrator.vault import vault_url  # noqa: PLC0415  a database's, which few processes see

    return vault_url(settings.data_dir, settings.environment.vault_url)


def open_vault(settings: Settings) -> "VaultStore":
    """This installation's vault, brought to this program's schema.

    Raises:
        ConfigurationError: its address or its key is not usable, or it was made under other keys.
        StoreError: it cannot be opened, or belongs to a newer program.

    """
    from orchestrator.vault import VaultStore  # noqa: PLC0415  as above

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


def spool_folder(settings: Settings) -> Path:
    """Where every process keeps the rows that the attempt log has not taken yet."""
    return settings.data_dir / _SPOOL_FOLDER


def state_folder(settings: Settings) -> Path:
    """Where providers' actors keep what they must know after their own death."""
    return settings.data_dir / _STATE_FOLDER


def vault_marks_file(settings: Settings) -> Path:
    """Where the vault's actor tells which connections have changed."""
    return state_folder(settings) / "vault.marks"


def archive_folder(settings: Settings) -> Path:
    """Where months are kept that have left the attempt log's file."""
    return settings.data_dir / _ARCHIVE_FOLDER


def public_url(settings: Settings) -> str | None:
    """The address under which the world reaches us, without a slash at its end; None without one.

    Raises:
        ConfigurationError: it is neither https nor on loopback, or more than an address.

    """
    from orchestrator.providers.http import is_loopback  # noqa: PLC0415  an HTTP client's imports

    url = settings.environment.public_url
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        is_address = bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
    except ValueError:
        is_address = is_safe = False
    if not (is_address and is_safe):
        raise ConfigurationError(
            "ORCHESTRATOR_PUBLIC_URL cannot be used: set it to an https address such as "
            "https://bank-data.example.com (http only on loopback)"
        )
    return url.rstrip("/")


def webhook_url(settings: Settings, provider: str) -> str | None:
    """Where a provider may report; None without a public address.

    Raises:
        ConfigurationError: the public address cannot be used.

    """
    base = public_url(settings)
    return None if base is None else f"{base}/v1/webhooks/{provider}"
