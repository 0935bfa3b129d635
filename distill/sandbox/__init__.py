"""Generated code run within limits: its own folder, one process, no network, bounded time, memory and writing."""
