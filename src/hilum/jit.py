"""Compile a numeric kernel, keeping the result on disk where that is possible."""

import inspect
from collections.abc import Callable


def compiled(function: Callable) -> Callable:
    """The function as machine code; cached on disk unless no folder can be written.

    Call it only in modules that are imported where they are needed: numba takes 0.3 s to load.
    """
    import numba

    plain = inspect.unwrap(function)  # a type checker may have wrapped it, which numba cannot read
    try:
        return numba.njit(cache=True, nogil=True)(plain)
    except RuntimeError:  # "no locator available": neither the package nor the user's cache is writable
        return numba.njit(nogil=True)(plain)
