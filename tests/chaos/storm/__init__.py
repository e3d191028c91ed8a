"""The storm behind tests/proof: players at real speed, and every part killed, stopped and cut off around them."""
