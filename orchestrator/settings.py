"""Effective settings: shipped defaults, then the TOML of ORCHESTRATOR_CONFIG, then the environment.

Secrets come from the environment only and are `SecretStr`. Every process reads them for itself, so
that none travels in an actor's arguments.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.domain import ConfigurationError
from orchestrator.provider_registry import REGISTRY

__all__ = [
    "Environment",
    "LearningSection",
    "Policies",
    "ProviderKeys",
    "ProviderSection",
    "Settings",
    "load_settings",
]

_DEFAULTS: Final = Path(__file__).parent / "defaults.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known(name: str) -> str:
    if name not in REGISTRY:
        raise ValueError(f"unknown provider {name!r}; known are {', '.join(REGISTRY)}")
    return name


ProviderName = Annotated[str, AfterValidator(_known)]


class SelectionSection(_Section):
    """Which policy orders the candidates, and what it is after."""

    policy: Literal["adaptive", "priority", "round_robin", "success_rate", "thompson", "ucb"]
    exploration_ratio: Annotated[float, Field(ge=0, le=0.2)]
    keyed_by: Literal["institution", "operation"]
    latency_weight: Annotated[float, Field(ge=0, le=1)]
    cost_weight: Annotated[float, Field(ge=0, le=1)]
    quota_weight: Annotated[float, Field(ge=0, le=1)]
    costs: dict[ProviderName, Annotated[float, Field(ge=0, le=1_000_000)]] = {}


class LearningSection(_Section):
    """When challengers are trained inside the cluster, and on how much."""

    retrain_every_s: Annotated[float, Field(ge=0, le=31_536_000)]
    look_every_s: Annotated[float, Field(ge=1, le=86_400)]
    window_days: Annotated[float, Field(gt=0, le=3650)]


class BreakerSection(_Section):
    """Circuit breakers, the same for every provider."""

    failure_threshold: Annotated[int, Field(ge=1, le=1000)]
    success_threshold: Annotated[int, Field(ge=1, le=100)]
    timeout_ms: Annotated[int, Field(ge=1, le=86_400_000)]
    panic: bool


class RequestsSection(_Section):
    """Time and concurrency bounds of attempts."""

    attempt_timeout_ms: Annotated[int, Field(ge=100, le=600_000)]
    call_timeout_ms: Annotated[int, Field(ge=100, le=600_000)]
    max_in_flight: Annotated[int, Field(ge=1, le=10_000)]
    max_in_flight_per_institution: Annotated[int, Field(ge=1, le=10_000)] | None = None
    max_in_flight_backfill: Annotated[int, Field(ge=1, le=10_000)] | None = None
    max_waiting: Annotated[int, Field(ge=1, le=1500)]  # an actor takes 4096 calls at once
    hedge: bool
    hedge_after: Annotated[str, StringConstraints(pattern=r"^p(5[0-9]|[6-9][0-9])$")]
    retry_base_ms: Annotated[int, Field(ge=1, le=60_000)]
    retry_cap_ms: Annotated[int, Field(ge=1, le=60_000)]

    @model_validator(mode="after")
    def _base_under_cap(self) -> Self:
        if self.retry_base_ms > self.retry_cap_ms:
            raise ValueError("retry_base_ms is over retry_cap_ms")
        return self

    @model_validator(mode="after")
    def _shares_within_the_whole(self) -> Self:
        for name in ("max_in_flight_per_institution", "max_in_flight_backfill"):
            share = getattr(self, name)
            if share is not None and share > self.max_in_flight:
                raise ValueError(f"{name} is over max_in_flight")
        return self

    @property
    def hedge_quantile(self) -> float:
        """`hedge_after` as a ratio."""
        return int(self.hedge_after.removeprefix("p")) / 100


class IngressSection(_Section):
    """Bounds of what callers may send at once."""

    max_requests: Annotated[int, Field(ge=1, le=8000)]


class AttemptLogSection(_Section):
    """Bounds of the attempt log's database and of its readers."""

    memory_limit_mb: Annotated[int, Field(ge=64)]
    query_timeout_s: Annotated[float, Field(gt=0, le=600)]
    query_max_rows: Annotated[int, Field(ge=1)]
    retention_days: Annotated[int, Field(ge=31, le=36_500)]


class CatalogueSection(_Section):
    """Where the institutions come from."""

    file: str


class LimitsSection(_Section):
    """A provider's local rate limits."""

    enabled: bool = True
    scale: Annotated[float, Field(gt=0, le=1000)] = 1.0


class ProviderSection(_Section):
    """What can be set for one provider."""

    limits: LimitsSection = LimitsSection()
    options: dict[str, str] = {}


def _once_each(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("a provider is named twice")
    return names


RegionCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class Policies(_Section):
    """The TOML part of the settings. `providers` has a section for each registered one."""

    regions: dict[RegionCode, Annotated[tuple[ProviderName, ...], AfterValidator(_once_each)]]
    selection: SelectionSection
    learning: LearningSection
    breaker: BreakerSection
    requests: RequestsSection
    ingress: IngressSection
    attempt_log: AttemptLogSection
    catalogue: CatalogueSection
    providers: dict[ProviderName, ProviderSection] = Field(default={}, validate_default=True)

    @field_validator("providers", mode="after")
    @classmethod
    def _all_registered(cls, given: dict[str, ProviderSection]) -> dict[str, ProviderSection]:
        return {name: given.get(name, ProviderSection()) for name in REGISTRY}


class Environment(BaseSettings):
    """What the environment says, by the names of the contract."""

    model_config = SettingsConfigDict(
        env_prefix="ORCHESTRATOR_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    data_dir: Path = Path("data")
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8000
    sandbox_port: Annotated[int, Field(ge=1, le=65_535)] = 8200
    config: Path | None = None
    vault_key: SecretStr | None = None
    vault_url: SecretStr | None = None
    public_url: str | None = None
    api_keys: SecretStr | None = None
    admin_keys: SecretStr | None = None
    seed: int = 0


class ProviderKeys(BaseModel):
    """One provider's part of the environment."""

    model_config = ConfigDict(frozen=True)

    environment: Literal["sandbox", "production"]
    base_url: str | None
    keys: dict[str, SecretStr]
    missing: tuple[str, ...]
    webhook_auth: SecretStr | None

    @property
    def complete(self) -> bool:
        """Whether all our credentials for it are set."""
        return not self.missing

    def reveal(self) -> dict[str, str]:
        """Our credentials in clear, by environment variable name, for the adapter alone."""
        return {name: secret.get_secret_value() for name, secret in self.keys.items()}


class Settings:
    """Everything that is configured; immutable after `load_settings`."""

    def __init__(
        self, environment: Environment, policies: Policies, environ: Mapping[str, str]
    ) -> None:
        self.environment = environment
        self.policies = policies
        # Secrets read from files end in a newline, which no HTTP header may hold.
        self._environ = {k: SecretStr(v.strip()) for k, v in environ.items() if v.strip()}

    @cached_property
    def data_dir(self) -> Path:
        """Absolute folder of everything that is kept."""
        return self.environment.data_dir.expanduser().resolve()

    @property
    def catalogue_file(self) -> Path | None:
        """The institution catalogue's own file, None for the shipped one.

        A relative one is meant from the folder of the TOML file that names it.
        """
        named = self.policies.catalogue.file
        config = self.environment.config
        if not named or config is None:
            return None
        return config.absolute().parent / named

    def provider_keys(self, prefix: str, credentials: tuple[str, ...]) -> ProviderKeys:
        """A provider's credentials and address from the environment.

        Raises:
            ConfigurationError: `<PREFIX>_ENV` is neither `sandbox` nor `production`.

        """
        stage = self._text(f"{prefix}_ENV") or "sandbox"
        if stage not in ("sandbox", "production"):
            raise ConfigurationError(
                f"{prefix}_ENV is {stage!r}: set it to 'sandbox' or 'production'"
            )
        return ProviderKeys(
            environment="production" if stage == "production" else "sandbox",
            base_url=self._text(f"{prefix}_BASE_URL"),
            keys={name: self._environ[name] for name in credentials if name in self._environ},
            missing=tuple(name for name in credentials if name not in self._environ),
            webhook_auth=self._environ.get(f"{prefix}_WEBHOOK_AUTH"),
        )

    def api_key_texts(self) -> tuple[str, ...]:
        """`ORCHESTRATOR_API_KEYS`, split."""
        return _split(self.environment.api_keys)

    def admin_key_texts(self) -> tuple[str, ...]:
        """`ORCHESTRATOR_ADMIN_KEYS`, split."""
        return _split(self.environment.admin_keys)

    def _text(self, name: str) -> str | None:
        secret = self._environ.get(name)
        return None if secret is None else secret.get_secret_value()


def _split(secret: SecretStr | None) -> tuple[str, ...]:
    if secret is None:
        return ()
    return tuple(part.strip() for part in secret.get_secret_value().split(",") if part.strip())


def _merged(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged


def _one_sentence(error: ValidationError, where: str) -> ConfigurationError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]).removesuffix(".[key]")
    what = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"]
    return ConfigurationError(f"{where}: {place}: {what.removeprefix('Value error, ')}")


def load_settings() -> Settings:
    """Read and check all settings, from this process's environment.

    Raises:
        ConfigurationError: something is missing, unknown or out of range; says which and where.

    """
    try:
        environment = Environment()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = f"ORCHESTRATOR_{str(first['loc'][0]).upper()}"
        raise ConfigurationError(f"{name}: {first['msg']}") from None
    for name, keys in (("API_KEYS", environment.api_keys), ("ADMIN_KEYS", environment.admin_keys)):
        if keys is not None and not _split(keys):
            raise ConfigurationError(
                f"ORCHESTRATOR_{name}: is set but holds no key, which would let anybody in"
            )
    return Settings(environment, _load_policies(environment.config), os.environ)


def _load_policies(config: Path | None) -> Policies:
    layers = tomllib.loads(_DEFAULTS.read_text(encoding="utf-8"))
    where = "the shipped defaults"
    if config is not None:
        where = str(config)
        try:
            layers = _merged(layers, tomllib.loads(config.read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigurationError(
                f"ORCHESTRATOR_CONFIG names {config}, which cannot be read: {error.strerror}"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{config} is not valid TOML: {error}") from None
    try:
        # As JSON, because TOML is typed like it: `true` is no number and "5" is none either.
        return Policies.model_validate_json(json.dumps(layers, default=str), strict=True)
    except ValidationError as error:
        raise _one_sentence(error, where) from None
