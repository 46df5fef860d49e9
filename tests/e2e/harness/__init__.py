"""What the end-to-end tests share: the server process, backends, a REST API builder, a browser, README blocks."""
