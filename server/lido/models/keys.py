"""Where a backend's key comes from: a variable, a command's output, or the system's keyring."""

from __future__ import annotations

import asyncio
import os

from lido.models.base import ModelError
from lido.settings import ModelSettings


class Key:
    """A backend's key; read when first needed, and again after a refusal."""

    def __init__(self, name: str, settings: ModelSettings) -> None:
        self._name = name
        self._settings = settings
        self._value: str | None = None

    async def headers(self, fresh: bool) -> dict[str, str]:
        """The configured headers (``${VARIABLE}`` filled in) and the bearer token. Raises ModelError."""
        headers = {name: os.path.expandvars(value) for name, value in self._settings.headers.items()}
        if key := await self.value(fresh):
            headers.setdefault("Authorization", f"Bearer {key}")
        return headers

    async def value(self, fresh: bool = False) -> str:
        """The key, "" where none is configured. Raises ModelError where it cannot be had."""
        if self._value is None or fresh:
            self._value = await self._read()
        return self._value

    async def _read(self) -> str:
        settings = self._settings
        if settings.api_key_env:
            if key := os.environ.get(settings.api_key_env, ""):
                return key.strip()
            raise self._missing(
                f"the variable {settings.api_key_env} is not set",
                "Set it where your editor is started, or use api_key_command.",
            )
        if settings.api_key_command:
            return await self._command(settings.api_key_command)
        if settings.api_key_keyring:
            import keyring

            try:
                key = await asyncio.to_thread(_from_keyring, settings.api_key_keyring)
            except keyring.errors.KeyringError as error:
                raise self._missing(f"the keyring cannot be read: {error}", "Use api_key_env.") from None
            if key:
                return key.strip()
            raise self._missing(
                f"the keyring holds no key for {settings.api_key_keyring!r}",
                f"`keyring set lido {settings.api_key_keyring}` puts it there.",
            )
        return ""

    async def _command(self, command: tuple[str, ...]) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise self._missing(f"{command[0]} cannot be run: {error.strerror}", "") from None
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 30)
        except TimeoutError:
            process.kill()
            raise self._missing(f"{command[0]} took over 30 s", "It must not ask questions.") from None
        if process.returncode or not out.strip():
            raise self._missing(
                f"{command[0]} gave no key (exit code {process.returncode})", "Run it by hand."
            )
        return out.decode(errors="replace").strip()

    def _missing(self, what: str, advice: str) -> ModelError:
        return ModelError("auth", f"The key of the model {self._name!r}: {what}.", advice, backend=self._name)


def _from_keyring(user: str) -> str:
    import keyring

    return keyring.get_password("lido", user) or ""
