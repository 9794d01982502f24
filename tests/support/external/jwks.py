"""A local JWKS endpoint whose keys and state a test controls."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def entry(key: Any, kid: str, **fields: Any) -> dict[str, Any]:
    """Return the public key of a private key as a JWK."""
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", **fields}


class Endpoint:
    """Serves `keys`, or `body` if that is set; `down` makes it answer 503.

    `asked` counts the requests. Requests wait while the event `answers` is not set.
    """

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.body: bytes | None = None
        self.asked = 0
        self.down = False
        self.answers = threading.Event()
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/jwks.json"

    def __enter__(self) -> Self:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # the base class's name
                endpoint.asked += 1
                endpoint.answers.wait()
                self.send_response(503 if endpoint.down else 200)
                self.end_headers()
                body = endpoint.body
                if body is None:
                    body = json.dumps({"keys": endpoint.keys}).encode()
                self.wfile.write(body)

            def log_message(self, *_: object):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
