"""What tests/proof may be told. Standard library only: --help and a wrong option need nothing installed."""

import argparse
import random

PARTS = ("daemon", "redis", "kafka", "publisher", "players' network", "redis network", "kafka network")


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(
        prog="tests/proof", allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Plays honest and dishonest learners against two daemons, a Redis and an Apache Kafka at real speed, while\n"
                    "each server is killed, the publisher stopped and each network cut off; then compares what was sent with\n"
                    "what is held, to the second.",
        epilog="Parts: " + ", ".join(PARTS) + ".\nThe seed repeats who does what and when; how real processes interleave is never the same.\n"
               "Exit status: 0 every invariant holds, 1 one does not, 2 wrong usage, 130 interrupted.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="repeats a storm")
    parser.add_argument("--kills", type=int, default=20, metavar="K", help="of each part (20)")
    parser.add_argument("--minutes", type=float, default=15, metavar="M", help="how long the storm lasts (15)")
    parser.add_argument("--learners", type=int, default=120, metavar="N", help="who play at once, or nearly (120)")
    parser.add_argument("--keep", metavar="DIR", help="keep the servers' files and logs there; must be new or empty")
    arguments = parser.parse_args(argv)
    if arguments.kills < 0 or arguments.minutes <= 0 or arguments.learners < 20:
        parser.error("--kills is at least 0, --minutes above 0, --learners at least 20")
    return arguments


if __name__ == "__main__":
    parse_arguments()
