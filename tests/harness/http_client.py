"""A kept-alive HTTP/1.1 client that gives back what came, and never retries by itself."""

import http.client
import json
import select

from .service import PATIENCE_S


def is_readable(socket, seconds=0):
    """Unlike select(), poll() takes descriptors of any number."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class Response:
    def __init__(self, raw):
        self.status = raw.status
        self.headers = {k.lower(): v for k, v in raw.getheaders()}
        self.body = raw.read()

    @property
    def content_type(self):
        return self.headers.get("content-type", "").split(";")[0]

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:400]!r}>"


class HttpClient:
    """One connection; it is opened again when the server closed it between two requests."""

    def __init__(self, port, host="127.0.0.1", timeout=PATIENCE_S):
        self.connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def request(self, method, path, body=None, content_type="application/json", headers=None):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        if body is not None and content_type:
            headers["Content-Type"] = content_type
        self._close_if_stale()
        try:
            self.connection.request(method, path, body, headers)
            response = Response(self.connection.getresponse())
        except Exception:
            self.connection.close()
            raise
        if response.headers.get("connection", "").lower() == "close":
            self.connection.close()
        return response

    def _close_if_stale(self):
        """Between two requests only an end of the stream can be waiting."""
        socket = self.connection.sock
        if socket is not None and is_readable(socket):
            self.connection.close()

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body, **kw):
        return self.request("POST", path, body, **kw)

    def close(self):
        self.connection.close()
