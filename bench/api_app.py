"""The application with one more route, which answers `{}`: what a request costs that asks for nothing."""

from __future__ import annotations

from flask import Flask

from app import create_app


def wsgi() -> Flask:
    """The application that gunicorn serves."""
    app = create_app()
    app.add_url_rule("/bare", view_func=dict)
    return app
