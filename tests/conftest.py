"""What all tests need."""

import signal
import threading
import time
from contextlib import contextmanager

import pytest
from sklearn.preprocessing import StandardScaler

# A shell that starts pytest in the background makes it ignore SIGINT; the tests of Ctrl-C need Python's handler.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def ctrl_c():
    """A context that sends Ctrl-C after some seconds, and asserts that it ends the block within one more."""

    @contextmanager
    def ctrl_c(after):
        sent = []

        def interrupt():
            sent.append(time.perf_counter())
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        threading.Timer(after, interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            yield
        assert time.perf_counter() - sent[0] < 1.0

    return ctrl_c


@pytest.fixture(params=["pandas", "polars"])
def frames(request):
    """A library of data frames in which this scikit-learn finds names."""
    library = pytest.importorskip(request.param)
    if not hasattr(StandardScaler().fit(library.DataFrame({"a": [0.0, 1.0]})), "feature_names_in_"):
        pytest.skip(f"this scikit-learn finds no names in frames of this {request.param} (before 1.9: of polars 2)")
    return library
