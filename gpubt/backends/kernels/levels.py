"""What sets that share exits tell kernels of their levels, in numba and in CUDA: no code is compiled here."""

from __future__ import annotations

import numpy as np

STOPS, TRAILS, TARGETS, TIMES = 0, 1, 2, 3  # what a level is; of a time exit `value` is its bars

# A distinct level: of kind NONE there is none. A target in R measures from the stop `of`.
LEVEL = np.dtype([("family", "i8"), ("kind", "i8"), ("value", "f8"), ("activation", "f8"), ("of", "i8")])
