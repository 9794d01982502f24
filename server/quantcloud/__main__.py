"""The `quantcloud` command, also as `python -m quantcloud`."""

import signal
import sys


def main() -> int:
    """Run the command. Ctrl-C during its import ends the process without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from quantcloud.cli.main import main as command  # noqa: PLC0415  # after the signal is set

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return command()


if __name__ == "__main__":
    sys.exit(main())
