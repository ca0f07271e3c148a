"""Fill-in-the-middle prompts: what each family of models was trained on, and where it must stop.

Sources are the model cards named at each template. Texts of the document have the family's special tokens
taken out first: a file that quotes them must not steer the model.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """`form` is filled with prefix, suffix, repo and path; `file` (where the family has a repository form)
    with path and text, one for each further file, joined after `repo`."""

    form: str
    stop: tuple[str, ...]
    repo: str = ""
    file: str = ""


TEMPLATES = {
    # https://huggingface.co/Qwen/Qwen2.5-Coder-7B and the Qwen2.5-Coder report, section 3
    "qwen": Template(
        form="<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        stop=(
            "<|endoftext|>",
            "<|fim_prefix|>",
            "<|fim_suffix|>",
            "<|fim_middle|>",
            "<|fim_pad|>",
            "<|repo_name|>",
            "<|file_sep|>",
            "<|im_start|>",
            "<|im_end|>",
        ),
        repo="<|repo_name|>{repo}\n",
        file="<|file_sep|>{path}\n{text}\n",
    ),
    # https://huggingface.co/bigcode/starcoder2-15b , StarCoder2 report, section 5.1
    "starcoder": Template(
        form="<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        stop=(
            "<|endoftext|>",
            "<fim_prefix>",
            "<fim_suffix>",
            "<fim_middle>",
            "<fim_pad>",
            "<repo_name>",
            "<file_sep>",
        ),
        repo="<repo_name>{repo}",
        file="<file_sep>{path}\n{text}",
    ),
    # https://huggingface.co/codellama/CodeLlama-7b-hf : the infilling format of the release
    "codellama": Template(
        form="<PRE> {prefix} <SUF>{suffix} <MID>", stop=("<EOT>", "<PRE>", "<SUF>", "<MID>", "</s>")
    ),
    # https://huggingface.co/deepseek-ai/deepseek-coder-6.7b-base#2-code-insertion
    "deepseek": Template(
        form="<｜fim▁begin｜>{prefix}<｜fim▁hole｜>{suffix}<｜fim▁end｜>",
        stop=("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜end▁of▁sentence｜>", "<|EOT|>"),
        file="#{path}\n{text}\n",
    ),
    # https://huggingface.co/google/codegemma-2b
    "codegemma": Template(
        form="<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        stop=(
            "<|file_separator|>",
            "<|fim_prefix|>",
            "<|fim_suffix|>",
            "<|fim_middle|>",
            "<eos>",
            "<end_of_turn>",
        ),
        file="{path}\n{text}<|file_separator|>",
    ),
    # https://docs.mistral.ai/capabilities/code_generation , tokenizer of Codestral-22B
    "codestral": Template(form="[SUFFIX]{suffix}[PREFIX]{prefix}", stop=("[PREFIX]", "[SUFFIX]", "</s>")),
    # https://huggingface.co/ibm-granite/granite-8b-code-base
    "granite": Template(
        form="<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        stop=("<|endoftext|>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>"),
    ),
    # https://huggingface.co/JetBrains/Mellum-4b-base
    "mellum": Template(
        form="<fim_suffix>{suffix}<fim_prefix>{prefix}<fim_middle>",
        stop=("<|endoftext|>", "<fim_suffix>", "<fim_prefix>", "<fim_middle>", "<filename>", "<reponame>"),
        repo="<reponame>{repo}\n",
        file="<filename>{path}\n{text}\n",
    ),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """`suffix` is set only for backends that fill the middle natively."""

    text: str
    stop: tuple[str, ...]
    suffix: str | None = None


def fill_in_the_middle(
    family: str,
    prefix: str,
    suffix: str,
    path: str = "",
    repo: str = "",
    files: tuple[tuple[str, str], ...] = (),
    comment: str = "#",
) -> Prompt:
    """The prompt for a family of `TEMPLATES`, or "suffix" (native).

    `files` are (path, text) of further files. Families without a repository form get them as comments
    before the prefix. Stable parts come first, so that the engine's prompt cache holds from one keystroke
    to the next.
    """
    template = TEMPLATES.get(family)
    if template is None:
        return Prompt(_as_comments(files, comment) + prefix, (), suffix)

    def clean(text: str) -> str:
        for token in template.stop:
            if len(token) > 3:
                text = text.replace(token, "")
        return text

    head = ""
    if template.file and (files or template.repo):
        head = template.repo.replace("{repo}", clean(repo)) if template.repo and files else ""
        head += "".join(_fill(template.file, path=clean(p), text=clean(t).rstrip()) for p, t in files)
        if files:
            head += _fill(template.file, path=clean(path), text="").rstrip("\n") + "\n"
    elif files:
        prefix = _as_comments(files, comment) + prefix
    return Prompt(head + _fill(template.form, prefix=clean(prefix), suffix=clean(suffix)), template.stop)


def _fill(form: str, **values: str) -> str:
    """Fills the placeholders, none of which is looked for in what was filled in."""
    import re

    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], form)


def _as_comments(files: tuple[tuple[str, str], ...], comment: str) -> str:
    lines: list[str] = []
    for path, text in files:
        lines.append(f"{comment} {path}")
        lines += [f"{comment} {line}".rstrip() for line in text.rstrip().splitlines()]
    return "\n".join(lines) + "\n" if lines else ""


HOLE = "<HOLE/>"

CHAT_INSTRUCTION = (
    f"You complete code. The file has a hole marked {HOLE}. Answer with exactly the text that belongs in the "
    "hole: no explanation, no code fence, nothing that already stands before or after it."
)


def fill_the_hole(prefix: str, suffix: str, path: str, language: str) -> tuple[str, str]:
    """System and user message for models that were not trained to fill in the middle."""
    return CHAT_INSTRUCTION, f"File {path} ({language}):\n\n{prefix}{HOLE}{suffix}"
