"""Lido: an open, self-hosted AI pair programmer behind the Language Server Protocol.

From Python: `ask`, `complete` and `run_plan`, each also with ``_sync``; see `lido.api`, which is loaded with
the first use of one of them."""

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Change",
    "ModelError",
    "PlanResult",
    "Step",
    "__version__",
    "ask",
    "ask_sync",
    "complete",
    "complete_sync",
    "run_plan",
    "run_plan_sync",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'lido' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("lido.api"), name)
