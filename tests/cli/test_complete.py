"""``lido complete`` from a terminal."""

from __future__ import annotations

import asyncio
import os
import sys

from fakes.model_server import ModelServer, Script


async def lido(*arguments, url, home):
    environment = {
        **os.environ,
        "LIDO_HOME": str(home),
        "LIDO_CONFIG": str(home / "config.toml"),
    }
    (home / "config.toml").write_text(
        f'[models.m]\nprovider = "openai"\nbase_url = "{url}/v1"\nmodel = "qwen2.5-coder-7b"\n'
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lido", *arguments, env=environment, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_prints_the_insertion_alone(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("def add(a, b):\n    return \n")
    async with ModelServer(Script(["a + b"])) as server:
        code, out, err = await lido("complete", f"{file}:2:12", url=server.url, home=tmp_path)
        assert (code, out) == (0, "a + b\n"), err
        code, out, _ = await lido("complete", "--whole", f"{file}:2:12", url=server.url, home=tmp_path)
        assert out == "def add(a, b):\n    return a + b\n"


async def test_misuse_is_told_apart_from_failure(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("x = \n")
    async with ModelServer(Script(status=401, body="{}")) as server:
        assert (await lido("complete", "nowhere", url=server.url, home=tmp_path))[0] == 2
        code, out, err = await lido("complete", f"{file}:1:5", url=server.url, home=tmp_path)
        assert (code, out) == (1, "")
        assert err.strip()
