"""A LangChain agent that sets texts to music: it searches the catalog, and asks for a new track where nothing is near.

The model is a few rules, so that this runs offline and always the same; any chat model that calls tools takes its
place in `answer`.

    pip install 'music-catalog[langchain]'
    python examples/langchain_agent.py "Fog rolls over the harbour while the foghorn sounds, calm and lonely."
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

try:
    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
    from langchain_core.outputs import ChatGeneration, ChatResult
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool, create_retriever_tool
except ImportError as error:
    sys.exit(
        f"error: this example needs the extra langchain: pip install 'music-catalog[langchain]' ({error})"
    )

from music_catalog import CatalogError, MusicService
from music_catalog.home import default_home
from music_catalog.integrations.langchain import TrackRetriever, find_or_make_tool

NEAR = 0.6


class Rules(BaseChatModel):
    """Search first; where no track is near, ask for one; then say which it is."""

    @property
    def _llm_type(self) -> str:
        return "rules"

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> Runnable[Any, AIMessage]:
        """Return the model as it is: its rules know the two tools."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        text = next(str(message.content) for message in messages if isinstance(message, HumanMessage))
        return ChatResult(generations=[ChatGeneration(message=self._reply(text, messages[-1]))])

    def _reply(self, text: str, last: BaseMessage) -> AIMessage:
        if not isinstance(last, ToolMessage):
            return _called("search_music", query=text)
        if last.name == "search_music":
            near = [track for track in last.artifact if track.metadata["score"] >= NEAR]
            if not near:
                return _called("find_or_make_music", context=text)
            return AIMessage(f"There is music for this already: {near[0].metadata['path']}")
        return AIMessage(f"I had this looked for or made: {last.content}")


def _called(tool: str, **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": tool, "args": arguments, "id": tool, "type": "tool_call"}])


def answer(text: str, model: BaseChatModel, tools: Sequence[BaseTool]) -> list[BaseMessage]:
    """Return the messages of a conversation: the model calls tools until it has something to say."""
    by_name = {tool.name: tool for tool in tools}
    bound = model.bind_tools(tools)
    messages: list[BaseMessage] = [HumanMessage(text)]
    while not isinstance(messages[-1], AIMessage) or messages[-1].tool_calls:
        reply = bound.invoke(messages)
        messages.append(reply)
        messages.extend(by_name[call["name"]].invoke(call) for call in reply.tool_calls)
    return messages


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text")
    parser.add_argument("--home", default=default_home(), help="the catalog's folder")
    args = parser.parse_args()
    try:
        with MusicService.open(args.home) as service:
            search = create_retriever_tool(
                TrackRetriever(service=service, k=3),
                "search_music",
                "Search the tracks there are for a text or mood.",
                response_format="content_and_artifact",
            )
            make = find_or_make_tool(service, role="background_bed", quality="preview")
            messages = answer(args.text, Rules(), [search, make])
    except CatalogError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    calls = [call["name"] for message in messages for call in getattr(message, "tool_calls", ())]
    print(json.dumps({"calls": calls, "answer": messages[-1].content}, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
