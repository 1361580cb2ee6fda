"""A catalogue's CSV file: bounded, strict, and every refusal says which line to mend."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator.domain import ConfigurationError
from orchestrator.domain.params import IDENTIFIER
from orchestrator.provider_registry import REGISTRY

from .institution import Institution

__all__ = ["MAX_FILE_BYTES", "MAX_INSTITUTIONS", "read_institutions"]

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
MAX_INSTITUTIONS: Final = 100_000
_LONGEST_CELL: Final = 200
_OWN_COLUMNS: Final = ("institution_id", "name", "region")
_IDENTIFIER: Final = re.compile(IDENTIFIER, re.ASCII)
_REGION: Final = re.compile(r"[A-Z]{2}")


def read_institutions(path: Path) -> tuple[Institution, ...]:
    """The institutions of a file, in its order.

    The header names `institution_id`, `name`, `region`, and registered providers; each row has a
    provider's own id in that provider's column, and nothing where the provider does not cover it.
    UTF-8, with or without the mark that Excel puts in front.

    Raises:
        ConfigurationError: it cannot be read, is too large, or a line is wrong; says which.

    """
    return tuple(_CatalogueFile(path).institutions())


@dataclass(frozen=True, slots=True)
class _CatalogueFile:
    """One file being read, and the lines on which its ids were first seen."""

    path: Path
    _seen: dict[tuple[str, str], int] = field(default_factory=dict)

    def institutions(self) -> Iterator[Institution]:
        # Lines end as the file's author's system ends them; csv tells them apart from quoted ones.
        reader = csv.reader(io.StringIO(self._text(), newline=""), strict=True)
        try:
            columns = self._columns([name.strip() for name in next(reader, [])])
            count = 0
            for row in reader:
                if not row:
                    continue
                count += 1
                if count > MAX_INSTITUTIONS:
                    raise self._wrong(f"more than {MAX_INSTITUTIONS} institutions")
                yield self._institution(columns, row, reader.line_num)
        except csv.Error as error:
            raise self._wrong(str(error), reader.line_num) from None
        if not count:
            raise self._wrong("holds no institution")

    def _text(self) -> str:
        try:
            if self.path.exists() and not self.path.is_file():
                raise self._wrong("is not a regular file")
            with self.path.open("rb") as file:
                raw = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise self._wrong(f"cannot be read ({error.strerror})") from None
        except ValueError:
            raise self._wrong("is not a path") from None
        if len(raw) > MAX_FILE_BYTES:
            raise self._wrong(f"is larger than {MAX_FILE_BYTES // 1024**2} MiB")
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise self._wrong("is not UTF-8: save it as 'CSV UTF-8'", line) from None

    def _columns(self, names: list[str]) -> list[str]:
        if names and any(mark in names[0] for mark in (";", "\t")):
            raise self._wrong("the columns are separated by something else than commas", 1)
        for wanted in _OWN_COLUMNS:
            if wanted not in names:
                raise self._wrong(f"there is no column {wanted!r}", 1)
        for place, name in enumerate(names):
            if name in names[:place]:
                raise self._wrong(f"the column {name!r} is there twice", 1)
            if name not in _OWN_COLUMNS and name not in REGISTRY:
                raise self._wrong(
                    f"the column {_shown(name)} is no provider's; there are {', '.join(REGISTRY)}",
                    1,
                )
        return names

    def _institution(self, columns: list[str], row: list[str], line: int) -> Institution:
        if len(row) != len(columns):
            raise self._wrong(f"{len(row)} cells where the header has {len(columns)} columns", line)
        cells = {name: cell.strip() for name, cell in zip(columns, row, strict=True)}
        for name, cell in cells.items():
            if len(cell) > _LONGEST_CELL:
                raise self._wrong(f"{name} is longer than {_LONGEST_CELL} characters", line)
            if not cell.isprintable():
                raise self._wrong(f"{name} holds a character that cannot be seen", line)
        for name in _OWN_COLUMNS:
            if not cells[name]:
                raise self._wrong(f"{name} is empty", line)
        if not _IDENTIFIER.fullmatch(cells["institution_id"]):
            raise self._wrong(f"institution_id {_shown(cells['institution_id'])} is no id", line)
        if not _REGION.fullmatch(cells["region"]):
            raise self._wrong(
                f"region is {_shown(cells['region'])}: two capital letters are wanted, as in 'US'",
                line,
            )
        ids = {name: cells[name] for name in columns if name not in _OWN_COLUMNS and cells[name]}
        if not ids:
            raise self._wrong("no provider has an id for it", line)
        self._note_ids(cells["institution_id"], ids, line)
        return Institution(cells["institution_id"], cells["name"], cells["region"], ids)

    def _note_ids(self, institution_id: str, ids: Mapping[str, str], line: int) -> None:
        for owner, its_id in [("institution_id", institution_id), *ids.items()]:
            first = self._seen.setdefault((owner, its_id), line)
            if first != line:
                raise self._wrong(f"{owner} {_shown(its_id)} is on line {first} already", line)

    def _wrong(self, what: str, line: int | None = None) -> ConfigurationError:
        place = "" if line is None else f", line {line}"
        return ConfigurationError(f"the institution catalogue {self.path}{place}: {what}")


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else f"{cell[:40]}…")
