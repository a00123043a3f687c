# SPDX-License-Identifier: Apache-2.0
"""Before anything is imported, and for what the tests start."""

import os

# Tensors of the tests are small: more threads of PyTorch's own only wait for each other, busily.
os.environ.setdefault("OMP_NUM_THREADS", "1")
