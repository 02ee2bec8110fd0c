"""Browsers that tests drive: Chromium through its driver, Firefox through WebDriver BiDi.

Debian has no geckodriver, and the packages of that name in other registries download it. Firefox
itself listens for WebDriver BiDi (`--remote-debugging-port`), so a WebSocket is all that it needs.
"""

import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FLAGS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "disable-dev-shm-usage",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)
PREFERENCES: dict[str, bool | int | str] = {
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,  # OpenH264 and others come by download
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.safebrowsing.blockedURIs.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}
"""of the profile: what plays without a click, and what asks the network without being told to"""
START_S = 60
ANSWER_S = 60


class Browser(Protocol):
    """One page of a real browser."""

    name: str

    def open(self, url: str) -> None:
        """Load a page."""

    def run(self, script: str) -> Any:
        """Value of an expression of JavaScript, as JSON has it; promises are awaited."""

    def complaints(self) -> list[str]:
        """Errors that came to the console since the last call."""

    def close(self) -> None:
        """End the browser."""


def start_chromium(*flags: str) -> "Chrome":
    """Chromium as Selenium drives it, with its console kept."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*FLAGS, *flags):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))


class Chromium:
    """Chromium, muted, that plays without a click."""

    name = "Chromium"

    def __init__(self) -> None:
        self.driver = start_chromium("mute-audio", "autoplay-policy=no-user-gesture-required")
        self.driver.set_window_size(1200, 900)

    def open(self, url: str) -> None:
        """Load a page."""
        self.driver.get(url)

    def run(self, script: str) -> Any:
        """Value of an expression of JavaScript, as JSON has it; promises are awaited."""
        return self.driver.execute_script(f"return {script}")

    def complaints(self) -> list[str]:
        """Errors that came to the console since the last call."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def emulate(self, *, width: int, height: int, dark: bool = False, scale: float = 1) -> None:
        """Size of the window in CSS pixels, below what windows have too, and the colour scheme."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 500},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()


class Firefox:
    """Firefox by WebDriver BiDi over its own port, with a new profile."""

    name = "Firefox"

    def __init__(self) -> None:
        from websocket import create_connection

        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items())
        Path(self._profile.name, "user.js").write_text("\n".join(lines), "utf-8")
        self._log = Path(self._profile.name, "log.txt")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(shutil.which("firefox-esr") or shutil.which("firefox")),
                    *("--headless", "--no-remote", "--profile", self._profile.name),
                    *("--remote-debugging-port", "0"),
                ],
                stdout=log,
                stderr=log,
            )
        self._complaints: list[str] = []
        self._count = 0
        try:
            self._socket = create_connection(
                f"{self._address()}/session", timeout=ANSWER_S, suppress_origin=True
            )
            self._call("session.new", capabilities={})
            self._call("session.subscribe", events=["log.entryAdded"])
            (self._context, *_) = self._call("browsingContext.getTree")["contexts"]
        except BaseException:
            self._end()
            raise

    def open(self, url: str) -> None:
        """Load a page."""
        self._call("browsingContext.navigate", context=self._id, url=url, wait="complete")

    def run(self, script: str) -> Any:
        """Value of an expression of JavaScript, as JSON has it; promises are awaited."""
        answer = self._call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({script})))()",
            target={"context": self._id},
            awaitPromise=True,
        )
        if answer["type"] != "success":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"].get("value", "null"))

    def complaints(self) -> list[str]:
        """Errors that came to the console since the last call."""
        self._call("session.status")  # what came before its answer has been read with it
        found, self._complaints = self._complaints, []
        return found

    def close(self) -> None:
        """End the browser."""
        try:
            self._call("browser.close")
        finally:
            self._end()

    @property
    def _id(self) -> str:
        return str(self._context["context"])

    def _address(self) -> str:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            log = self._log.read_text("utf-8", errors="replace")
            if found := re.search(r"ws://\S+", log):
                return found[0]
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        message = f"expected Firefox to listen within {START_S} s: {self._log.read_text()}"
        raise RuntimeError(message)

    def _call(self, method: str, **parameters: Any) -> Any:
        self._count += 1
        command = {"id": self._count, "method": method, "params": parameters}
        self._socket.send(json.dumps(command))
        while (answer := json.loads(self._socket.recv())).get("id") != self._count:
            entry = answer.get("params", {})
            if answer.get("method") == "log.entryAdded" and entry["level"] == "error":
                self._complaints.append(str(entry["text"]))
        if answer["type"] != "success":
            raise RuntimeError(f"{method}: {answer['message']}")  # noqa: EM102
        return answer["result"]

    def _end(self) -> None:
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()
