"""Short films to play, made by ffmpeg once: a file, HLS in both its forms, and DASH."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build" / "browser"
SECONDS = 90

# Small and cheap to decode; the sound is silence, since Chromium neither slows the timers of a page that one hears nor
# goes on playing a hidden video without any.
SOURCE = ["-f", "lavfi", "-i", "testsrc2=size=192x108:rate=10", "-f", "lavfi", "-i", "anullsrc=r=44100", "-t", str(SECONDS)]
ENCODED = ["-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-pix_fmt", "yuv420p", "-g", "10", "-c:a", "aac",
           "-b:a", "16k", "-fflags", "+bitexact"]
AS_THEY_ARE = ["-i", "lesson.mp4", "-c", "copy"]
OUTPUTS = [
    [*SOURCE, *ENCODED, "-movflags", "+faststart", "lesson.mp4"],
    [*AS_THEY_ARE, "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "hls-ts/index.m3u8"],
    [*AS_THEY_ARE, "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "-hls_segment_type", "fmp4", "hls-fmp4/index.m3u8"],
    [*AS_THEY_ARE, "-f", "dash", "-seg_duration", "2", "-use_template", "1", "-use_timeline", "0", "dash/index.mpd"],
]


def make_all(folder):
    for arguments in OUTPUTS:
        (folder / arguments[-1]).parent.mkdir(exist_ok=True)
        done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], cwd=folder, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, f"ffmpeg {' '.join(arguments)}: {done.stderr}"


def films():
    """The folder; it appears by one rename, so that workers that make it at the same time do not meet."""
    home = BUILD / f"media-{hashlib.sha256(repr(OUTPUTS).encode()).hexdigest()[:16]}"
    if home.exists():
        return home
    BUILD.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".media.", dir=BUILD))
    try:
        make_all(partial)
        os.rename(partial, home)
    except OSError:
        assert home.exists()  # another worker's is as good
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return home


def players():
    """The folder with the players from npm."""
    done = subprocess.run([Path(__file__).parent / "fetch"], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())
