"""The embedded engine's process: ``python -m lido.models.engine_process``.

It reads one line of JSON from standard input (model, context, threads, key), loads the model, prints one line
of JSON with its address, and serves until standard input closes, which also happens when its parent is
killed. llama.cpp holds the whole process, and may crash it; therefore it has one of its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    config: dict[str, Any] = json.loads(sys.stdin.readline())
    _die_with_parent()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # llama.cpp prints as it likes
    try:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = config["model"]
        params.hostnames = [config["host"]]
        params.port = config["port"]
        params.api_keys = [config["key"]] if config["key"] else []
        params.n_ctx = config["context"]
        params.n_parallel = config["slots"]
        params.kv_unified = True  # each slot may use the whole context
        params.cache_ram_mib = 256
        params.n_gpu_layers = config["gpu_layers"]
        params.cpuparams.n_threads = config["threads"]
        params.cpuparams_batch.n_threads = config["threads"]
        params.endpoint_slots = False
        params.ui = False
        params.verbosity = 1
        server = xllamacpp.Server(params)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        out.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        out.flush()
        os._exit(3)
    out.write(json.dumps({"url": server.listening_address}) + "\n")
    out.flush()
    while sys.stdin.readline():
        pass
    os._exit(0)  # llama.cpp's threads would be waited for


def _die_with_parent() -> None:
    """On Linux the kernel ends us when the parent dies, even while the model is still loading."""
    if sys.platform == "linux":
        import ctypes

        parent_death = 1  # PR_SET_PDEATHSIG, <linux/prctl.h>
        ctypes.CDLL(None).prctl(parent_death, signal.SIGKILL)


if __name__ == "__main__":
    main()
