"""Gets what a report needs: Debian's packages, the programs, Apache Kafka and the peers' modules."""

import subprocess

from .paths import ROOT

PACKAGES = ("build", "run", "bench", "test")  # `test` has Java for Kafka, and Kafka's client
PEERS_MODULES = ROOT / "bench/peers/fastify/fetch"


class NotPrepared(Exception):
    pass


def prepare(build, say):
    must(say, "packages", ROOT / "config/packages/install", *PACKAGES)
    if build == ROOT / "build/release":
        must(say, "configure", "cmake", "--preset", "release")
        must(say, "build", "cmake", "--build", build, "--parallel")
    elif not (build / "bench/load/minuted-bench").exists():
        raise NotPrepared(f"{build} has no programs")
    must(say, "Apache Kafka", ROOT / "tests/kafka/fetch")
    must(say, "modules of fastify", PEERS_MODULES)


def must(say, what, *argv):
    say(what)
    done = subprocess.run([str(word) for word in argv], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise NotPrepared(f"{what} failed\n{done.stdout}")
