"""MusicGen's networks in plain MLX: T5, decoder, EnCodec, delay pattern, sampling."""
