"""Models on disk: saved whole, activated at once, refused when damaged."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from models import (
    ActiveModelWatch,
    ModelNotFound,
    ModelRegistry,
    ModelUnusable,
    SelectionModel,
    SelectionPolicy,
    Unchanged,
    artefact,
)

TABLE = {
    ("plaid", "getAccounts", "US", None): 0.9,
    ("plaid", "getAccounts", "US", "ins_ñandú"): 0.123456789012345,
    ("belvo", "createLink", "MX", None): 1 / 3,
}


def model(trained_at: float = 1_795_475_700.5) -> SelectionModel:
    """A small model, another one for another time."""
    return SelectionModel.of(
        trained_at=trained_at, table=TABLE, card={"rows": {"used": 3}, "span": None}
    )


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """An empty registry whose folder does not exist yet."""
    return ModelRegistry(tmp_path / "models")


def test_model_comes_back_exactly(registry: ModelRegistry) -> None:
    """What is loaded equals what was saved, to the last digit."""
    saved = model()

    version = registry.save(saved)

    assert version == saved.version
    assert saved == registry.load(version)


def test_saving_again_changes_nothing(registry: ModelRegistry) -> None:
    """The same model saved twice is there once and nothing is left lying about."""
    assert registry.save(model()) == registry.save(model())

    assert [entry.name for entry in registry.folder.iterdir()] == [model().version]


def test_failed_save_leaves_nothing(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full while saving leaves no half of a model behind."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.artefact._write", full)
    with pytest.raises(OSError, match="No space"):
        registry.save(model())

    assert list(registry.folder.iterdir()) == []


def test_two_processes_may_save_the_same_model(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes second finds the model there and leaves no draft behind."""
    other = ModelRegistry(registry.folder)
    write = artefact.write_artefact

    def overtaken(saved: SelectionModel, folder: Path) -> None:
        write(saved, folder)
        monkeypatch.setattr("models.registry.write_artefact", write)
        other.save(saved)

    monkeypatch.setattr("models.registry.write_artefact", overtaken)

    version = registry.save(model())

    assert [entry.name for entry in registry.folder.iterdir()] == [version]
    assert registry.load(version) == model()


def test_artefact_holds_no_pickle(registry: ModelRegistry) -> None:
    """Every array loads with pickling refused and the card is JSON."""
    folder = registry.folder / registry.save(model())

    with np.load(folder / "scores.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)
    assert json.loads((folder / "card.json").read_text())["schemaVersion"] == 2


def _edit(folder: Path, **changes: object) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | changes))


def _other_arrays(folder: Path) -> None:
    np.savez(folder / "scores.npz", weights=np.zeros(3))
    digest = hashlib.sha256((folder / "scores.npz").read_bytes()).hexdigest()
    _edit(folder, scoresSha256=digest)


def _pickled_arrays(folder: Path) -> None:
    np.savez(folder / "scores.npz", providers=np.array([{"a": 1}], dtype=object))
    digest = hashlib.sha256((folder / "scores.npz").read_bytes()).hexdigest()
    _edit(folder, scoresSha256=digest)


def _cut(folder: Path) -> None:
    content = (folder / "scores.npz").read_bytes()
    (folder / "scores.npz").write_bytes(content[: len(content) // 2])


DAMAGES = {
    "scores cut short": (_cut, "checksum differs"),
    "scores missing": (lambda f: (f / "scores.npz").unlink(), "cannot be read"),
    "card missing": (lambda f: (f / "card.json").unlink(), "cannot be read"),
    "card garbled": (lambda f: (f / "card.json").write_bytes(b"\xff{"), "not JSON"),
    "card of something else": (lambda f: _edit(f, format="resnet"), "not a selection model"),
    "another schema": (lambda f: _edit(f, schemaVersion=99), "train a new one"),
    "another version": (lambda f: _edit(f, version="x"), "holds another version"),
    "time changed": (lambda f: _edit(f, trainedAt=5.0), "not what its version says"),
    "time missing": (lambda f: _edit(f, trainedAt=None), "missing"),
    "card changed": (lambda f: _edit(f, card={"rows": 9}), "not what its version says"),
    "other arrays": (_other_arrays, "does not hold a table"),
    "pickled arrays": (_pickled_arrays, "does not hold a table"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_artefact_is_refused(registry: ModelRegistry, damage: str) -> None:
    """Whatever is wrong with a stored model, loading and activating say so and change nothing."""
    break_it, says = DAMAGES[damage]
    good = registry.save(model(1_795_000_000.0))
    registry.activate(good, at=1.0)
    version = registry.save(model())
    break_it(registry.folder / version)

    with pytest.raises(ModelUnusable, match=says):
        registry.load(version)
    with pytest.raises(ModelUnusable, match=says):
        registry.activate(version)
    assert registry.active() == good


@pytest.mark.parametrize("version", ["20261123T231500Z-00000000", "../models", "", "active.json"])
def test_unknown_version_is_not_found(registry: ModelRegistry, version: str) -> None:
    """A version that is not stored, or is no version at all, is told apart from a damaged one."""
    registry.save(model())

    with pytest.raises(ModelNotFound, match="no model"):
        registry.load(version)


def test_activation_is_remembered(registry: ModelRegistry) -> None:
    """The pointer names the active version and keeps what was active before."""
    assert registry.active() is None
    first, second = registry.save(model(1.0)), registry.save(model(2.0))

    registry.activate(first, at=10.0)
    registry.activate(second, at=20.0)
    registry.deactivate(at=30.0)

    assert registry.active() is None
    assert [(entry["version"], entry["at"]) for entry in registry.history()] == [
        (first, 10.0),
        (second, 20.0),
        (None, 30.0),
    ]


def test_list_shows_good_and_damaged(registry: ModelRegistry) -> None:
    """The list is oldest first, marks the active one, and says what is wrong with a damaged one."""
    assert registry.versions() == []
    first, second = registry.save(model(1.0)), registry.save(model(2.0))
    registry.activate(second)
    (registry.folder / first / "card.json").write_text("[]")

    cards = registry.versions()

    assert [card.version for card in cards] == [first, second]
    assert [card.active for card in cards] == [False, True]
    assert "not a selection model" in str(cards[0].problem)
    assert (cards[1].trained_at, cards[1].card["rows"]) == (2.0, {"used": 3})


def test_damaged_pointer_is_told_and_mended(registry: ModelRegistry) -> None:
    """A garbled pointer is an error until a version is activated again."""
    version = registry.save(model())
    for garbage in ("{", "[]"):
        registry.pointer.write_text(garbage)
        with pytest.raises(ModelUnusable, match="activate a version"):
            registry.active()
        assert [card.active for card in registry.versions()] == [False]

    registry.activate(version)

    assert registry.active() == version


def test_watch_takes_up_what_becomes_active(registry: ModelRegistry) -> None:
    """A running policy takes up a new model, and goes cold again, without a restart."""
    watch, policy = ActiveModelWatch(registry), SelectionPolicy.default()
    assert watch.poll() == Unchanged()

    registry.activate(registry.save(model()))
    found = watch.poll()
    assert isinstance(found, SelectionModel)
    policy.swap(found)

    assert policy.model_version == model().version
    assert watch.poll() == Unchanged()
    registry.activate(model().version)
    assert watch.poll() == Unchanged()
    registry.deactivate()
    assert watch.poll() is None
    assert watch.poll() == Unchanged()


def test_watch_keeps_the_old_model_and_reports_once(registry: ModelRegistry) -> None:
    """A damaged active model is reported once, changes nothing, and is taken up once it is whole."""
    watch = ActiveModelWatch(registry)
    registry.activate(registry.save(model(1.0)))
    watch.poll()
    version = registry.save(model(2.0))
    registry.activate(version)
    scores = registry.folder / version / "scores.npz"
    whole = scores.read_bytes()
    scores.write_bytes(b"")

    told = [watch.poll() for _ in range(3)]

    assert [isinstance(each, Unchanged) and each.problem is not None for each in told] == [
        True,
        False,
        False,
    ]
    scores.write_bytes(whole)
    found = watch.poll()
    assert isinstance(found, SelectionModel)
    assert found.version == version


def test_watch_survives_a_lost_pointer(registry: ModelRegistry) -> None:
    """A pointer file that disappears means that nothing is active."""
    watch = ActiveModelWatch(registry)
    registry.activate(registry.save(model()))
    watch.poll()

    registry.pointer.unlink()

    assert watch.poll() is None


def test_roll_back_passes_over_what_cannot_be_used(registry: ModelRegistry) -> None:
    """The last model before the active one that is whole becomes active, and the history says why."""
    versions = [registry.save(model(float(at))) for at in (1, 2, 3)]
    for version in versions:
        registry.activate(version, by="test")
    (registry.folder / versions[1] / "scores.npz").write_bytes(b"damaged")

    back = registry.roll_back(by="test")

    assert (back, registry.active()) == (versions[0], versions[0])
    assert registry.history()[-1]["why"] == f"rolled back from {versions[2]}"


def test_roll_back_from_the_first_model_leaves_none(registry: ModelRegistry) -> None:
    """Before the first model there was the cold start."""
    registry.activate(registry.save(model()))

    assert registry.roll_back() is None
    assert registry.active() is None


@pytest.mark.parametrize(
    "tables",
    [
        {"latency_s": {("plaid", "getAccounts", "US", None): float("nan")}},
        {"latency_s": {("mx", "getAccounts", "US", None): 0.1}},
        {"completion": {("plaid", "getAccounts", "US", None): 1.5}},
    ],
    ids=["no number", "no score beside it", "no ratio"],
)
def test_tables_beside_the_scores_are_checked(tables: dict[str, object]) -> None:
    """A latency that is no number, one of a stranger and a ratio above one are refused."""
    with pytest.raises(ValueError, match=r"latency|score"):
        SelectionModel.of(trained_at=1.0, table=TABLE, card={}, **tables)  # type: ignore[arg-type]
