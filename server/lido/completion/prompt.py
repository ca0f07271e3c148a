"""Fill-in-the-middle prompts: one template for each family of models, and a chat form for the rest.

Whatever is least likely to change between two keystrokes comes first, so that the backend's prompt cache
serves it: other files, then the file's path, then the code before the cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lido.models.base import Capabilities, ChatRequest, Message, TextRequest


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code from elsewhere; `path` is relative to the workspace."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Hole:
    """What a prompt is made of: the code around the cursor, cut to the budget, and code from elsewhere."""

    path: str
    language: str
    prefix: str
    suffix: str
    repository: str = ""
    snippets: tuple[Snippet, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """How a family wants its prompt. `form` has {prefix} and {suffix}; `file` (one for each snippet) has
    {path} and {text}; `head` (before the first of them) has {repository}; `own` has {path} and stands
    before the form where there are snippets. Without `file`, snippets go before the prefix as comments."""

    form: str
    stop: tuple[str, ...]
    file: str = ""
    head: str = ""
    own: str = ""


_STARCODER_STOPS = ("<|endoftext|>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>")
_QWEN_STOPS = (
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<|im_start|>",
    "<|im_end|>",
)

TEMPLATES = {
    # Model card and technical report of Qwen2.5-Coder, "File-Level" and "Repo-Level Fill-in-the-Middle".
    "qwen": Template(
        "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        _QWEN_STOPS,
        file="<|file_sep|>{path}\n{text}\n",
        head="<|repo_name|>{repository}\n",
        own="<|file_sep|>{path}\n",
    ),
    # Model card of StarCoder2 and "StarCoder 2 and The Stack v2", 5.1 (repository context).
    "starcoder": Template(
        "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        (*_STARCODER_STOPS, "<file_sep>", "<repo_name>"),
        file="<file_sep>{path}\n{text}\n",
        head="<repo_name>{repository}",
        own="<file_sep>{path}\n",
    ),
    # "Code Llama: Open Foundation Models for Code"; the blanks are part of the format.
    "codellama": Template(
        "<PRE> {prefix} <SUF>{suffix} <MID>", ("<EOT>", "▁<EOT>", "</s>", "<PRE>", "<SUF>")
    ),
    # Model card of DeepSeek-Coder, "Code Insertion" and "Repository Level Code Completion".
    "deepseek": Template(
        "<｜fim▁begin｜>{prefix}<｜fim▁hole｜>{suffix}<｜fim▁end｜>",
        ("<｜end▁of▁sentence｜>", "<|EOT|>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        file="#{path}\n{text}\n",
        own="#{path}\n",
    ),
    # Model card of CodeGemma.
    "codegemma": Template(
        "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        (
            "<|file_separator|>",
            "<|fim_prefix|>",
            "<|fim_suffix|>",
            "<|fim_middle|>",
            "<eos>",
            "<end_of_turn>",
        ),
        file="{path}\n{text}\n<|file_separator|>",
        own="{path}\n",
    ),
    # Mistral's tokenizer: suffix first.
    "codestral": Template(
        "[SUFFIX]{suffix}[PREFIX]{prefix}",
        ("[PREFIX]", "[SUFFIX]", "[MIDDLE]", "</s>", "\n+++++ "),
        file="+++++ {path}\n{text}\n\n",
        own="+++++ {path}\n",
    ),
    # Model card of Granite Code; from Granite 4 on the tokens have bars (see `template`).
    "granite": Template(
        "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>", (*_STARCODER_STOPS, "<|end_of_text|>")
    ),
    "granite4": Template(
        "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        ("<|end_of_text|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>"),
    ),
    # Model card of Mellum-4b-base: the suffix comes before the prefix.
    "mellum": Template(
        "<fim_suffix>{suffix}<fim_prefix>{prefix}<fim_middle>",
        (*_STARCODER_STOPS, "<filename>", "<reponame>"),
        file="<filename>{path}\n{text}\n",
        own="<filename>{path}\n",
    ),
}

SPECIAL = tuple(
    sorted({stop for template in TEMPLATES.values() for stop in template.stop if "\n" not in stop})
)
"""What no completion may contain; also taken out of what goes into a prompt."""


def template(capabilities: Capabilities, model: str) -> Template | None:
    """None for the native suffix and for the chat form."""
    name = capabilities.fim
    if name == "granite" and "granite-4" in model.lower().replace("_", "-"):
        name = "granite4"
    return TEMPLATES.get(name)


def request(
    hole: Hole, capabilities: Capabilities, model: str, max_tokens: int, temperature: float = 0.0
) -> TextRequest | ChatRequest:
    """The request that fills `hole` for a model of these capabilities."""
    form = template(capabilities, model)
    if form is None and capabilities.fim == "suffix":
        files = tuple((snippet.path, snippet.text) for snippet in hole.snippets)
        return TextRequest(
            hole.prefix, suffix=hole.suffix, max_tokens=max_tokens, temperature=temperature, files=files
        )
    if form is None:
        return _chat(hole, max_tokens, temperature)
    return TextRequest(fill(form, hole), max_tokens=max_tokens, temperature=temperature, stop=form.stop)


def fill(form: Template, hole: Hole) -> str:
    """The prompt's text. Special tokens in the code are broken up: a repository must not speak to the
    model in the template's voice."""
    prefix, suffix = _plain(hole.prefix, form), _plain(hole.suffix, form)
    snippets = [Snippet(_plain(s.path, form), _plain(s.text, form)) for s in hole.snippets]
    context = ""
    if snippets and form.file:
        head = form.head.replace("{repository}", _plain(hole.repository or "repository", form))
        files = "".join(form.file.replace("{path}", s.path).replace("{text}", s.text) for s in snippets)
        own = form.own.replace("{path}", _plain(hole.path, form))
        if form.form.startswith("[SUFFIX]"):  # the other files belong to the prefix
            prefix = files + own + prefix
        else:
            context = head + files + own
    elif snippets:
        prefix = as_comments(snippets, hole.language) + prefix
    before, _, rest = form.form.partition("{prefix}")
    if "{suffix}" in before:
        return context + before.replace("{suffix}", suffix) + prefix + rest
    return context + before + prefix + rest.replace("{suffix}", suffix)


def _plain(text: str, form: Template) -> str:
    if "<" not in text and "[" not in text:
        return text
    for token in form.stop:
        if token in text and len(token) > 5:
            text = text.replace(token, token[:1] + " " + token[1:])
    return text


_COMMENT = {
    "python": "#",
    "ruby": "#",
    "shellscript": "#",
    "yaml": "#",
    "toml": "#",
    "perl": "#",
    "r": "#",
    "elixir": "#",
    "makefile": "#",
    "dockerfile": "#",
    "lua": "--",
    "sql": "--",
    "haskell": "--",
}


def comment(language: str) -> str:
    """What begins a line comment."""
    return _COMMENT.get(language, "//")


def as_comments(snippets: Sequence[Snippet], language: str) -> str:
    mark = comment(language)
    lines: list[str] = []
    for snippet in snippets:
        lines.append(f"{mark} {snippet.path}:")
        lines.extend(f"{mark} {line}".rstrip() for line in snippet.text.splitlines())
    return "\n".join(lines) + "\n"


HOLE = "<HOLE/>"


def _chat(hole: Hole, max_tokens: int, temperature: float) -> ChatRequest:
    system = (
        f"You complete code. The file has one gap, marked {HOLE}. Answer with the text that belongs in its "
        "place and nothing else: no explanation, no code fence, and nothing of what stands around it. "
        "Keep the indentation."
    )
    parts = [f"{snippet.path}:\n{snippet.text}\n" for snippet in hole.snippets]
    parts.append(f"{hole.path} ({hole.language}):\n{hole.prefix}{HOLE}{hole.suffix}")
    return ChatRequest(
        (Message("system", system), Message("user", "\n".join(parts))),
        max_tokens=max_tokens,
        temperature=temperature,
    )
