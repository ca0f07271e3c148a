package com.intellij.openapi.editor.impl;

public class DocumentMarkupModel {
    public static com.intellij.openapi.editor.markup.MarkupModel forDocument(
            com.intellij.openapi.editor.Document document,
            com.intellij.openapi.project.Project project,
            boolean create) {
        throw new UnsupportedOperationException();
    }
}
