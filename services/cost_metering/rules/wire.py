"""The providers' usage objects as they arrive; what is not listed is tolerated and ignored.

Fees for tools (web searches, code execution) are no token costs, so their counts are not read.
"""

import msgspec

from shared.contracts.base import Count

Tally = Count | None


class Sent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a usage object; any count may be null or absent."""


class Disjoint(Sent, frozen=True, kw_only=True, gc=False):
    """Our own six kinds; `output` excludes `reasoning`."""

    input_uncached: Tally = None
    cache_read: Tally = None
    cache_write_5m: Tally = None
    cache_write_1h: Tally = None
    output: Tally = None
    reasoning: Tally = None
    total_tokens: Tally = None


class AnthropicCacheCreation(Sent, frozen=True, kw_only=True, gc=False):
    """Cache writes by time to live."""

    ephemeral_5m_input_tokens: Tally = None
    ephemeral_1h_input_tokens: Tally = None


class AnthropicOutputDetails(Sent, frozen=True, kw_only=True, gc=False):
    """What the output tokens were spent on."""

    thinking_tokens: Tally = None


class AnthropicIteration(Sent, frozen=True, kw_only=True, gc=False):
    """One turn of a response that sampled several times."""

    type: str | None = "message"


class Anthropic(Sent, frozen=True, kw_only=True, gc=False):
    """`message.usage`, or the cumulative usage of a stream's last `message_delta`."""

    input_tokens: Tally = None
    output_tokens: Tally = None
    cache_creation_input_tokens: Tally = None
    cache_read_input_tokens: Tally = None
    cache_creation: AnthropicCacheCreation | None = None
    output_tokens_details: AnthropicOutputDetails | None = None
    iterations: list[AnthropicIteration] | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


class OpenAIWriteDetails(Sent, frozen=True, kw_only=True, gc=False):
    """Cache writes by time to live: 30 minutes is the short kind, 12 hours the long one."""

    ttl_30m_tokens: Tally = None
    ttl_12h_tokens: Tally = None


class OpenAIDetails(Sent, frozen=True, kw_only=True, gc=False):
    """Parts of the prompt or of the completion."""

    cached_tokens: Tally = None
    cache_write_tokens: Tally = None
    cache_write_tokens_details: OpenAIWriteDetails | None = None
    reasoning_tokens: Tally = None
    audio_tokens: Tally = None
    image_tokens: Tally = None


class OpenAIChat(Sent, frozen=True, kw_only=True, gc=False):
    """`usage` of chat completions, of embeddings, and of what imitates them."""

    prompt_tokens: Tally = None
    completion_tokens: Tally = None
    total_tokens: Tally = None
    prompt_tokens_details: OpenAIDetails | None = None
    completion_tokens_details: OpenAIDetails | None = None
    prompt_cache_hit_tokens: Tally = None
    cached_tokens: Tally = None
    reasoning_tokens: Tally = None
    citation_tokens: Tally = None


class OpenAIResponses(Sent, frozen=True, kw_only=True, gc=False):
    """`usage` of the responses API."""

    input_tokens: Tally = None
    output_tokens: Tally = None
    total_tokens: Tally = None
    input_tokens_details: OpenAIDetails | None = None
    output_tokens_details: OpenAIDetails | None = None


class GeminiPart(Sent, frozen=True, kw_only=True, gc=False, rename={"token_count": "tokenCount"}):
    """Tokens of one modality."""

    modality: str | None = None
    token_count: Tally = None


class Gemini(Sent, frozen=True, kw_only=True, gc=False):
    """`usageMetadata` as the API sends it."""

    prompt: Tally = msgspec.field(default=None, name="promptTokenCount")
    candidates: Tally = msgspec.field(default=None, name="candidatesTokenCount")
    thoughts: Tally = msgspec.field(default=None, name="thoughtsTokenCount")
    tool_use: Tally = msgspec.field(default=None, name="toolUsePromptTokenCount")
    cached: Tally = msgspec.field(default=None, name="cachedContentTokenCount")
    total: Tally = msgspec.field(default=None, name="totalTokenCount")
    prompt_details: list[GeminiPart] | None = msgspec.field(
        default=None, name="promptTokensDetails"
    )
    candidates_details: list[GeminiPart] | None = msgspec.field(
        default=None, name="candidatesTokensDetails"
    )
    service_tier: str | None = msgspec.field(default=None, name="serviceTier")
    traffic_type: str | None = msgspec.field(default=None, name="trafficType")


class GeminiSnakePart(Sent, frozen=True, kw_only=True, gc=False):
    """Tokens of one modality, in Python's spelling."""

    modality: str | None = None
    token_count: Tally = None


class GeminiSnake(Sent, frozen=True, kw_only=True, gc=False):
    """`usage_metadata` as Google's Python client dumps it."""

    prompt: Tally = msgspec.field(default=None, name="prompt_token_count")
    candidates: Tally = msgspec.field(default=None, name="candidates_token_count")
    thoughts: Tally = msgspec.field(default=None, name="thoughts_token_count")
    tool_use: Tally = msgspec.field(default=None, name="tool_use_prompt_token_count")
    cached: Tally = msgspec.field(default=None, name="cached_content_token_count")
    total: Tally = msgspec.field(default=None, name="total_token_count")
    prompt_details: list[GeminiSnakePart] | None = msgspec.field(
        default=None, name="prompt_tokens_details"
    )
    candidates_details: list[GeminiSnakePart] | None = msgspec.field(
        default=None, name="candidates_tokens_details"
    )
    service_tier: str | None = None
    traffic_type: str | None = None


class OTel(Sent, frozen=True, kw_only=True, gc=False):
    """Attributes of OpenTelemetry's GenAI conventions; `old_*` are OpenLLMetry's former names."""

    input_tokens: Tally = msgspec.field(default=None, name="gen_ai.usage.input_tokens")
    output_tokens: Tally = msgspec.field(default=None, name="gen_ai.usage.output_tokens")
    cache_read: Tally = msgspec.field(default=None, name="gen_ai.usage.cache_read.input_tokens")
    cache_creation: Tally = msgspec.field(
        default=None, name="gen_ai.usage.cache_creation.input_tokens"
    )
    reasoning: Tally = msgspec.field(default=None, name="gen_ai.usage.reasoning.output_tokens")
    total_tokens: Tally = msgspec.field(default=None, name="gen_ai.usage.total_tokens")
    old_input: Tally = msgspec.field(default=None, name="gen_ai.usage.prompt_tokens")
    old_output: Tally = msgspec.field(default=None, name="gen_ai.usage.completion_tokens")
    old_cache_read: Tally = msgspec.field(default=None, name="gen_ai.usage.cache_read_input_tokens")
    old_cache_creation: Tally = msgspec.field(
        default=None, name="gen_ai.usage.cache_creation_input_tokens"
    )
    old_reasoning: Tally = msgspec.field(default=None, name="gen_ai.usage.reasoning_tokens")
    old_total: Tally = msgspec.field(default=None, name="llm.usage.total_tokens")
