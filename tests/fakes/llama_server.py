"""A real llama.cpp server as a child process, as somebody would run one on their own: not Lido's engine.

    python tests/fakes/llama_server.py MODEL.gguf

prints its address, and serves until its standard input ends. The key is KEY.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEY = "of-the-test"


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """The server's root address. One slot, so that an answer that goes on for nobody holds up the next."""
    with subprocess.Popen(
        [sys.executable, __file__, str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        try:
            url = process.stdout.readline().strip()
            assert url, f"llama.cpp did not start: {process.wait(20)}"
            yield url
        finally:
            process.kill()


def main(model: str) -> None:
    import xllamacpp

    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # llama.cpp prints as it likes
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [KEY]
    params.n_ctx = 4096
    params.n_parallel = 1
    # Several threads wait for each other actively: on a machine that does other things, one is faster.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib = 64
    params.endpoint_slots = True
    params.verbosity = 1
    server = xllamacpp.Server(params)
    out.write(server.listening_address + "\n")
    out.flush()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
