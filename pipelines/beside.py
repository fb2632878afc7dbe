"""Something that is done while something else goes on."""

import threading
from collections.abc import Callable


class Beside:
    """Begins `do` in a thread of its own. A process that ends does not wait for it."""

    def __init__(self, do: Callable[[], None]):
        self._do = do
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._do()
        except BaseException as error:  # noqa: BLE001 - raised again by `join`
            self._error = error

    def join(self) -> None:
        """Waits for its end; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
