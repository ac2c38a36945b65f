"""What is heard in samples, without knowing any row: faults."""
