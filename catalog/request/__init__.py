"""From context, features and presets to a request with its key, prompt and configuration."""
