package com.intellij.diff;

public class DiffDialogHints {
    public static final DiffDialogHints DEFAULT = new DiffDialogHints();
}
