"""`python -m sandbox`: the sandbox alone, on loopback, until it is told to stop."""

import argparse
import asyncio
import sys
from pathlib import Path
from textwrap import fill

from .journal import WrongSeed
from .option_flags import BadOption, options_from, options_help
from .options import SandboxOptions
from .server import serve

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Serve the sandbox; answers the process's exit code (0 stopped, 1 could not start).

    Raises:
        SystemExit: 2, where the command line is wrong.

    """
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Serve stand-ins for the providers on loopback, each below its name.",
        epilog="\n".join(("what --option takes:", *map(_indented, options_help()))),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address (%(default)s)")
    parser.add_argument("--port", type=int, default=8200, help="0 takes a free one (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the world (%(default)s)")
    parser.add_argument("--state", type=Path, help="file that keeps what was linked")
    parser.add_argument(
        "--enforce-limits", action="store_true", help="hold the vendors' published rate limits"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="switch a point that vendors leave open, one of those below; may be repeated",
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="stop when standard input ends, and so with whoever started it",
    )
    chosen = parser.parse_args(arguments)
    try:
        options = options_from(chosen.option, SandboxOptions(enforce_limits=chosen.enforce_limits))
    except BadOption as error:
        parser.error(str(error))
    try:
        asyncio.run(
            serve(
                chosen.host,
                chosen.port,
                seed=chosen.seed,
                ready=lambda url: print(f"sandbox at {url}", flush=True),  # noqa: T201  a console program
                state_file=chosen.state,
                options=options,
                stop_with=sys.stdin.fileno() if chosen.until_stdin_closes else None,
            )
        )
    except (OSError, ValueError, WrongSeed) as error:
        print(f"sandbox: {error}", file=sys.stderr)  # noqa: T201  a console program
        return 1
    return 0


def _indented(sentence: str) -> str:
    return fill(sentence, 78, initial_indent="  ", subsequent_indent="    ")


if __name__ == "__main__":
    sys.exit(main())
