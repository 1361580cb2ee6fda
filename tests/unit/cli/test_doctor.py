"""What `doctor` and `config check` say of the institution catalogue."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.cli.doctor import Finding, findings

HEAD = "institution_id,name,region,plaid,mx\n"


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of one's own, which the configuration names."""
    config = tmp_path / "own.toml"
    config.write_text('[catalogue]\nfile = "banks.csv"\n', encoding="utf-8")
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
    return tmp_path / "banks.csv"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder of the test's own, and MX configured."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MX_CLIENT_ID", "fake")
    monkeypatch.setenv("MX_API_KEY", "fake")


def told() -> list[Finding]:
    """What the doctor finds, with every address answering."""
    return list(findings(lambda _url: True))


def test_the_shipped_sample_is_well_and_said_to_be_one() -> None:
    """With credentials set and no file named, it says that the institutions are a sample."""
    about = [finding for finding in told() if "institutions" in finding.what]

    assert [True, None] == [finding.ok for finding in about]
    assert "the shipped sample: MX 28, US 54" in about[0].what
    assert "catalogue.file" in about[1].what


def test_a_file_of_ones_own_is_counted_by_region(own_file: Path) -> None:
    """It says how many institutions there are where, and which have nobody to link them."""
    own_file.write_text(f"{HEAD}a,A,US,,1\nb,B,US,,2\nc,C,BR,,3\n", encoding="utf-8")
    about = [finding for finding in told() if "institutions" in finding.what]

    assert [
        Finding(True, f"3 institutions from {own_file}: BR 1, US 2"),
        Finding(None, "no provider serves the 1 institutions of BR: add regions.BR"),
    ] == about


def test_a_provider_without_institutions_is_noted(own_file: Path) -> None:
    """A configured provider that covers nothing of the catalogue is worth knowing."""
    own_file.write_text(f"{HEAD}a,A,US,1,\n", encoding="utf-8")

    assert Finding(None, "mx: no institution of the catalogue has an id there") in told()


def test_a_wrong_line_is_to_be_mended(own_file: Path) -> None:
    """The doctor names the line, and goes on to look at the rest."""
    own_file.write_text(f"{HEAD}a,A,us,1,\n", encoding="utf-8")
    found = told()
    (wrong,) = [finding for finding in found if finding.ok is False]

    assert f"{own_file}, line 2: region is 'us'" in wrong.what
    assert found.index(wrong) < len(found) - 1


def test_config_check_refuses_a_wrong_line(own_file: Path) -> None:
    """The check fails with the file and the line, and passes once it is mended."""
    own_file.write_text(f"{HEAD}a,A,US,1,\na,A,US,2,\n", encoding="utf-8")
    wrong = CliRunner().invoke(app, ["config", "check"])
    own_file.write_text(f"{HEAD}a,A,US,1,\n", encoding="utf-8")
    right = CliRunner().invoke(app, ["config", "check"])

    assert wrong.exit_code == 1
    assert f"{own_file}, line 3: institution_id 'a' is on line 2 already" in str(wrong.exception)
    assert right.exit_code == 0, right.output
