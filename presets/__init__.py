"""Vocabulary: styles, environments, roles, quality tiers and defaults, as YAML read into strict pydantic."""
