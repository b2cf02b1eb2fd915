"""`gpubt bench`: what is timed is first compared. Records go to `bench/records/`."""
