"""The HTTP edge: owns no tables, translates HTTP into bus requests and back."""
