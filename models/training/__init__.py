"""Training: losses, steps, schedule, validation and logs."""
