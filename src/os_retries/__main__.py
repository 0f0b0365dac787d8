"""``python -m os_retries``: the command ``os-retries``, also where its script is not on the PATH."""

import sys

from os_retries.cli import main

if __name__ == "__main__":
    sys.exit(main())
