"""What is heard in samples, without knowing any row: faults, facts, beats, sections, and what was coded anew."""
