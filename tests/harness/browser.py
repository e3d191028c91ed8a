"""A headless Chromium of its own: driven by WebDriver, with a profile under the test's folder, ended by process id."""

import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service as Driver

from .service import PATIENCE_S, free_port, wait_until

FLAGS = ("--headless=new --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run "
         "--disable-background-networking --disable-component-update --disable-default-apps --disable-extensions "
         "--disable-sync --no-default-browser-check --autoplay-policy=no-user-gesture-required").split()
# What the driver would switch off so that tests see nothing of it: timers of hidden pages come rarely, as for learners.
KEPT_THROTTLING = ["disable-background-timer-throttling", "disable-renderer-backgrounding",
                   "disable-backgrounding-occluded-windows"]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Browser:
    """A browser, whose log pytest shows as it shows those of other services."""

    name = "chromium"

    def __init__(self, directory, flags=(), preferences=None):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / "driver.log"
        self.flags, self.preferences = [*FLAGS, *flags], preferences or {}
        self.driver = self.pid = self.driver_pid = self.scratch = None
        self.console = []

    def start(self):
        # Its sockets' names must be short, so what it would leave behind in /tmp is not under the test's folder.
        self.scratch = tempfile.mkdtemp(prefix="chromium-")
        service = Driver("/usr/bin/chromedriver", port=free_port(), log_path=str(self.log_path),
                         service_args=["--log-level=WARNING"], env={**os.environ, "TMPDIR": self.scratch})
        try:
            self.driver = webdriver.Chrome(service=service, options=self._options())
        except WebDriverException as e:
            service.stop()
            shutil.rmtree(self.scratch, ignore_errors=True)
            raise AssertionError(f"Chromium did not start: {e}\n{self.log_tail()}") from None
        self.driver_pid = service.process.pid
        self.pid = self.driver.capabilities["goog:processID"]
        self.driver.set_script_timeout(PATIENCE_S)
        self.driver.set_page_load_timeout(PATIENCE_S)
        return self

    def _options(self):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in [*self.flags, f"--user-data-dir={self.directory / 'profile'}"]:
            options.add_argument(flag)
        options.add_experimental_option("excludeSwitches", KEPT_THROTTLING)
        options.add_experimental_option("prefs", self.preferences)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        return options

    # --- tabs -------------------------------------------------------------------------------------

    @property
    def tab(self):
        return self.driver.current_window_handle

    def new_tab(self):
        """Opens a tab, which hides the one before it, and works in it."""
        self.driver.switch_to.new_window("tab")
        return self.tab

    def fresh_tab(self):
        """A new tab, in front of an empty console; all others are closed."""
        others = self.driver.window_handles
        tab = self.new_tab()
        for other in others:
            self.show(other)
            self.driver.close()
        self.show(tab)
        self._keep_console()
        self.console.clear()
        return tab

    def hide(self):
        """Hides the tab behind an empty one."""
        self.new_tab()

    def show(self, tab):
        """Brings TAB to the front and works in it: the driver works in none that is hidden."""
        self.driver.switch_to.window(tab)

    def close_tab(self, tab):
        """Closes it as it is; an empty one keeps the browser open."""
        self.show(tab)
        self._keep_console()
        self.cdp("Target.createTarget", url="about:blank", background=True)
        self.driver.close()
        self.show(self.driver.window_handles[0])

    def crash_tab(self, tab):
        """Kills the tab's process, as a lack of memory would, and works in an empty tab."""
        self.cdp("Target.createTarget", url="about:blank", background=True)
        with suppress(WebDriverException):
            self.cdp("Page.crash")
        self.show(next(handle for handle in self.driver.window_handles if handle != tab))

    def enter_frame(self, name):
        """Works in a frame of the tab's page until another tab is shown."""
        self.driver.switch_to.frame(name)

    def goto(self, url):
        self.driver.get(url)

    def run(self, script, *arguments):
        """The value of SCRIPT's return in the tab's page."""
        return self.driver.execute_script(script, *arguments)

    def cdp(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    # --- the machine under it ---------------------------------------------------------------------

    def processes(self):
        """Its process and all that came from it."""
        found = [self.pid]
        for pid in found:
            with suppress(OSError):   # it has just ended
                for task in Path(f"/proc/{pid}/task").glob("*/children"):
                    found += map(int, task.read_text().split())
        return found

    def hold(self, seconds):
        """Stops all its processes for SECONDS, as a closed lid does; the clocks go on."""
        held = self.processes()
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)  # sleeps: the lid stays closed for so long, on real clocks
        for pid in held:
            os.kill(pid, signal.SIGCONT)

    # --- its end ----------------------------------------------------------------------------------

    def running(self):
        return self.driver is not None and alive(self.pid)

    def kill(self):
        """Ends it at once, as a crash or a power cut would; renderers and helpers end with it."""
        if self.driver is None:
            return
        family = self.processes() if self.running() else [self.pid]
        for pid in (self.pid, self.driver_pid):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.driver.service.process.wait()
        wait_until(lambda: not any(map(alive, family)), "Chromium has ended")
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.driver = None

    def quit(self):
        """Closes one tab after the other, as somebody who closes the browser does; with the last tab it ends."""
        if self.driver is None:
            return
        self._keep_console()
        family = self.processes()
        with suppress(WebDriverException, OSError):
            for tab in self.driver.window_handles:
                self.show(tab)
                self.driver.close()
        with suppress(AssertionError):
            wait_until(lambda: not any(map(alive, family)), "Chromium has ended", 5)
        self.kill()

    # --- what pytest shows on failure -------------------------------------------------------------

    def _keep_console(self):
        """The driver forgets what it has told, and cannot tell when a page hangs."""
        with suppress(WebDriverException, OSError):
            self.console += [entry["message"] for entry in self.driver.get_log("browser")]

    def console_text(self):
        if self.driver is not None:
            self._keep_console()
        return "\n".join(self.console)

    def log_tail(self, lines=30):
        driver = self.log_path.read_text(errors="replace").splitlines() if self.log_path.exists() else []
        return "\n".join(["console:", self.console_text(), "driver:", *driver[-lines:]])

    def sanitizer_report(self):
        return ""
