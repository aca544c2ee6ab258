"""A real YAML language server, asked as an editor asks it: JSON-RPC over stdin and stdout."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.cli import environment


class LanguageServer:
    """One server, with one folder open."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        """Introduce an editor that has *folder* open."""
        self._process = process
        self._folder = folder
        self._id = 0
        self._said: dict[str, list[dict[str, Any]]] = {}
        known: dict[str, object] = {"hover": {}, "completion": {}, "publishDiagnostics": {}}
        self._ask(
            "initialize",
            processId=None,
            rootUri=folder.as_uri(),
            capabilities={"textDocument": known, "workspace": {"configuration": True}},
        )
        self._send(method="initialized", params={})

    def diagnostics(self, name: str) -> list[tuple[int, str]]:
        """The line, from 1, and the message of all that is wrong in the file *name*."""
        uri = (self._folder / name).as_uri()
        text = (self._folder / name).read_text("utf-8")
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send(method="textDocument/didOpen", params={"textDocument": document})
        while uri not in self._said:
            self._receive()
        return [(d["range"]["start"]["line"] + 1, d["message"]) for d in self._said.pop(uri)]

    def hover(self, name: str, line: int, column: int) -> str:
        """What is shown over a place of an open file; lines and columns count from 1."""
        found = self._ask("textDocument/hover", **self._place(name, line, column))
        return str(found["contents"]["value"]) if found else ""

    def complete(self, name: str, line: int, column: int) -> list[str]:
        """What may stand at a place of an open file."""
        found = self._ask("textDocument/completion", **self._place(name, line, column))
        return [item["label"] for item in found["items"]]

    def _place(self, name: str, line: int, column: int) -> dict[str, Any]:
        return {
            "textDocument": {"uri": (self._folder / name).as_uri()},
            "position": {"line": line - 1, "character": column - 1},
        }

    def _ask(self, method: str, **params: object) -> Any:  # as the server has it
        self._id += 1
        self._send(id=self._id, method=method, params=params)
        while True:
            answer = self._receive()
            if answer.get("id") == self._id and "method" not in answer:
                assert "error" not in answer, answer
                return answer["result"]

    def _send(self, **message: object) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message; what the server asks is answered, what it reports is kept."""
        assert self._process.stdout
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the language server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self._said[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            items = message.get("params", {}).get("items", [])
            settings = [{"validate": True, "hover": True, "completion": True} for _ in items]
            self._send(id=message["id"], result=settings if items else None)
        return message


@contextmanager
def language_server(program: str, folder: Path) -> Iterator[LanguageServer]:
    """The language server *program* for the length of the block."""
    command = [program, "--stdio"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield LanguageServer(process, folder)
        finally:
            process.kill()
