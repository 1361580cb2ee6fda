"""What is configured, where it comes from, and what is said of what is wrong."""

import re
from pathlib import Path

import pytest

from models.policy import POLICIES
from orchestrator.domain import ConfigurationError, Provider
from orchestrator.provider_registry import REGISTRY
from orchestrator.settings import Settings, load_settings

PLAID = ("PLAID_CLIENT_ID", "PLAID_SECRET")
SECRET = "s3cret-value"


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that ORCHESTRATOR_CONFIG names."""
    path = tmp_path / "own.toml"
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(path))
    return path


def load_settings_with(configured: Path, toml: str) -> Settings:
    """The settings with this file."""
    configured.write_text(toml)
    return load_settings()


def refusal() -> str:
    """What loading the settings is refused with."""
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    return str(refused.value)


def test_nothing_needs_to_be_set() -> None:
    """The shipped defaults are whole, and are those of the contract."""
    settings = load_settings()
    environment, policies = settings.environment, settings.policies

    assert {"US": ("plaid", "mx", "finicity"), "MX": ("belvo", "mx", "bitso")} == policies.regions
    assert ("adaptive", 0.02) == (policies.selection.policy, policies.selection.exploration_ratio)
    breaker = policies.breaker
    assert (5, 2, 60_000, True) == (
        breaker.failure_threshold,
        breaker.success_threshold,
        breaker.timeout_ms,
        breaker.panic,
    )
    assert list(REGISTRY) == list(policies.providers)
    assert set(Provider) <= set(policies.providers)
    assert all(section.limits.enabled for section in policies.providers.values())
    assert ("127.0.0.1", 8000, 8200) == (
        environment.host,
        environment.port,
        environment.sandbox_port,
    )
    assert Path("data").resolve() == settings.data_dir
    assert ((), ()) == (settings.api_key_texts(), settings.admin_key_texts())


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each variable of the contract ends where it belongs; an empty one counts as not set."""
    for name, value in {
        "DATA_DIR": str(tmp_path / "kept"),
        "HOST": "0.0.0.0",
        "PORT": "9001",
        "SANDBOX_PORT": "9002",
        "PUBLIC_URL": "https://example.com",
        "SEED": "7",
        "API_KEYS": " one, two:space_1|space_2 ,",
        "ADMIN_KEYS": "root",
        "CONFIG": "",
    }.items():
        monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    settings = load_settings()
    environment = settings.environment

    assert tmp_path / "kept" == settings.data_dir
    assert ("0.0.0.0", 9001, 9002) == (environment.host, environment.port, environment.sandbox_port)
    assert ("https://example.com", 7) == (environment.public_url, environment.seed)
    assert ("one", "two:space_1|space_2") == settings.api_key_texts()
    assert settings.admin_key_texts() == ("root",)


def test_a_home_folder_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tilde stands for the user's home, as in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", "~/bank")

    assert tmp_path / "bank" == load_settings().data_dir


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("SANDBOX_PORT", "-1"),
        ("SEED", "1.5"),
        ("API_KEYS", " , "),
        ("ADMIN_KEYS", ","),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, which begins with the variable; keys that hold no key open no door."""
    monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)

    assert re.fullmatch(rf"ORCHESTRATOR_{name}: [^\n]+", refusal())


def test_a_file_overrides_only_what_it_says(configured: Path) -> None:
    """Other keys of its sections, and other sections, stay as shipped."""
    configured.write_text(
        """
        [regions]
        US = ["mx"]
        BR = ["belvo"]
        [breaker]
        failure_threshold = 3
        [selection]
        exploration_ratio = 0
        [providers.plaid.limits]
        enabled = false
        [providers.plaid.options]
        some_point = "chosen"
        """
    )
    policies = load_settings().policies

    assert {
        "US": ("mx",),
        "MX": ("belvo", "mx", "bitso"),
        "BR": ("belvo",),
    } == policies.regions
    assert (3, 60_000) == (policies.breaker.failure_threshold, policies.breaker.timeout_ms)
    assert policies.selection.exploration_ratio == 0.0
    plaid = policies.providers["plaid"]
    assert (False, 1.0) == (plaid.limits.enabled, plaid.limits.scale)
    assert {"some_point": "chosen"} == plaid.options
    assert policies.providers["mx"].limits.enabled


def test_a_catalogue_of_ones_own_lies_beside_the_file_that_names_it(
    configured: Path, tmp_path: Path
) -> None:
    """A relative path is meant from the TOML's folder, an absolute one as it is; empty is none."""
    assert load_settings_with(configured, "").catalogue_file is None
    assert load_settings_with(configured, '[catalogue]\nfile = ""').catalogue_file is None
    for named in ("banks/own.csv", str(tmp_path / "banks" / "own.csv")):
        settings = load_settings_with(configured, f"[catalogue]\nfile = {named!r}")

        assert tmp_path / "banks" / "own.csv" == settings.catalogue_file


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ("[breaker]\ntimeout = 1", "breaker.timeout"),
        ("[breakers]\npanic = true", "breakers"),
        ("[providers.stripe.limits]\nenabled = true", "providers.stripe"),
        ("[providers.plaid]\nlimit = 1", "providers.plaid.limit"),
        ("[providers.plaid.limits]\nenable = true", "providers.plaid.limits.enable"),
        ("[providers.plaid.options]\npoint = 1", "providers.plaid.options.point"),
        ("[providers]\nplaid = 3", "providers.plaid"),
        ('[regions]\nus = ["plaid"]', "regions.us"),
        ('[regions]\nUS = ["stripe"]', "regions.US"),
        ('[regions]\nUS = ["mx", "mx"]', "regions.US"),
        ('[regions]\nUS = "mx"', "regions.US"),
        ("regions = 1", "regions"),
        ('[selection]\npolicy = "magic"', "selection.policy"),
        ("[selection]\nexploration_ratio = 0.5", "selection.exploration_ratio"),
        ("[selection]\nexploration_ratio = nan", "selection.exploration_ratio"),
        ("[breaker]\nfailure_threshold = 0", "breaker.failure_threshold"),
        ('[breaker]\nfailure_threshold = "5"', "breaker.failure_threshold"),
        ("[breaker]\nfailure_threshold = 5.5", "breaker.failure_threshold"),
        ("[breaker]\ntimeout_ms = true", "breaker.timeout_ms"),
        ("[breaker]\ntimeout_ms = 2025-01-01", "breaker.timeout_ms"),
        ('[breaker]\npanic = "off"', "breaker.panic"),
        ("[requests]\nretry_base_ms = 3000", "retry_base_ms"),
        ("[requests]\nmax_in_flight_backfill = 257", "max_in_flight_backfill is over"),
        (
            "[requests]\nmax_in_flight = 9\nmax_in_flight_per_institution = 10",
            "max_in_flight_per_institution is over",
        ),
        ('[requests]\nhedge_after = "p49"', "requests.hedge_after"),
        ('[requests]\nhedge_after = "p100"', "requests.hedge_after"),
        ("[attempt_log]\nquery_timeout_s = inf", "attempt_log.query_timeout_s"),
        ("[catalogue]\nfile = 1", "catalogue.file"),
        ("[catalogue]\npath = 'x'", "catalogue.path"),
    ],
)
def test_a_wrong_key_of_the_file_is_named(toml: str, key: str, configured: Path) -> None:
    """One sentence with the file and the key: unknown, out of range, or of another type."""
    configured.write_text(toml)
    told = refusal()

    assert told.startswith(f"{configured}: ")
    assert "\n" not in told
    assert re.search(rf"(: |\b){re.escape(key)}\b", told)


def test_how_slow_is_slow_is_a_share(configured: Path) -> None:
    """`p95` unless said, in the words of those who watch latencies."""
    shipped = load_settings_with(configured, "").policies.requests
    own = load_settings_with(configured, '[requests]\nhedge = true\nhedge_after = "p50"')

    assert (False, 0.95) == (shipped.hedge, shipped.hedge_quantile)
    assert (True, 0.5) == (own.policies.requests.hedge, own.policies.requests.hedge_quantile)


def test_shares_of_the_places_may_be_set_up_to_all(configured: Path) -> None:
    """Where they are not, they follow from how many places there are."""
    shipped = load_settings_with(configured, "").policies.requests
    own = load_settings_with(
        configured,
        "[requests]\nmax_in_flight = 8\nmax_in_flight_per_institution = 8\n"
        "max_in_flight_backfill = 1",
    ).policies.requests

    assert (None, None) == (shipped.max_in_flight_per_institution, shipped.max_in_flight_backfill)
    assert (8, 1) == (own.max_in_flight_per_institution, own.max_in_flight_backfill)


@pytest.mark.parametrize("content", [b"x = = 1", b"\xff\xfe", b"[a]\n[a]"])
def test_a_file_that_is_no_toml_is_named(content: bytes, configured: Path) -> None:
    """Bad syntax, another encoding, a table told twice."""
    configured.write_bytes(content)

    assert refusal().startswith(f"{configured} is not valid TOML")


def test_a_file_that_cannot_be_read_is_named(configured: Path) -> None:
    """One that is missing, and a folder in its place."""
    assert f"ORCHESTRATOR_CONFIG names {configured}, which cannot be read" in refusal()
    configured.mkdir()
    assert f"ORCHESTRATOR_CONFIG names {configured}, which cannot be read" in refusal()


def test_the_policies_that_can_be_set_are_those_there_are() -> None:
    """A new policy can be chosen as soon as it is registered."""
    field = type(load_settings().policies.selection).model_fields["policy"]

    assert set(POLICIES) == set(getattr(field.annotation, "__args__", ()))


def test_a_provider_without_credentials_says_which_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is in its sandbox unless told otherwise; blank values count as missing."""
    monkeypatch.setenv("PLAID_CLIENT_ID", "id")
    monkeypatch.setenv("PLAID_SECRET", "  ")
    keys = load_settings().provider_keys("PLAID", PLAID)

    assert ("sandbox", None) == (keys.environment, keys.base_url)
    assert (False, ("PLAID_SECRET",)) == (keys.complete, keys.missing)
    assert {"PLAID_CLIENT_ID": "id"} == keys.reveal()


def test_a_providers_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stage, address and credentials, without the newline that a file of secrets ends in."""
    monkeypatch.setenv("PLAID_ENV", "production")
    monkeypatch.setenv("PLAID_BASE_URL", "http://127.0.0.1:8200/plaid")
    monkeypatch.setenv("PLAID_CLIENT_ID", "id")
    monkeypatch.setenv("PLAID_SECRET", f"{SECRET}\n")
    keys = load_settings().provider_keys("PLAID", PLAID)

    assert ("production", "http://127.0.0.1:8200/plaid") == (keys.environment, keys.base_url)
    assert keys.complete
    assert {"PLAID_CLIENT_ID": "id", "PLAID_SECRET": SECRET} == keys.reveal()


@pytest.mark.parametrize("stage", ["prod", "PRODUCTION", "development"])
def test_a_stage_that_no_provider_has_is_refused(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error never ends in the other environment."""
    monkeypatch.setenv("BELVO_ENV", stage)
    with pytest.raises(ConfigurationError, match=r"^BELVO_ENV .*'sandbox' or 'production'$"):
        load_settings().provider_keys("BELVO", ())


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by printing the settings, nor any part of them."""
    for name in ("VAULT_KEY", "VAULT_URL", "API_KEYS", "ADMIN_KEYS"):
        monkeypatch.setenv(f"ORCHESTRATOR_{name}", SECRET)
    monkeypatch.setenv("PLAID_SECRET", SECRET)
    settings = load_settings()
    parts: list[object] = [
        settings,
        vars(settings),
        settings.environment,
        settings.environment.model_dump(),
        settings.provider_keys("PLAID", PLAID),
    ]

    assert SECRET not in "".join(f"{part!r} {part}" for part in parts)
    assert settings.environment.vault_key is not None
    assert SECRET == settings.environment.vault_key.get_secret_value()


def test_settings_do_not_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was loaded stays, whatever is exported later."""
    settings: Settings = load_settings()
    monkeypatch.setenv("PLAID_SECRET", SECRET)
    monkeypatch.setenv("ORCHESTRATOR_PORT", "9")

    assert not settings.provider_keys("PLAID", PLAID).complete
    assert settings.environment.port == 8000
