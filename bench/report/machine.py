"""Describes the machine of a report and the versions of the programs on it."""

import os
import platform
import re
import shutil
import subprocess

from .paths import ROOT

WRITTEN = ("bench/results", "bench/capacity.md")  # bench/run writes these
PATH = os.environ.get("PATH", "") + ":/usr/sbin"


def describe(build):
    return {
        "processors": os.cpu_count(),
        "usable processors": len(os.sched_getaffinity(0)),
        "model": first_match("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.machine(),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "system": first_match("/etc/os-release", r'PRETTY_NAME="(.+)"') or "unknown",
        "commit": commit(),
        "minuted": said(r"(\d\S*)", build / "minuted", "--version"),
        "Redis": said(r"v=(\S+)", "redis-server", "--version"),
        "nginx": said(r"nginx/(\S+)", "nginx", "-v"),
        "Node.js": said(r"v(\S+)", "node", "--version"),
        "Java": said(r'"(.+)"', "java", "-version"),
    }


def commit():
    """The commit that is measured, and whether files differ from it. The report's own files do not count."""
    name = git("describe", "--always", "--exclude=*")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{path}" for path in WRITTEN))
    return f"{name}, changed" if changed else name or "unknown"


def git(*words):
    done = subprocess.run(["git", "-C", ROOT, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    return done.stdout.strip()


def first_match(path, pattern):
    try:
        with open(path, encoding="utf-8") as file:
            match = re.search(pattern, file.read())
    except OSError:
        return None
    return match and match[1]


def said(pattern, program, *words):
    """What PATTERN finds in the text that the program prints of its version."""
    found = shutil.which(program, path=PATH)
    if not found:
        return "not installed"
    text = subprocess.run([found, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False).stdout
    match = re.search(pattern, text)
    return match[1] if match else "unknown"
