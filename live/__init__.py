"""The event stream: publishing, replay log, one reader for each process fanned out to many listeners."""
