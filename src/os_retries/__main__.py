"""``python -m os_retries`` is the same as the command ``os-retries``, for systems where that is not on the PATH."""

import sys

from os_retries.cli import main

if __name__ == "__main__":
    sys.exit(main())
