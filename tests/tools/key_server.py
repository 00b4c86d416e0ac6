"""An issuer's https address with its key set, for tests: it answers, or fails in a way."""
import http.server
import pathlib
import ssl
import threading

# How it fails.
GONE, GARBAGE, SLOW = "gone", "garbage", "slow"


class KeyServer:
    """Serves the file `keys` on a free port of this machine until stop()."""

    def __init__(self, keys, certificate, max_age=60):
        """`certificate`: a folder with ca.crt, tls.crt and tls.key. `max_age`: for how many seconds its answers are good."""
        self.ca = certificate / "ca.crt"
        self.fault = None
        # How often it was asked.
        self.requests = 0
        self._mended = threading.Event()
        server = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests += 1
                fault = server.fault
                if fault == GONE:
                    return
                if fault == SLOW:
                    # Longer than anybody waits.
                    server._mended.wait()
                    return
                body = b"garbage" if fault == GARBAGE else pathlib.Path(keys).read_bytes()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Cache-Control", f"max-age={max_age}")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_address[1]}/jwks.json"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def set_fault(self, fault):
        """One of the ways above; None: it answers."""
        self.fault = fault
        if fault is None:
            self._mended.set()

    def stop(self):
        self._mended.set()
        self._server.shutdown()
        self._server.server_close()
