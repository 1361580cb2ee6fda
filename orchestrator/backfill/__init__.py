"""Bulk jobs: many accounts read through the router, each once, whatever dies in between."""

from .places import is_running
from .plan import BackfillPlan, BackfillRefused, JobState, jobs_folder
from .preparation import BadRows, prepare
from .reading import read_accounts, read_transactions
from .run import BackfillRun
from .sources import Source
from .standing import (
    BackfillReport,
    JobStanding,
    job_folder,
    jobs,
    report,
    standing,
)
from .steering import want
from .verdicts import OpenItem

__all__ = [
    "BackfillPlan",
    "BackfillRefused",
    "BackfillReport",
    "BackfillRun",
    "BadRows",
    "JobStanding",
    "JobState",
    "OpenItem",
    "Source",
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
