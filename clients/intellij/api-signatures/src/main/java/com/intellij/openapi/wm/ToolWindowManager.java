package com.intellij.openapi.wm;

public abstract class ToolWindowManager {
    public static ToolWindowManager getInstance(com.intellij.openapi.project.Project project) {
        throw new UnsupportedOperationException();
    }

    public abstract ToolWindow getToolWindow(String id);
}
