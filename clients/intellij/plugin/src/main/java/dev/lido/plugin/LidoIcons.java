package dev.lido.plugin;

import com.intellij.openapi.util.IconLoader;
import javax.swing.Icon;

/** The IDE takes {@code lido_dark.svg} by itself where its theme is dark. */
public final class LidoIcons {
    public static final Icon LIDO = IconLoader.getIcon("/icons/lido.svg", LidoIcons.class);
    public static final Icon TOOL_WINDOW = IconLoader.getIcon("/icons/toolWindowLido.svg", LidoIcons.class);

    private LidoIcons() {}
}
