"""What cost_metering remembers: its SQL, by what is remembered."""
