package com.intellij.ui.content;

public interface ContentManager {
    void addContent(Content content);

    Content findContent(String displayName);

    void setSelectedContent(Content content);
}
