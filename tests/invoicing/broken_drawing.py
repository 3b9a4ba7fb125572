"""A drawing that ends with an error that tells everything."""

import sys

if __name__ == "__main__":
    raise ValueError(sys.stdin.read())
