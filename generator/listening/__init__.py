"""What is heard in samples, without knowing any row: faults, facts, beats, sections, and the same recording coded anew."""
