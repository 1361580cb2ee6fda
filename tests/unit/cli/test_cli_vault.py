"""What the command line says of the vault, and how it brings it under a new key."""

import base64
import json
import re
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from typer.testing import CliRunner, Result

from actors.installation import cipher_of, open_vault, vault_url_of
from orchestrator.cli import app
from orchestrator.cli.doctor import Finding, findings
from orchestrator.domain import ConfigurationError, ConnectionStatus
from orchestrator.runtime import RunningSystem
from orchestrator.settings import load_settings
from orchestrator.vault import (
    LinkSession,
    NewConnection,
    SealedCredential,
    VaultCipher,
    VaultStore,
    is_sqlite,
    place_of,
)

NOW = 1_770_000_000.0
OLD = base64.b64encode(b"\x01" * 32).decode()
NEW = base64.b64encode(b"\x02" * 32).decode()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty_database: URL) -> None:
    """Settings that name an empty database, and an old key."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_VAULT_KEY", f"old:{OLD}")
    if not is_sqlite(empty_database):
        address = empty_database.render_as_string(hide_password=False)
        monkeypatch.setenv("ORCHESTRATOR_VAULT_URL", address)


def keep(name: str, cipher: VaultCipher) -> None:
    """A connection in the vault."""
    with closing(open_vault(load_settings())) as store:
        store.link_sessions.add(
            LinkSession(f"ls_{name}", "space_1", "plaid", "US", "ins_chase", None, b"", NOW, None)
        )
        store.finish_exchange(
            f"ls_{name}",
            NewConnection(
                connection_id=name,
                space_id="space_1",
                provider="plaid",
                region="US",
                institution_id="ins_chase",
                login_key_hash=cipher.mac(b"login"),
                sealed_credential=cipher.seal(b"secret", associated=name),
                status=ConnectionStatus.ACTIVE,
                created_at=NOW,
            ),
        )


def kept(name: str) -> SealedCredential:
    """Its credential, sealed."""
    with closing(open_vault(load_settings())) as store:
        found = store.connections.credential(name)
    assert found is not None
    return found


def reseal() -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["vault", "reseal"])


def of_the_vault() -> list[Finding]:
    """What the doctor finds about the vault's database; its key comes first."""
    key, *database = [f for f in findings(lambda _url: True) if "vault" in f.what.lower()]
    assert Finding(True, "the vault's key is usable") == key
    return database


def test_reseal_brings_everything_under_the_first_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the new key alone opens the credential; the digests are as they were."""
    keep("conn_1", cipher_of(load_settings()))
    monkeypatch.setenv("ORCHESTRATOR_VAULT_KEY", f"new:{NEW},old:{OLD}")
    run = reseal()
    again = reseal()
    new_alone = VaultCipher({"new": base64.b64decode(NEW)}, "new")

    assert (run.exit_code, again.exit_code) == (0, 0), run.output
    assert "1 sealed anew, 0 were under the first key already" in run.output
    assert "0 sealed anew, 1 were under the first key already" in again.output
    assert b"secret" == new_alone.open(kept("conn_1").sealed, associated="conn_1")


def test_reseal_names_what_no_key_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """It exits with 1 and says what was left."""
    keep("conn_1", cipher_of(load_settings()))
    keep("conn_2", VaultCipher({"lost": b"\x03" * 32}, "lost"))
    monkeypatch.setenv("ORCHESTRATOR_VAULT_KEY", f"new:{NEW},old:{OLD}")
    run = reseal()

    assert 1 == run.exit_code
    assert "1 sealed anew" in run.output
    assert "no key opens connections conn_2" in run.output


def test_reseal_leaves_a_file_alone_that_a_running_system_uses(tmp_path: Path) -> None:
    """On SQLite the system is stopped first; a server may be brought under a new key as it runs."""
    RunningSystem.here(ray_address="", url=None, sandbox_url=None).write(tmp_path)
    run = reseal()
    at_sqlite = is_sqlite(vault_url_of(load_settings()))

    assert (1 if at_sqlite else 0) == run.exit_code
    assert at_sqlite is isinstance(run.exception, ConfigurationError)
    assert not at_sqlite or "stop it first" in str(run.exception)


def test_reseal_refuses_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the old key nothing is touched."""
    keep("conn_1", cipher_of(load_settings()))
    monkeypatch.setenv("ORCHESTRATOR_VAULT_KEY", f"new:{NEW}")
    run = reseal()

    assert 1 == run.exit_code
    assert "another key" in str(run.exception)


def test_the_doctor_says_which_vault_there_is() -> None:
    """First that there is none, then where it is and that its schema is this program's."""
    before = of_the_vault()
    keep("conn_1", cipher_of(load_settings()))
    after = of_the_vault()
    place = place_of(vault_url_of(load_settings()))

    assert [Finding(None, f"vault: {place}, made at the first start")] == before
    assert [Finding(True, f"vault: {place}, schema 0002, up to date")] == after


def test_the_doctor_says_that_the_keys_are_not_the_vaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was lost is to be brought back."""
    keep("conn_1", cipher_of(load_settings()))
    monkeypatch.setenv("ORCHESTRATOR_VAULT_KEY", f"new:{NEW}")
    (found,) = of_the_vault()

    assert found.ok is False
    assert "made under another key" in found.what


def test_the_doctor_says_that_a_vault_is_newer(empty_database: URL) -> None:
    """What a newer program has written is not for this one."""
    with closing(VaultStore(empty_database)) as store, store._database.writing() as transaction:
        transaction.execute(text("update alembic_version set version_num = '0999'"))
    (found,) = of_the_vault()

    assert found.ok is False
    assert "newer program" in found.what


def test_the_doctor_says_that_an_older_vault_will_be_brought_up_to_date(
    empty_database: URL,
) -> None:
    """That is worth knowing, and nothing to mend."""
    with closing(VaultStore(empty_database)) as store, store._database.writing() as transaction:
        transaction.execute(text("update alembic_version set version_num = '0001'"))
    (found,) = of_the_vault()

    assert found.ok is None
    assert "brought up to date at the start" in found.what


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://me:pa55w0rd@127.0.0.1:1/vault", "cannot be reached"),
        ("mysql://me:pa55w0rd@127.0.0.1/vault", "'mysql', which is not supported"),
    ],
)
def test_the_doctor_says_what_is_wrong_with_the_url(
    address: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, without the password."""
    monkeypatch.setenv("ORCHESTRATOR_VAULT_URL", address)
    (found,) = of_the_vault()

    assert found.ok is False
    assert says in found.what
    assert "pa55w0rd" not in found.what


def test_the_configuration_tells_the_place_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """`config show` names host and database."""
    monkeypatch.setenv("ORCHESTRATOR_VAULT_URL", "postgresql://me:pa55w0rd@db.example/vault")
    run = CliRunner().invoke(app, ["config", "show"])

    assert 0 == run.exit_code, run.output
    assert "PostgreSQL at db.example:5432/vault" == json.loads(run.output)["vault"]
    assert not re.search("pa55w0rd|me:", run.output)
