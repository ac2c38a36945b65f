"""What is heard in samples, without knowing any row: faults, and the same recording coded anew."""
