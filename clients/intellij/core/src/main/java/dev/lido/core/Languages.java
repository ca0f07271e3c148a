package dev.lido.core;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** LSP language ids (LSP 3.18, TextDocumentItem) by file name: the ids that every editor of the team sends. */
public final class Languages {
    private static final Map<String, String> BY_ENDING = new HashMap<>();

    static {
        add("python", "py", "pyi", "pyw");
        add("java", "java");
        add("kotlin", "kt", "kts");
        add("scala", "scala", "sc");
        add("groovy", "groovy", "gradle");
        add("javascript", "js", "mjs", "cjs");
        add("javascriptreact", "jsx");
        add("typescript", "ts", "mts", "cts");
        add("typescriptreact", "tsx");
        add("c", "c", "h");
        add("cpp", "cpp", "cc", "cxx", "hpp", "hh", "hxx");
        add("csharp", "cs");
        add("go", "go");
        add("rust", "rs");
        add("ruby", "rb");
        add("php", "php");
        add("swift", "swift");
        add("dart", "dart");
        add("lua", "lua");
        add("r", "r");
        add("perl", "pl", "pm");
        add("shellscript", "sh", "bash", "zsh");
        add("powershell", "ps1", "psm1");
        add("sql", "sql");
        add("html", "html", "htm");
        add("css", "css");
        add("scss", "scss");
        add("less", "less");
        add("vue", "vue");
        add("svelte", "svelte");
        add("json", "json");
        add("yaml", "yaml", "yml");
        add("toml", "toml");
        add("xml", "xml", "xsd", "xsl");
        add("markdown", "md", "markdown");
        add("proto", "proto");
        add("terraform", "tf");
        add("elixir", "ex", "exs");
        add("erlang", "erl");
        add("haskell", "hs");
        add("clojure", "clj", "cljs", "cljc");
        add("julia", "jl");
        add("zig", "zig");
    }

    private Languages() {}

    private static void add(String id, String... endings) {
        for (String ending : endings) BY_ENDING.put(ending, id);
    }

    /** {@code plaintext} for what is not known. */
    public static String id(String fileName) {
        String name = fileName.toLowerCase(Locale.ROOT);
        if (name.equals("dockerfile")) return "dockerfile";
        if (name.equals("makefile")) return "makefile";
        return BY_ENDING.getOrDefault(name.substring(name.lastIndexOf('.') + 1), "plaintext");
    }
}
