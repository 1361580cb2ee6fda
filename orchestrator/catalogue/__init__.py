"""The institution catalogue."""

from .catalogue import SHIPPED_FILE, Catalogue
from .institution import Institution

__all__ = ["SHIPPED_FILE", "Catalogue", "Institution"]
