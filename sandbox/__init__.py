"""A stand-in for the providers: their protocols on loopback, a seeded world behind, faults on call."""

from .banks import BANKS, Bank
from .faults import Fault, FaultBook, FaultKind
from .options import SandboxOptions
from .server import Sandbox, make_app, serve
from .world import World

__all__ = [
    "BANKS",
    "Bank",
    "Fault",
    "FaultBook",
    "FaultKind",
    "Sandbox",
    "SandboxOptions",
    "World",
    "make_app",
    "serve",
]
