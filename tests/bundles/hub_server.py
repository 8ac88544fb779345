"""
The parts of the Hugging Face Hub's HTTP interface that ``huggingface_hub`` uses for a model: made
repositories, uploads (small files in the commit, large ones through LFS), commits, downloads.

A server of its own in a thread; ``fail_at`` breaks the connection at a chosen step.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Hub:
    """
    What the server holds.

    :param repositories: Files by name, by repository.
    :param commits: How many commits each repository had.
    :param large: LFS objects by their sha256.
    :param fail_at: ``upload`` or ``commit``: hang up there, as a network does.
    :param hung_up: Set when that has happened.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    commits: dict[str, int] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    fail_at: str | None = None
    hung_up: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def head(self, repository: str) -> str:
        text = f"{repository} {self.commits.get(repository, 0)}"
        return hashlib.sha1(text.encode()).hexdigest()


class HungUpError(Exception):
    """The connection ends without an answer."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_HEAD(self) -> None:
        self._serve("HEAD")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        for verb, pattern, answer in ROUTES:
            if verb in (method, "GET" if method == "HEAD" else method) and (
                match := re.fullmatch(pattern, path)
            ):
                try:
                    answer(self, *match.groups(), body=body)
                except HungUpError:
                    self.hub.hung_up.set()
                    self.close_connection = True
                return
        self.reply(404, {"error": f"no route {method} {path}"})

    def reply(self, status: int, data: Any = None, headers: dict[str, str] | None = None) -> None:
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def files(self, repository: str) -> dict[str, bytes] | None:
        files = self.hub.repositories.get(repository)
        if files is None:
            headers = {"X-Error-Code": "RepoNotFound"}
            self.reply(404, {"error": "Repository not found"}, headers)
        return files

    # -- answers ----------------------------------------------------------------------------------

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        name = "/".join(part for part in (asked.get("organization"), asked["name"]) if part)
        if name in self.hub.repositories:
            self.reply(409, {"error": "exists", "url": f"{self.hub.url}/{name}"})
            return
        self.hub.repositories[name] = {".gitattributes": b"*.safetensors filter=lfs\n"}
        self.reply(200, {"url": f"{self.hub.url}/{name}", "name": name, "id": name})

    def validate_yaml(self, body: bytes) -> None:
        self.reply(200, {"errors": [], "warnings": []})

    def preupload(self, repository: str, body: bytes) -> None:
        if self.files(repository) is None:
            return
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs"
                if file["path"].endswith((".safetensors", ".mp4"))
                else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for file in json.loads(body)["files"]
        ]
        self.reply(200, {"files": files})

    def lfs_batch(self, repository: str, body: bytes) -> None:
        objects = [
            {**item, "actions": {"upload": {"href": f"{self.hub.url}/storage/{item['oid']}"}}}
            for item in json.loads(body)["objects"]
        ]
        self.reply(200, {"transfer": "basic", "objects": objects})

    def store(self, oid: str, body: bytes) -> None:
        if self.hub.fail_at == "upload":
            raise HungUpError
        assert hashlib.sha256(body).hexdigest() == oid
        self.hub.large[oid] = body
        self.reply(200, b"")

    def commit(self, repository: str, revision: str, body: bytes) -> None:
        if self.hub.fail_at == "commit":
            raise HungUpError
        files = dict(self.hub.repositories[repository])
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            elif item["key"] == "deletedFile":
                del files[value["path"]]
        self.hub.repositories[repository] = files
        self.hub.commits[repository] = self.hub.commits.get(repository, 0) + 1
        head = self.hub.head(repository)
        url = f"{self.hub.url}/{repository}/commit/{head}"
        self.reply(200, {"commitUrl": url, "commitOid": head, "success": True})

    def info(self, repository: str, body: bytes) -> None:
        files = self.files(repository)
        if files is None:
            return
        siblings = [{"rfilename": name, "size": len(files[name])} for name in sorted(files)]
        head = self.hub.head(repository)
        self.reply(200, {"id": repository, "sha": head, "private": False, "siblings": siblings})

    def tree(self, repository: str, body: bytes) -> None:
        files = self.files(repository)
        if files is not None:
            listed = [
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                for name, content in sorted(files.items())
            ]
            self.reply(200, listed)

    def resolve(self, repository: str, revision: str, name: str, body: bytes) -> None:
        files = self.files(repository)
        if files is None:
            return
        if name not in files:
            self.reply(404, {"error": "no file"}, {"X-Error-Code": "EntryNotFound"})
            return
        etag = hashlib.sha1(files[name]).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": self.hub.head(repository)}
        self.reply(200, files[name], headers)


_REPO = r"([\w.-]+/[\w.-]+)"
ROUTES: list[tuple[str, str, Any]] = [
    ("POST", r"/api/repos/create", Handler.create),
    ("POST", r"/api/validate-yaml", Handler.validate_yaml),
    ("POST", rf"/api/models/{_REPO}/preupload/\w+", Handler.preupload),
    ("POST", rf"/{_REPO}\.git/info/lfs/objects/batch", Handler.lfs_batch),
    ("PUT", r"/storage/(\w+)", Handler.store),
    ("POST", rf"/api/models/{_REPO}/commit/(\w+)", Handler.commit),
    ("GET", rf"/api/models/{_REPO}/tree/\w+.*", Handler.tree),
    ("GET", rf"/api/models/{_REPO}(?:/revision/\w+)?", Handler.info),
    ("GET", rf"/{_REPO}/resolve/(\w+)/(.+)", Handler.resolve),
]


def start_hub() -> tuple[Hub, ThreadingHTTPServer]:
    """A hub that listens on a free port until its server is shut down."""
    hub = Hub()
    handler = type("HubHandler", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return hub, server
