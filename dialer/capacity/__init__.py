"""Permits, the limiter's rebuild, back-pressure, the gateway breaker."""
