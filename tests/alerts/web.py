"""A web hook (apprise's `json://`) that keeps what it is told, and may be slow, refuse or hang."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "t0ken-nobody-may-see"


@dataclass
class WebHook:
    """In threads of its own: a service that blocks our loop could not be told."""

    status: int = 200
    hangs: bool = False
    seconds: float = 0
    largest: int = 100_000_000  #: bytes of a message that it takes; 413 for more
    told: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"json://user:{TOKEN}@127.0.0.1:{self.port}/{TOKEN}/office"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.told]

    @contextmanager
    def running(self) -> Iterator["WebHook"]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                message = json.loads(self.rfile.read(length))
                if hook.hangs:
                    hook.released.wait(10)
                elif hook.seconds:
                    hook.released.wait(hook.seconds)
                status = hook.status if length <= hook.largest else 413
                if status == 200:
                    hook.told.append(message)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()
            thread.join()
