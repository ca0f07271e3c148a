package com.intellij.diff;

public abstract class DiffManager {
    public static DiffManager getInstance() {
        throw new UnsupportedOperationException();
    }

    public abstract void showDiff(
            com.intellij.openapi.project.Project project,
            com.intellij.diff.chains.DiffRequestChain requests,
            DiffDialogHints hints);
}
