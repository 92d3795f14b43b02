"""The board in a real browser, where there is one."""
