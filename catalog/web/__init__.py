"""The HTTP service and its page; `music_catalog.web.app.create_app` makes it. Needs the extra `serve`."""
