"""The HTTP service and its page; `catalog.web.app.create_app` makes it. Needs the extra `serve`."""
