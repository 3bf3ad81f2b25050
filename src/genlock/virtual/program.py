"""Runs somebody else's program to its end, as a shell would: its signals, its exit status."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

__all__ = ["forwarding", "run_program"]

_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_SENT_BY_KERNEL = 0x80
"""``si_code`` of a signal that the terminal caused: its whole process group has it, the program too."""
_LOOK_AGAIN_SEC = 1.0
NOT_FOUND, NOT_EXECUTABLE = 127, 126


@contextmanager
def forwarding() -> Iterator[Iterable[signal.Signals]]:
    """While entered, the signals that ``run_program`` passes on wait for it, in this thread and those it starts.

    Enter it in the main thread, before any other thread is started: a signal goes to whichever thread lets it in.
    """
    waiting = _awaited()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waiting)
    try:
        yield before  # type: ignore[misc]  # typeshed: Signals or int
    finally:
        while signal.sigtimedwait(waiting, 0) is not None:  # the program's end was told
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_program(
    command: Sequence[str], environment: Mapping[str, str], mask: Iterable[signal.Signals], *, stdout: int | None = None
) -> int:
    """Runs a program and returns its exit status: 128 + n where signal n ended it, 126 or 127 where it cannot run.

    Ctrl-C and a polite kill reach the program, once.

    Args:
        command: the program and its arguments.
        environment: all of its environment.
        mask: what ``forwarding`` gave.
        stdout: a descriptor to be its standard output; by default it has ours.
    """
    actions = [] if stdout is None else [(os.POSIX_SPAWN_DUP2, stdout, 1)]
    try:
        child = os.posix_spawnp(command[0], list(command), environment, file_actions=actions, setsigmask=list(mask))
    except OSError as error:
        sys.stderr.write(f"genlock: {command[0]} cannot be run: {error.strerror}\n")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    waiting = _awaited()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        received = signal.sigtimedwait(waiting, _LOOK_AGAIN_SEC)
        if received is None or received.si_signo == signal.SIGCHLD:
            continue
        if received.si_code != _SENT_BY_KERNEL:
            os.kill(child, received.si_signo)


def _awaited() -> set[signal.Signals]:
    """Those to pass on, and the program's end."""
    return {signal.Signals[name] for name in (*_FORWARDED, "SIGCHLD")}
