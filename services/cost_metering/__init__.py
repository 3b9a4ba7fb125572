"""Turns what agents used into what it cost, exactly once and to the pico-dollar."""
