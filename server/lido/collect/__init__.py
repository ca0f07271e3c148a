"""The team's collector: takes events in from many servers, gives counts out. See docs/collector.md."""
