"""Adapters for the frameworks RAG applications are built with; each needs its extra and is imported by its full name.

`catalog.integrations.langchain`, `catalog.integrations.llamaindex` and `catalog.integrations.mcp`.
"""

from __future__ import annotations
