"""A LlamaIndex query engine whose sources come back with music, each chunk with its own.

The chunks are embedded by the catalog's own encoder; no language model writes the answer, so that this runs offline:
the nearest chunks are the answer. A synthesizer that asks one takes the place of NoText, and does not get to read the
soundtracks.

    pip install 'music-catalog[llamaindex]'
    python examples/llamaindex_soundtrack.py "How do lighthouses warn ships in fog?"
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

try:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.llms.mock import MockLLM
    from llama_index.core.query_engine import RetrieverQueryEngine
    from llama_index.core.response_synthesizers.no_text import NoText
    from llama_index.core.schema import TextNode
except ImportError as error:
    sys.exit(
        f"error: this example needs the extra llamaindex: pip install 'music-catalog[llamaindex]' ({error})"
    )

from music_catalog import CatalogError, MusicService
from music_catalog.home import default_home
from music_catalog.integrations.llamaindex import SoundtrackPostprocessor

CHUNKS = Path(__file__).with_name("chunks.md")


class CatalogEmbedding(BaseEmbedding):
    """The catalog's text encoder, so that chunks and tracks are read by the same one."""

    encoder: Any

    def _get_text_embedding(self, text: str) -> list[float]:
        vector: list[float] = self.encoder.encode([text])[0].tolist()
        return vector

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def engine(service: MusicService, text: str) -> RetrieverQueryEngine:
    """Return a query engine over the paragraphs of `text` that attaches a soundtrack to what it retrieves."""
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip() and not part.startswith("#")]
    index = VectorStoreIndex(
        [TextNode(text=paragraph) for paragraph in paragraphs],
        embed_model=CatalogEmbedding(encoder=service.encoder),
    )
    return RetrieverQueryEngine(
        retriever=index.as_retriever(similarity_top_k=2),
        response_synthesizer=NoText(llm=MockLLM()),
        node_postprocessors=[
            SoundtrackPostprocessor(service=service, asked={"role": "background_bed", "quality": "preview"})
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question")
    parser.add_argument("--text", type=Path, default=CHUNKS, help="the text to answer from")
    parser.add_argument("--home", default=default_home(), help="the catalog's folder")
    args = parser.parse_args()
    try:
        with MusicService.open(args.home) as service:
            response = engine(service, args.text.read_text("utf-8")).query(args.question)
    except (CatalogError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    sources = [
        {"score": round(node.score or 0.0, 3), "text": node.text, "soundtrack": node.metadata["soundtrack"]}
        for node in response.source_nodes
    ]
    print(json.dumps({"question": args.question, "sources": sources}, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
