"""The protocol surface.

`messages` and `settings` bring pydantic along, half as much again as pygls itself to import; `initialize`
needs neither. Here they are postponed: importing one binds a module that is loaded with its first use, which
the server makes in a thread, right after `initialize` is answered.
"""

import importlib.util
import sys


def _postpone(name: str) -> None:
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    parent, _, child = name.rpartition(".")
    setattr(sys.modules[parent], child, module)


_postpone("lido.settings")
_postpone("lido.lsp.messages")
