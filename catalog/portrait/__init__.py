"""How a track is shown: its beats and sections, what was measured in words, its spectrum in letters."""
