"""The clients' generated types are those of `messages`, and say what the server really does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from lido.lsp import features, schema
from lido.lsp import messages as m


def validator(name: str) -> Draft202012Validator:
    whole = json.loads(schema.schema())
    Draft202012Validator.check_schema({"$defs": whole["$defs"]})
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": whole["$defs"]})


def test_the_checkout_has_what_would_be_generated() -> None:
    assert schema.drift() == [], "run: python -m lido.lsp.schema"


def test_drift_is_seen(tmp_path: Any) -> None:
    for path, text in schema.generated().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    assert schema.drift(tmp_path) == []
    (tmp_path / schema.TYPESCRIPT).write_text("// by hand")
    (tmp_path / schema.JAVA / "Gone.java").write_text("")
    assert schema.drift(tmp_path) == sorted([str(schema.TYPESCRIPT), str(schema.JAVA / "Gone.java")])


def test_every_method_that_the_server_has_is_described() -> None:
    served = {name for name in features.build().protocol.fm.features if name.startswith("lido/")}
    assert served == {method.name for method in schema.METHODS if not method.to_client}


def test_what_has_a_default_may_be_left_out_by_clients_alone() -> None:
    validator("ChatSend").validate({"text": "Why?"})
    validator("PlanUpdate").validate(m.PlanUpdate(plan_id="1", state="planning").encode())
    with pytest.raises(ValidationError, match="steps"):
        validator("PlanUpdate").validate({"planId": "1", "state": "planning"})


def test_a_value_outside_a_union_does_not_fit() -> None:
    with pytest.raises(ValidationError, match="sideways"):
        validator("ReviewDecide").validate({"reviewId": "1", "hunkIds": [], "decision": "sideways"})
