"""What runs beside the submission. Nothing here knows of checks, solutions or marks."""
