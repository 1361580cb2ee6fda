"""The Ray Serve configuration that `cluster.yaml` carries in its metadata."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from orchestrator.domain import ConfigurationError

__all__ = ["METADATA_KEY", "serve_config", "serve_config_text"]

METADATA_KEY: Final = "serve"


def serve_config(path: Path) -> Mapping[str, object]:
    """The configuration, as `serve deploy` takes it.

    Raises:
        ConfigurationError: the file cannot be read, or carries none.

    """
    try:
        cluster = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read as YAML: {error}") from None
    metadata = cluster.get("metadata") if isinstance(cluster, dict) else None
    config = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
    if not isinstance(config, dict):
        raise ConfigurationError(f"{path} has no mapping at metadata.{METADATA_KEY}")
    return config


def serve_config_text(path: Path) -> str:
    """The configuration as YAML.

    Raises:
        ConfigurationError: as above.

    """
    return yaml.safe_dump(dict(serve_config(path)), sort_keys=False, allow_unicode=True)
