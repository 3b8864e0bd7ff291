"""Un Chromium sin ventana, manejado por su protocolo de depuración: abrir, escribir, apretar y mirar."""

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import websocket

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--lang=es",
]


class Page:
    """Una pestaña.

    Attributes
    ----------
    errors : list of str
        Lo que la consola marcó como error, y las excepciones que nadie atrapó.
    """

    def __init__(self, address: str):
        self.socket = websocket.create_connection(address, suppress_origin=True, timeout=60)
        self.number, self.errors = 0, []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params):
        """Manda una orden y espera su respuesta; lo que pase mientras tanto se anota."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]
            self._note(message.get("method"), message.get("params", {}))

    def _note(self, event, params):
        if event == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(str(params["args"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def evaluate(self, code: str):
        """El valor de una expresión de JavaScript."""
        found = self.call("Runtime.evaluate", expression=code, returnByValue=True)
        assert "exceptionDetails" not in found, (code, found)
        return found["result"].get("value")

    def wait(self, code: str, seconds: float = 60):
        """Espera a que una expresión dé algo verdadero, y lo devuelve."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if value := self.evaluate(code):
                return value
            time.sleep(0.1)
        raise AssertionError(
            f"no pasó: {code}\n{self.evaluate('document.body.innerText')[:2000]}\n{self.errors}"
        )

    def open(self, url: str, width: int, height: int = 900):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Page.navigate", url=url)

    def write(self, selector: str, text: str):
        """Reemplaza lo que diga un campo."""
        field = f"document.querySelector({json.dumps(selector)})"
        self.wait(f"{field} !== null")
        self.evaluate(f"{field}.focus(), {field}.select(), true")
        self.call("Input.insertText", text=text)
        self.wait(f"{field}.value === {json.dumps(text)}")

    def press(self, selector: str):
        button = f"document.querySelector({json.dumps(selector)})"
        self.wait(f"{button} !== null")
        self.evaluate(f"{button}.click()")

    def choose_tab(self, name: str):
        """La pestaña de la página que dice ``name``."""
        tabs = f"[...document.querySelectorAll('button[role=tab]')].filter(b => b.innerText.trim() === {json.dumps(name)})"
        self.wait(f"{tabs}.length")
        self.evaluate(f"{tabs}[0].click()")

    def picture(self, path: Path):
        """Guarda una captura."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def browsing(folder: Path):
    """Un navegador recién abierto, con su perfil en ``folder``, y una pestaña vacía."""
    command = [PROGRAM, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(folder / "DevToolsActivePort")
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30))
        yield Page(next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"))
    finally:
        process.terminate()
        process.wait(30)


def _port(file: Path) -> str:
    """El puerto que eligió, que deja escrito al arrancar."""
    for _ in range(600):
        if file.exists() and (lines := file.read_text().splitlines()):
            return lines[0]
        time.sleep(0.1)
    raise AssertionError("Chromium no arrancó")
