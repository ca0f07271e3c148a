"""The prompts as the models' publishers print them."""

from __future__ import annotations

import pytest

from lido.completion.prompt import TEMPLATES, Hole, Snippet, fill, request
from lido.models.base import Capabilities, ChatRequest, TextRequest

PLAIN = Hole("src/main.py", "python", "def f():\n    ", "\n", "shop")
WITH_FILES = Hole("src/main.py", "python", "def f():\n    ", "\n", "shop", (Snippet("a.py", "A = 1"),))


@pytest.mark.parametrize(
    ("family", "plain", "repository"),
    [
        (
            "qwen",
            "<|fim_prefix|>def f():\n    <|fim_suffix|>\n<|fim_middle|>",
            "<|repo_name|>shop\n<|file_sep|>a.py\nA = 1\n<|file_sep|>src/main.py\n"
            "<|fim_prefix|>def f():\n    <|fim_suffix|>\n<|fim_middle|>",
        ),
        (
            "starcoder",
            "<fim_prefix>def f():\n    <fim_suffix>\n<fim_middle>",
            "<repo_name>shop<file_sep>a.py\nA = 1\n<file_sep>src/main.py\n"
            "<fim_prefix>def f():\n    <fim_suffix>\n<fim_middle>",
        ),
        (
            "codellama",
            "<PRE> def f():\n     <SUF>\n <MID>",
            "<PRE> # a.py:\n# A = 1\ndef f():\n     <SUF>\n <MID>",
        ),
        (
            "deepseek",
            "<｜fim▁begin｜>def f():\n    <｜fim▁hole｜>\n<｜fim▁end｜>",
            "#a.py\nA = 1\n#src/main.py\n<｜fim▁begin｜>def f():\n    <｜fim▁hole｜>\n<｜fim▁end｜>",
        ),
        (
            "codegemma",
            "<|fim_prefix|>def f():\n    <|fim_suffix|>\n<|fim_middle|>",
            "a.py\nA = 1\n<|file_separator|>src/main.py\n<|fim_prefix|>def f():\n    <|fim_suffix|>\n<|fim_middle|>",
        ),
        (
            "codestral",
            "[SUFFIX]\n[PREFIX]def f():\n    ",
            "[SUFFIX]\n[PREFIX]+++++ a.py\nA = 1\n\n+++++ src/main.py\ndef f():\n    ",
        ),
        (
            "granite",
            "<fim_prefix>def f():\n    <fim_suffix>\n<fim_middle>",
            "<fim_prefix># a.py:\n# A = 1\ndef f():\n    <fim_suffix>\n<fim_middle>",
        ),
        (
            "mellum",
            "<fim_suffix>\n<fim_prefix>def f():\n    <fim_middle>",
            "<filename>a.py\nA = 1\n<filename>src/main.py\n<fim_suffix>\n<fim_prefix>def f():\n    <fim_middle>",
        ),
    ],
)
def test_template(family, plain, repository):
    assert fill(TEMPLATES[family], PLAIN) == plain
    assert fill(TEMPLATES[family], WITH_FILES) == repository


def test_granite_four_has_other_tokens():
    made = request(PLAIN, Capabilities(fim="granite"), "granite-4.0-h-tiny", 10)
    assert isinstance(made, TextRequest)
    assert made.prompt == "<|fim_prefix|>def f():\n    <|fim_suffix|>\n<|fim_middle|>"


def test_native_suffix_and_chat():
    native = request(WITH_FILES, Capabilities(fim="suffix"), "m", 10)
    assert isinstance(native, TextRequest)
    assert (native.prompt, native.suffix, native.files) == ("def f():\n    ", "\n", (("a.py", "A = 1"),))
    chat = request(WITH_FILES, Capabilities(fim="none"), "m", 10)
    assert isinstance(chat, ChatRequest)
    assert "def f():\n    <HOLE/>\n" in chat.messages[-1].content
    assert "A = 1" in chat.messages[-1].content


@pytest.mark.parametrize("family", TEMPLATES)
def test_code_cannot_speak_in_the_templates_voice(family):
    form = TEMPLATES[family]
    for token in (stop for stop in form.stop if len(stop) > 5 and "\n" not in stop):
        hole = Hole("a.py", "python", f"x = '{token}'", f"{token}", snippets=(Snippet("b.py", token),))
        clean = Hole("a.py", "python", "x = ''", "", snippets=(Snippet("b.py", ""),))
        assert fill(form, hole).count(token) == fill(form, clean).count(token)


def test_braces_in_code_are_left_alone():
    hole = Hole("a.py", "python", "f'{suffix} {prefix} {path}'", "{text}")
    assert fill(TEMPLATES["qwen"], hole) == (
        "<|fim_prefix|>f'{suffix} {prefix} {path}'<|fim_suffix|>{text}<|fim_middle|>"
    )
