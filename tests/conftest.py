"""What all tests need."""

import signal
import threading
import time
from contextlib import contextmanager

import pytest

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
