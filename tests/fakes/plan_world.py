"""A project with a scripted model, for what `Plans` does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from fakes.scripted_models import ScriptedModels
from lido.edits.apply import Reviews
from lido.edits.files import Workspace
from lido.edits.journal import Journal
from lido.plan.agent import Plans
from lido.plan.run import Update
from lido.plan.tools import Diagnostics
from lido.settings import PlanSettings, PrivacySettings
from lido.workspace.attachments import Attachments
from lido.workspace.privacy import Privacy

NO_SETTINGS = PlanSettings()


class World:
    def __init__(
        self,
        root: Path,
        models: ScriptedModels,
        settings: PlanSettings = NO_SETTINGS,
        diagnostics: Diagnostics | None = None,
    ) -> None:
        privacy = Privacy([root], PrivacySettings())
        workspace = Workspace([root], privacy.blocked)
        self.root = root
        self.models = models
        self.reviews = Reviews(workspace, Journal(root.parent / "journal"))
        self.updates: list[Update] = []
        self.waiting = asyncio.Event()
        self.folder = root.parent / "plans"
        self.plans = Plans(
            models,
            Attachments([root], privacy.blocked),
            workspace,
            self.reviews,
            settings,
            self.folder,
            diagnostics=diagnostics,
        )

    def start(self, instruction: str, **more) -> str:
        return self.plans.start(instruction, on_update=self.updated, **more)

    def updated(self, update: Update) -> None:
        self.updates.append(update)
        if update.state == "waiting":
            self.waiting.set()

    async def run(self, instruction: str, **more) -> Update:
        return await self.plans.wait(self.start(instruction, **more))

    def hunks(self, update: Update) -> list[tuple[str, str, str]]:
        review = self.reviews.get(update.review_id)
        return [(Path(f.path).name, h.old.strip(), h.new.strip()) for f in review.files for h in f.hunks]


def steps(*pairs: tuple[str, str]) -> str:
    return json.dumps({"steps": [{"file": f, "change": c} for f, c in pairs]})
