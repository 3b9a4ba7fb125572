"""What account keeps: its tables (`schema`), and their rows as other code sees them (`rows`)."""
