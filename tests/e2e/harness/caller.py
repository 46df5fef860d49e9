"""Sends many requests over one connection, byte for byte as they are given, and sees every byte of the answers."""

import socket
import time

from .rest_api import Answer


class Caller:
    """One connection, which is made anew when the server has closed it. `slowest` is the longest wait for an answer, in
    seconds."""

    def __init__(self, port):
        self.port, self.socket, self.left, self.slowest = port, None, b"", 0.0

    def send(self, verb, path, headers=(), body=b""):
        """The answer to one request, or None when the connection was closed without one. Names, values and body may be
        bytes; Host and Content-Length are added."""
        lines = [
            f"{verb} {path} HTTP/1.1".encode(),
            b"Host: 127.0.0.1:%d" % self.port,
            b"Content-Length: %d" % len(body),
        ]
        lines += [raw(name) + b": " + raw(value) for name, value in headers]
        request = b"\r\n".join(lines) + b"\r\n\r\n" + body
        used = self.socket is not None
        started = time.monotonic()
        answer = self.exchange(request)
        if answer is None and used:
            answer = self.exchange(request)
        self.slowest = max(self.slowest, time.monotonic() - started)
        return answer

    def exchange(self, request):
        """Sends bytes and reads one answer; nothing may follow it."""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            self.left = b""
        try:
            self.socket.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # Who refuses a request early may have answered before it had come whole.
        try:
            answer = self.read()
        except (ConnectionError, EOFError):
            self.close()
            return None
        assert not self.left, f"there is more than one answer: {self.left[:200]}"
        if answer.header("Connection") == "close":
            self.close()
        return answer

    def read(self):
        """One answer, interim ones left out."""
        head = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = [tuple(line.split(": ", 1)) for line in head[1:]]
        answer = Answer(status, headers, b"")
        if status < 200:
            return self.read()
        if answer.header("Transfer-Encoding") == "chunked":
            while size := int(self.until(b"\r\n"), 16):
                answer.body += self.count(size + 2)[:-2]
            self.count(2)
        elif status not in (204, 304):
            answer.body = self.count(int(answer.header("Content-Length")))
        return answer

    def more(self):
        """Reads what has come."""
        received = self.socket.recv(65536)
        if not received:
            raise EOFError
        self.left += received

    def until(self, end):
        """What comes before `end`, which is passed by."""
        while end not in self.left:
            self.more()
        found, _, self.left = self.left.partition(end)
        return found

    def count(self, size):
        """That many bytes."""
        while len(self.left) < size:
            self.more()
        found, self.left = self.left[:size], self.left[size:]
        return found

    def close(self):
        """Closes the connection, if there is one."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def raw(text):
    """Bytes of a text."""
    return text if isinstance(text, bytes) else text.encode()
