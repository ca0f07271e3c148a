package com.intellij.diff.chains;

public class SimpleDiffRequestChain implements DiffRequestChain {
    public SimpleDiffRequestChain(
            java.util.List<? extends com.intellij.diff.requests.DiffRequest> requests, int index) {}

    @Override
    public <T> T getUserData(com.intellij.openapi.util.Key<T> key) {
        throw new UnsupportedOperationException();
    }

    @Override
    public <T> void putUserData(com.intellij.openapi.util.Key<T> key, T value) {
        throw new UnsupportedOperationException();
    }
}
