"""What a model's name tells: its fill-in-the-middle template, and whether it is small."""

from __future__ import annotations

import re

# In order: the first that matches. Fine-tunes keep the family's name as a rule.
_FIM = (
    ("codestral", r"codestral"),
    ("mellum", r"mellum"),
    ("codegemma", r"codegemma"),
    ("codellama", r"code-?llama(?!.*instruct.*34b)"),
    ("starcoder", r"starcoder|star-coder|tabnine-starcoder|santacoder"),
    ("deepseek", r"deepseek-?coder"),
    ("granite", r"granite"),
    ("qwen", r"qwen.*coder|codeqwen|qwen3"),
)

_SIZE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s*b(?![a-z0-9])", re.I)
SMALL = 3.5
"""Billion parameters up to which prompts and formats are kept simple."""


def fim_template(model: str) -> str:
    """Name of the template for `model`, "none" where nothing is known about it."""
    lowered = model.lower().replace("_", "-")
    return next((name for name, pattern in _FIM if re.search(pattern, lowered)), "none")


def is_small(model: str) -> bool:
    """Whether the name says that the model has few parameters; unknown counts as large."""
    sizes = [float(size) for size in _SIZE.findall(model.replace("_", "-"))]
    return bool(sizes) and max(sizes) <= SMALL
