"""The gym's command line: `python -m orchestrator.gym --help`."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from models import Policy, SelectionModel, SelectionPolicy
from models.adaptive import AdaptivePolicy

from .contest import ENTRANTS, Contest, Entrant, Line
from .drills import drill
from .history import ModelShelf
from .report import by_scenario, drills_table, overall, plot
from .scenarios import HELD_BACK, SCENARIOS
from .tuning import TUNED_ON, grid
from .world import DAY_RATE_PER_S

__all__ = ["main"]

_DEVELOPMENT_SEEDS: Final = (1, 2, 3)
_HELD_BACK_SEEDS: Final = (901, 902, 903)
_COLUMNS: Final = ("priority", "success_rate by institution", "thompson by institution")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 when done, 2 on wrong usage."""
    arguments = _parser().parse_args(argv)
    return int(arguments.command(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m orchestrator.gym",
        description="Selection policies against simulated days, with the real breakers and limits.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, says, command in (
        ("contest", "policies x scenarios x seeds, as tables", _contest),
        ("tune", "the rivals over a grid of options", _tune),
    ):
        each = commands.add_parser(name, help=says, description=says)
        each.add_argument("--scenario", action="append", choices=sorted(SCENARIOS))
        each.add_argument("--seed", action="append", type=int)
        each.add_argument("--hours", type=float, default=24.0, help="length of a run (24)")
        each.add_argument("--rate", type=float, default=DAY_RATE_PER_S, help="requests a second")
        each.add_argument("--models", type=Path, help="folder that keeps trained tables")
        each.add_argument("--lines", type=Path, help="file for the figures of each run, JSON lines")
        each.set_defaults(command=command)
        if name == "contest":
            each.add_argument("--entrant", action="append", choices=list(ENTRANTS))
            each.add_argument("--last-look", action="store_true", help="the held-back seeds, too")
    drills = commands.add_parser("drills", help="single events at close quarters")
    drills.add_argument("--seed", action="append", type=int)
    drills.add_argument("--rate", type=float, default=50.0, help="requests a second (50)")
    drills.add_argument("--outage", type=float, default=50.0, help="seconds of outage (50)")
    drills.add_argument("--models", type=Path, help="folder that keeps trained tables")
    drills.set_defaults(command=_drills)
    tables = commands.add_parser("tables", help="tables and plot from the lines of earlier runs")
    tables.add_argument("lines", type=Path, nargs="+")
    tables.add_argument("--plot", type=Path, help="file for a plot, .svg or .png")
    tables.set_defaults(command=_tables)
    return parser


def _contest(arguments: argparse.Namespace) -> int:
    entrants = {
        name: entrant
        for name, entrant in ENTRANTS.items()
        if not arguments.entrant or name in arguments.entrant
    }
    last_look = arguments.last_look
    names = arguments.scenario or [n for n in SCENARIOS if last_look or n not in HELD_BACK]
    seeds = arguments.seed or (_HELD_BACK_SEEDS if last_look else _DEVELOPMENT_SEEDS)
    lines = _run(arguments, entrants, names, seeds)
    _say(overall(lines), "", by_scenario(lines, list(entrants)))
    return 0


def _tune(arguments: argparse.Namespace) -> int:
    lines = _run(
        arguments,
        grid(),
        arguments.scenario or TUNED_ON,
        arguments.seed or _DEVELOPMENT_SEEDS,
    )
    _say(overall(lines))
    return 0


def _run(
    arguments: argparse.Namespace,
    entrants: Mapping[str, Entrant],
    scenarios: Iterable[str],
    seeds: Sequence[int],
) -> list[Line]:
    contest = Contest(
        entrants, ModelShelf(arguments.models).of, hours=arguments.hours, rate_per_s=arguments.rate
    )
    lines = []
    for line in contest.lines([SCENARIOS[name] for name in scenarios], list(seeds)):
        lines.append(line)
        sys.stderr.write(
            f"{line.scenario} {line.seed} {line.entrant}: {100 * line.first_ratio:.2f} %\n"
        )
        if arguments.lines is not None:
            with arguments.lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(line)) + "\n")
    return lines


def _drills(arguments: argparse.Namespace) -> int:
    shelf = ModelShelf(arguments.models)

    def adaptive(seed: int) -> Policy:
        model: SelectionModel | None = shelf.of(seed, None)
        return AdaptivePolicy(model, seed)

    def priority(seed: int) -> Policy:
        return SelectionPolicy(policy="priority", seed=seed)

    reports = {}
    makers: tuple[tuple[str, Callable[[int], Policy], bool], ...] = (
        ("adaptive", adaptive, True),
        ("adaptive, no breakers", adaptive, False),
        ("priority", priority, True),
    )
    for name, make, breakers in makers:
        reports[name] = [
            drill(
                make,
                seed,
                rate_per_s=arguments.rate,
                outage_s=arguments.outage,
                breakers=breakers,
            )
            for seed in arguments.seed or _DEVELOPMENT_SEEDS
        ]
    _say(drills_table(reports))
    return 0


def _tables(arguments: argparse.Namespace) -> int:
    lines = [
        Line(**json.loads(text))
        for file in arguments.lines
        for text in file.read_text(encoding="utf-8").splitlines()
    ]
    entrants = list(dict.fromkeys(line.entrant for line in lines))
    _say(overall(lines), "", by_scenario(lines, entrants))
    if arguments.plot is not None:
        plot(lines, [name for name in (*_COLUMNS, "adaptive") if name in entrants], arguments.plot)
    return 0


def _say(*texts: str) -> None:
    sys.stdout.write("\n".join(texts) + "\n")


if __name__ == "__main__":
    sys.exit(main())
