"""Who dials: dispatcher, recorder, recovery, supervisor; `python -m dialer`."""
