//! Pure text machines: mapping templates, JSONPath, parameter mapping. They never panic and do no I/O.
