"""What to make: a YAML job file becomes a checked job, the job a lazy list of variants."""
