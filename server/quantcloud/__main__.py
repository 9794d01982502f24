"""The `quantcloud` command, also as `python -m quantcloud`."""

import signal
import sys
from typing import Any, cast


def main() -> int:
    """Run the command. Ctrl-C while the program is still being loaded ends it without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_structlog()
    from quantcloud import app  # noqa: PLC0415  # a second of imports, in which Ctrl-C may come

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return app.main()


def import_structlog() -> None:
    """Import structlog, and not Rich with it.

    It would be for tracebacks as nobody prints them here, and take a serving process 5 MiB and some
    50 ms at its start. What is None in `sys.modules` cannot be imported:
    https://docs.python.org/3/reference/import.html#the-module-cache.
    """
    modules = cast("dict[str, Any]", sys.modules)
    modules["rich"] = None
    try:
        import structlog  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]
    finally:
        del modules["rich"]


if __name__ == "__main__":
    sys.exit(main())
