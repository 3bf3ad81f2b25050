"""The clocks: virtual time waits for whoever works, and jumps when all wait."""

import threading
import time

import pytest

from genlock.clock import Clock, SystemClock, VirtualClock

HOUR_SEC = 3600.0


def test_virtual_hours_pass_at_once():
    clock = VirtualClock()
    began_sec = time.monotonic()
    with clock.participate():
        clock.sleep(24 * HOUR_SEC)
    assert clock.now_nsec() == 24 * 3600 * 10**9
    assert time.monotonic() - began_sec < 5


def test_time_stands_still_while_a_participant_works():
    clock = VirtualClock()
    seen_nsec = []

    def work() -> None:
        started_nsec = clock.now_nsec()
        deadline_sec = time.monotonic() + 0.2
        while time.monotonic() < deadline_sec:
            pass
        seen_nsec.append(clock.now_nsec() - started_nsec)

    with clock.participate():
        worker = clock.start_thread(work, "worker")
        clock.sleep(0.001)  # can only be over once the worker has ended
        assert seen_nsec == [0]
        assert worker.join()


def test_without_taking_part_a_worker_would_lose_time():
    """The control of the test above: a stranger to the clock holds up nothing."""
    clock = VirtualClock()
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        leave.wait(10)

    stranger = threading.Thread(target=work)
    stranger.start()
    entered.wait(10)
    with clock.participate():
        clock.sleep(1.0)
    assert clock.now_nsec() == 10**9
    leave.set()
    stranger.join()


def test_deadlines_are_met_in_order():
    clock = VirtualClock()
    order: list[tuple[str, int]] = []
    lock = threading.Lock()

    def sleeper(name: str, seconds: float) -> None:
        clock.sleep(seconds)
        with lock:
            order.append((name, clock.now_nsec()))

    with clock.participate():
        threads = [
            clock.start_thread(lambda n=name, s=sec: sleeper(n, s), name)
            for name, sec in [("c", 3.0), ("a", 1.0), ("b", 2.0)]
        ]
        assert all(thread.join() for thread in threads)
    assert order == [("a", 10**9), ("b", 2 * 10**9), ("c", 3 * 10**9)]


@pytest.mark.parametrize("clock", [VirtualClock(), SystemClock()], ids=["virtual", "system"])
def test_a_signal_wakes_its_waiter_before_the_timeout(clock: Clock):
    box: list[int] = []
    signal = clock.signal()

    def consume() -> None:
        box.append(1 if signal.wait_for(lambda: bool(box), timeout_sec=30) else -1)

    with clock.participate():
        consumer = clock.start_thread(consume, "consumer")
        box.append(0)
        signal.notify()
        assert consumer.join(timeout_sec=10)
    assert box == [0, 1]


@pytest.mark.parametrize("clock", [VirtualClock(), SystemClock()], ids=["virtual", "system"])
def test_a_wait_without_news_times_out(clock: Clock):
    with clock.participate():
        assert clock.signal().wait_for(lambda: False, timeout_sec=0.01) is False


@pytest.mark.parametrize("clock", [VirtualClock(), SystemClock()], ids=["virtual", "system"])
def test_a_flag_set_by_a_signal_handler_is_seen_without_notify(clock: Clock):
    """A handler must not take locks, so it only sets a flag: the waiter looks by itself."""
    flag = threading.Event()
    timer = threading.Timer(0.05, flag.set)
    timer.start()
    with clock.participate():
        assert clock.signal().wait_for(flag.is_set)
    timer.join()


def test_an_interrupted_wait_leaves_the_clock_whole():
    clock = VirtualClock()

    class InterruptError(Exception):
        pass

    calls = []

    def predicate() -> bool:
        calls.append(1)
        if len(calls) > 1:
            raise InterruptError
        return False

    with clock.participate():
        with pytest.raises(InterruptError):
            clock.signal().wait_for(predicate)
        assert clock._running == 1
        assert not clock._waiters
        clock.sleep(1)
    assert clock.now_nsec() == 10**9


def test_a_queue_between_participants_loses_nothing_and_no_time():
    clock = VirtualClock()
    signal = clock.signal()
    queue: list[int] = []
    received: list[tuple[int, int]] = []

    def produce() -> None:
        for number in range(100):
            clock.sleep(0.01)
            queue.append(number)
            signal.notify()

    def consume() -> None:
        while len(received) < 100:
            assert signal.wait_for(lambda: bool(queue), timeout_sec=1)
            received.append((queue.pop(0), clock.now_nsec()))

    with clock.participate():
        threads = [clock.start_thread(produce, "produce"), clock.start_thread(consume, "consume")]
        assert all(thread.join() for thread in threads)
    assert received == [(n, (n + 1) * 10**7) for n in range(100)]
