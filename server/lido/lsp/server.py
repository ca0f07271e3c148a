"""The composition root: builds each service once, when it is first asked for, and registers the features.

`initialize` is answered before any of them exists (invariant: nothing slow at start-up).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import converters
from lsprotocol import types as lsp
from pygls import uris
from pygls.exceptions import JsonRpcException, JsonRpcInternalError, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

import lido
from lido import settings as configuration
from lido.events.schema import uuid7
from lido.lsp import logs
from lido.lsp import messages as m
from lido.workspace.documents import Document, Documents

if TYPE_CHECKING:
    from collections.abc import Generator

    import filelock

    from lido.chat.service import Chat
    from lido.completion.engine import Completer
    from lido.edits.apply import Outcome, Reviews
    from lido.edits.files import Workspace
    from lido.events.attribution import Tracker
    from lido.events.otlp import Exporter
    from lido.events.store import EventLog
    from lido.lsp.notebooks import Notebooks
    from lido.models.base import ModelError
    from lido.models.registry import Models
    from lido.plan.agent import Plans
    from lido.workspace.attachments import Attachments
    from lido.workspace.privacy import Privacy

log = logging.getLogger(__name__)

REQUEST_FAILED = -32803
"""LSPErrorCodes.RequestFailed: a valid request that could not be served; its message is for people."""

M = TypeVar("M", bound="m.Wire")


class RequestFailed(JsonRpcException):
    """Answers the request with a sentence for the person; not a defect, so nothing is logged as one."""

    CODE = REQUEST_FAILED
    MESSAGE = "Request failed"


NOTEBOOKS = lsp.NotebookDocumentSyncOptions(
    notebook_selector=[
        lsp.NotebookDocumentFilterWithNotebook(notebook="*", cells=[lsp.NotebookCellLanguage(language="*")])
    ]
)


class LidoProtocol(LanguageServerProtocol):
    """pygls' protocol with our documents in place of its own, whose cost grows with the file."""

    _server: LidoServer

    def _execute_handler(self, msg_id: Any, handler: Any, callback: Any, *args: Any, **kwargs: Any) -> None:
        """pygls keeps the futures of notifications for good: a kilobyte for each keystroke."""
        super()._execute_handler(msg_id, handler, callback, *args, **kwargs)
        if (future := self._request_futures.get(msg_id)) is not None:
            future.add_done_callback(
                # At the end pygls cancels what is left while it goes through it.
                lambda done: None if done.cancelled() else self._request_futures.pop(msg_id, None)
            )

    def _handle_request(self, msg_id: Any, method_name: str, params: Any) -> None:
        """What is logged meanwhile has the request with it: each message has a context of its own."""
        logs.request.set((str(msg_id), method_name, time.perf_counter()))
        super()._handle_request(msg_id, method_name, params)

    def _send_handler_result(self, future: Any, *, msg_id: Any) -> None:
        super()._send_handler_result(future, msg_id=msg_id)
        if asked := logs.request.get():
            error = None if future.cancelled() else future.exception()
            outcome = "cancelled" if future.cancelled() else logs.reason(error) if error else "ok"
            spent = round((time.perf_counter() - asked[2]) * 1000, 1)
            log.info("answered", extra={"milliseconds": spent, "outcome": outcome})

    @lsp_method(lsp.INITIALIZE)
    def lsp_initialize(self, params: lsp.InitializeParams) -> Generator[Any, Any, lsp.InitializeResult]:
        self._server.starting(params)
        result = yield from super().lsp_initialize(params)
        result.capabilities.experimental = {"lido": {"version": 1, **self._server.own_capabilities}}
        return result

    @lsp_method(lsp.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: lsp.DidOpenTextDocumentParams) -> Generator[Any, Any, None]:
        item = params.text_document
        self._server.documents.open(
            item.uri, str(item.language_id), item.version, item.text, to_path(item.uri)
        )
        yield from self._user_handler(lsp.TEXT_DOCUMENT_DID_OPEN, params)

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(
        self, params: lsp.DidChangeTextDocumentParams
    ) -> Generator[Any, Any, None]:
        self._server.apply_changes(params)
        yield from self._user_handler(lsp.TEXT_DOCUMENT_DID_CHANGE, params)

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(
        self, params: lsp.DidCloseTextDocumentParams
    ) -> Generator[Any, Any, None]:
        yield from self._user_handler(lsp.TEXT_DOCUMENT_DID_CLOSE, params)
        self._server.documents.close(params.text_document.uri)

    @lsp_method(lsp.EXIT)
    def lsp_exit(self, *args: Any) -> Generator[Any, Any, None]:
        """pygls would end the process at once; here the read loop ends, and with it the session."""
        self._server.exit_code = 0 if self._shutdown else 1
        yield from ()

    # pygls would keep the cells in its own workspace as well.

    @lsp_method(lsp.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: Any) -> Generator[Any, Any, None]:
        yield from self._user_handler(lsp.NOTEBOOK_DOCUMENT_DID_OPEN, params)

    @lsp_method(lsp.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(self, params: Any) -> Generator[Any, Any, None]:
        yield from self._user_handler(lsp.NOTEBOOK_DOCUMENT_DID_CHANGE, params)

    @lsp_method(lsp.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(self, params: Any) -> Generator[Any, Any, None]:
        yield from self._user_handler(lsp.NOTEBOOK_DOCUMENT_DID_CLOSE, params)

    def _user_handler(self, method: str, params: Any) -> Generator[Any, Any, None]:
        if (handler := self.fm.features.get(method)) is not None:
            yield handler, (params,), None


class LidoServer(LanguageServer):
    """One editor's session. Attributes that are services are made on first use."""

    protocol: LidoProtocol

    def __init__(self) -> None:
        self.own_capabilities: dict[str, Any] = {}
        self.exit_code: int | None = None
        self.documents = Documents()
        self.roots: list[Path] = []
        self.editor = "unknown"
        self.editor_version = ""
        self.copilot_client = False
        """The editor's Copilot client, pointed at Lido: it is told the status in its own words too."""
        self.problems: list[configuration.Problem] = []
        self._editor_section: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._status: m.Status | None = None
        self._told: set[str] = set()
        self._failing: set[str] = set()
        """Models whose failure was told, until they answer again."""
        self.configured = asyncio.Event()
        self.session = uuid7()
        self.user = ""
        self.project = ""
        self._session_lock: filelock.BaseFileLock | None = None
        self._exporter: Exporter | None = None
        self._loop: asyncio.AbstractEventLoop
        self.code_actions: list[Callable[[lsp.CodeActionParams], list[lsp.CodeAction]]] = []
        """Who offers actions; one handler asks them all (see `actions`)."""
        self.review_listeners: list[Callable[[Outcome], None]] = []
        """Told what became of each reviewed hunk."""
        self.file_listeners: list[Callable[[], None]] = []
        """Told, once things are quiet, that files changed on disk."""
        self._files_changed: asyncio.TimerHandle | None = None
        self.recovering: asyncio.Task[None] | None = None
        """Puts right what the server before this one left."""
        super().__init__(
            "lido",
            lido.__version__,
            protocol_cls=LidoProtocol,
            # pygls' own converter turns the params of methods it does not know into named tuples;
            # ours stay plain JSON until their pydantic model reads them.
            converter_factory=converters.get_converter,
            max_workers=4,
            notebook_document_sync=NOTEBOOKS,
        )

    # ------------------------------------------------------------------ registering

    def own(self, method: str) -> Callable[[Callable[[M], Any]], None]:
        """Registers a request or notification of our own: JSON → message → handler → JSON.

        The handler's parameter says by its type which of `messages` it takes. A member that does not fit
        is answered with its path and what is allowed there. A plain function is run as its message is read,
        in order with changes to documents; it is for notifications only.
        """

        def register(handler: Callable[[M], Any]) -> None:
            (parameter,) = inspect.signature(handler).parameters.values()
            name = str(parameter.annotation).rpartition(".")[2]

            async def handle(raw: Any) -> Any:
                await self.configured.wait()  # services are made with the settings as they are by then
                try:
                    result = await handler(decode(getattr(m, name), raw, method))
                except OSError as error:  # a full disk is for the person to know of, and no defect
                    raise RequestFailed(str(error)) from error
                return result.encode() if isinstance(result, m.Wire) else result

            def handle_in_order(raw: Any) -> None:
                if self.configured.is_set():  # what is told of cannot have come from here before
                    handler(decode(getattr(m, name), raw, method))

            self.feature(method)(handle if inspect.iscoroutinefunction(handler) else handle_in_order)

        return register

    # ------------------------------------------------------------------ services

    @cached_property
    def home(self) -> configuration.Home:
        return configuration.Home()

    @cached_property
    def settings(self) -> configuration.Settings:
        """As configured; the defaults until then."""
        return configuration.Settings()

    @cached_property
    def privacy(self) -> Privacy:
        from lido.workspace.privacy import Privacy

        return Privacy(self.roots, self.settings.privacy)

    @cached_property
    def models(self) -> Models:
        from lido.models.registry import Models

        return Models(self.settings, self.home, self.privacy.scrub, self.update_status)

    @cached_property
    def tracker(self) -> Tracker:
        from lido.events.attribution import Context, Tracker
        from lido.events.store import EventLog

        events = self.settings.events
        log = EventLog(
            self.home.events,
            self._tell_from_thread,
            enabled=events.enabled,
            retention_days=events.retention_days,
            max_size_mb=events.max_size_mb,
        )
        if events.enabled and events.otlp_endpoint:
            self._export(log, events.otlp_endpoint)
        tracker = Tracker(
            log,
            Context(
                editor=self.editor,
                editor_version=self.editor_version,
                project=self.project,
                team=events.team,
                user=self.user,
                server_version=lido.__version__,
            ),
            self.session,
            store_text=events.store_text,
            later=self._loop.call_later,
            read=self.documents.get,
        )
        self.documents.listen(tracker.document_changed)
        self.documents.on_close(lambda document: tracker.document_closed(document.uri))
        return tracker

    def _export(self, log: EventLog, endpoint: str) -> None:
        from lido.events.otlp import Exporter

        exporter = self._exporter = Exporter(endpoint, lido.__version__)

        async def begin() -> None:
            try:
                await asyncio.to_thread(exporter.begin)
            except ImportError:
                self.tell(
                    "events.otlp_endpoint is set, but OpenTelemetry is not installed: "
                    "install Lido with the extra `otel`.",
                    lsp.MessageType.Warning,
                )

        log.observer = exporter
        self.spawn(begin(), "begin exporting")

    @cached_property
    def notebooks(self) -> Notebooks:
        from lido.lsp.notebooks import Notebooks

        return Notebooks(self.documents)

    @cached_property
    def completer(self) -> Completer:
        from lido.lsp import completion

        return completion.make(self)

    def opened(self, path: Path) -> str | None:
        """The text of the document that the editor has open for `path`, the URI where it was never saved.
        From any thread."""
        real = os.path.realpath(path)
        for document in self.documents.open_documents():
            if document.uri.startswith("untitled:"):
                if Path(document.uri) == path:
                    return document.text
            elif not document.uri.startswith("file:"):
                continue  # a notebook's cell goes by the notebook's path
            elif document.path and (document.path == path or os.path.realpath(document.path) == real):
                return document.text
        return None

    @cached_property
    def files(self) -> Workspace:
        """What edits may read and touch."""
        from lido.edits.files import Workspace

        return Workspace(self.roots, lambda path: self.privacy.blocked(path), self.opened)

    @cached_property
    def reviews(self) -> Reviews:
        from lido.lsp import review

        return review.make(self)

    @cached_property
    def attachments(self) -> Attachments:
        from lido.workspace.attachments import Attachments

        return Attachments(self.roots, lambda path: self.privacy.blocked(path), self.opened)

    @cached_property
    def chat(self) -> Chat:
        from lido.chat.conversations import Conversations
        from lido.chat.service import Chat

        store = Conversations(self.home.conversations, self._tell_from_thread)
        return Chat(self.models, store, self.attachments, self.tracker)

    @cached_property
    def plans(self) -> Plans:
        from lido.lsp import plan, review
        from lido.plan.agent import Plans
        from lido.workspace import syntax

        return Plans(
            self.models,
            self.attachments,
            self.files,
            self.reviews,
            self.settings.plan,
            self.home.plans,
            syntax.path_errors,
            review.trusted(self),
            plan.diagnostics(self) if review.tells_diagnostics(self) else None,
        )

    # ------------------------------------------------------------------ session

    def starting(self, params: lsp.InitializeParams) -> None:
        """What `initialize` brings: who the editor is, where the workspace lies, its ``lido`` section."""
        if params.client_info:
            self.editor = params.client_info.name
            self.editor_version = params.client_info.version or ""
        folders = [folder.uri for folder in params.workspace_folders or []]
        if not folders and (params.root_uri or params.root_path):
            folders = [params.root_uri or uris.from_fs_path(params.root_path or "") or ""]
        self.roots = [path for uri in folders if (path := to_path(uri)) is not None]
        options = params.initialization_options
        if isinstance(options, dict):
            options.pop("token", None)  # it has opened the door, and is no setting
        self._editor_section = lido_section(options) if isinstance(options, dict) else {}
        if isinstance(options, dict) and isinstance(who := options.get("editorInfo"), dict):
            self.copilot_client = True
            if not params.client_info:
                self.editor, self.editor_version = str(who.get("name", "")), str(who.get("version", ""))

    def editor_changed_settings(self, section: Any) -> None:
        """``workspace/didChangeConfiguration``; many editors send null and expect to be asked."""
        if isinstance(section, dict) and section:
            self._editor_section = lido_section(section)

    def folders_changed(self, event: lsp.WorkspaceFoldersChangeEvent) -> None:
        removed = {to_path(folder.uri) for folder in event.removed}
        added = [path for folder in event.added if (path := to_path(folder.uri))]
        self.roots = [root for root in self.roots if root not in removed] + added
        self.files.roots = [Path(os.path.realpath(root)) for root in self.roots]
        self.attachments.roots = self.roots

    async def configure(self) -> None:
        """Reads all settings again (files off the loop) and rebuilds what depends on what changed."""
        from lido.lsp import review

        capabilities = self.client_capabilities.workspace
        section = self._editor_section
        if capabilities and capabilities.configuration:
            item = lsp.ConfigurationItem(section="lido")
            try:
                answer = await asyncio.wait_for(
                    self.workspace_configuration_async(lsp.ConfigurationParams(items=[item])), 5
                )
            except (JsonRpcException, TimeoutError):
                answer = []
            if answer and isinstance(answer[0], dict):
                section = {**section, **_plain(answer[0])}
        new, problems = await asyncio.to_thread(_load, section, self.roots if review.trusted(self) else [])
        if not self.configured.is_set():
            await self._begin(new)
        await self._adopt(new)
        self.problems = problems
        self.configured.set()
        self.update_status()
        for problem in problems:
            self.tell(f"Lido: {problem}", lsp.MessageType.Warning)

    async def _begin(self, new: configuration.Settings) -> None:
        """What is read from disk once a session, before the first service is made."""
        from lido.events import attribution, identity
        from lido.lsp import review
        from lido.workspace import git

        self._loop = asyncio.get_running_loop()
        self.settings = new
        self.user = await asyncio.to_thread(identity.user, new.events, self.home.root)
        root = self.roots[0] if self.roots else None
        self.project = new.events.project or (await git.project_name(root) if root else "")
        if new.events.enabled:
            await asyncio.to_thread(self._hold_session)
            self.spawn(
                asyncio.to_thread(attribution.recover, self.home.events, self._sessions), "recover events"
            )
        self.recovering = self.spawn(review.recover(self), "recover edits")
        self._send_events(new.events)

    def _send_events(self, events: configuration.EventSettings) -> None:
        """To the team's collector, where there is one."""
        from lido.events import upload

        token = os.environ.get(events.collector_token_env, "") if events.collector_token_env else ""
        if events.enabled and events.collector_url:
            uploader = upload.Uploader(
                self.home.events,
                events.collector_url,
                token,
                lambda said: self.tell(said, lsp.MessageType.Warning),
            )
            self.spawn(uploader.run(), "upload events")
        elif self.home.events.exists():
            self.spawn(asyncio.to_thread(upload.end, self.home.events), "no collector")

    @property
    def _sessions(self) -> Path:
        return self.home.root / "sessions"

    def _hold_session(self) -> None:
        """A locked file says that this session lives; the system lets go of it when the process dies."""
        import filelock

        try:
            self._sessions.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self._sessions / f"{self.session}.lock", timeout=0)
            lock.acquire()
            self._session_lock = lock
        except (OSError, filelock.Timeout) as error:
            log.warning("no session lock: %s", error)

    async def _adopt(self, new: configuration.Settings) -> None:
        old, self.settings = self.settings, new
        if "privacy" in self.__dict__:
            self.privacy.configure(self.roots, new.privacy)
        if "models" in self.__dict__:
            await self.models.configure(new)
        if "plans" in self.__dict__ and old.plan != new.plan:
            self.plans.configure(new.plan)

    # ------------------------------------------------------------------ what the person is told

    def update_status(self) -> None:
        """Works out the status from the models as last seen and sends it where it changed."""
        if "models" in self.__dict__:
            models = [
                m.ModelStatus(
                    name=s.name,
                    provider=s.provider,
                    model=s.model,
                    state=s.state,
                    message=s.message,
                    tokens_per_second=s.tokens_per_second,
                )
                for s in self.models.statuses()
            ]
        else:  # none was needed so far
            models = [
                m.ModelStatus(name=name, provider=model.provider, model=model.model, state="ready")
                for name, model in self.settings.models.items()
            ]
        bad = next((s for s in models if s.state == "error"), None)
        self._failing &= {s.name for s in models if s.state == "error"}
        if not self.settings.completion.enabled:
            status = m.Status(state="off", message="Completions are switched off", models=models)
        elif bad is not None:
            status = m.Status(state="error", message=bad.message, models=models)
        elif any(s.state == "warming" for s in models):
            status = m.Status(state="warming", message="The model is loading", models=models)
        else:
            status = m.Status(state="ready", message="Ready", models=models)
        self.set_status(status)

    def model_failed(self, error: ModelError, *, tell: bool) -> None:
        """A model failed: the status says so; a message only where the person asked, and one for each
        outage, whatever faces it shows."""
        self.update_status()
        if tell and error.backend not in self._failing:
            self._failing.add(error.backend)
            self.tell(f"Lido: {error}", lsp.MessageType.Warning)

    def tell(self, message: str, kind: lsp.MessageType = lsp.MessageType.Info) -> None:
        """Shows a message, each only once a session: one calm word, not a storm."""
        if message not in self._told:
            self._told.add(message)
            self.window_show_message(lsp.ShowMessageParams(kind, message))

    def _tell_from_thread(self, message: str) -> None:
        self._loop.call_soon_threadsafe(self.tell, message, lsp.MessageType.Warning)

    def set_status(self, status: m.Status) -> None:
        """Sends ``lido/status`` where it differs from the last one."""
        if status != self._status:
            self._status = status
            self.protocol.notify("lido/status", status.encode())
            if self.copilot_client:
                kind = {"error": "Error", "off": "Inactive"}.get(status.state, "Normal")
                busy = status.state in ("busy", "warming")
                body = {"message": status.message, "kind": kind, "busy": busy}
                self.protocol.notify("didChangeStatus", body)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A background task that the session owns; an exception in it is logged, never lost."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("background task %s failed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Ends the session: tasks cancelled, engine stopped, log flushed, each in bounded time."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2)
        services = self.__dict__
        for name in ("completer", "plans", "models"):
            if name in services:
                try:
                    await asyncio.wait_for(services[name].close(), 5)
                except TimeoutError:
                    log.warning("%s did not close in time", name)
        if "reviews" in services:
            await asyncio.to_thread(self.reviews.close)
        if "chat" in services:
            await services["chat"].store.close()
        if "tracker" in services:
            self.tracker.close()
            await asyncio.to_thread(self.tracker.log.close)
        if self._exporter is not None:
            await asyncio.to_thread(self._exporter.close)
        if self._session_lock is not None:
            self._session_lock.release()
            with suppress(OSError):
                (self._sessions / f"{self.session}.lock").unlink()

    # ------------------------------------------------------------------ documents and positions

    def apply_changes(self, params: lsp.DidChangeTextDocumentParams) -> None:
        """All changes of one notification make one new version."""
        changes: list[tuple[tuple[int, int, int, int] | None, str]] = []
        for change in params.content_changes:
            if isinstance(change, lsp.TextDocumentContentChangePartial):
                start, end = change.range.start, change.range.end
                changes.append(((start.line, start.character, end.line, end.character), change.text))
            else:
                changes.append((None, change.text))
        self.documents.change(params.text_document.uri, params.text_document.version, changes, self.encoding)

    @property
    def encoding(self) -> str:
        """The negotiated position encoding: "utf-8", "utf-16" or "utf-32"."""
        chosen = self.server_capabilities.position_encoding
        return str(getattr(chosen, "value", chosen) or "utf-16")

    def document(self, uri: str) -> Document | None:
        """The open document's present snapshot."""
        return self.documents.get(uri)

    def offset(self, document: Document, position: lsp.Position) -> int:
        return document.offset_at(position.line, position.character, self.encoding)

    def position(self, document: Document, offset: int) -> lsp.Position:
        return lsp.Position(*document.position_at(offset, self.encoding))

    def range(self, document: Document, start: int, end: int) -> lsp.Range:
        return lsp.Range(self.position(document, start), self.position(document, end))

    def files_changed(self) -> None:
        """Something was saved, or changed by others. A branch switch brings thousands: told once."""
        if self._files_changed is not None:
            self._files_changed.cancel()
        self._files_changed = asyncio.get_running_loop().call_later(0.5, self._tell_of_files)

    def _tell_of_files(self) -> None:
        for listener in self.file_listeners:
            listener()

    # ------------------------------------------------------------------ errors

    def send_error(self, request_id: int | str | None, code: int, message: str) -> None:
        """Answers what could not even be dispatched. JSON-RPC gives such an answer a null id."""
        body = {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
        self.protocol._send_data(body)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """pygls would pop up a message for every one of them; they belong in the log. What is an answer to
        the client, such as a refusal, is no fault of ours and is seen where requests are logged."""
        cause = sys.exc_info()[1] or error
        refused = isinstance(cause, JsonRpcException) and not isinstance(cause, JsonRpcInternalError)
        level = logging.INFO if refused else logging.ERROR
        log.log(level, "%s", getattr(source, "__name__", source), exc_info=cause)


def _load(
    section: dict[str, Any], roots: list[Path]
) -> tuple[configuration.Settings, list[configuration.Problem]]:
    """The settings. The first call also loads the modules that `lido.lsp` postpones."""
    m.Wire.model_config  # noqa: B018
    return configuration.load(section, roots)


def decode(model: type[M], raw: Any, method: str) -> M:
    """`raw` JSON as `model`. Raises JsonRpcInvalidParams naming each bad member."""
    from pydantic import ValidationError

    try:
        return model.model_validate({} if raw is None else raw)
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise JsonRpcInvalidParams(f"{method}: {details}") from None


def lido_section(options: dict[str, Any]) -> dict[str, Any]:
    """The ``lido`` settings in initializationOptions: under that key, or the whole object, unless that is
    what Copilot's clients send there."""
    inner = options.get("lido", {} if "editorInfo" in options else None)
    return _plain(inner) if isinstance(inner, dict) else _plain(options)


def _plain(section: dict[str, Any]) -> dict[str, Any]:
    """Editors send null for what is not set."""
    return {
        key: _plain(value) if isinstance(value, dict) else value
        for key, value in section.items()
        if value is not None
    }


def to_path(uri: str) -> Path | None:
    """The file system path of a ``file:`` URI; None for anything else (untitled, notebook cells, remote)."""
    if not uri.startswith("file:"):
        return None
    if uri.lower().startswith("file://localhost/"):  # RFC 8089: this machine
        uri = "file:///" + uri[len("file://localhost/") :]
    path = uris.to_fs_path(uri)
    return Path(os.path.abspath(path)) if path and "\0" not in path else None


def to_uri(path: Path | str) -> str:
    """The ``file:`` URI of an absolute path."""
    return uris.from_fs_path(str(path)) or Path(path).as_uri()
