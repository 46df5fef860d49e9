//! The words that every part shares, without any I/O: ids, ARNs, the clock, pages, limits, shapes and seams.
