//! Everything that must last: rows, blobs and migrations, and the only SQL in the project.
