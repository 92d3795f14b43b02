"""What is fast enough, and how fast it is: `script/bench` prints every line. See `bench/catalogue.py`."""
