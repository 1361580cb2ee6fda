"""Every exception of this package, in one tree.

    Exception
    ├── ModelUnusable             a stored model is damaged, foreign or of another schema
    │   └── ModelNotFound         no model of that version is stored
    └── ValueError
        └── TrainingError         the attempts given to `train` are not what it can learn from
            ├── AttemptsUnreadable    the file or frame cannot be read as an attempt log
            └── NotEnoughData         fewer usable attempts than a model needs

They stand apart from `orchestrator.domain.errors` because this package runs without the rest.
All of them survive pickling.
"""

__all__ = [
    "AttemptsUnreadable",
    "ModelNotFound",
    "ModelUnusable",
    "NotEnoughData",
    "TrainingError",
]


class ModelUnusable(Exception):
    """A stored model is damaged, foreign or of another schema; the message says which."""


class ModelNotFound(ModelUnusable):
    """No model of that version is stored."""


class TrainingError(ValueError):
    """The attempts given to `train` are not what it can learn from."""


class AttemptsUnreadable(TrainingError):
    """The file or frame cannot be read as an attempt log; the message says what to do."""


class NotEnoughData(TrainingError):
    """Fewer usable attempts than a model needs; the message says how many are."""
