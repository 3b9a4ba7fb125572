"""What people call a provider, and what the price book calls it."""

from typing import Final

# Keys have `_` for every other separator. Whatever is not here is looked up as it stands.
_ALIASES: Final = {
    "amazon_bedrock": "aws",
    "anthropic_bedrock": "aws",
    "aws_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "azure_ai": "azure",
    "azure_ai_inference": "azure",
    "azure_ai_openai": "azure",
    "azure_openai": "azure",
    "deepseek_ai": "deepseek",
    "fireworks_ai": "fireworks",
    "gcp_gemini": "google",
    "gcp_gen_ai": "google",
    "gcp_vertex_ai": "google",
    "gemini": "google",
    "google_genai": "google",
    "google_vertex": "google",
    "google_vertex_anthropic": "google",
    "google_vertexai": "google",
    "vertex_ai": "google",
    "vertex_ai_anthropic_models": "google",
    "vertexai": "google",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "novita_ai": "novita",
    "perplexity_ai": "perplexity",
    "together_ai": "together",
    "togetherai": "together",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "z_ai": "zai",
}
# A server of one's own, or something that only imitates a provider's interface, has no list price.
_OWN_SERVERS: Final = (
    "compatible", "custom", "like", "llamacpp", "lmstudio", "local", "mlx", "ollama", "self",
    "sglang", "vllm",
)  # fmt: skip


def plain_name(provider: str) -> str:
    """A provider's name as it is compared: lower case, known aliases replaced."""
    name = provider.strip().lower()
    return _ALIASES.get("_".join(name.replace(".", " ").replace("-", " ").split()), name)


def is_own_server(provider: str) -> bool:
    """Whether it is a server that no price list knows (`ollama`, `openai-compatible`)."""
    name = provider.lower().translate({ord(separator): None for separator in " .-_"})
    return any(word in name for word in _OWN_SERVERS)
