package dev.lido.core;

import java.net.URI;
import java.nio.file.Path;

/** File URIs as editors write them: {@code file:///…}, no slash at the end of a folder's. */
public final class Uris {
    private Uris() {}

    public static String of(Path path) {
        String uri = path.toAbsolutePath().toUri().toString();
        return uri.endsWith("/") && path.getNameCount() > 0 ? uri.substring(0, uri.length() - 1) : uri;
    }

    /** @throws IllegalArgumentException where it is not a file's */
    public static Path path(String uri) {
        return Path.of(URI.create(uri));
    }
}
