package com.intellij.openapi.components;

/**
 * As in 183, with {@code getService} of 193. Its body is for tests in a CoreApplicationEnvironment; in an IDE the
 * platform's own is loaded.
 */
public interface ComponentManager
        extends com.intellij.openapi.util.UserDataHolder, com.intellij.openapi.Disposable {
    default <T> T getService(Class<T> serviceClass) {
        return serviceClass.cast(getPicoContainer().getComponentInstance(serviceClass.getName()));
    }

    BaseComponent getComponent(String name);

    <T> T getComponent(Class<T> interfaceClass);

    <T> T getComponent(Class<T> interfaceClass, T defaultImplementationIfAbsent);

    @SuppressWarnings("rawtypes")
    boolean hasComponent(Class interfaceClass);

    <T> T[] getComponents(Class<T> baseClass);

    org.picocontainer.PicoContainer getPicoContainer();

    com.intellij.util.messages.MessageBus getMessageBus();

    boolean isDisposed();

    <T> T[] getExtensions(com.intellij.openapi.extensions.ExtensionPointName<T> extensionPointName);

    com.intellij.openapi.util.Condition<?> getDisposed();
}
