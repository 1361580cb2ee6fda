"""From a log of attempts to a table of success ratios; the only part that needs heavy libraries.

`attempts` reads and checks the log, `rows` says what each attempt teaches, `estimator` fits and
tabulates, `evaluation` judges on the later part, `train` is the whole.
"""

from .train import train

__all__ = ["train"]
