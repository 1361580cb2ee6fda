"""The institution catalogue."""

from .institutions import Catalogue, Institution

__all__ = ["Catalogue", "Institution"]
