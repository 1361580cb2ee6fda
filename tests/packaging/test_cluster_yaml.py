"""`cluster.yaml` is a valid cluster, and the Serve configuration in it is the code's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster.yaml"


@pytest.fixture(scope="module")
def judged() -> Any:
    """What Ray's own validators say, in a process of their own: they load much and warn."""
    program = f"""
import json, warnings
warnings.simplefilter("ignore")
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.serve.schema import ServeDeploySchema
cluster = yaml.safe_load(open({str(CLUSTER)!r}))
validate_config(prepare_config(dict(cluster)))
grown = dict(cluster, provider=dict(cluster["provider"], worker_ips=["10.0.0.2", "10.0.0.3"]))
grown = prepare_config(grown)
validate_config(grown)
serve = cluster["metadata"]["serve"]
parsed = ServeDeploySchema.parse_obj(serve)

def unknown(given, model, place):
    fields = getattr(type(model), "model_fields", None) or type(model).__fields__
    found = [f"{{place}}.{{key}}" for key in given if key not in fields]
    for key, value in given.items():
        inner = getattr(model, key, None)
        if isinstance(value, dict) and hasattr(type(inner), "model_fields"):
            found += unknown(value, inner, f"{{place}}.{{key}}")
        if isinstance(value, list):
            for number, item in enumerate(value):
                if isinstance(item, dict) and hasattr(type(inner[number]), "model_fields"):
                    found += unknown(item, inner[number], f"{{place}}.{{key}}[{{number}}]")
    return found

from orchestrator.web.deployment import APPLICATION, app
deployment = app._bound_deployment
print(json.dumps({{
    "workers": grown["max_workers"],
    "head": grown["head_start_ray_commands"],
    "unknown": unknown(serve, parsed, "serve"),
    "application": APPLICATION,
    "deployment": deployment.name,
    "replicas": deployment.num_replicas,
    "ongoing": deployment.max_ongoing_requests,
    "cpus": deployment.ray_actor_options["num_cpus"],
}}))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_ray_accepts_the_cluster_and_every_key_of_its_serve_part(judged: Any) -> None:
    """Ray's validators pass, and no key is one that Ray would pass over in silence."""
    assert [] == judged["unknown"]


def test_workers_that_are_named_join(judged: Any) -> None:
    """Two addresses in the file are two workers, and the head is told to start them."""
    assert 2 == judged["workers"]
    assert any("--autoscaling-config=" in command for command in judged["head"])


def test_the_serve_part_deploys_what_the_code_deploys(judged: Any) -> None:
    """Names and options of the file are those of the deployment in the code."""
    (application,) = yaml.safe_load(CLUSTER.read_text())["metadata"]["serve"]["applications"]
    (deployment,) = application["deployments"]

    assert application["name"] == judged["application"]
    assert deployment == {
        "name": judged["deployment"],
        "num_replicas": judged["replicas"],
        "max_ongoing_requests": judged["ongoing"],
        "ray_actor_options": {"num_cpus": judged["cpus"]},
    }


def test_config_serve_prints_the_serve_part() -> None:
    """`orchestrator config serve` prints what `serve deploy` takes."""
    run = subprocess.run(
        [sys.executable, "-m", "orchestrator", "config", "serve"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert yaml.safe_load(run.stdout) == yaml.safe_load(CLUSTER.read_text())["metadata"]["serve"]
