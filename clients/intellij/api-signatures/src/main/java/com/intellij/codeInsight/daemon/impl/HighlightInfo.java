package com.intellij.codeInsight.daemon.impl;

public class HighlightInfo {
    public static HighlightInfo fromRangeHighlighter(com.intellij.openapi.editor.markup.RangeHighlighter highlighter) {
        throw new UnsupportedOperationException();
    }

    public String getDescription() {
        throw new UnsupportedOperationException();
    }

    public com.intellij.lang.annotation.HighlightSeverity getSeverity() {
        throw new UnsupportedOperationException();
    }
}
