"""Entry point of the ``lido`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line. ``lido serve`` over stdio skips the command-line library: every editor start
    waits for it, and it costs a tenth of a second."""
    from lido.workspace import private

    private.keep()
    if sys.argv[1:] in (["serve"], ["serve", "--stdio"]):
        from lido.lsp.serve import serve_stdio

        sys.exit(serve_stdio())
    if "--version" in sys.argv[1:]:  # with any command, as well as alone
        import lido

        print(f"lido {lido.__version__}")  # noqa: T201
        return
    from lido.cli.app import app

    app(prog_name="lido")


if __name__ == "__main__":
    main()
