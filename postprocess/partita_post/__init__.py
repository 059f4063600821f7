"""Post-processing of Partita runs."""

from .reader import DataError, Run

__all__ = ["DataError", "Run"]
