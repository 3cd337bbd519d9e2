"""Sound in and out: files and devices."""
