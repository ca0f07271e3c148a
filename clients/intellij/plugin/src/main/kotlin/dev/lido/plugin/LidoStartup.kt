package dev.lido.plugin

import com.intellij.openapi.project.Project
import com.intellij.openapi.startup.ProjectActivity

/** Starts with the project. Kotlin, because the platform's interface suspends. */
class LidoStartup : ProjectActivity {
    override suspend fun execute(project: Project) {
        LidoService.onUi { if (!project.isDisposed) LidoService.of(project).start() }
    }
}
