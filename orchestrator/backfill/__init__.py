"""Bulk jobs: many accounts read through the router, each once, whatever dies in between.

Names are loaded when they are first used: whoever only asks how jobs stand needs no pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .job_report import BackfillReport, report
    from .job_standing import JobStanding, job_folder, jobs, standing
    from .merging import MergeApart
    from .places import is_running
    from .plan import BackfillPlan, BackfillRefused, JobState, jobs_folder
    from .preparation import BadRows, prepare
    from .reading import read_accounts, read_transactions
    from .run import BackfillRun
    from .sources import Source
    from .steering import cut_off_jobs, want
    from .verdicts import OpenItem

__all__ = [
    "BackfillPlan",
    "BackfillRefused",
    "BackfillReport",
    "BackfillRun",
    "BadRows",
    "JobStanding",
    "JobState",
    "MergeApart",
    "OpenItem",
    "Source",
    "cut_off_jobs",
    "is_running",
    "job_folder",
    "jobs",
    "jobs_folder",
    "prepare",
    "read_accounts",
    "read_transactions",
    "report",
    "standing",
    "want",
]

_HOMES = {
    "BackfillPlan": "plan",
    "BackfillRefused": "plan",
    "BackfillReport": "job_report",
    "BackfillRun": "run",
    "BadRows": "preparation",
    "JobStanding": "job_standing",
    "JobState": "plan",
    "MergeApart": "merging",
    "OpenItem": "verdicts",
    "Source": "sources",
    "cut_off_jobs": "steering",
    "is_running": "places",
    "job_folder": "job_standing",
    "jobs": "job_standing",
    "jobs_folder": "plan",
    "prepare": "preparation",
    "read_accounts": "reading",
    "read_transactions": "reading",
    "report": "job_report",
    "standing": "job_standing",
    "want": "steering",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
