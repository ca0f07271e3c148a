"""A terminal of its own for each test."""

from e2e.editors.conftest import project, terminal

__all__ = ["project", "terminal"]
