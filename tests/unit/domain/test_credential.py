"""A credential shows itself to its adapter and to nobody else."""

import copy
import logging
import pickle  # noqa: TID251  what Ray does to every message

import pytest

from orchestrator.domain import Credential

SECRET = "access-sandbox-7f3a"
CREDENTIAL = Credential({"access_token": SECRET, "item_id": "item-1"})


def test_its_parts_are_there_by_name() -> None:
    """For the adapter's call and for sealing."""
    assert SECRET == CREDENTIAL["access_token"]
    assert CREDENTIAL.get("item_id") == "item-1"
    assert CREDENTIAL.get("user_guid") is None
    assert CREDENTIAL.reveal() == {"access_token": SECRET, "item_id": "item-1"}
    with pytest.raises(KeyError, match="user_guid"):
        CREDENTIAL["user_guid"]


def test_it_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Not printed, formatted, logged, nor in the text of an error that holds it."""
    logging.getLogger("test").warning("using %s", CREDENTIAL)
    shown = [repr(CREDENTIAL), str(CREDENTIAL), f"{CREDENTIAL}", repr([CREDENTIAL]), caplog.text]
    shown.append(str(ValueError(CREDENTIAL)))

    assert [text for text in shown if SECRET in text or "item-1" in text] == []
    assert repr(CREDENTIAL) == "Credential(access_token, item_id: **********)"
    assert not hasattr(CREDENTIAL, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_never_pickled(protocol: int) -> None:
    """Neither by itself nor within something else."""
    for value in (CREDENTIAL, {"nested": [CREDENTIAL]}):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(value, protocol)


def test_it_is_never_copied() -> None:
    """A copy would go the way of the pickle."""
    for copier in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            copier(CREDENTIAL)


def test_equal_parts_make_equal_credentials() -> None:
    """It can be compared with what the vault gave before."""
    same = Credential({"item_id": "item-1", "access_token": SECRET})

    assert (same, hash(same)) == (CREDENTIAL, hash(CREDENTIAL))
    assert Credential({"access_token": SECRET}) != CREDENTIAL
    assert CREDENTIAL != {"access_token": SECRET, "item_id": "item-1"}
