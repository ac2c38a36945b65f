"""The MusicGen adapter: a prompt in, samples out."""
