"""The library of functions.lua is named by its content, so that builds that differ never replace each other's."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "daemon/store/functions.lua"


def named(tmp_path, text):
    """What daemon/store/library.cmake makes of a source TEXT: the name that C gets, and the source with its name."""
    source, output, header = (tmp_path / name for name in ("in.lua", "out.lua", "library.h"))
    source.write_bytes(text)
    subprocess.run(["cmake", f"-DINPUT={source}", f"-DOUTPUT={output}", f"-DHEADER={header}", "-P",
                    ROOT / "daemon/store/library.cmake"], check=True)
    return re.search(r'STORE_LIBRARY "(.*)"', header.read_text())[1], output.read_text()


def test_the_same_content_has_the_same_name(tmp_path):
    text = FUNCTIONS.read_bytes()
    name, source = named(tmp_path, text)
    assert (name, source) == named(tmp_path, text)
    assert name == "minuted_" + hashlib.sha256(text).hexdigest()[:12]
    assert source.startswith(f"#!lua name={name}\n") and f"'{name}_' .. name" in source and "@LIBRARY@" not in source


def test_one_byte_more_or_less_or_another_is_another_name(tmp_path):
    text = FUNCTIONS.read_bytes()
    at = text.index(b"INTERVALS_MAX = 500") + len("INTERVALS_MAX = ")
    others = [text + b"\n", text[:-1], text[:at] + b"4" + text[at + 1:], b"\n" + text]
    assert len({named(tmp_path, other)[0] for other in [text, *others]}) == 1 + len(others)


def test_the_build_has_the_name_of_its_source():
    build = Path(os.environ.get("MINUTED_BUILD", "build/release"))
    built = (ROOT / build / "generated/embedded/store_library.h").read_text()
    assert hashlib.sha256(FUNCTIONS.read_bytes()).hexdigest()[:12] in built
