"""`python -m quantcloud` is the `quantcloud` command."""

import sys

from quantcloud.app import main

if __name__ == "__main__":
    sys.exit(main())
