@file:Suppress("UNUSED_PARAMETER")

package com.intellij.codeInsight.inline.completion.suggestion

import com.intellij.codeInsight.inline.completion.elements.InlineCompletionElement
import com.intellij.openapi.util.UserDataHolderBase
import kotlinx.coroutines.flow.FlowCollector

interface InlineCompletionSuggestion {
    object Empty : InlineCompletionSuggestion
}

interface InlineCompletionSingleSuggestion : InlineCompletionSuggestion {
    companion object {
        fun build(
            data: UserDataHolderBase = UserDataHolderBase(),
            buildElements: suspend FlowCollector<InlineCompletionElement>.(data: UserDataHolderBase) -> Unit,
        ): InlineCompletionSingleSuggestion = throw UnsupportedOperationException()
    }
}
