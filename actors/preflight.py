"""What can be known to be wrong before anything is started."""

from actors.folders import check_same_folder
from actors.installation import (
    catalogue_of,
    cipher_of,
    configured_providers,
    open_vault,
    public_url,
    vault_url_of,
)
from actors.provider_actor import reach_vendor
from models import POLICIES
from orchestrator.access import Access
from orchestrator.domain import ConfigurationError, SystemClock
from orchestrator.settings import Settings

__all__ = ["check_installation", "check_vault"]


def check_installation(settings: Settings, *, http: bool) -> None:
    """Refuse settings that an actor would stumble over later.

    Args:
        settings: of this process.
        http: whether the server is going to listen.

    Raises:
        ConfigurationError: one sentence that says what to mend.

    """
    check_same_folder()
    access = Access(settings.api_key_texts(), settings.admin_key_texts())
    if http:
        access.check_bind(settings.environment.host)
    policy = settings.policies.selection.policy
    if policy not in POLICIES:
        raise ConfigurationError(
            f"selection.policy is {policy!r}: there are {', '.join(sorted(POLICIES))}"
        )
    cipher_of(settings)
    catalogue_of(settings)
    vault_url_of(settings)
    public_url(settings)
    for name in configured_providers(settings):
        reach_vendor(settings, name, SystemClock())


def check_vault(settings: Settings) -> None:
    """Open the vault once, and so bring it to this program's schema.

    Raises:
        ConfigurationError: it was made under other keys.
        StoreError: it cannot be opened, or belongs to a newer program.

    """
    open_vault(settings).close()
