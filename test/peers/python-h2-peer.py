# HTTP/2 as the Python package h2 speaks it, at either end: `app` serves it in clear text and says the port, `client PORT CA`
# asks a server over TLS and says what it got, as one line of JSON. The package reads and makes frames; the sockets are here.

import hashlib
import json
import socket
import ssl
import sys
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings

READ_BYTES = 65536
PATIENCE_SECONDS = 20


class Peer:
    """One connection. What is to be sent of a stream waits until its window lets it through."""

    def __init__(self, sock, client_side):
        self.sock = sock
        self.engine = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=client_side, header_encoding="utf-8")
        )
        self.unsent = {}
        self.engine.initiate_connection()

    def send(self, stream, body, trailers):
        self.unsent[stream] = [memoryview(body), trailers]
        self.pump()

    def pump(self):
        for stream in list(self.unsent):
            body, trailers = self.unsent[stream]
            while len(body) > 0:
                room = min(self.engine.local_flow_control_window(stream), self.engine.max_outbound_frame_size)
                if room <= 0:
                    break
                self.engine.send_data(stream, bytes(body[:room]))
                body = body[room:]
            self.unsent[stream][0] = body
            if len(body) == 0:
                del self.unsent[stream]
                if trailers:
                    self.engine.send_headers(stream, trailers, end_stream=True)
                else:
                    self.engine.end_stream(stream)
        self.flush()

    def flush(self):
        self.sock.sendall(self.engine.data_to_send())

    def read(self):
        """The events of one read; None at the end."""
        data = self.sock.recv(READ_BYTES)
        if not data:
            return None
        events = self.engine.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self.engine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.unsent.pop(event.stream_id, None)
        self.pump()
        return events


class Message:
    def __init__(self):
        self.head = {}
        self.body = bytearray()
        self.trailers = {}
        self.over = False
        self.reset = None


def note(event, messages):
    """The message that has ended with this event, or None."""
    message = messages.setdefault(getattr(event, "stream_id", 0), Message())
    if isinstance(event, (h2.events.RequestReceived, h2.events.ResponseReceived)):
        message.head = dict(event.headers)
    elif isinstance(event, h2.events.DataReceived):
        message.body += event.data
    elif isinstance(event, h2.events.TrailersReceived):
        message.trailers = dict(event.headers)
    elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
        message.over = True
        message.reset = getattr(event, "error_code", None)
        return message
    return None


# ---- the app: what is posted comes back, all else is the page


def serve(page_path):
    with open(page_path, "rb") as file:
        page = file.read()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve_connection, args=(sock, page), daemon=True).start()


def serve_connection(sock, page):
    peer = Peer(sock, client_side=False)
    peer.flush()
    messages = {}
    while (events := peer.read()) is not None:
        for event in events:
            message = note(event, messages)
            if message is None or message.reset is not None:
                continue
            body = message.body if message.head[":method"] == "POST" else page
            peer.engine.send_headers(event.stream_id, [(":status", "200"), ("x-proto", "HTTP/2.0")])
            asked = message.trailers.get("x-asked", "")
            peer.send(event.stream_id, body, [("x-trailer", "42"), ("x-asked", asked)])
            del messages[event.stream_id]
    sock.close()


# ---- the client


class Client(Peer):
    def __init__(self, port, ca, settings=None):
        context = ssl.create_default_context(cafile=ca)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", int(port)), timeout=PATIENCE_SECONDS)
        super().__init__(context.wrap_socket(plain, server_hostname="localhost"), client_side=True)
        assert self.sock.selected_alpn_protocol() == "h2"
        if settings:
            self.engine.update_settings(settings)
        self.messages = {}
        self.flush()

    def ask(self, method, path, body=None, trailers=None, end=True):
        stream = self.engine.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        self.engine.send_headers(stream, head, end_stream=end and body is None)
        if body is not None:
            self.send(stream, body, trailers)
        self.flush()
        return stream

    def over(self, stream):
        """Reads until the answer has ended."""
        while not self.messages.setdefault(stream, Message()).over:
            events = self.read()
            assert events is not None, "the connection was closed"
            for event in events:
                assert not isinstance(event, h2.events.ConnectionTerminated), event
                note(event, self.messages)
        return self.messages[stream]


def sum_of(message):
    return f"{len(message.body)} {hashlib.sha256(message.body).hexdigest()}"


def ask(port, ca):
    told = {}
    client = Client(port, ca)
    told["page"] = sum_of(client.over(client.ask("GET", "/page")))
    echo = client.over(client.ask("POST", "/echo", b"0123456789abcdef" * 65536, [("x-asked", "by python")]))
    told["echo"] = sum_of(echo)
    told["trailers"] = echo.trailers
    streams = [client.ask("GET", "/page") for _ in range(100)]
    told["served"] = sum(client.over(stream).head[":status"] == "200" for stream in streams)
    held = client.ask("POST", "/hold", end=False)
    client.engine.reset_stream(held, error_code=8)
    told["afterEnd"] = int(client.over(client.ask("GET", "/page")).head[":status"])
    small = Client(port, ca, {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 100})
    told["smallWindows"] = sum_of(small.over(small.ask("GET", "/page")))
    print(json.dumps(told))


if sys.argv[1] == "app":
    serve(sys.argv[2])
else:
    ask(sys.argv[2], sys.argv[3])
