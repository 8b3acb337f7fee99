"""What edge is pointed at: the Flask app, or where Flask is not installed a page that says so."""
try:
    from shop import app as application
except ModuleNotFoundError as missing:
    if missing.name != "flask":
        raise

    def application(environ, start_response):
        start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"This part of the demo needs Flask: apt install python3-flask, or pip install flask.\n"]
