"""Every human interface: the web pages and the `precept` command line."""
