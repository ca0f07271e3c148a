(class name: (constant) @name) @definition.class
(module name: (constant) @name) @definition.module
(method name: (_) @name) @definition.method
(singleton_method name: (_) @name) @definition.method
