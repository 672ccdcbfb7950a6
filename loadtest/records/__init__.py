"""What a run is: immutable records, and the folder they live in. Imports nothing of ours."""
