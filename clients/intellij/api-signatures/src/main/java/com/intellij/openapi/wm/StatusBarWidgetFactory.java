package com.intellij.openapi.wm;

public interface StatusBarWidgetFactory {
    String getId();

    String getDisplayName();

    boolean isAvailable(com.intellij.openapi.project.Project project);

    StatusBarWidget createWidget(com.intellij.openapi.project.Project project);

    void disposeWidget(StatusBarWidget widget);

    boolean canBeEnabledOn(StatusBar statusBar);
}
