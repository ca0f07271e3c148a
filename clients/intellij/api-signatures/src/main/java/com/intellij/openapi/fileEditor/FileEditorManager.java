package com.intellij.openapi.fileEditor;

public abstract class FileEditorManager {
    public static FileEditorManager getInstance(com.intellij.openapi.project.Project project) {
        throw new UnsupportedOperationException();
    }

    public abstract com.intellij.openapi.editor.Editor getSelectedTextEditor();
}
