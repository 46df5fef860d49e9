//! Lambda: the API, the pool of environments, their sandbox and their runtimes.
