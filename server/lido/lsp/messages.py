"""Lido's own messages (``lido/…``): the source from which the clients' types are generated.

Names on the wire are camelCase. Positions are LSP positions in the negotiated encoding; `line` and
`character` count from 0.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Text = Annotated[str, Field(max_length=8_000_000)]
Id = Annotated[str, Field(max_length=200)]


class Wire(BaseModel):
    """Base of everything on the wire: camelCase outside, unknown members ignored as LSP asks."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    def encode(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


class Position(Wire):
    line: int = Field(ge=0, le=2**31 - 1)
    character: int = Field(ge=0, le=2**31 - 1)


class Range(Wire):
    start: Position
    end: Position


AttachmentKind = Literal[
    "file", "selection", "symbol", "folder", "diagnostics", "output", "diff", "workspace"
]


class Attachment(Wire):
    """Something the person points at; `text` is what the client already holds."""

    kind: AttachmentKind
    uri: str | None = None
    range: Range | None = None
    text: Text | None = None
    name: str | None = None


class CodeBlock(Wire):
    language: str
    text: str
    uri: str | None = None


class TokenUsage(Wire):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


# ---------------------------------------------------------------- completion


class CompletionOutcome(Wire):
    """``lido/completion/shown``, ``/partiallyAccepted`` and ``/dismissed``.

    `accepted_length` counts code units of the negotiated position encoding, from the suggestion's start.
    """

    id: Id
    accepted_length: int | None = Field(None, ge=0)
    reason: str | None = Field(None, max_length=200)


# ---------------------------------------------------------------- chat


class ChatSend(Wire):
    """``lido/chat/send``; with `partial_result_token` the answer streams as ``{ delta }``."""

    text: Text
    conversation_id: Id | None = None
    attachments: list[Attachment] = Field(default_factory=list, max_length=200)
    model: str | None = None
    replaces: Id | None = None
    """An earlier question's message id: this one takes its place, with all that followed."""
    partial_result_token: str | int | None = None
    work_done_token: str | int | None = None


class ChatDelta(Wire):
    delta: str
    conversation_id: Id | None = None
    """In the first one: a cancelled request has no answer that could tell it."""


class ChatAnswer(Wire):
    conversation_id: Id
    message_id: Id
    text: str
    code_blocks: list[CodeBlock]
    usage: TokenUsage
    notes: list[str] = []
    """Sentences for the person: what was left out, which citations do not exist."""


class ChatApply(Wire):
    """``lido/chat/apply``: a code block of an answer, for the file `uri` (the block's own, or the one that
    the person chose)."""

    text: Text
    uri: str
    language: str = ""


class ReviewOpened(Wire):
    review_id: Id


class ConversationRef(Wire):
    """``lido/chat/get``, ``/delete``, ``/export``."""

    conversation_id: Id


class ChatRetry(Wire):
    """``lido/chat/retry``: the last question again, of `model` where one is named."""

    conversation_id: Id
    model: str | None = None
    partial_result_token: str | int | None = None
    work_done_token: str | int | None = None


class ChatRename(Wire):
    conversation_id: Id
    title: str = Field(min_length=1, max_length=200)


class ChatExported(Wire):
    text: str
    """The conversation as Markdown."""


class ChatList(Wire):
    """``lido/chat/list``: newest first; `query` searches titles and messages."""

    query: str | None = Field(None, max_length=1000)
    limit: int = Field(200, ge=1, le=10_000)


class ChatFeedback(Wire):
    message_id: Id
    rating: Literal["up", "down"]


class ConversationSummary(Wire):
    conversation_id: Id
    title: str
    updated: str
    """UTC, ISO 8601."""
    messages: int


class ChatMessage(Wire):
    message_id: Id
    role: Literal["user", "assistant"]
    text: str
    code_blocks: list[CodeBlock] = []
    time: str
    model: str | None = None
    rating: Literal["up", "down"] | None = None
    complete: bool = True
    """False where the answer was cancelled or broke off; what came is kept."""
    attachments: list[Attachment] = []
    """What went along with a question, each with its `name`; to be sent again with an edited one."""


class Conversation(Wire):
    conversation_id: Id
    title: str
    messages: list[ChatMessage]


# ---------------------------------------------------------------- plan

PlanState = Literal[
    "exploring",
    "planning",
    "waiting",
    "editing",
    "testing",
    "review",
    "done",
    "gaveUp",
    "cancelled",
    "failed",
]


PlanAsks = Literal["text", "consent", "steps"]


class PlanStart(Wire):
    instruction: Text
    attachments: list[Attachment] = Field(default_factory=list, max_length=200)
    mode: Literal["plan", "agent"] = "plan"
    test_command: str | None = Field(None, max_length=4000)
    confirm_steps: bool = False
    """In plan mode, wait with the steps until the person has gone over them."""
    work_done_token: str | int | None = None


class PlanStarted(Wire):
    plan_id: Id


class PlanStep(Wire):
    title: str
    detail: str = ""
    files: list[str] = []
    """Workspace-relative paths."""
    state: Literal["pending", "running", "done", "failed", "skipped"] = "pending"


class PlanUpdate(Wire):
    """``lido/plan/update``: the whole present state, not a difference."""

    plan_id: Id
    state: PlanState
    steps: list[PlanStep] = []
    message: str | None = None
    question: str | None = None
    asks: PlanAsks | None = None
    """What answers `question`: any text, one of yes, always and no, or the steps."""
    review_id: Id | None = None


class PlanAnswer(Wire):
    plan_id: Id
    text: Text
    steps: list[PlanStep] | None = Field(None, max_length=200)
    """Where the plan asks for its steps: as the person leaves them."""


class PlanRef(Wire):
    plan_id: Id


# ---------------------------------------------------------------- review

HunkState = Literal["pending", "accepted", "rejected", "conflict", "failed", "undone"]


class ReviewHunk(Wire):
    hunk_id: Id
    uri: str
    old_range: Range
    new_text: str
    state: HunkState
    description: str = ""
    conflict_text: str | None = None
    """Where `state` is conflict: what stands in the document now."""


class ReviewFile(Wire):
    uri: str
    kind: Literal["modify", "create", "delete", "rename"] = "modify"
    new_uri: str | None = None
    hunks: list[ReviewHunk]


class ReviewRef(Wire):
    review_id: Id


class Review(Wire):
    review_id: Id
    title: str = ""
    files: list[ReviewFile]


class ReviewList(Wire):
    """``lido/review/list``: what is undecided, also from before the server was started."""


class ReviewDecide(Wire):
    review_id: Id
    hunk_ids: list[Id] = Field(max_length=100_000)
    decision: Literal["accept", "reject"]
    preview: bool = False
    """The editor asks about each accepted hunk first (annotations with `needs_confirmation`)."""


class HunkOutcome(Wire):
    hunk_id: Id
    state: HunkState
    message: str | None = None


class ReviewDecided(Wire):
    hunks: list[HunkOutcome]


class ReviewUndone(Wire):
    restored: list[str]
    """URIs that stand again as they were before the review."""
    failed: list[str] = []
    """What could not be restored, and why, in sentences."""


# ---------------------------------------------------------------- around


class DiagnosticsQuery(Wire):
    """``lido/diagnostics``: request to a client that says ``experimental.lido.diagnostics``, for an agent."""

    uri: str | None = None
    """Only of this file; null for all."""


class FileDiagnostic(Wire):
    """What the editor reports of a file, whatever found it."""

    uri: str
    line: int
    """From 0."""
    severity: Literal["error", "warning", "information", "hint"]
    message: str


class ModelStatus(Wire):
    name: str
    provider: str
    model: str
    state: Literal["cold", "warming", "ready", "error"]
    message: str = ""
    tokens_per_second: float | None = None
    """Of its latest answers, to two digits; null before the first of some length."""


class Status(Wire):
    """``lido/status``: notification to the client whenever it changes."""

    state: Literal["ready", "busy", "warming", "error", "off"]
    message: str
    models: list[ModelStatus] = []


class ModelInfo(ModelStatus):
    tools: bool
    """Whether it can call tools."""
    context_window: int
    """Tokens."""


class ModelsQuery(Wire):
    """``lido/models``."""


class Models(Wire):
    models: list[ModelInfo]
    roles: dict[str, list[str]]
    """Role (chat, completion, plan) → names of the models that serve it, in fail-over order."""


class ModelTool(Wire):
    name: Id
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """A JSON Schema object."""


class ModelToolCall(Wire):
    id: Id
    name: Id
    arguments: str
    """JSON as the model wrote it; it may be malformed."""


class ModelTurn(Wire):
    role: Literal["system", "user", "assistant", "tool"]
    text: Text = ""
    tool_calls: list[ModelToolCall] = Field(default_factory=list, max_length=1000)
    tool_call_id: Id | None = None
    """Of a tool's turn: the call that `text` is the result of."""


class ModelAsk(Wire):
    """``lido/models/ask``: one answer of a model for a conversation that the client keeps, as it is:
    without a prompt of Lido's, and nothing is stored. Streams `ChatDelta`."""

    turns: list[ModelTurn] = Field(min_length=1, max_length=10_000)
    tools: list[ModelTool] = Field(default_factory=list, max_length=1000)
    model: str | None = None
    partial_result_token: str | int | None = None
    work_done_token: str | int | None = None


class ModelAnswer(Wire):
    text: str
    tool_calls: list[ModelToolCall]
    usage: TokenUsage


class MetricsQuery(Wire):
    """``lido/metrics``: `by` names dimensions, `since` is a span such as ``28d`` or an ISO 8601 time."""

    by: list[str] = []
    since: str = "28d"


class MetricsRows(Wire):
    rows: list[dict[str, Any]]
