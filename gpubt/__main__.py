"""`python -m gpubt` is the command `gpubt`."""

from __future__ import annotations

import sys

from gpubt.cli import main

if __name__ == "__main__":
    sys.exit(main())
