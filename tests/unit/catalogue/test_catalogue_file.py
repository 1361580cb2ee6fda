"""Files of a catalogue of one's own: what is taken, and where a wrong one is wrong."""

import os
from pathlib import Path

import pytest

from orchestrator.catalogue import Catalogue
from orchestrator.catalogue.csv_file import MAX_FILE_BYTES, MAX_INSTITUTIONS
from orchestrator.domain import ConfigurationError

HEAD = "institution_id,name,region,plaid,mx\n"


def written(tmp_path: Path, content: str | bytes) -> Path:
    """A catalogue file with this content."""
    path = tmp_path / "institutions.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path) -> str:
    """What reading the file is refused with, less its name, which it begins with."""
    with pytest.raises(ConfigurationError) as refused:
        Catalogue.load(path)
    told = str(refused.value)
    start = f"the institution catalogue {path}"

    assert told.startswith(start)
    assert "\n" not in told
    return told.removeprefix(start)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}ins_a,Bajío,US,1,one\nins_b,B,MX,,two\n",
        f"\ufeff{HEAD}ins_a,Bajío,US,1,one\nins_b,B,MX,,two\n",
        f"{HEAD}ins_a,Bajío,US,1,one\nins_b,B,MX,,two".replace("\n", "\r\n"),
        f"{HEAD}ins_a , Bajío ,US, 1 ,one\n\n\nins_b,B,MX, ,two\n\n",
        "mx,name,region,institution_id,plaid\none,Bajío,US,ins_a,1\ntwo,B,MX,ins_b,\n",
    ],
    ids=["plain", "Excel's mark", "Windows' lines", "spaces and empty lines", "another order"],
)
def test_a_file_is_taken_however_it_was_saved(tmp_path: Path, text: str) -> None:
    """Byte order mark, line ends, spaces around cells and order of columns make no difference."""
    catalogue = Catalogue.load(written(tmp_path, text))

    assert [
        ("ins_a", "Bajío", "US", {"plaid": "1", "mx": "one"}),
        ("ins_b", "B", "MX", {"mx": "two"}),
    ] == [(one.institution_id, one.name, one.region, one.provider_ids) for one in catalogue]


def test_a_name_may_hold_commas_and_quotes(tmp_path: Path) -> None:
    """Quoting is CSV's own."""
    path = written(tmp_path, HEAD + 'ins_a,"A, ""the"" bank",US,1,\n')

    assert ['A, "the" bank'] == [one.name for one in Catalogue.load(path)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("institution_id,name,plaid\nins_a,A,1\n", ", line 1: there is no column 'region'"),
        ("", ", line 1: there is no column 'institution_id'"),
        (HEAD, ": holds no institution"),
        (
            "institution_id,name,region,stripe\nins_a,A,US,1\n",
            ", line 1: the column 'stripe' is no provider's; there are plaid, mx, finicity, ",
        ),
        ("institution_id,name,region,\nins_a,A,US,1\n", ", line 1: the column '' is no provider's"),
        (
            "institution_id,name,region,mx,mx\nins_a,A,US,1,2\n",
            ", line 1: the column 'mx' is there twice",
        ),
        (
            "institution_id;name;region;mx\nins_a;A;US;1\n",
            ", line 1: the columns are separated by something else than commas",
        ),
        (HEAD + "ins_a,A,US,1,\n,B,US,2,\n", ", line 3: institution_id is empty"),
        (HEAD + "ins_a, ,US,1,\n", ", line 2: name is empty"),
        (HEAD + "ins_a,A,,1,\n", ", line 2: region is empty"),
        (HEAD + "ins_a,A,US,,\n", ", line 2: no provider has an id for it"),
        (HEAD + "ins_a,A,usa,1,\n", ", line 2: region is 'usa': two capital letters are wanted"),
        (HEAD + "ins_a,A,us,1,\n", ", line 2: region is 'us': two capital letters are wanted"),
        (HEAD + "ins_a,A,ÉÜ,1,\n", ", line 2: region is 'ÉÜ': two capital letters are wanted"),
        (HEAD + "ins a,A,US,1,\n", ", line 2: institution_id 'ins a' is no id"),
        (
            HEAD + "ins_a,A,US,1,\n\nins_a,B,US,2,\n",
            ", line 4: institution_id 'ins_a' is on line 2",
        ),
        (HEAD + "ins_a,A,US,1,\nins_b,B,MX,1,\n", ", line 3: plaid '1' is on line 2 already"),
        (HEAD + "ins_a,A,US,1\n", ", line 2: 4 cells where the header has 5 columns"),
        (HEAD + "ins_a,A, Inc.,US,1,\n", ", line 2: 6 cells where the header has 5 columns"),
        (HEAD + "ins_a,A\u200b,US,1,\n", ", line 2: name holds a character that cannot be seen"),
        (HEAD + "ins_a,A\x00,US,1,\n", ", line 2: name holds a character that cannot be seen"),
        (HEAD + f"ins_a,{'A' * 201},US,1,\n", ", line 2: name is longer than 200 characters"),
        (HEAD + 'ins_a,"A\nB",US,1,\n', ", line 3: name holds a character that cannot be seen"),
        (HEAD + 'ins_a,A,US,1,\nins_b,"B"x,US,2,\n', ", line 3: "),
        (HEAD + 'ins_a,"A,US,1,\n', ", line 2: "),
        (HEAD + f"ins_a,{'A' * 200_000},US,1,\n", ", line 2: "),
    ],
)
def test_a_wrong_line_is_told_with_its_number(tmp_path: Path, content: str, told: str) -> None:
    """One sentence that names the file, the line and what is wrong there."""
    assert refusal(written(tmp_path, content)).startswith(told)


def test_the_same_id_at_two_providers_is_no_duplicate(tmp_path: Path) -> None:
    """Providers number their institutions independently of each other."""
    path = written(tmp_path, HEAD + "ins_a,A,US,7,\nins_b,B,US,,7\n")

    assert len(Catalogue.load(path)) == 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (HEAD.encode() + b"ins_a,M\xe9xico,MX,,1\n", 2),
        (HEAD.encode() + b"ins_a,A,US,1,\nins_b,B,US,2,\nins_c,\xc3,US,3,\n", 4),
        ((HEAD + "ins_a,A,US,1,\n").encode("utf-16"), 1),
    ],
    ids=["Latin-1", "a broken letter", "UTF-16"],
)
def test_another_encoding_is_told_with_its_line(tmp_path: Path, content: bytes, line: int) -> None:
    """What is not UTF-8 is refused where it stops being so, with what to do."""
    told = refusal(written(tmp_path, content))

    assert told == f", line {line}: is not UTF-8: save it as 'CSV UTF-8'"


def test_a_file_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A file beyond the bound is refused by its size, before it is parsed."""
    path = written(tmp_path, HEAD)
    with path.open("r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)

    assert refusal(path) == ": is larger than 16 MiB"


def test_too_many_institutions_are_refused(tmp_path: Path) -> None:
    """A catalogue is a list of banks, and there are not that many."""
    rows = (f"i{n},A,US,{n},\n" for n in range(MAX_INSTITUTIONS + 1))

    assert refusal(written(tmp_path, HEAD + "".join(rows))) == (
        f": more than {MAX_INSTITUTIONS} institutions"
    )


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder and a pipe are each told as what they are, without waiting."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    assert refusal(tmp_path / "nowhere.csv") == ": cannot be read (No such file or directory)"
    assert refusal(tmp_path) == ": is not a regular file"
    assert refusal(pipe) == ": is not a regular file"
