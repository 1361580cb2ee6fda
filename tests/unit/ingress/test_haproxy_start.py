"""What becomes of the configuration that Ray Serve writes for HAProxy."""

import json
import subprocess
from pathlib import Path

import pytest

from orchestrator.ingress import haproxy_binary, write_haproxy
from orchestrator.ingress.haproxy_start import rewritten
from orchestrator.web.problem_documents import TOO_MANY_REQUESTS, own_answers, problem_body

SERVED = """\
global
    log 127.0.0.1:514 local0 info
    stats socket {folder}/admin.sock mode 666 level admin expose-fd listeners
    maxconn 100
defaults
    mode http
    option httplog
    option splice-request
    timeout connect 5s
    timeout client 3600s
    timeout server 660s
    log global
    errorfile 503 {folder}/500.http
    balance leastconn
frontend prometheus
    bind :9101
    mode http
frontend http_frontend
    bind 127.0.0.1:8000
    # comments stay out
    acl is_http-app path_beg /
    use_backend http-app if is_http-app
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain lf-string "Path not found."
backend http-app
    log global
    option httpchk GET /-/healthz
    server replica 127.0.0.1:30000 check
    server standin 127.0.0.1:8500 check backup
listen stats
  bind *:8404
  stats enable
"""
BIND = "127.0.0.1:8123"
OVERLOADED = problem_body(TOO_MANY_REQUESTS, "REQUEST_ID")


def plan(folder: Path) -> dict[str, object]:
    """The plan that `write_haproxy` writes into this folder."""
    write_haproxy(
        folder,
        "/usr/sbin/haproxy",
        bind=BIND,
        most_requests=7,
        overloaded=OVERLOADED,
        errors=own_answers("REQUEST_ID"),
    )
    written: dict[str, object] = json.loads((folder / "plan.json").read_text())
    return written


def section(config: str, name: str) -> list[str]:
    """The lines of one section of a configuration."""
    lines = iter(config.splitlines())
    assert name in lines, name
    found = []
    for line in lines:
        if not line.startswith(" "):
            break
        found.append(line.strip())
    return found


def test_it_listens_at_one_place_alone(tmp_path: Path) -> None:
    """Of all places to listen at, the planned one is left; HAProxy's own pages are gone."""
    config = rewritten(SERVED.format(folder=tmp_path), plan(tmp_path))

    binds = [line.split()[1] for line in config.splitlines() if line.split()[0] == "bind"]
    assert [BIND] == binds
    assert "prometheus" not in config
    assert "listen stats" not in config


def test_nothing_is_logged_and_the_control_socket_is_private(tmp_path: Path) -> None:
    """No line of HAProxy's goes to a log, and no other user may command it."""
    config = rewritten(SERVED.format(folder=tmp_path), plan(tmp_path))

    words = {line.split()[0] for line in config.splitlines()}
    assert "log" not in words
    assert "errorfile" not in words
    assert "option httplog" not in config
    assert any("mode 600" in line for line in section(config, "global"))


def test_the_replica_is_asked_after_what_haproxy_answers_itself(tmp_path: Path) -> None:
    """Health is told while a replica is up, and the bound holds, before any backend is chosen."""
    config = rewritten(SERVED.format(folder=tmp_path), plan(tmp_path))

    rules = section(config, "frontend http_frontend")
    health = next(i for i, rule in enumerate(rules) if "srv_is_up(http-app/replica)" in rule)
    bound = next(i for i, rule in enumerate(rules) if "be_conn(http-app) ge 7" in rule)
    chosen = rules.index("use_backend http-app if is_http-app")
    assert health < bound < chosen
    assert "status 429" in rules[bound]
    assert not any("srv_is_up(http-app/standin)" in rule for rule in rules)


def test_no_connection_is_kept_idle_where_few_are_left(tmp_path: Path) -> None:
    """From three quarters of the bound on, whoever was answered makes room for the next."""
    config = rewritten(SERVED.format(folder=tmp_path), plan(tmp_path))

    rules = section(config, "frontend http_frontend")
    assert "http-after-response set-header Connection close if { fe_conn ge 75 }" in rules


@pytest.mark.parametrize(
    "broken",
    [
        SERVED.replace("frontend http_frontend", "frontend other"),
        SERVED + "frontend more\n    bind 0.0.0.0:1\n",
        "    maxconn 7\n" + SERVED,
        SERVED.replace("    maxconn 100\n", ""),
    ],
)
def test_an_unknown_configuration_is_refused(tmp_path: Path, broken: str) -> None:
    """A configuration of another kind is not half rewritten, and never listens elsewhere."""
    with pytest.raises(ValueError, match="HAProxy"):
        rewritten(broken.format(folder=tmp_path), plan(tmp_path))


def test_an_answer_with_an_apostrophe_is_refused(tmp_path: Path) -> None:
    """A document that would end HAProxy's quotes is never written into its configuration."""
    broken = {**plan(tmp_path), "overloaded": "it's full"}

    with pytest.raises(ValueError, match="apostrophe"):
        rewritten(SERVED.format(folder=tmp_path), broken)


def test_haproxy_takes_the_configuration(tmp_path: Path) -> None:
    """HAProxy itself finds the rewritten configuration valid, and the program leads to it."""
    binary = haproxy_binary()
    if binary is None:
        pytest.skip("no HAProxy on this machine")
    program = write_haproxy(
        tmp_path,
        binary,
        bind=BIND,
        most_requests=7,
        overloaded=OVERLOADED,
        errors=own_answers("REQUEST_ID"),
    )
    config = tmp_path / "haproxy.cfg"
    config.write_text(SERVED.format(folder=tmp_path))

    run = subprocess.run(
        [program, "-c", "-f", str(config)], capture_output=True, text=True, timeout=60, check=False
    )

    assert 0 == run.returncode, run.stderr
    assert f"bind {BIND}" in config.read_text()
    assert 0 == Path(program).stat().st_mode & 0o077
