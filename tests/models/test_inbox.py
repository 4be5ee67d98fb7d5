"""Which request is next, and who hears what when the queue closes."""

import threading

import pytest

from llmrec.models.errors import ModelFailed
from llmrec.models.inbox import Request, RequestQueue


def request(*, urgent: bool = True, cancel: threading.Event | None = None) -> Request:
    return Request("health", {}, None, urgent, cancel)


def test_urgent_before_background_and_the_newest_first() -> None:
    queue = RequestQueue()
    made = [request(urgent=urgent) for urgent in (False, True, False, True)]
    for one in made:
        queue.put(one)
    assert [queue.take(0) for _ in made] == [made[3], made[1], made[2], made[0]]
    assert queue.take(0) is None


def test_a_cancelled_request_is_never_handed_out() -> None:
    queue, cancel = RequestQueue(), threading.Event()
    cancelled, left = request(cancel=cancel), request(urgent=False)
    queue.put(cancelled)
    queue.put(left)
    cancel.set()
    assert queue.take(0) is left
    assert list(cancelled.answers()) == []


def test_closing_wakes_the_taker_and_fails_who_waits() -> None:
    queue = RequestQueue()
    taken: list[Request | None] = []
    taker = threading.Thread(target=lambda: taken.append(queue.take(None)))
    taker.start()
    queue.close()
    taker.join(5)
    assert taken == [None]
    with pytest.raises(ModelFailed):
        queue.put(request())


def test_who_waits_when_it_closes_hears_why() -> None:
    queue = RequestQueue()
    waiting = request()
    queue.put(waiting)
    queue.close()
    with pytest.raises(ModelFailed, match="closed"):
        list(waiting.answers())
