package com.intellij.openapi.wm;

public interface StatusBarWidget extends com.intellij.openapi.Disposable {
    String ID();

    WidgetPresentation getPresentation();

    void install(StatusBar statusBar);

    interface WidgetPresentation {
        String getTooltipText();

        com.intellij.util.Consumer<java.awt.event.MouseEvent> getClickConsumer();
    }

    interface TextPresentation extends WidgetPresentation {
        String getText();

        float getAlignment();
    }
}
