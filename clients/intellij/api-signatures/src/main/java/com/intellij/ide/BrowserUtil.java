package com.intellij.ide;

public final class BrowserUtil {
    private BrowserUtil() {}

    public static void browse(String url) {
        throw new UnsupportedOperationException();
    }
}
