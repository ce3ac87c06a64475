"""Worker processes here, and Dask clusters."""
