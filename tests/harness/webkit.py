"""WebKitGTK's MiniBrowser, driven by WebDriver on a display of its own that no screen shows. What Chromium's protocol alone
can do (networks that fail, tabs that freeze or crash) is not here: tests that need it carry the mark `chromium`.
"""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from unittest import mock

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.webkitgtk.options import Options

from .browser import Browser
from .service import PATIENCE_S, free_port, wait_until

DRIVER = "/usr/bin/WebKitWebDriver"
FLAGS = ["--automation", "--autoplay-policy=allow"]


def mini_browser():
    """Debian keeps it in the folder of the library's version, outside of every PATH."""
    found = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    assert found, "Debian's webkit2gtk-driver is wanted: config/packages/install tests/field/webkit/packages"
    return str(found[-1])


class WebKit(Browser):
    name = "webkit"

    def __init__(self, directory, flags=(), preferences=None):
        super().__init__(directory, preferences=preferences)
        self.flags = [*FLAGS, *flags]
        self.display = None

    def start(self):
        self.scratch = tempfile.mkdtemp(prefix="webkit-")
        number = self._start_display()
        # The driver hands its environment on to the browser; nothing of the home of who runs the tests is read or written.
        homes = dict.fromkeys(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"], str(self.directory))
        around = {**homes, "XDG_RUNTIME_DIR": self.scratch, "TMPDIR": self.scratch, "DISPLAY": f":{number}",
                  "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1"}
        try:
            with mock.patch.dict(os.environ, around):
                self.driver = webdriver.WebKitGTK(executable_path=DRIVER, port=free_port(), options=self._options(),
                                                  service_log_path=str(self.log_path))
        except WebDriverException as e:
            self._end_display()
            shutil.rmtree(self.scratch, ignore_errors=True)
            raise AssertionError(f"WebKit did not start: {e}\n{self.log_tail()}") from None
        self.driver_pid = self.pid = self.driver.service.process.pid
        self.pid = self.processes()[1]    # the browser is the driver's first child
        self.driver.set_script_timeout(PATIENCE_S)
        self.driver.set_page_load_timeout(PATIENCE_S)
        return self

    def _start_display(self):
        """Xvfb chooses a number that is free and tells it."""
        reading, writing = os.pipe()
        self.display = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1024x768x24", "-nolisten", "tcp"],
                                        pass_fds=[writing], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(writing)
        with open(reading, encoding="ascii") as told:
            number = told.readline().strip()
        assert number, "Xvfb did not start"
        return number

    def _end_display(self):
        self.display.terminate()
        self.display.wait(10)

    def _options(self):
        options = Options()
        options.binary_location = mini_browser()
        # A film that comes slowly holds up the load event; pages say by themselves when they are ready.
        options.set_capability("pageLoadStrategy", "none")
        for flag in self.flags:
            options.add_argument(flag)
        return options

    def goto(self, url):
        """Until the page's address is URL; the page itself may still be loading."""
        self.driver.get(url)
        wait_until(lambda: self.run("return location.href") == url, f"the tab is at {url}")

    def enter_frame(self, name):
        """Waits for the frame: the page around it may still be loading."""
        wait_until(lambda: (self.driver.switch_to.frame(name), True), f"the page has the frame {name}")

    def close_tab(self, tab):
        """A window beside it keeps the browser open and does not hide the tab before it is closed."""
        self.show(tab)
        self.driver.switch_to.new_window("window")
        kept = self.tab
        self.show(tab)
        self.driver.close()
        self.show(kept)

    def kill(self):
        super().kill()
        if self.display is not None:
            self._end_display()
            self.display = None

    def _keep_console(self):
        """Its driver tells nothing of the console; a page's errors are kept by the page's probe."""

    def _unavailable(self, *_, **__):
        raise NotImplementedError("only Chromium's driver can do that")

    cdp = crash_tab = _unavailable
