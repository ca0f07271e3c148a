# The types of what `__init__` hands on with the first use: imports there would be seen as the package's own.
from lido.api import (
    Answer as Answer,
)
from lido.api import (
    Change as Change,
)
from lido.api import (
    ModelError as ModelError,
)
from lido.api import (
    PlanResult as PlanResult,
)
from lido.api import (
    Step as Step,
)
from lido.api import (
    ask as ask,
)
from lido.api import (
    ask_sync as ask_sync,
)
from lido.api import (
    complete as complete,
)
from lido.api import (
    complete_sync as complete_sync,
)
from lido.api import (
    run_plan as run_plan,
)
from lido.api import (
    run_plan_sync as run_plan_sync,
)

__version__: str
