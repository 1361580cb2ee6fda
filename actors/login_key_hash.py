"""How the vault knows an institution login: by a digest, never by the vendor's own words."""

from orchestrator.vault import VaultCipher

__all__ = ["login_key_hash"]


def login_key_hash(cipher: VaultCipher, login_key: str) -> str:
    """The digest of an `Exchanged.login_key`."""
    return cipher.mac(f"login:{login_key}".encode(errors="surrogatepass"))
