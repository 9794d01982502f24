"""A real browser that runs a page of a test."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip
_STOP_SECONDS = 10
# One after the other, so that the reports keep their order.
_REPORT = """
let sent = Promise.resolve();
const report = (value) => {
  sent = sent.then(() => fetch("/", {method: "POST", body: JSON.stringify(value)}));
};
"""


@contextmanager
def page(script: str, module: Path, profile: Path) -> Iterator["Queue[Any]"]:
    """Open a page with `script`, and yield what it passes to its function `report`.

    The script may import `module` from its folder.
    """
    reports: Queue[Any] = Queue()
    document = f"<!doctype html><script type=module>{_REPORT}{script}</script>".encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # the base class's name
            if self.path == f"/{module.name}":
                self._answer(module.read_bytes(), "text/javascript")
            else:
                self._answer(document)

        def do_POST(self):
            reports.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self._answer(b"")

        def _answer(self, body: bytes, kind: str = "text/html"):
            self.send_response(200)
            self.send_header("content-type", f"{kind}; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    assert PROGRAM is not None
    browser = subprocess.Popen(
        [PROGRAM, *_FLAGS, f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield reports
    finally:
        browser.terminate()
        try:
            browser.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()
        server.shutdown()
        server.server_close()
        thread.join()
