"""Worker processes on this machine, and Dask clusters."""
