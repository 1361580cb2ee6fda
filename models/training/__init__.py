"""From a log of attempts to a table of success ratios; the only part that needs heavy libraries.

`attempts` reads and checks the log, `rows` says what each attempt teaches, `outages` how far to
believe it, `link_reward` what links came to, `features` and `estimator` fit and tabulate,
`judgement` judges on the later part, `train` is the whole.
"""

from .train import train

__all__ = ["train"]
