package dev.lido.plugin;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What is declared in api-signatures is what signatures.txt says, which is what was compared with JetBrains'
 * api-dump.txt: a declaration that is new or changed fails here until it was compared too.
 */
class SignaturesTest {
    private static final Path MODULE = Path.of("../api-signatures");
    private static final Map<Class<?>, String> SHORT = Map.of(
            void.class, "V", boolean.class, "Z", int.class, "I", long.class, "J", float.class, "F", char.class, "C",
            byte.class, "B");

    @Test
    void everyDeclarationIsListed() throws Exception {
        List<String> declared = declared();
        if (System.getenv("LIDO_WRITE_SIGNATURES") != null) Files.write(MODULE.resolve("target/signatures.txt"), declared);
        List<String> listed;
        try (Stream<String> lines = Files.lines(MODULE.resolve("signatures.txt"))) {
            listed = lines.filter(line -> !line.isBlank() && !line.startsWith("#")).sorted().toList();
        }
        assertEquals(String.join("\n", listed), String.join("\n", declared));
    }

    private static List<String> declared() throws Exception {
        List<String> found = new ArrayList<>();
        Path classes = MODULE.resolve("target/classes");
        List<Path> files;
        try (Stream<Path> walk = Files.walk(classes)) {
            files = walk.filter(path -> path.toString().endsWith(".class")).toList();
        }
        for (Path file : files) {
            String name = classes.relativize(file).toString().replace('/', '.').replaceAll("\\.class$", "");
            Class<?> type = Class.forName(name, false, SignaturesTest.class.getClassLoader());
            for (Field field : type.getDeclaredFields()) {
                if (visible(field.getModifiers()) && !field.isSynthetic()) {
                    found.add(name + "#" + field.getName() + ":" + of(field.getType()));
                }
            }
            for (Constructor<?> one : type.getDeclaredConstructors()) {
                if (one.getParameterCount() > 0) add(found, name, "<init>", one, "V");
            }
            for (Method one : type.getDeclaredMethods()) add(found, name, one.getName(), one, of(one.getReturnType()));
        }
        return found.stream().filter(Objects::nonNull).distinct().sorted().toList();
    }

    private static void add(List<String> found, String type, String name, Executable one, String result) {
        if (!visible(one.getModifiers()) || one.isSynthetic() || name.contains("lambda$")) return;
        String parameters = Arrays.stream(one.getParameterTypes()).map(SignaturesTest::of).collect(Collectors.joining(","));
        found.add(type + "#" + name + "(" + parameters + "):" + result);
    }

    private static boolean visible(int modifiers) {
        return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
    }

    private static String of(Class<?> type) {
        return type.isArray() ? of(type.getComponentType()) + "[]" : SHORT.getOrDefault(type, type.getName());
    }
}
