"""How services read HTTP: uvicorn's own protocol, but what it cannot parse is answered by a problem document.

uvicorn is started with `--http nexus_kit.protocol:HttpProtocol`.
"""

import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nexus_kit import context, problems
from nexus_kit.errors import BadRequest

_REQUEST_ID = re.compile(rb"\r\nx-request-id: *([^\r ]*)", re.IGNORECASE)


class HttpProtocol(HttpToolsProtocol):
    """One connection. No application sees a request that is not HTTP, so its problem is rendered here."""

    _received = b""

    def data_received(self, data: bytes) -> None:
        """Keep what was read last: the parser names no header of a request that it refuses."""
        self._received = data
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuse, and close: where the next request begins is not known."""
        sent = _REQUEST_ID.search(self._received)
        with context.working_for(sent[1].decode("latin-1") if sent else None, None) as request_id:
            response = problems.render(BadRequest("The request line, a header or the path is malformed."))
        headers = [*response.raw_headers, (b"x-request-id", request_id.encode()), (b"connection", b"close")]
        lines = [b"HTTP/1.1 400 Bad Request", *(b"%s: %s" % header for header in headers)]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()
