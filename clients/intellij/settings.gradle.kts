rootProject.name = "lido-intellij"

include("core", "plugin")
