"""HTTP clients compared: plan, drive child interpreters, record; `loadtest clients` runs it."""
