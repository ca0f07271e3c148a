package com.intellij.openapi.wm;

public abstract class WindowManager {
    public static WindowManager getInstance() {
        throw new UnsupportedOperationException();
    }

    public abstract StatusBar getStatusBar(com.intellij.openapi.project.Project project);
}
