"""The protocol surface.

`messages` and `settings` bring pydantic along, half as much again as pygls itself to import; `initialize`
needs neither. Here they are postponed: importing one binds a module that is loaded with its first use, which
the server makes in a thread, right after `initialize` is answered.
"""

import importlib.util
import sys
import threading
import types
from typing import Any

_lock = threading.RLock()


class Postponed(types.ModuleType):
    """A module that loads when something in it is first asked for, by one thread while the others wait.

    Before Python 3.12, `importlib.util.LazyLoader` shows the others the module half loaded.
    """

    def __getattribute__(self, name: str) -> Any:
        if name == "__dict__" or not name.startswith("__"):
            with _lock:
                if object.__getattribute__(self, "__class__") is Postponed:
                    spec = object.__getattribute__(self, "__spec__")
                    # Loading itself, in this thread, asks for what is there already.
                    object.__setattr__(self, "__class__", _Loading)
                    try:
                        spec.loader.exec_module(self)
                    except BaseException:
                        object.__setattr__(self, "__class__", Postponed)
                        raise
                    object.__setattr__(self, "__class__", types.ModuleType)
        return object.__getattribute__(self, name)


class _Loading(types.ModuleType):
    def __getattribute__(self, name: str) -> Any:
        with _lock:
            return object.__getattribute__(self, name)


def _postpone(name: str) -> None:
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    module = Postponed(name)
    module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, spec.parent
    module.__file__ = spec.origin
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    setattr(sys.modules[parent], child, module)


_postpone("lido.settings")
_postpone("lido.lsp.messages")
