"""Adapters for the frameworks RAG applications are built with; each needs its extra and is imported by its full name.

`music_catalog.integrations.langchain`, `music_catalog.integrations.llamaindex` and `music_catalog.integrations.mcp`.
"""

from __future__ import annotations
