"""The trusted side: runs hidden checks against a submission that lives in another process."""
