"""Music over time: a narration's bed, a whole story, its cues and plot."""
