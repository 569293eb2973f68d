"""One file a lab; the file's name is the lab's, and each has a `LAB`."""
