"""What README says of the script is what is built."""

import base64
import hashlib
import re
import subprocess

import pytest

from harness.daemon import BUILD, ROOT

WEB = BUILD / "generated" / "web"
README = (ROOT / "README.md").read_text()


def test_its_size():
    kilobytes = float(re.search(r"The script is ([\d.]+) kB compressed", README)[1])
    assert kilobytes == round((WEB / "minuted.js.gz").stat().st_size / 1000, 1) < 6


def test_its_integrity():
    if subprocess.run(["esbuild", "--version"], capture_output=True, text=True).stdout.strip() != "0.17.0":
        pytest.skip("README tells the integrity of what Debian 12's esbuild makes")
    digest = base64.b64encode(hashlib.sha384((WEB / "minuted.js").read_bytes()).digest()).decode()
    assert re.search(r'integrity="sha384-([^"]+)"', README)[1] == digest
