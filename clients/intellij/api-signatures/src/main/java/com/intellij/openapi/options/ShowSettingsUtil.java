package com.intellij.openapi.options;

public abstract class ShowSettingsUtil {
    public static ShowSettingsUtil getInstance() {
        throw new UnsupportedOperationException();
    }

    public abstract <T extends Configurable> void showSettingsDialog(
            com.intellij.openapi.project.Project project, Class<T> configurableClass);
}
