"""`python -m orchestrator` is the `orchestrator` command."""

from orchestrator.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
