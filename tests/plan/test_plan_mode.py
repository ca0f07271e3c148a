import asyncio
import json
from pathlib import Path

import pytest

from fakes.plan_world import World, steps
from fakes.scripted_models import LARGE, SMALL, ScriptedModels
from lido.models.base import ModelError
from lido.plan.agent import NotWaiting, UnknownPlan
from lido.plan.run import FINAL
from lido.workspace.attachments import Attachment

BASKET = """\
class Basket:
    def total(self):
        return sum(i.price for i in self.items)

    def count(self):
        return len(self.items)
"""
FIXED = BASKET.replace("i.price for", "i.price * i.quantity for").replace(
    "len(self.items)", "sum(i.quantity for i in self.items)"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "basket.py").write_text(BASKET)
    (root / "test_basket.py").write_text("from basket import Basket\n\ndef test_total(): ...\n")
    (root / "receipt.py").write_text("def receipt(basket): ...\n")
    return root


@pytest.fixture
def world(root: Path):
    def build(*answers, capabilities=SMALL) -> World:
        return World(root, ScriptedModels(*answers, capabilities=capabilities))

    return build


async def test_a_small_model_rewrites_the_file_and_the_difference_is_reviewed(world, root: Path):
    w = world(steps(("basket.py", "fix total"), ("basket.py", "fix count")), f"```python\n{FIXED}```")
    end = await w.run("Make total() and count() right", attachments=[Attachment("file", root / "basket.py")])
    assert end.state == "review", end.message
    assert w.hunks(end) == [
        ("basket.py", "return sum(i.price for i in self.items)",
         "return sum(i.price * i.quantity for i in self.items)"),
        ("basket.py", "return len(self.items)", "return sum(i.quantity for i in self.items)"),
    ]  # fmt: skip
    states = list(dict.fromkeys(u.state for u in w.updates))
    assert states == ["exploring", "planning", "editing", "review"]
    assert [s.state for s in end.steps] == ["done", "done"]
    assert (root / "basket.py").read_text() == BASKET, "nothing is written before it is accepted"


async def test_every_request_extends_the_one_before(world, root: Path):
    """An engine with a prompt cache then reads only what is new."""
    w = world(steps(("basket.py", "fix")), f"```python\n{FIXED}```")
    await w.run("Make total() right in basket.py")
    first, second = (request.messages for request in w.models.requests)
    assert second[: len(first)] == first
    assert len(second) == len(first) + 2


async def test_larger_models_write_blocks_and_a_failed_quote_goes_back_once(world, root: Path):
    wrong = "basket.py\n<<<<<<< SEARCH\n    def missing(self, other_thing):\n=======\nx\n>>>>>>> REPLACE\n"
    right = (
        "basket.py\n<<<<<<< SEARCH\n        return len(self.items)\n=======\n"
        "        return sum(i.quantity for i in self.items)\n>>>>>>> REPLACE\n"
    )
    w = world(steps(("basket.py", "fix count")), wrong, right, capabilities=LARGE)
    end = await w.run("count() in basket.py must add up quantities")
    assert end.state == "review", end.message
    assert len(w.hunks(end)) == 1
    again = w.models.requests[2].messages[-1].content
    assert "could not be applied" in again
    assert "def missing" in again


async def test_gives_up_honestly_where_no_edit_comes(world):
    w = world(steps(("basket.py", "fix")), f"```python\n{BASKET}```", "Sorry.\n```\n```")
    end = await w.run("Make total() in basket.py right")
    assert end.state == "gaveUp"
    assert "basket.py" in end.message
    assert end.review_id == ""


async def test_asks_where_nothing_is_found_and_goes_on_with_the_answer(world, root: Path):
    w = world(steps(("basket.py", "fix")), f"```python\n{FIXED}```")
    plan = w.start("xyzzy")
    await asyncio.wait_for(w.waiting.wait(), 5)
    assert "Which file" in w.plans.state(plan).question
    w.plans.answer(plan, "basket.py")
    end = await w.plans.wait(plan)
    assert end.state == "review", end.message
    assert end.question == ""
    with pytest.raises(NotWaiting):
        w.plans.answer(plan, "again")


async def test_a_larger_model_may_ask(world):
    edit = (
        "basket.py\n<<<<<<< SEARCH\n    def count(self):\n=======\n    def number(self):\n>>>>>>> REPLACE\n"
    )
    w = world('{"question": "Rename to what?"}', steps(("basket.py", "rename")), edit, capabilities=LARGE)
    plan = w.start("Rename count in basket.py")
    await asyncio.wait_for(w.waiting.wait(), 5)
    w.plans.answer(plan, "number")
    assert (await w.plans.wait(plan)).state == "review"
    assert "Rename to what? number" in w.models.requests[1].messages[-1].content


@pytest.mark.parametrize("when", [0, 1])
async def test_cancel_closes_the_model_at_once(world, root: Path, when: int):
    answers = [steps(("basket.py", "fix")), FIXED]
    answers[when] = answers[when][:10] + "…hang…"
    w = world(*answers)
    plan = w.start("Make total() in basket.py right")
    await w.models.hanging.wait()
    end = await asyncio.wait_for(w.plans.cancel(plan), 1)
    assert end.state == "cancelled"
    assert w.models.closed == 1
    assert w.reviews.all() == []
    assert w.updates[-1].state == "cancelled"


async def test_a_failing_model_is_said_in_its_own_words(world):
    w = world(ModelError("unreachable", "The model cannot be reached.", "Start it."))
    end = await w.run("Fix basket.py")
    assert (end.state, end.message) == ("failed", "The model cannot be reached. Start it.")


async def test_a_model_cannot_reach_outside_the_workspace(world, root: Path):
    outside = root.parent / "outside.py"
    edit = f"{outside}\n<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n"
    w = world(steps((str(outside), "write")), edit, edit, capabilities=LARGE)
    end = await w.run("Do it in basket.py")
    assert end.state == "gaveUp"
    assert not outside.exists()


async def test_a_test_command_is_offered_not_run(world, root: Path):
    marker = root / "ran"
    w = world(steps(("basket.py", "fix")), f"```python\n{FIXED}```")
    end = await w.run("Fix total() in basket.py", test_command=f"touch {marker}")
    assert f"touch {marker}" in end.message
    assert not marker.exists()


async def test_the_run_is_kept_readable_by_the_person_alone_without_secrets(world, root: Path):
    key = "ghp_" + "a1B2" * 9
    (root / "basket.py").write_text(BASKET + f"\nKEY = '{key}'\n")
    w = world(steps(("basket.py", "fix")), f"```python\n{FIXED}```")
    end = await w.run("Fix total() in basket.py")
    file = w.folder / f"{end.plan_id}.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [e["kind"] for e in events if e["kind"] in ("start", "request", "answer", "end")] == [
        "start", "request", "answer", "request", "answer", "end",
    ]  # fmt: skip
    assert key not in file.read_text()


async def test_a_new_file_is_created_by_review(world, root: Path):
    w = world(steps(("discount.py", "write it")), "```python\ndef discount(x):\n    return x\n```")
    end = await w.run("Create discount.py with a function discount for basket.py")
    (file,) = w.reviews.get(end.review_id).files
    assert (file.kind, file.after) == ("create", "def discount(x):\n    return x\n")
    assert not (root / "discount.py").exists()


async def test_unknown_plans_are_said_to_be_unknown(world):
    w = world()
    with pytest.raises(UnknownPlan):
        w.plans.answer("x", "y")
    with pytest.raises(UnknownPlan):
        await w.plans.cancel("x")


def test_final_states_are_the_documented_ones():
    assert {"review", "done", "gaveUp", "cancelled", "failed"} == FINAL


async def test_a_file_that_no_step_names_is_marked_for_a_second_look(world, root: Path):
    blocks = (
        "basket.py\n<<<<<<< SEARCH\n        return len(self.items)\n=======\n"
        "        return sum(i.quantity for i in self.items)\n>>>>>>> REPLACE\n"
        "receipt.py\n<<<<<<< SEARCH\ndef receipt(basket): ...\n=======\ndef receipt(b): ...\n>>>>>>> REPLACE\n"
    )
    w = world(steps(("basket.py", "fix count")), blocks, capabilities=LARGE)
    end = await w.run("count() in basket.py must add up quantities")
    review = w.reviews.get(end.review_id)
    assert {Path(f.path).name: f.note for f in review.files} == {
        "basket.py": "",
        "receipt.py": "no step of the plan names it",
    }
