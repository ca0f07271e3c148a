"""The JSON shape of GitHub's Copilot Metrics API, so that dashboards made for it read Lido's numbers.

https://docs.github.com/en/rest/copilot/copilot-metrics (version 2022-11-28): one object for each day, people
counted at every level. What Lido does not have (chat and pull requests on a web site, copy events) is zero.
GitHub itself has gone over to reports to download; what was made for this shape reads on here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

PATHS = (
    "/orgs/{org}/copilot/metrics",
    "/orgs/{org}/team/{team}/copilot/metrics",
    "/enterprises/{org}/copilot/metrics",
    "/enterprises/{org}/team/{team}/copilot/metrics",
)

Row = dict[str, Any]

_COMPLETION = ("completion", "next_edit")
_CHAT = ("chat", "chat_apply")


def days(rows: Iterable[Row]) -> list[Row]:
    """`rows` are counts by day, editor, model, language, feature and user."""
    grouped = _grouped(rows, "day")
    return [_day(day, grouped[day]) for day in sorted(grouped)]


def _day(day: str, rows: list[Row]) -> Row:
    completions = [row for row in rows if row["feature"] in _COMPLETION]
    chats = [row for row in rows if row["feature"] in _CHAT]
    return {
        "date": day,
        "total_active_users": len({row["user"] for row in rows}),
        "total_engaged_users": _engaged(rows),
        "copilot_ide_code_completions": {
            "total_engaged_users": _engaged(completions),
            "languages": [
                {"name": language, "total_engaged_users": _engaged(each)}
                for language, each in _grouped(completions, "language").items()
            ],
            "editors": _editors(completions, _languages),
        },
        "copilot_ide_chat": {"total_engaged_users": _engaged(chats), "editors": _editors(chats, _chats)},
        "copilot_dotcom_chat": {"total_engaged_users": 0, "models": []},
        "copilot_dotcom_pull_requests": {"total_engaged_users": 0, "repositories": []},
    }


def _editors(rows: list[Row], inner: Callable[[list[Row]], Row]) -> list[Row]:
    return [
        {
            "name": editor,
            "total_engaged_users": _engaged(each),
            "models": [
                {
                    "name": model or "default",
                    "is_custom_model": True,
                    "custom_model_training_date": None,
                    "total_engaged_users": _engaged(of_model),
                    **inner(of_model),
                }
                for model, of_model in _grouped(each, "model").items()
            ],
        }
        for editor, each in _grouped(rows, "editor").items()
    ]


def _languages(rows: list[Row]) -> Row:
    return {
        "languages": [
            {
                "name": language,
                "total_engaged_users": _engaged(each),
                "total_code_suggestions": _sum(each, "shown"),
                "total_code_acceptances": _taken(each),
                "total_code_lines_suggested": _sum(each, "lines"),
                "total_code_lines_accepted": _sum(each, "accepted_lines"),
            }
            for language, each in _grouped(rows, "language").items()
        ]
    }


def _chats(rows: list[Row]) -> Row:
    return {
        "total_chats": sum(int(row["requests"]) for row in rows if row["feature"] == "chat"),
        "total_chat_insertion_events": sum(_taken([row]) for row in rows if row["feature"] == "chat_apply"),
        "total_chat_copy_events": 0,
    }


def _grouped(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[key] or ""].append(row)
    return dict(found)


def _engaged(rows: Iterable[Row]) -> int:
    """People who accepted something, or asked in the chat."""
    return len(
        {row["user"] for row in rows if _taken([row]) or (row["feature"] == "chat" and row["requests"])}
    )


def _taken(rows: Iterable[Row]) -> int:
    return sum(int(row["accepted"] + row["partially_accepted"]) for row in rows)


def _sum(rows: Iterable[Row], key: str) -> int:
    return sum(int(row[key]) for row in rows)
