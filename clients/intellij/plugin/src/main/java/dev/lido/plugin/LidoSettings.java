package dev.lido.plugin;

import com.intellij.openapi.application.ApplicationManager;
import com.intellij.openapi.components.PersistentStateComponent;
import com.intellij.openapi.components.State;
import com.intellij.openapi.components.Storage;
import dev.lido.core.Settings;
import java.util.List;
import java.util.stream.Stream;

/** The settings of all projects, kept by the IDE. */
@State(name = "Lido", storages = @Storage("lido.xml"))
public final class LidoSettings implements PersistentStateComponent<LidoSettings.Stored> {
    /** Public fields are what the IDE writes. */
    public static final class Stored {
        public String command = "";
        public boolean completions = true;
        public String disabledLanguages = "";
        public int maxLines;
        public String testCommand = "";
    }

    private Stored stored = new Stored();

    public static LidoSettings get() {
        return ApplicationManager.getApplication().getService(LidoSettings.class);
    }

    @Override
    public Stored getState() {
        return stored;
    }

    @Override
    public void loadState(Stored state) {
        stored = state;
    }

    public Settings settings() {
        return new Settings(
                Settings.split(stored.command),
                stored.completions,
                words(stored.disabledLanguages),
                stored.maxLines > 0 ? stored.maxLines : null,
                stored.testCommand);
    }

    private static List<String> words(String text) {
        return Stream.of(text.split("[,\\s]+")).filter(word -> !word.isEmpty()).toList();
    }
}
