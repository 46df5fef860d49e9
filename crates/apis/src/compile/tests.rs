//! What plans snapshots give.
