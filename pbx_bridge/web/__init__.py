"""The office's page: server-rendered, in the service's own process, off the way of a text."""
