package com.intellij.openapi.wm;

public interface ToolWindow {
    void activate(Runnable runnable);

    com.intellij.ui.content.ContentManager getContentManager();
}
