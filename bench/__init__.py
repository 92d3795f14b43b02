"""What is fast enough, and how fast it is: `script/bench` prints every line with its bound. See `bench/lines.py`."""
