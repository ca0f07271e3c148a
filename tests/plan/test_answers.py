from hypothesis import given
from hypothesis import strategies as st

from lido.plan import answers


def test_steps_in_json_in_a_fence_between_prose():
    text = (
        'Sure!\n```json\n{"steps": [{"file": "./a.py", "change": "Fix it", "reason": "wrong"}]}\n```\nDone.'
    )
    (step,), question = answers.steps(text)
    assert (step.title, step.files, step.detail, question) == ("Fix it", ("a.py",), "wrong", "")


def test_steps_as_a_bare_array_and_as_a_list():
    assert [s.title for s in answers.steps('[{"path": "a", "title": "x"}, "y"]')[0]] == ["x", "y"]
    assert [s.title for s in answers.steps("Plan:\n1. first\n2) second\n- third")[0]] == [
        "first",
        "second",
        "third",
    ]


def test_a_question_in_place_of_steps():
    assert answers.steps('{"question": "Which one?"}') == ([], "Which one?")
    assert answers.steps('{"steps": [{"change": "x"}], "question": "also?"}')[1] == ""


def test_code_is_the_largest_block_or_the_bare_text():
    assert answers.code("a\n```\nx\n```\n```py\nlonger = 1\n```") == "longer = 1\n"
    assert answers.code("```py\nopen = 1\n") == "open = 1\n"
    assert answers.code("x = 1") == "x = 1\n"
    assert answers.code(" \n") is None


@given(st.text(alphabet='{}[]",:`~\n-1. astepquion', max_size=120))
def test_any_answer_is_read_without_error(text: str):
    found, question = answers.steps(text)
    assert all(step.title for step in found)
    assert isinstance(question, str)
    answers.code(text)
    list(answers.json_values(text))
