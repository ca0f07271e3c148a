package com.intellij.diff.util;

public interface DiffUserDataKeys {
    com.intellij.openapi.util.Key<java.util.List<com.intellij.openapi.actionSystem.AnAction>> CONTEXT_ACTIONS =
            com.intellij.openapi.util.Key.create("CONTEXT_ACTIONS");
}
