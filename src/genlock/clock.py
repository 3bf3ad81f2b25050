"""Time as an argument: what every thread of a run waits on, real or virtual.

A run never calls ``time.sleep`` and never waits on a bare lock: it asks its ``Clock``. With a ``SystemClock`` that is
the computer's monotonic clock. With a ``VirtualClock`` an hour passes as fast as the processor allows, and *nothing
times out because another thread was still working*: virtual time stands still while any participant of the clock is
running, and jumps to the next deadline when all of them wait.

Who takes part: a thread inside ``clock.participate()``, and every thread started by ``clock.start_thread``. Threads
hand things over through a ``Signal``: change the state, then ``notify``. A predicate handed to ``Signal.wait_for`` runs
under the signal's lock: it reads state, it takes no lock and waits for nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Clock", "ClockThread", "Signal", "SystemClock", "VirtualClock"]

NSEC_PER_SEC = 1_000_000_000

# A thread blocked on a lock without a timeout cannot run its signal handlers on Windows, so that Ctrl-C would be
# deaf; waking four times a second costs nothing and keeps it alive everywhere.
_INTERRUPTIBLE_WAIT_SEC = 0.25


class Signal(Protocol):
    """A place to wait for a change of state, tied to a clock."""

    def wait_for(self, predicate: Callable[[], bool], timeout_sec: float | None = None) -> bool:
        """Waits until ``predicate()`` is true or the time is over; returns what it is then. ``None``: for ever."""
        ...

    def notify(self) -> None:
        """Lets every waiter look at its predicate again. Call it after each change."""
        ...


class ClockThread(Protocol):
    """A thread that takes part in its clock."""

    def join(self, timeout_sec: float | None = None) -> bool:
        """Waits, on the clock, until the thread has ended; whether it has."""
        ...


class Clock(Protocol):
    """A source of time and the only place to wait."""

    @property
    def is_virtual(self) -> bool:
        """Whether this clock's time is made up."""
        ...

    def now_nsec(self) -> int:
        """Monotonic time in nanoseconds from an arbitrary zero."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits that long on this clock."""
        ...

    def signal(self) -> Signal:
        """A new signal on this clock."""
        ...

    def participate(self) -> AbstractContextManager[None]:
        """While entered, the calling thread takes part: virtual time stands still while it runs. May be nested."""
        ...

    def start_thread(self, target: Callable[[], None], name: str) -> ClockThread:
        """Starts a thread that takes part from before its first instruction to after its last.

        It is a daemon: a thread stuck inside a driver must not keep the process from ending.
        """
        ...


class _SystemSignal:
    def __init__(self) -> None:
        self._condition = threading.Condition()

    def wait_for(self, predicate: Callable[[], bool], timeout_sec: float | None = None) -> bool:
        deadline_sec = None if timeout_sec is None else time.monotonic() + timeout_sec
        with self._condition:
            while not predicate():
                wait_sec = _INTERRUPTIBLE_WAIT_SEC
                if deadline_sec is not None:
                    left_sec = deadline_sec - time.monotonic()
                    if left_sec <= 0:
                        return False
                    wait_sec = min(wait_sec, left_sec)
                self._condition.wait(wait_sec)
            return True

    def notify(self) -> None:
        with self._condition:
            self._condition.notify_all()


class _Thread:
    """A daemon thread whose end is a signal, so that joining it is a wait like any other."""

    def __init__(
        self, clock: Clock, target: Callable[[], None], name: str, on_end: Callable[[], None] = lambda: None
    ) -> None:
        self._target = target
        self._on_end = on_end
        self._ended = clock.signal()
        self._has_ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._target()
        finally:
            self._has_ended = True
            self._ended.notify()
            self._on_end()

    def join(self, timeout_sec: float | None = None) -> bool:
        if not self._ended.wait_for(lambda: self._has_ended, timeout_sec):
            return False
        self._thread.join()
        return True


class SystemClock:
    """The computer's monotonic clock."""

    @property
    def is_virtual(self) -> bool:
        """Always false."""
        return False

    def now_nsec(self) -> int:
        """``time.monotonic_ns()``: on Linux the clock of the SDK's ``system_timestamp_nsec``."""
        return time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Sleeps; stays deaf to nothing (see ``_INTERRUPTIBLE_WAIT_SEC``)."""
        self.signal().wait_for(lambda: False, seconds)

    def signal(self) -> Signal:
        """A condition variable of its own, so that a notification wakes only those whom it concerns."""
        return _SystemSignal()

    @contextmanager
    def participate(self) -> Iterator[None]:
        """Nothing to do: real time waits for nobody."""
        yield

    def start_thread(self, target: Callable[[], None], name: str) -> ClockThread:
        """Starts a thread."""
        return _Thread(self, target, name)


class _Waiter:
    __slots__ = ("deadline_nsec", "predicate", "result", "signal", "takes_part", "woken")

    def __init__(
        self, signal: _VirtualSignal, predicate: Callable[[], bool], deadline_nsec: int | None, takes_part: bool
    ) -> None:
        self.signal = signal
        self.predicate = predicate
        self.deadline_nsec = deadline_nsec
        self.takes_part = takes_part
        self.woken = threading.Event()
        self.result = False


class _VirtualSignal:
    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def wait_for(self, predicate: Callable[[], bool], timeout_sec: float | None = None) -> bool:
        return self._clock._wait(self, predicate, timeout_sec)

    def notify(self) -> None:
        self._clock._notify(self)


class VirtualClock:
    """A clock that jumps: its time advances only when every participant waits on it."""

    def __init__(self, start_nsec: int = 0) -> None:
        self._lock = threading.Lock()
        self._now_nsec = start_nsec
        self._running = 0
        """How many participants run right now. Time may move only at zero."""
        self._waiters: list[_Waiter] = []
        self._local = threading.local()

    @property
    def is_virtual(self) -> bool:
        """Always true."""
        return True

    def now_nsec(self) -> int:
        """Virtual nanoseconds."""
        return self._now_nsec

    def sleep(self, seconds: float) -> None:
        """Waits in virtual time."""
        self.signal().wait_for(lambda: False, seconds)

    def signal(self) -> Signal:
        """A new signal whose waiters count as waiting."""
        return _VirtualSignal(self)

    @contextmanager
    def participate(self) -> Iterator[None]:
        """Counts the calling thread among those whom time waits for."""
        depth = getattr(self._local, "depth", 0)
        if depth == 0:
            with self._lock:
                self._running += 1
        self._local.depth = depth + 1
        try:
            yield
        finally:
            self._local.depth = depth
            if depth == 0:
                self._leave()

    def start_thread(self, target: Callable[[], None], name: str) -> ClockThread:
        """Starts a thread that is counted before it runs, so that time cannot slip past its first step."""

        def run() -> None:
            self._local.depth = 1
            try:
                target()
            finally:
                self._local.depth = 0

        with self._lock:
            self._running += 1
        return _Thread(self, run, name, on_end=self._leave)

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
            self._advance()

    def _wait(self, signal: _VirtualSignal, predicate: Callable[[], bool], timeout_sec: float | None) -> bool:
        takes_part = getattr(self._local, "depth", 0) > 0
        with self._lock:
            if predicate():
                return True
            if timeout_sec is not None and timeout_sec <= 0:
                return False
            deadline_nsec = None if timeout_sec is None else self._now_nsec + round(timeout_sec * NSEC_PER_SEC)
            waiter = _Waiter(signal, predicate, deadline_nsec, takes_part)
            self._waiters.append(waiter)
            if takes_part:
                self._running -= 1
            self._advance()
        try:
            while not waiter.woken.wait(_INTERRUPTIBLE_WAIT_SEC):
                with self._lock:  # a signal handler may only set a flag: see it here
                    if waiter in self._waiters and waiter.predicate():
                        self._wake(waiter, result=True)
        except BaseException:
            with self._lock:
                if waiter in self._waiters:
                    self._wake(waiter, result=False)
            raise
        return waiter.result

    def _notify(self, signal: _VirtualSignal) -> None:
        with self._lock:
            for waiter in [w for w in self._waiters if w.signal is signal]:
                if waiter.predicate():
                    self._wake(waiter, result=True)

    def _advance(self) -> None:
        """Jumps to the next deadline when nobody runs; called under the lock."""
        if self._running > 0:
            return
        deadlines_nsec = [w.deadline_nsec for w in self._waiters if w.deadline_nsec is not None]
        if not deadlines_nsec:
            return  # all wait for something that only a stranger to this clock can bring
        self._now_nsec = max(self._now_nsec, min(deadlines_nsec))
        for waiter in list(self._waiters):
            if waiter.deadline_nsec is not None and waiter.deadline_nsec <= self._now_nsec:
                self._wake(waiter, result=waiter.predicate())

    def _wake(self, waiter: _Waiter, *, result: bool) -> None:
        self._waiters.remove(waiter)
        waiter.result = result
        if waiter.takes_part:
            self._running += 1
        waiter.woken.set()
