"""One BLAS thread during a fit: OpenBLAS sums in an order that depends on its number of threads, and with it the bits.

skvr's own threads (`n_jobs`) work on fixed blocks that are added in order. The limit is the process's; a count of the
fits in progress puts the old one back when the last ends, whichever thread that is.
"""

from contextlib import contextmanager
from threading import Lock

from threadpoolctl import ThreadpoolController

_lock = Lock()
_in_progress = 0
_controller = None
_limit = None


@contextmanager
def one_blas_thread():
    """Limit BLAS to one thread inside the block."""
    global _in_progress, _controller, _limit
    with _lock:
        if _in_progress == 0:
            _controller = _controller or ThreadpoolController()
            _limit = _controller.limit(limits=1, user_api="blas")
        _in_progress += 1
    try:
        yield
    finally:
        with _lock:
            _in_progress -= 1
            if _in_progress == 0:
                _limit.restore_original_limits()
