package com.intellij.openapi.actionSystem;

public class DefaultActionGroup extends ActionGroup {
    public DefaultActionGroup() {}

    public DefaultActionGroup(AnAction... actions) {}

    @Override
    public AnAction[] getChildren(AnActionEvent event) {
        throw new UnsupportedOperationException();
    }
}
