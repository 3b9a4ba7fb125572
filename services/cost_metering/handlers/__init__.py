"""What cost_metering does with what it receives: usage, questions, and orders about prices."""
