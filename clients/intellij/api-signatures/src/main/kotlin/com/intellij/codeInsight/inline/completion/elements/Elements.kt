@file:Suppress("UNUSED_PARAMETER")

package com.intellij.codeInsight.inline.completion.elements

interface InlineCompletionElement {
    val text: String
}

class InlineCompletionGrayTextElement(override val text: String) : InlineCompletionElement
