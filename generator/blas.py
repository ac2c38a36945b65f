"""A faster BLAS for MLX on Linux processors.

The Linux wheel of MLX links a reference BLAS that computes matrix products on one core without vector
instructions. A system OpenBLAS exports the same symbols; loaded globally before MLX, it is bound instead.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["OPENBLAS_PACKAGES", "preload_openblas"]

OPENBLAS_PACKAGES = "libopenblas0-pthread (Debian, Ubuntu) or openblas-threads (Fedora)"
"""The system packages that bring a usable OpenBLAS."""

# Threaded builds first: where a distribution splits them, plain "openblas" is the serial one.
_LIBRARIES = ("libopenblasp.so.0", "libopenblaso.so.0", "libopenblas.so.0")


def preload_openblas() -> str | None:
    """Load the system's OpenBLAS so that MLX, imported afterwards, multiplies matrices with it.

    Call it before the first import of `mlx`: the loader binds MLX's symbols once, at import. The copies
    inside the numpy and scipy wheels do not serve, since their symbols are renamed.

    Returns the name of the loaded library; None off Linux, where MLX is already imported, or where no
    OpenBLAS is installed. Calling it again is harmless.
    """
    if not sys.platform.startswith("linux") or "mlx.core" in sys.modules:
        return None
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        if hasattr(library, "cblas_sgemm"):
            return name
    return None
