package com.intellij.diff.requests;

public class SimpleDiffRequest extends ContentDiffRequest {
    public SimpleDiffRequest(
            String title,
            com.intellij.diff.contents.DiffContent content1,
            com.intellij.diff.contents.DiffContent content2,
            String title1,
            String title2) {}

    @Override
    public String getTitle() {
        throw new UnsupportedOperationException();
    }

    @Override
    public <T> T getUserData(com.intellij.openapi.util.Key<T> key) {
        throw new UnsupportedOperationException();
    }

    @Override
    public <T> void putUserData(com.intellij.openapi.util.Key<T> key, T value) {
        throw new UnsupportedOperationException();
    }
}
