"""A model as files: arrays in `scores.npz`, everything else in `card.json`, nothing pickled.

    <folder>/scores.npz   names of providers, operations, regions, institutions; rows of indices
                          into them (-1: no institution); for each row a score, a latency and a
                          completion ratio (NaN: not known)
    <folder>/card.json    format, schemaVersion, version, trainedAt, scoresSha256, contentSha256, card
    <folder>/card.md      the card for people, with calibration.svg; never read again

Two checksums: of the file, so that damage is found before anything is parsed, and of the content,
from which the version takes its last eight digits. They guard against accidents, not against an
attacker with write access to the folder.
"""

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .card_page import calibration_picture, card_markdown
from .errors import ModelUnusable
from .model import SCHEMA_VERSION, ScoreKey, SelectionModel, content_digest

__all__ = ["read_artefact", "read_card", "write_artefact"]

_FORMAT: Final = "provider-selection-model"
_SCORES: Final = "scores.npz"
_CARD: Final = "card.json"
_PAGE: Final = "card.md"
_PICTURE: Final = "calibration.svg"
_AXES: Final = ("providers", "operations", "regions", "institutions")
_COLUMNS: Final = ("scores", "latencies", "completions")


def write_artefact(model: SelectionModel, folder: Path) -> None:
    """Write a model into an existing, empty folder, and to the disk.

    Raises:
        OSError: the folder cannot be written.

    """
    scores = _packed(model)
    card = {
        "format": _FORMAT,
        "schemaVersion": model.schema_version,
        "version": model.version,
        "trainedAt": model.trained_at,
        "scoresSha256": hashlib.sha256(scores).hexdigest(),
        "contentSha256": _digest(model),
        "card": dict(model.card),
    }
    _write(folder / _SCORES, scores)
    _write(folder / _CARD, json.dumps(card, indent=2, allow_nan=False).encode())
    _write(folder / _PAGE, card_markdown(model.version, model.card).encode())
    picture = calibration_picture(model.card)
    if picture is not None:
        _write(folder / _PICTURE, picture.encode())


def read_card(folder: Path) -> Mapping[str, object]:
    """What `card.json` says, once it is known to be of a model that this code understands.

    Raises:
        ModelUnusable: missing, unreadable, foreign or of another schema.

    """
    where = f"model {folder.name}"
    try:
        card: object = json.loads((folder / _CARD).read_bytes())
    except OSError as error:
        raise ModelUnusable(f"{where}: {_CARD} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ModelUnusable(f"{where}: {_CARD} is damaged: it is not JSON") from None
    if not isinstance(card, dict) or card.get("format") != _FORMAT:
        raise ModelUnusable(f"{where} is not a selection model")
    if card.get("schemaVersion") != SCHEMA_VERSION:
        raise ModelUnusable(
            f"{where} has schema {card.get('schemaVersion')!r}, this version reads "
            f"{SCHEMA_VERSION}: train a new one"
        )
    if card.get("version") != folder.name:
        raise ModelUnusable(f"{where} holds another version, {card.get('version')!r}")
    return card


def read_artefact(folder: Path) -> SelectionModel:
    """The model in a folder, checked whole.

    Raises:
        ModelUnusable: damaged, foreign or of another schema; the message says which.

    """
    where = f"model {folder.name}"
    card = read_card(folder)
    try:
        scores = (folder / _SCORES).read_bytes()
    except OSError as error:
        raise ModelUnusable(f"{where}: {_SCORES} cannot be read: {error.strerror}") from None
    if hashlib.sha256(scores).hexdigest() != card.get("scoresSha256"):
        raise ModelUnusable(f"{where}: {_SCORES} is damaged: its checksum differs")
    trained_at, inner = card.get("trainedAt"), card.get("card")
    if not isinstance(trained_at, int | float) or not isinstance(inner, dict):
        raise ModelUnusable(f"{where}: {_CARD} is damaged: trainedAt or card is missing")
    try:
        model = _unpacked(scores, trained_at, inner)
    except (ValueError, TypeError, KeyError, IndexError, EOFError, OSError, zipfile.BadZipFile):
        raise ModelUnusable(f"{where}: {_SCORES} does not hold a table of scores") from None
    if _digest(model) != card.get("contentSha256") or model.version != folder.name:
        raise ModelUnusable(f"{where} is damaged: its content is not what its version says")
    return model


def _digest(model: SelectionModel) -> str:
    return content_digest(
        trained_at=model.trained_at,
        table=model.table,
        card=model.card,
        latency_s=model.latency_s,
        completion=model.completion,
    )


def _packed(model: SelectionModel) -> bytes:
    import numpy as np  # noqa: PLC0415  a policy without a model does not need it

    table = model.table
    axes: list[list[str]] = [
        sorted({key[axis] or "" for key in table if key[axis] is not None})
        for axis in range(len(_AXES))
    ]
    places = [{name: place for place, name in enumerate(names)} for names in axes]
    rows = [
        [-1 if name is None else places[axis][name] for axis, name in enumerate(key)]
        for key in table
    ]
    columns = {
        name: np.array([values.get(key, math.nan) for key in table], dtype=np.float64)
        for name, values in zip(_COLUMNS, (table, model.latency_s, model.completion), strict=True)
    }
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        providers=np.array(axes[0], dtype=np.str_),
        operations=np.array(axes[1], dtype=np.str_),
        regions=np.array(axes[2], dtype=np.str_),
        institutions=np.array(axes[3], dtype=np.str_),
        rows=np.array(rows, dtype=np.int32),
        **columns,
    )
    return buffer.getvalue()


def _unpacked(scores: bytes, trained_at: float, card: Mapping[str, object]) -> SelectionModel:
    import numpy as np  # noqa: PLC0415  a policy without a model does not need it

    with np.load(io.BytesIO(scores), allow_pickle=False) as arrays:
        names = [[str(name) for name in arrays[axis]] for axis in _AXES]
        rows: list[list[int]] = arrays["rows"].tolist()
        columns: list[list[float]] = [arrays[name].tolist() for name in _COLUMNS]
    providers, operations, regions, institutions = names
    keys: list[ScoreKey] = [
        (
            providers[provider],
            operations[operation],
            regions[region],
            None if institution < 0 else institutions[institution],
        )
        for provider, operation, region, institution in rows
    ]
    table, latency_s, completion = (dict(zip(keys, values, strict=True)) for values in columns)
    return SelectionModel.of(
        trained_at=trained_at,
        table=table,
        card=card,
        latency_s={key: value for key, value in latency_s.items() if not math.isnan(value)},
        completion={key: value for key, value in completion.items() if not math.isnan(value)},
    )


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
