"""The thread that delivers messages, in whichever process holds the lease."""

import threading
from collections.abc import Callable

from index.errors import DatabaseError
from index.webhooks.outbox import DeliveryResult, Message, Outbox
from service.logs import log

LOOK_SECONDS = 1.0


class Delivering:
    """Delivers what is due, until it is closed."""

    def __init__(self, outbox: Outbox, send: Callable[[Message], DeliveryResult]) -> None:
        self._outbox = outbox
        self._send = send
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Deliver again and again."""
        self._thread = threading.Thread(target=self._deliver_forever, name="webhooks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the try that is under way, and let another process deliver."""
        self._stopping.set()
        if self._thread is None:
            return
        self._thread.join()
        try:
            self._outbox.drop_lease()
        except DatabaseError as error:
            log.warning("webhook_lease_kept", code=error.code)

    def deliver(self) -> int:
        """Deliver what is due, if it is this process that does; returns how many tries that were.

        Raises:
            DatabaseError: If the database cannot be reached; what was not settled is sent again.
        """
        if not self._outbox.take_lease():
            return 0
        self._outbox.gather()
        tried = 0
        for delivery_id in self._outbox.list_due():
            # Each try ends before the lease does.
            if self._stopping.is_set() or not self._outbox.take_lease():
                break
            message = self._outbox.open(delivery_id)
            if message is not None:
                result = self._send(message)
                self._outbox.settle(delivery_id, result)
                log.info(
                    "webhook_tried", delivery_id=str(delivery_id), status=result.status, error=result.error
                )
                tried += 1
        return tried

    def _deliver_forever(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.deliver()
            except DatabaseError as error:
                log.warning("webhooks_wait", code=error.code)
            except Exception:
                # A secret that does not open, or a fault of ours, ends no delivering.
                log.exception("webhooks_failed")
