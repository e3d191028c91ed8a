"""The scenarios, in the order in which they run. Each is a module with TITLE, WHAT and run(bench)."""

from . import (batches, catch_up, durability, floor, idle, memory, rush, saturation, scale, steady, storm, workers)

ALL = {
    "floor": floor, "saturation": saturation, "steady": steady, "durability": durability, "rush": rush,
    "storm": storm, "batches": batches, "idle": idle, "memory": memory, "scale": scale, "catch-up": catch_up,
    "workers": workers,
}
