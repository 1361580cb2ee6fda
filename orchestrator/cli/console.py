"""Where the command line writes: results on standard output, the rest on standard error."""

from rich.console import Console

__all__ = ["errors", "output"]

output = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)
