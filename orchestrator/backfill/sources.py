"""From whatever an analyst has to one Parquet file of texts, in bounded memory.

A pandas frame, a CSV or Parquet file, a DuckDB relation or the text of a SELECT become `row` (from 1) and one text column for each column that a job knows. Nothing is judged here:
a cell that holds no text where text belongs is marked, and the checks that follow say so.
"""

import csv
import datetime as dt
import gzip
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, cast

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .database import connect, quoted
from .plan import BackfillRefused

__all__ = ["COLUMNS", "ID_COLUMNS", "MARK", "Source", "spill"]

Source = pd.DataFrame | duckdb.DuckDBPyRelation | Path | str
"""What a job's items can be read from; a `str` is a path, or a SELECT."""

ID_COLUMNS: Final = ("spaceId", "accountId", "institutionId", "connectionId")
_DATE_COLUMNS: Final = ("startDate", "endDate")
COLUMNS: Final = (*ID_COLUMNS, *_DATE_COLUMNS, "deadlineMs", "preferredProvider")
MARK: Final = "\x01"
"""Begins a cell that held something else than text; what follows is what it held."""

_SLICE_ROWS: Final = 20_000
_TEXT_TYPES: Final = ("VARCHAR", "UUID")
_SEPARATORS: Final = (",", ";", "\t", "|")
_QUERY_WORDS: Final = ("select", "with", "from")
_SCHEMA: Final = pa.schema([("row", pa.int64()), *((name, pa.string()) for name in COLUMNS)])


def spill(source: Source, target: Path) -> tuple[str, ...]:
    """Write a source's rows to `target`; answers the known columns that it has.

    Raises:
        BackfillRefused: the source cannot be read, or a column of ids is not text.

    """
    if isinstance(source, pd.DataFrame):
        return _spill_slices(_frame_slices(source), tuple(map(str, source.columns)), target)
    if isinstance(source, duckdb.DuckDBPyRelation):
        return _spill_relation(source, target)
    with closing(connect(target.parent)) as database:
        try:
            return _spill_relation(_relation(database, source), target)
        except duckdb.Error as error:
            # DuckDB's first line says what is wrong; the rest draws it.
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BackfillRefused(f"the input cannot be read: {told}") from None


def _relation(database: duckdb.DuckDBPyConnection, source: Path | str) -> duckdb.DuckDBPyRelation:
    text = str(source).strip()
    if isinstance(source, str) and text.split(None, 1)[:1] and _is_query(text):
        return database.sql(text)
    path = Path(text).expanduser()
    if not path.is_file():
        raise BackfillRefused(f"the input {path} is no file")
    kinds = [suffix.lower() for suffix in path.suffixes]
    if kinds[-1:] == [".parquet"]:
        return database.read_parquet(str(path))
    if ".csv" in kinds or ".tsv" in kinds:
        return database.sql(_csv_query(path))
    raise BackfillRefused(f"the input {path} is neither .csv, .tsv nor .parquet")


def _csv_query(path: Path) -> str:
    """A SELECT of a CSV file as its header says, gzip or not: nothing is guessed of its rows."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            header = file.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise BackfillRefused(f"the input {path} cannot be read: {error}") from None
    if not header.strip():
        raise BackfillRefused(f"the input {path} is empty")
    between = max(_SEPARATORS, key=header.count)
    names = next(csv.reader([header], delimiter=between))
    if len(set(names)) != len(names):
        raise BackfillRefused(f"the input {path} names a column twice")
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    return (
        f"select * from read_csv({quoted(path)}, auto_detect = false, header = true, "  # noqa: S608  quoted
        f"delim = {quoted(between)}, quote = '\"', escape = '\"', columns = {{{columns}}})"
    )


def _is_query(text: str) -> bool:
    return text.split(None, 1)[0].lower() in _QUERY_WORDS and len(text.split(None, 1)) > 1


def _known_columns(names: tuple[str, ...]) -> Mapping[str, str]:
    """Known column → the source's name of it; `space_id` is taken where there is no `spaceId`."""
    found = {}
    for known in COLUMNS:
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in known)
        for name in (known, snake):
            if name in names:
                found[known] = name
                break
    return found


def _spill_relation(relation: duckdb.DuckDBPyRelation, target: Path) -> tuple[str, ...]:
    found = _known_columns(tuple(relation.columns))
    kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
    chosen = []
    for known in COLUMNS:
        name = found.get(known)
        if name is None:
            chosen.append(f'null::varchar as "{known}"')
            continue
        column, kind = '"' + name.replace('"', '""') + '"', kinds[name]
        chosen.append(f'{_as_text(known, column, kind)} as "{known}"')
    relation.query(
        "given",
        f"copy (select row_number() over () as row, {', '.join(chosen)} from given) "  # noqa: S608  our own names
        f"to {quoted(target)} (format parquet, row_group_size 20480)",
    )
    return tuple(found)


def _as_text(known: str, column: str, kind: str) -> str:
    if known in _DATE_COLUMNS and kind.startswith("TIMESTAMP"):
        midnight = f"date_trunc('day', {column}) = {column}"
        return (
            f"case when {midnight} then cast({column}::date as varchar) else {column}::varchar end"
        )
    if known not in (*_DATE_COLUMNS, "deadlineMs") and not kind.startswith((*_TEXT_TYPES, "ENUM")):
        if kind == '"NULL"':
            return "null::varchar"
        raise BackfillRefused(f"column {known!r} holds {kind}, not text: cast it")
    return f"nullif(cast({column} as varchar), '')"


def _frame_slices(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for begin in range(0, len(frame), _SLICE_ROWS):
        yield frame.iloc[begin : begin + _SLICE_ROWS]


def _spill_slices(
    slices: Iterator[pd.DataFrame], names: tuple[str, ...], target: Path
) -> tuple[str, ...]:
    found = _known_columns(names)
    rows = 0
    with pq.ParquetWriter(target, _SCHEMA) as writer:
        for piece in slices:
            columns: list[list[str | None] | range] = [range(rows + 1, rows + len(piece) + 1)]
            rows += len(piece)
            for known in COLUMNS:
                name = found.get(known)
                columns.append(
                    [None] * len(piece)
                    if name is None
                    else [_cell(known, value) for value in _column(piece, name)]
                )
            arrays = [
                pa.array(values, field.type) for values, field in zip(columns, _SCHEMA, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA))
    return tuple(found)


def _column(piece: pd.DataFrame, name: str) -> list[object]:
    if list(piece.columns).count(name) != 1:
        raise BackfillRefused(f"the frame has column {name!r} twice")
    return cast("list[object]", piece[name].tolist())


def _cell(known: str, value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124  NaN
        return None
    if known in _DATE_COLUMNS and isinstance(value, dt.date):
        if isinstance(value, dt.datetime) and value.time() != dt.time():
            return f"{MARK}{type(value).__name__}"
        return value.strftime("%Y-%m-%d")
    if known == "deadlineMs" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return f"{MARK}{type(value).__name__}"
