"""The dialer process: dispatch, record, recovery, capacity; `python -m dialer`."""
