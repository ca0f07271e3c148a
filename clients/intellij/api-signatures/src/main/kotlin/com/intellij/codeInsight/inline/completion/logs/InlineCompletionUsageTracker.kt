package com.intellij.codeInsight.inline.completion.logs

object InlineCompletionUsageTracker {
    object ShownEvents {
        enum class FinishType { SELECTED, ESCAPE_PRESSED, OTHER }
    }
}
