"""What is heard in samples, without knowing any row: faults, facts, and the same recording coded anew."""
